#!/usr/bin/env python3
"""Writes tests/golden/rng_vectors.json: the numbers the tests of src/rng are checked against.

The CPU part comes from an installed PyTorch (1.13.1 of Debian 12: apt install python3-torch; other builds may differ
in the last bits of normals), once with its AVX2 kernels and once with its default kernels. The CUDA part comes from the
model of the launch rule below, written with Python integers and double precision; it needs no GPU.

usage: /usr/bin/python3 tools/goldens/rng_vectors.py [OUT.json]
"""
import hashlib
import json
import math
import os
import subprocess
import sys

import numpy as np

SEEDS = [0, 1, 42, 5489, 2**32 - 1, 2**32 + 5]
LAYOUTS = [(3072, 132, 2048), (100, 132, 2048), (196608, 132, 2048), (196608, 80, 1536), (196608, 72, 1024)]
EPS = 8 / 255


def bits(values):
    """Hexadecimal bit patterns of a float32 or float64 array, joined by blanks."""
    kind, width = (np.uint32, 8) if values.dtype == np.float32 else (np.uint64, 16)
    return " ".join(format(int(v), "0%dx" % width) for v in np.ascontiguousarray(values).view(kind))


def summary(values):
    """First and last bit patterns and the SHA-256 of all bytes (little-endian)."""
    values = np.ascontiguousarray(values)
    return {"n": int(values.size), "first": bits(values[:8]), "last": bits(values[-4:]),
            "sha256": hashlib.sha256(values.tobytes()).hexdigest()}


# ---------------------------------------------------------------------------------------------- CPU, from PyTorch
def cpu_section(avx2):
    import torch
    f64 = torch.float64
    out = []

    def add(call, seed, values, **extra):
        out.append({"call": call, "seed": seed, **extra, **summary(values.numpy())})

    for seed in SEEDS:
        def fresh():
            torch.manual_seed(seed)
        for n in (8, 3072):
            fresh(); add("rand", seed, torch.rand(n))
            fresh(); add("rand64", seed, torch.rand(n, dtype=f64))
        for n in (1, 15, 16, 17, 100, 3072, 196608):
            fresh(); add("randn", seed, torch.randn(n))
            if n <= 3072:
                fresh(); add("randn64", seed, torch.randn(n, dtype=f64))
        for n in (15, 1000):
            fresh(); add("normal", seed, torch.empty(n).normal_(0.3, 1.7), mean=0.3, std=1.7)
            fresh(); add("normal64", seed, torch.empty(n, dtype=f64).normal_(0.3, 1.7), mean=0.3, std=1.7)
        fresh(); add("uniform", seed, torch.empty(3072).uniform_(-EPS, EPS), lo=-EPS, hi=EPS)
        fresh(); add("uniform64", seed, torch.empty(3072, dtype=f64).uniform_(-EPS, EPS), lo=-EPS, hi=EPS)
        fresh(); add("rand_scaled", seed, torch.rand(3072) * (EPS - -EPS) + -EPS, lo=-EPS, hi=EPS)
        # One generator, calls of many sizes: the waiting second value of a pair outlives long calls and type changes.
        fresh()
        mixed = [torch.randn(n, dtype=f64 if k % 3 == 2 else torch.float32).to(f64)
                 for k, n in enumerate((1, 16, 1, 3, 20, 15, 15, 2))]
        add("mixed", seed, torch.cat(mixed))
        if avx2:
            integers = out.append
            for lo, hi in ((0, 10), (-5, 995), (0, 2**32), (-5, 2**33)):
                fresh(); integers({"call": "randint", "seed": seed, "lo": lo, "hi": hi,
                                   "values": torch.randint(lo, hi, (16,)).tolist()})
            for n in (10, 60):
                fresh(); integers({"call": "randperm", "seed": seed, "values": torch.randperm(n).tolist()})
            fresh(); integers({"call": "bernoulli", "seed": seed, "p": 0.3,
                               "values": [int(v) for v in torch.empty(64).bernoulli_(0.3).tolist()]})
            words = np.random.RandomState(seed % 2**32).randint(0, 2**32, 16, dtype=np.uint32)
            integers({"call": "words", "seed": seed, "values": [int(v) for v in words]})
    return out


def cpu_sections():
    """PyTorch chooses its kernels when it starts, so each kind runs in a process of its own."""
    sections = {}
    for name in ("avx2", "default"):
        env = dict(os.environ, ATEN_CPU_CAPABILITY=name)
        run = subprocess.run([sys.executable, __file__, "--cpu", name], env=env, stdout=subprocess.PIPE, check=True)
        sections[name] = json.loads(run.stdout)
    return sections


# ---------------------------------------------------------------------------------------------- CUDA, from the rule
def philox(key, counter):
    """Philox4x32-10 over arrays: key a Python integer, counter four uint64 arrays of 32-bit values."""
    low = np.uint64(0xFFFFFFFF)
    c0, c1, c2, c3 = counter
    k0, k1 = key & 0xFFFFFFFF, key >> 32 & 0xFFFFFFFF
    for _ in range(10):
        a, b = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (b >> np.uint64(32) ^ c1 ^ np.uint64(k0), b & low,
                          a >> np.uint64(32) ^ c3 ^ np.uint64(k1), a & low)
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0, c1, c2, c3


