"""Times PyTorch on the networks that purescope runs; one JSON line per row, to be set beside purescope's own numbers.

usage: /usr/bin/python3 tests/bench/pytorch_bench.py [--quick] [--threads 1,2] [--batch 1,8]
           [--network ddpm-cifar10|wrn-28-10] [--what forward|gradient|training|chain]     (default: all of them)
       python3 tests/bench/pytorch_bench.py --card [--quick] [--batch 1,64,256] [--network ...] [--what forward|gradient]
Rows: forward (no graph), forward+input_gradient (parameters frozen, CPU, float32), a training step of the bundled CIFAR-10 purifier's
architecture, and the gradient of wrn-28-10 behind 20 reverse steps of ddpm-cifar10 with one graph that stores everything.
Each figure is the median of 5 runs after 2 warm-ups; --quick takes 1 run after 1 warm-up. Hash weights, hash inputs.
"load" is the one-minute load average before the row: on a busy machine the figures are upper bounds.
--card: on a CUDA card instead, each network eager, compiled (torch.compile) and as a CUDA graph, in float32, TF32 and under bfloat16
autocast, in both memory formats. PURESCOPE_CARD=cpu runs the same rows without a card (no graphs), to try the script.
Every thread count runs in a process of its own, since a threaded OpenBLAS reads its count only at the start.
"""
import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time

import torch
from torch.nn import functional as F

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "goldens"))
import diffusion                                        # noqa: E402
import hash_values                                      # noqa: E402
import networks                                         # noqa: E402

FORMATS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}


def median_seconds(run, warm_ups, repeats):
    for _ in range(warm_ups):
        run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def report(options, network, what, batch, layout, run):
    load = os.getloadavg()[0]
    seconds = median_seconds(run, *((1, 1) if options.quick else (2, 5)))
    print(json.dumps({"network": network, "what": what, "batch": batch, "threads": options.child, "format": layout,
                      "seconds": round(seconds, 5), "load": round(load, 2), "torch": torch.__version__}), flush=True)


def inference_rows(options, name, network, t_of, scale, shift):
    """Forward, and forward with the gradient of a fixed cotangent in the input."""
    for p in network.parameters():
        p.requires_grad_(False)
    for layout, memory_format in FORMATS.items():
        network = network.to(memory_format=memory_format)
        for batch in options.batch:
            x = torch.from_numpy(hash_values.uniform("input", (batch, 3, 32, 32), scale, shift))
            x = x.to(memory_format=memory_format)
            arguments = t_of(batch)
            with torch.no_grad():
                cotangent = torch.ones_like(network(x, *arguments))

            def forward():
                with torch.no_grad():
                    network(x, *arguments)

            def gradient():
                v = x.detach().requires_grad_(True)
                torch.autograd.grad(network(v, *arguments), v, cotangent)
            if options.what in (None, "forward"):
                report(options, name, "forward", batch, layout, forward)
            if options.what in (None, "gradient"):
                report(options, name, "forward+input_gradient", batch, layout, gradient)


def card_ways(network, what, x, arguments, device):
    """(name, function) of each way to run one pass over x."""
    def passes(model):
        def forward():
            with torch.no_grad():
                return model(x, *arguments)

        def gradient():
            v = x.detach().requires_grad_(True)
            y = model(v, *arguments)
            return torch.autograd.grad(y, v, torch.ones_like(y))
        return forward if what == "forward" else gradient

    def recorded():
        run = passes(network)
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                run()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            run()
        return graph.replay

    yield "eager", lambda: passes(network)
    if hasattr(torch, "compile"):
        yield "compiled", lambda: passes(torch.compile(network))
    if device == "cuda":
        yield "graph", recorded


def card_rows(options, name, network, t_of, scale, shift):
    device = os.environ.get("PURESCOPE_CARD", "cuda")
    synchronize = torch.cuda.synchronize if device == "cuda" else lambda: None
    for p in network.to(device).parameters():
        p.requires_grad_(False)
    for what, batch, (layout, memory_format), precision in itertools.product(
            ("forward", "gradient"), options.batch, FORMATS.items(), ("fp32", "tf32", "bf16")):
        if options.what not in (None, what):
            continue
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = precision == "tf32"
        network = network.to(memory_format=memory_format)
        x = torch.from_numpy(hash_values.uniform("input", (batch, 3, 32, 32), scale, shift)).to(device, memory_format=memory_format)
        arguments = tuple(a.to(device) for a in t_of(batch))
        for way, prepare in card_ways(network, what, x, arguments, device):
            try:
                with torch.autocast(device, torch.bfloat16, enabled=precision == "bf16"):
                    run = prepare()

                    def timed():
                        run()
                        synchronize()
                    seconds = median_seconds(timed, *((1, 1) if options.quick else (5, 20)))
            except (RuntimeError, AssertionError) as error:     # one way that fails must not end the table
                seconds, why = None, str(error).splitlines()[0]
            print(json.dumps({"network": name, "what": what, "batch": batch, "format": layout, "precision": precision, "way": way,
                              "seconds": seconds, **({} if seconds else {"error": why}), "torch": torch.__version__}), flush=True)


