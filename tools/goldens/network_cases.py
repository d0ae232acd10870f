"""Goldens of single networks with hash weights: output, input gradient, parameter gradients, module trace."""
import json

import numpy as np
import torch

import hash_values
import imagenet_networks
import networks

T_SMALL, T_FULL = [3, 867], [37, 640]

# name: (constructor, settings, input shape, t, what is kept of the parameter gradients)
NETWORKS = {
    "ddpm_small": (networks.DdpmUnet, dict(ch=32, mult=(1, 2), blocks=1, attn=(8,), groups=32, size=16),
                   (2, 3, 16, 16), T_SMALL, True),
    "ddpm_small_3_levels": (networks.DdpmUnet, dict(ch=32, mult=(1, 2, 2), blocks=2, attn=(8, 4), groups=32, size=16),
                            (2, 3, 16, 16), T_SMALL, True),
    "ddpm_small_16_groups": (networks.DdpmUnet, dict(ch=48, mult=(1, 2), blocks=1, attn=(8,), groups=16, size=16),
                             (2, 3, 16, 16), T_SMALL, True),
    "wrn_small": (networks.WideResnet, dict(depth=10, widen=1), (2, 3, 32, 32), None, True),
    "cifar_resnet_20": (networks.CifarResnet, dict(depth=20), (2, 3, 32, 32), None, True),
    "cifar_resnet_8_odd": (networks.CifarResnet, dict(depth=8), (3, 3, 17, 17), None, True),
    "adm_small": (imagenet_networks.AdmUnet, dict(ch=32, mult=(2, 1), blocks=1, attn=(2,), head=16),
                  (2, 3, 16, 16), T_SMALL, True),
    "adm_small_plain": (imagenet_networks.AdmUnet, dict(ch=16, mult=(1, 2), blocks=1, attn=(1, 2), head=8, groups=8,
                        learn_sigma=False, scale_shift=False, updown=False), (2, 3, 8, 8), T_SMALL, True),
    "ddpmpp_small": (imagenet_networks.DdpmppUnet, dict(nf=16, mult=(1, 2), blocks=2, attn=(8,), size=16),
                     (2, 3, 16, 16), T_SMALL, True),
    "resnet_small": (imagenet_networks.Resnet, dict(stem=16, planes=(8, 16, 24, 32), layers=(2, 1, 1, 1), classes=10),
                     (2, 3, 33, 33), None, True),
    "ddpm_cifar10": (networks.DdpmUnet, dict(ch=128, mult=(1, 2, 2, 2), blocks=2, attn=(16,), groups=32, size=32),
                     (2, 3, 32, 32), T_FULL, False),
    "wrn_28_10": (networks.WideResnet, dict(depth=28, widen=10), (2, 3, 32, 32), None, False),
    "resnet50": (imagenet_networks.Resnet, dict(stem=64, planes=(64, 128, 256, 512), layers=(3, 4, 6, 3), classes=1000),
                 (1, 3, 224, 224), None, False),
}
SAMPLED = {"resnet50": 16}      # too large to keep: every 16th value of the input gradient, and its sums; inputs by the formula


def build(name):
    """The network with its hash weights, float32, eval mode, parameters frozen."""
    constructor, settings = NETWORKS[name][:2]
    network = hash_values.fill_network(constructor(**settings))
    for p in network.parameters():
        p.requires_grad_(False)
    return network


def relative(a, b):
    """Relative L2 distance of a from b."""
    a, b = (np.asarray(v, dtype=np.float64) for v in (a, b))
    return float(np.linalg.norm(a - b) / np.linalg.norm(b))


def trace(network, inputs):
    """[module, mean, rms] of every module output, in execution order."""
    rows, hooks = [], []
    for name, module in network.named_modules():
        if name:
            def note(_module, _inputs, out, name=name):
                rows.append([name, float(out.mean()), float(out.square().mean().sqrt())])
            hooks.append(module.register_forward_hook(note))
    with torch.no_grad():
        network(*inputs)
    for hook in hooks:
        hook.remove()
    return rows


