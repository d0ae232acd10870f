#!/usr/bin/env python3
"""Dump images, labels, noise and gradient of a PyTorch defence, for `purescope audit --gradient`.

usage: dump_torch_gradient.py MODULE FOLDER [--t 100] [--steps 10] [--n 4] [--seed 0]

MODULE is a Python file that defines
    images()            -> x [n,3,h,w] in [0,1] and labels [n]
    eps(u, t)           -> the diffusion network's output for u in [-1,1] and the index t (an int)
    logits(x)           -> the classifier's output for x in [0,1]
    purify(u, e, z)     optional: your own chain, from u in [-1,1], forward noise e [n,3,h,w] and reverse noise z [k,n,3,h,w]
Without purify() the chain below runs: one jump to abar[t-1], then ancestral steps with clipped x0 and variance beta.
FOLDER receives x.npy, labels.npy, gradient.npy and noise.safetensors; the command that judges them is printed.
"""
import argparse
import importlib.util
import json
import pathlib
import struct

import numpy as np
import torch


def chain(eps, t_star, steps):
    """The purifier u, e, z -> image: DDPM ancestral sampling on the kept indices k t*/steps - 1."""
    full = torch.cumprod(1 - torch.linspace(1e-4, 2e-2, 1000, dtype=torch.float64), 0)
    kept = [k * (t_star // steps) - 1 for k in range(1, steps + 1)]
    before = [1.0] + [full[i].item() for i in kept[:-1]]

    def purify(u, e, z):
        a = full[t_star - 1].item()
        u = a**0.5 * u + (1 - a) ** 0.5 * e
        for order, (i, last) in enumerate(zip(reversed(kept), reversed(before))):
            a = full[i].item()
            beta = 1 - a / last
            x0 = (u / a**0.5 - (1 / a - 1) ** 0.5 * eps(u, i)).clamp(-1, 1)
            u = beta * last**0.5 / (1 - a) * x0 + (1 - last) * (1 - beta) ** 0.5 / (1 - a) * u
            if last < 1:
                u = u + beta**0.5 * z[order]
        return u

    return purify


def write_safetensors(path, tensors):
    header, data, at = {}, [], 0
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value, dtype="<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + len(raw)]}
        data.append(raw)
        at += len(raw)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("module")
    p.add_argument("folder", type=pathlib.Path)
    p.add_argument("--t", type=int, default=100)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--n", type=int, default=4)
    p.add_argument("--seed", type=int, default=0)
    a = p.parse_args()
    spec = importlib.util.spec_from_file_location("defence", a.module)
    defence = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(defence)

    x, labels = defence.images()
    x, labels = x[: a.n].float(), labels[: a.n]
    torch.manual_seed(a.seed)
    e = torch.randn_like(x)
    z = torch.randn((a.steps, *x.shape))
    purify = getattr(defence, "purify", None) or chain(defence.eps, a.t, a.steps)
    x = x.requires_grad_()
    loss = torch.nn.functional.cross_entropy(defence.logits(purify(2 * x - 1, e, z) / 2 + 0.5), labels, reduction="sum")
    (gradient,) = torch.autograd.grad(loss, x)

    a.folder.mkdir(parents=True, exist_ok=True)
    np.save(a.folder / "x.npy", x.detach().numpy())
    np.save(a.folder / "labels.npy", labels.numpy().astype(np.int64))
    np.save(a.folder / "gradient.npy", gradient.numpy())
    write_safetensors(a.folder / "noise.safetensors", {"noise.forward": e.numpy(), "noise.reverse": z.numpy()})
    print(f"loss {loss.item():.9g}\npurescope audit --gradient {a.folder}/gradient.npy --input {a.folder}/x.npy "
          f"--labels {a.folder}/labels.npy --noise {a.folder}/noise.safetensors --t {a.t} --steps-reverse {a.steps}")


if __name__ == "__main__":
    main()