def training_rows(options, batch=32):
    """eps-prediction loss of a small U-Net: noise, forward, backward, Adam. No dropout."""
    settings = dict(ch=32, mult=(1, 2, 2), blocks=1, attn=(8,), groups=32, size=32)
    schedule = diffusion.linear_schedule()
    x = torch.from_numpy(hash_values.uniform("input", (batch, 3, 32, 32)))
    noise = torch.from_numpy(hash_values.normal("noise", (batch, 3, 32, 32)))
    k = (torch.arange(batch) * 31) % 1000
    a = diffusion.column(schedule.abar[k.numpy()], x)
    for layout, memory_format in FORMATS.items():
        network = hash_values.fill_network(networks.DdpmUnet(**settings)).train().to(memory_format=memory_format)
        optimizer = torch.optim.Adam(network.parameters(), lr=2e-4)

        def step():
            u = (a.sqrt() * x + (1.0 - a).sqrt() * noise).to(memory_format=memory_format)
            optimizer.zero_grad(set_to_none=True)
            F.mse_loss(network(u, k), noise).backward()
            optimizer.step()
        report(options, "ddpm ch=32,mult=1-2-2,blocks=1,attn=8,size=32", "training_step", batch, layout, step)


def chain_rows(options, steps=20):
    """Purify with `steps` reverse steps, classify, and take the gradient in the image: one graph through all network calls."""
    unet, classifier = hash_values.fill_network(networks.DdpmUnet()), hash_values.fill_network(networks.WideResnet())
    for p in list(unet.parameters()) + list(classifier.parameters()):
        p.requires_grad_(False)
    schedule = diffusion.linear_schedule()
    x = torch.from_numpy(hash_values.uniform("input", (1, 3, 32, 32), 0.5, 0.5))
    noise = torch.from_numpy(hash_values.normal("noise", (steps + 1, 1, 3, 32, 32)))
    for layout, memory_format in FORMATS.items():
        unet, classifier = unet.to(memory_format=memory_format), classifier.to(memory_format=memory_format)

        def gradient():
            v = x.to(memory_format=memory_format).detach().requires_grad_(True)
            a = float(schedule.abar[steps - 1])
            u = a ** 0.5 * (2 * v - 1) + (1 - a) ** 0.5 * noise[steps]
            for k in reversed(range(steps)):
                index = torch.full((1,), k)
                u = diffusion.ddpm_step(schedule, index.numpy(), u, unet(u, index), noise[k])
            torch.autograd.grad(classifier(u / 2 + 0.5).sum(), v)
        report(options, "wrn-28-10 behind 20 steps of ddpm-cifar10", "chain", 1, layout, gradient)


def network_rows(options, rows):
    if options.network in (None, "ddpm-cifar10"):
        rows(options, "ddpm-cifar10", hash_values.fill_network(networks.DdpmUnet()), lambda n: (torch.full((n,), 50),), 3 ** 0.5, 0.0)
    if options.network in (None, "wrn-28-10"):
        rows(options, "wrn-28-10", hash_values.fill_network(networks.WideResnet()), lambda n: (), 0.5, 0.5)


def all_rows(options):
    torch.set_num_threads(options.child)
    if options.what not in ("training", "chain"):
        network_rows(options, inference_rows)
    if options.what in (None, "training") and options.network is None:
        training_rows(options)
    if options.what == "chain":
        chain_rows(options)


def machine():
    with open("/proc/cpuinfo") as file:
        cpu = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown")
    capability = torch.__config__.show().split("CPU capability usage: ")[1].split("\n")[0]
    return {"cpu": cpu, "cores": os.cpu_count(), "pytorch_capability": capability, "torch": torch.__version__}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    numbers = lambda text: [int(v) for v in text.split(",")]        # noqa: E731
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--batch", type=numbers)
    parser.add_argument("--card", action="store_true")
    parser.add_argument("--network", choices=["ddpm-cifar10", "wrn-28-10"])
    parser.add_argument("--what", choices=["forward", "gradient", "training", "chain"])
    parser.add_argument("--child", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.batch = options.batch or ([1, 64, 256] if options.card else [1, 8])
    if options.child:
        all_rows(options)
        return 0
    print(json.dumps(machine()), flush=True)
    if options.card:
        network_rows(options, card_rows)
        return 0
    for threads in options.threads:
        count = {name: str(threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        done = subprocess.run([sys.executable] + sys.argv + ["--child", str(threads)], env={**os.environ, **count})
        if done.returncode:
            return done.returncode
    return 0


if __name__ == "__main__":
    sys.exit(main())