def evaluate(network, x, t, cotangent, with_parameters):
    """(out, dL/dx, {key: dL/dparameter}) for L = sum(out * cotangent)."""
    x = x.detach().requires_grad_(True)
    for p in network.parameters():
        p.requires_grad_(with_parameters)
        p.grad = None
    out = network(x, t) if t is not None else network(x)
    (out * cotangent).sum().backward()
    gradients = {k: p.grad.numpy() for k, p in network.named_parameters()} if with_parameters else {}
    return out.detach(), x.grad, gradients


def finite_difference_error(network, x, t, cotangent, gradient, h):
    """Relative error of (L(x + h d) - L(x - h d)) / 2h against gradient . d, for d = sign(gradient)."""
    def value(v):
        out = network(v, t) if t is not None else network(v)
        return float((out * cotangent).sum())
    with torch.no_grad():
        d = gradient.sign()
        return abs((value(x + h * d) - value(x - h * d)) / (2 * h) / float((gradient * d).sum()) - 1.0)


def parameter_tensors(gradients):
    """Head (16 values) and summary of every parameter gradient, and the keys whose gradient is zero in theory."""
    tensors, zero = {}, []
    largest = max(np.abs(g).max() for g in gradients.values())
    for key, gradient in gradients.items():
        tensors[f"grad_head.f64.{key}"] = gradient.reshape(-1)[:16]
        tensors[f"grad_summary.f64.{key}"] = hash_values.summary(gradient, "probe." + key)
        if np.abs(gradient).max() < 1e-12 * largest:
            zero.append(key)
    return tensors, zero


def make(name):
    """Returns (tensors, metadata, checks, trace rows)."""
    _, settings, shape, t_list, with_parameters = NETWORKS[name]
    scale, shift = (3 ** 0.5, 0.0) if t_list else (0.5, 0.5)
    x = hash_values.uniform("input", shape, scale, shift)
    t = torch.tensor(t_list) if t_list else None
    network = build(name)
    parameters = sum(p.numel() for p in network.parameters())
    x32 = torch.from_numpy(x)
    with torch.no_grad():
        out_shape = tuple((network(x32, t) if t_list else network(x32)).shape)
    cotangent = torch.from_numpy(hash_values.uniform("cotangent", out_shape))
    out32, dx32, grads32 = evaluate(network, x32, t, cotangent, with_parameters)
    network = network.double()
    x64, cotangent64 = x32.double(), cotangent.double()
    out64, dx64, grads64 = evaluate(network, x64, t, cotangent64, with_parameters)

    tensors = {"input.x": x, "cotangent": cotangent.numpy()}
    if t_list:
        tensors["input.t"] = np.array(t_list, dtype=np.int64)
    tensors.update({"out.f64": out64.numpy(), "grad_x.f64": dx64.numpy(),
                    "out.f32": out32.numpy(), "grad_x.f32": dx32.numpy()})
    h = 1e-6 if t_list else 1e-9                    # small where ReLU kinks are near
    checks = {"parameters": parameters,
              "f32_vs_f64_out": relative(out32, out64), "f32_vs_f64_grad_x": relative(dx32, dx64),
              "finite_difference_error": finite_difference_error(network, x64, t, cotangent64, dx64, h)}
    if name in SAMPLED:
        tensors = {"out.f64": out64.numpy(), "grad_x_sampled.f64": dx64.numpy().reshape(-1)[::SAMPLED[name]],
                   "grad_x_summary.f64": hash_values.summary(dx64.numpy(), "probe.input")}
    metadata = {"network": type(network).__name__, "settings": json.dumps(settings), "weights": "hash"}
    if with_parameters:
        extra, zero = parameter_tensors(grads64)
        tensors.update(extra)
        metadata["zero_gradients"] = " ".join(zero)
        checks["zero_gradients"] = zero
        checks["f32_vs_f64_worst_parameter"] = max(
            (relative(grads32[k], grads64[k]), k) for k in grads64 if k not in zero)
    rows = None if with_parameters or name in SAMPLED else trace(network, (x64, t) if t_list else (x64,))
    return tensors, metadata, checks, rows
