"""Time and peak memory of adm-256 in PyTorch, for tests/bench/imagenet.sh: forward, and forward with the gradient in the input.

usage: /usr/bin/python3 tests/bench/imagenet_pytorch.py [--threads 2]
Parameters frozen, nothing recomputed, float32, batch 1; the median of 2 runs each after none (a run takes tens of seconds).
"""
import argparse
import os
import resource
import statistics
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "goldens"))
import imagenet_networks                                # noqa: E402


def seconds(run):
    times = []
    for _ in range(2):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=2)
    torch.set_num_threads(parser.parse_args().threads)
    network = imagenet_networks.AdmUnet(256, (1, 1, 2, 2, 4, 4), 2, (8, 16, 32), 64)
    count = sum(p.numel() for p in network.parameters())
    for p in network.parameters():
        p.requires_grad_(False)
    x, t = torch.rand(1, 3, 256, 256) * 2 - 1, torch.tensor([37])
    with torch.no_grad():
        cotangent = torch.ones_like(network(x, t))

    def forward():
        with torch.no_grad():
            network(x, t)

    def gradient():
        v = x.clone().requires_grad_(True)
        torch.autograd.grad(network(v, t), v, cotangent)

    for name, run in (("forward", forward), ("gradient", gradient)):
        took = seconds(run)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
        print(f"PyTorch {torch.__version__} adm-256 {name} ({count} parameters): {took:.1f} s, peak {peak:.1f} MB of the process, load {os.getloadavg()[0]:.2f}", flush=True)


if __name__ == "__main__":
    main()