def cuda_elements(seed, n, sm, threads, offset, per_block):
    """The four words of each element's block, which value of the block it is, and the offset after the call."""
    total = 256 * min(-(-n // 256), sm * (threads // 256))
    i = np.arange(n, dtype=np.uint64)
    turn = np.uint64(offset // 4) + i // np.uint64(total * per_block)
    thread, zero = i % np.uint64(total), np.zeros(n, dtype=np.uint64)
    lane = (i // np.uint64(total) % np.uint64(per_block)).astype(int)
    return philox(seed, (turn, zero, thread, zero)), lane, offset + 4 * ((n - 1) // (total * per_block) + 1)


def unit(words):
    """(0, 1], the sum formed in double without error and rounded once."""
    return (words.astype(np.float32).astype(np.float64) * 2.0**-32 + 2.0**-33).astype(np.float32)


def cuda_rand(seed, n, sm, threads, offset=0):
    words, lane, after = cuda_elements(seed, n, sm, threads, offset, 4)
    u = unit(np.choose(lane, words))
    return np.where(u == 1, np.float32(0), u), after


def cuda_randn(seed, n, sm, threads, offset=0):
    words, lane, after = cuda_elements(seed, n, sm, threads, offset, 4)
    first = np.where(lane < 2, words[0], words[2])
    second = np.where(lane < 2, words[1], words[3]).astype(np.float32).astype(np.float64)
    radius = np.sqrt(-2 * np.log(unit(first).astype(np.float64)))
    angle = (second + 0.5) * (2.0**-32 * 2 * math.pi)
    return radius * np.where(lane % 2 == 0, np.sin(angle), np.cos(angle)), after


def cuda_randn64(seed, n, sm, threads, offset=0):
    words, lane, after = cuda_elements(seed, n, sm, threads, offset, 2)
    zx = words[0] ^ words[1] << np.uint64(21)
    zy = words[2] ^ words[3] << np.uint64(21)
    radius = np.sqrt(-2 * np.log(zx.astype(np.float64) * 2.0**-53 + 2.0**-54))
    angle = math.pi * (zy.astype(np.float64) * 2.0**-52 + 2.0**-53)
    return radius * np.where(lane == 0, np.sin(angle), np.cos(angle)), after


def cuda_section():
    out = []
    for seed in SEEDS + [2**63 + 12345]:
        for n, sm, threads in LAYOUTS:
            for offset in (0, 8) if n == 3072 else (0,):
                u, after = cuda_rand(seed, n, sm, threads, offset)
                v, _ = cuda_randn(seed, n, sm, threads, offset)
                w, after64 = cuda_randn64(seed, n, sm, threads, offset)
                at = sorted({k for k in (0, 1, 7, n // 3, n // 2, 255, 256, n - 2, n - 1) if k < n})
                out.append({"seed": seed, "n": n, "sm": sm, "threads": threads, "offset": offset,
                            "after": after, "after64": after64, "rand": summary(u), "index": at,
                            "randn": [float("%.8g" % x) for x in v[at]],
                            "randn64": [float("%.15g" % x) for x in w[at]]})
    blocks = []
    for seed in SEEDS:
        for sub, block in ((0, 0), (3071, 0), (0, 1), (2**32 + 5, 2**32 + 7)):
            counter = [np.uint64(v) for v in (block % 2**32, block >> 32, sub % 2**32, sub >> 32)]
            blocks.append({"seed": seed, "subsequence": sub, "block": block,
                           "words": [int(w) for w in philox(seed, counter)]})
    return out, blocks


# ---------------------------------------------------------------------------------------------- seed hash
def seed_hash_section():
    rows = []
    for s in (0, 1, 2, 52, 295, -3):
        for i in (0, 1, 58, 59, 999, 9999):
            for k in (0, 1, 2, 199, 301, 2**30, 2**31 + 9):
                full = (83492791 * s) ^ (73856093 * i) ^ (19349663 * k)
                unreduced = (83492791 * s) ^ (73856093 * i) ^ (19349663 * k) % 2**32
                rows.append([s, i, k, full % 2**32, unreduced % 2**64])
    return rows


def main():
    if sys.argv[1:2] == ["--cpu"]:
        json.dump(cpu_section(sys.argv[2] == "avx2"), sys.stdout)
        return
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", "..", "tests", "golden", "rng_vectors.json")
    try:
        import torch
    except ImportError:
        sys.exit("rng_vectors.py: PyTorch is needed for the CPU part (apt install python3-torch)")
    cuda, blocks = cuda_section()
    result = {"made_by": "tools/goldens/rng_vectors.py", "torch": torch.__version__, "numpy": np.__version__,
              "philox": blocks, "seed_hash": seed_hash_section(), "cuda": cuda, "cpu": cpu_sections()}
    with open(path + ".tmp", "w") as f:
        # One row per line, so that changes can be read in a diff.
        f.write(json.dumps(result, separators=(",", ":")).replace("},{", "},\n{") + "\n")
    os.replace(path + ".tmp", path)
    print("wrote", path, os.path.getsize(path), "bytes")


if __name__ == "__main__":
    main()
