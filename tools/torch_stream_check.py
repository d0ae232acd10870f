#!/usr/bin/env python3
"""Noise that purescope calls torch-cuda, against PyTorch on the CUDA device of this machine.

usage: tools/torch_stream_check.py PROGRAM     PROGRAM: purescope; exit 1 where values differ by more than 5e-6, 69 without a device

A small purification exports its noise; torch.manual_seed of the papers' hash and torch.randn on the device must give the same values.
"""
import json
import struct
import subprocess
import sys
import tempfile

import torch

SEED, IMAGE, STEPS, SIDE = 7, 90, 4, 32
BAR = 5e-6  # normals follow the device's formula with another sine (src/rng/torch_cuda.h)


def seed_hash(seed, image, k):
    """Seed of noise k: 2 t forward, 2 t + 1 reverse (eq. 23-24 of the papers), mod 2^32."""
    return ((83492791 * seed) ^ (73856093 * image) ^ (19349663 * k)) & 0xFFFFFFFF


def read_tensors(path):
    with open(path, 'rb') as f:
        header = json.loads(f.read(struct.unpack('<Q', f.read(8))[0]))
        data = f.read()
    floats = {}
    for name, info in header.items():
        if name != '__metadata__':
            first, last = info['data_offsets']
            floats[name] = struct.unpack('<%df' % ((last - first) // 4), data[first:last])
    return floats


def exported(program, layout):
    with tempfile.TemporaryDirectory() as folder:
        shape = (1, 3, SIDE, SIDE)
        head = "{'descr': '<f4', 'fortran_order': False, 'shape': %r, }" % (shape,)
        head += ' ' * (63 - (len(head) + 10) % 64) + '\n'
        with open(folder + '/x.npy', 'wb') as f:
            f.write(b'\x93NUMPY\x01\x00' + struct.pack('<H', len(head)) + head.encode() + bytes(4 * 3 * SIDE * SIDE))
        subprocess.run([program, 'purify', '-q', '-p', 'formula', '--purifier-arch',
                        'ddpm-unet:ch=8,mult=1-2,blocks=1,attn=16,size=%d,groups=4' % SIDE, '--input', folder + '/x.npy', '--t', str(STEPS),
                        '--seed', str(SEED), '--first-index', str(IMAGE), '--noise-rng', layout, '--output', folder + '/y.npy',
                        '--export-noise', folder + '/noise.safetensors'], check=True, stdout=subprocess.DEVNULL)
        return read_tensors(folder + '/noise.safetensors')


def main():
    if not torch.cuda.is_available():
        sys.exit(69)
    card = torch.cuda.get_device_properties(0)
    layout = 'torch-cuda:sm=%d,threads=%d' % (card.multi_processor_count, card.max_threads_per_multi_processor)
    noise = exported(sys.argv[1], layout)
    size = 3 * SIDE * SIDE
    draws = [('forward', 2 * (STEPS - 1), noise['noise.forward'])]
    reverse = noise['noise.reverse']
    draws += [('reverse', 2 * (STEPS - 1 - n) + 1, reverse[n * size:(n + 1) * size]) for n in range(len(reverse) // size)]
    worst = control = 0.0
    for _, k, values in draws:
        torch.manual_seed(seed_hash(SEED, IMAGE, k))
        there = torch.randn(1, 3, SIDE, SIDE, device='cuda').flatten().tolist()
        other = torch.randn(1, 3, SIDE, SIDE, device='cuda').flatten().tolist()
        worst = max([worst] + [abs(a - b) for a, b in zip(values, there)])
        control = max([control] + [abs(a - b) for a, b in zip(values, other)])
    good = len(draws) > 1 and worst <= BAR < control
    print('%d draws of %d values (%s) differ by at most %.2g, bar %g; the next draw, a control, by %.2g' %
          (len(draws), size, layout, worst, BAR, control))
    sys.exit(0 if good else 1)


if __name__ == '__main__':
    main()
