"""Reproducible numbers from names: who knows the key and the index gets the same value, so nothing need be stored.

h(key)   = FNV-1a 64 of the UTF-8 bytes
mix(z)   = the output function of SplitMix64 after adding its increment
v(key,i) = (mix(h(key) + i) >> 40) * 2^-23 - 1, in [-1, 1), i the row-major index; all integer arithmetic modulo 2^64
"""
import math

import numpy as np
import torch


def fnv1a(key):
    h = 0xCBF29CE484222325
    for byte in key.encode():
        h = ((h ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return h


def mix(z):
    """z: uint64 array; wraps modulo 2^64 by design."""
    z = z + np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def values(key, count):
    """v(key, 0..count-1) as float64; exact, since 24 bits fit."""
    z = mix(np.arange(count, dtype=np.uint64) + np.uint64(fnv1a(key)))
    return (z >> np.uint64(40)).astype(np.float64) * 2.0 ** -23 - 1.0


def uniform(key, shape, scale=1.0, shift=0.0):
    """float32(shift + scale * v), product and sum in double."""
    return (shift + scale * values(key, math.prod(shape))).astype(np.float32).reshape(shape)


def normal(key, shape):
    """Standard normal by Box-Muller from v(key + '.radius') and v(key + '.angle'), rounded to float32."""
    count = math.prod(shape)
    radius = (values(key + ".radius", count) + 1.0) / 2.0       # in [0, 1), so 1 - radius is never 0
    angle = (values(key + ".angle", count) + 1.0) * math.pi
    return (np.sqrt(-2.0 * np.log1p(-radius)) * np.cos(angle)).astype(np.float32).reshape(shape)


def weight_recipe(key, shape):
    """(shift, scale) of the tensor with this state-dict key."""
    if key.endswith("running_mean"):
        return 0.0, 0.1
    if key.endswith("running_var"):
        return 1.0, 0.5
    if len(shape) >= 2:
        return 0.0, math.sqrt(3.0 / math.prod(shape[1:]))
    return (1.0, 0.1) if key.endswith("weight") else (0.0, 0.02)


def fill_network(network):
    """Overwrites every parameter and buffer with its hash values; the counters of batch norm become 0."""
    state = {}
    for key, tensor in network.state_dict().items():
        if key.endswith("num_batches_tracked"):
            state[key] = torch.zeros_like(tensor)
            continue
        shift, scale = weight_recipe(key, tuple(tensor.shape))
        state[key] = torch.from_numpy(uniform(key, tuple(tensor.shape), scale, shift))
    network.load_state_dict(state)
    return network.eval()


def summary(array, probe_key):
    """[sum, sum of magnitudes, sum of squares, probe]; probe = sum_i a_i v(probe_key, i) also sees a swap of values."""
    flat = np.asarray(array, dtype=np.float64).reshape(-1)
    return np.array([flat.sum(), np.abs(flat).sum(), (flat * flat).sum(), flat @ values(probe_key, flat.size)])
