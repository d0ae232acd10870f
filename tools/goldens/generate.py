"""Writes the golden files of the tests from PyTorch, or checks that the stored ones can be made again.

usage: /usr/bin/python3 tools/goldens/generate.py [--verify | --only=WORD] [FOLDER]      FOLDER defaults to tests/golden
--only=WORD makes only the files whose name contains WORD and puts their entries into the manifest that is there.
--verify makes everything again in a temporary folder and compares: float64 to 1e-10, float32 to 1e-3 of the largest
value (float32 input gradients of ReLU networks differ by 1e-4 between machines, where a ReLU changes sign).
"""
import hashlib
import json
import os
import sys
import tempfile

import numpy as np
import torch

import chain_cases
import network_cases
import tensor_file

COMMAND = "/usr/bin/python3 tools/goldens/generate.py tests/golden"


def write_trace(path, rows):
    lines = ",\n".join(json.dumps(row) for row in rows)
    with open(path + ".tmp", "w") as file:
        file.write('{"columns": ["module", "mean", "rms"], "dtype": "f64", "rows": [\n' + lines + "\n]}\n")
    os.replace(path + ".tmp", path)


def describe(folder, path, checks):
    with open(os.path.join(folder, path), "rb") as file:
        content = file.read()
    entry = {"path": path, "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "command": COMMAND}
    if path.endswith(".safetensors"):
        tensors = tensor_file.read(os.path.join(folder, path))[0]
        entry["tensors"] = {k: f"{v.dtype}{list(v.shape)}" for k, v in tensors.items() if not k.startswith("grad_head")
                            and not k.startswith("grad_summary")}
    if checks:
        entry["checks"] = checks
    return entry


def generate(folder, only=""):
    """Writes every file whose name contains `only` and returns the manifest entries."""
    os.makedirs(folder, exist_ok=True)
    entries = []

    def save(name, make, *arguments):
        if only not in name:
            return
        made = make(*arguments)
        tensors, metadata, checks = made[:3]
        tensor_file.write(os.path.join(folder, name + ".safetensors"), tensors, metadata)
        entries.append(describe(folder, name + ".safetensors", checks))
        print(f"{name}: {json.dumps(checks)}", flush=True)
        if len(made) > 3 and made[3]:
            write_trace(os.path.join(folder, name + ".trace.json"), made[3])
            entries.append(describe(folder, name + ".trace.json", None))

    for name in network_cases.NETWORKS:
        save(name, network_cases.make, name)
    worlds = {"f64": chain_cases.World(torch.float64), "f32": chain_cases.World(torch.float32)}
    save("chain_inputs", lambda: (chain_cases.shared_inputs(), {"about": "shared by chain_*, pgd5_* and eot3"}, None))
    for name in chain_cases.CHAINS:
        save("chain_" + name, chain_cases.make_chain, name, worlds)
    for name in chain_cases.SINGLE_STEPS:
        save(name, chain_cases.make_step, name, worlds)
    save("eot3", chain_cases.make_eot, worlds)
    save("pgd5", chain_cases.make_pgd, False, worlds)
    save("pgd5_purified", chain_cases.make_pgd, True, worlds)
    return entries


def verify(folder):
    """Number of tensors that cannot be made again."""
    bad = compared = 0
    with tempfile.TemporaryDirectory() as fresh:
        for entry in generate(fresh):
            path = entry["path"]
            if path.endswith(".trace.json"):
                rows = [json.load(open(os.path.join(f, path)))["rows"] for f in (folder, fresh)]
                pairs = {path: [np.array([r[1:] for r in part]) for part in rows]}
            else:
                old, new = (tensor_file.read(os.path.join(f, path))[0] for f in (folder, fresh))
                pairs = {k: (old[k], new.get(k, np.zeros(0))) for k in old}
                bad += set(old) != set(new)
            for name, (a, b) in pairs.items():
                compared += 1
                # A gradient that is zero in theory is noise around 1e-16: hence the absolute part.
                limit = (1e-3 if a.dtype == np.float32 else 1e-10) * np.abs(a).max() + 1e-10
                if a.shape != b.shape or not np.abs(a - b).max() <= limit:
                    bad += 1
                    print(f"DIFFERS {path} {name}")
    print(f"{compared} tensors compared, {bad} differ")
    return bad


def main(arguments):
    torch.manual_seed(0)                            # weights are overwritten; only to keep every run alike
    folder = ([a for a in arguments if not a.startswith("--")] + ["tests/golden"])[0]
    if "--verify" in arguments:
        return 1 if verify(folder) else 0
    only = "".join(a[len("--only="):] for a in arguments if a.startswith("--only="))
    entries = generate(folder, only)
    path = os.path.join(folder, "MANIFEST.json")
    if only:
        with open(path) as file:
            made = {e["path"] for e in entries}
            entries = [e for e in json.load(file)["files"] if e["path"] not in made] + entries
    manifest = {"about": "Golden values made with PyTorch on hash weights; see README.md", "command": COMMAND,
                "torch": torch.__version__, "numpy": np.__version__, "files": entries}
    with open(os.path.join(folder, "MANIFEST.json.tmp"), "w") as file:
        file.write(json.dumps(manifest, indent=1) + "\n")
    os.replace(path + ".tmp", path)
    print(f"{len(entries)} files, {sum(e['bytes'] for e in entries) / 1e6:.2f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
