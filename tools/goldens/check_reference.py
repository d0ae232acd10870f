"""Compares networks, samplers and attack with a folder of recorded outputs of the original model code, in float64.

usage: /usr/bin/python3 tools/goldens/check_reference.py FOLDER
FOLDER holds tiny/, full/ and chain/ (safetensors and JSON). Exits with 1 if anything differs by
more than 1e-12 of its scale.
"""
import json
import sys

import numpy as np
import torch

import attack
import diffusion
import hash_values
import networks
import tensor_file
from network_cases import trace

LIMIT = 1e-12           # float64 rounding over a few hundred layers and ten steps measures 1e-16 to 1e-13
failures = []


def load(path):
    return tensor_file.read(f"{FOLDER}/{path}")[0]


def compare(name, got, want, limit=LIMIT):
    got = np.asarray(got.detach() if isinstance(got, torch.Tensor) else got, dtype=np.float64).reshape(-1)
    want = np.asarray(want, dtype=np.float64).reshape(-1)
    scale = np.abs(want).max()
    error = np.abs(got - want).max() / scale if got.shape == want.shape and scale > 0 else float("nan")
    good = bool(error <= limit)                          # NaN is not good
    print(f"{'ok  ' if good else 'FAIL'} {name}: {error:.2e}")
    if not good:
        failures.append(name)


def with_weights(network, path):
    network.load_state_dict({k: torch.from_numpy(v) for k, v in load(path).items()})
    return network.double().eval()


def check_tiny(name, network):
    """Output, input gradient and the gradient of every parameter."""
    golden = load(f"tiny/{name}.golden.safetensors")
    x = torch.from_numpy(golden["input.x"]).double().requires_grad_(True)
    inputs = (x, torch.from_numpy(golden["input.t"])) if "input.t" in golden else (x,)
    out = network(*inputs)
    (out * torch.from_numpy(golden["cotangent"]).double()).sum().backward()
    compare(f"{name} out", out, golden["out.f64"])
    compare(f"{name} grad_x", x.grad, golden["grad_x.f64"])
    parameters = dict(network.named_parameters())
    stored = {k[len("grad.f64."):] for k in golden if k.startswith("grad.f64.")}
    if stored != set(parameters):
        failures.append(f"{name} keys")
    scale = max(float(p.grad.abs().max()) for p in parameters.values())
    error = max(np.abs(p.grad.numpy() - golden["grad.f64." + k]).max() for k, p in parameters.items()) / scale
    # Exactly zero gradients (a bias in front of a one-channel group norm, key biases) are noise: the line above only.
    sizes = {k: float(p.grad.abs().max()) for k, p in parameters.items()}
    own = max(np.abs(parameters[k].grad.numpy() - golden["grad.f64." + k]).max() / size
              for k, size in sizes.items() if size > 1e-12 * scale)
    compare(f"{name} {len(parameters)} parameter gradients, of the largest", [1 + error], [1.0])
    compare(f"{name} the same, each of its own size", [1 + own], [1.0], 1e-11)


def check_full(name, network, scale, shift, t=None):
    """Hash weights: output, input gradient, and mean and rms of every module of the same name."""
    hash_values.fill_network(network).double()
    golden = load(f"full/{name}.golden.safetensors")
    x = torch.from_numpy(hash_values.uniform("input", (2, 3, 32, 32), scale, shift)).double().requires_grad_(True)
    inputs = (x, torch.tensor(t)) if t else (x,)
    for p in network.parameters():
        p.requires_grad_(False)
    out = network(*inputs)
    cotangent = torch.from_numpy(hash_values.uniform("cotangent", tuple(out.shape))).double()
    (out * cotangent).sum().backward()
    compare(f"{name} out", out, golden["out.f64"])
    compare(f"{name} grad_x", x.grad, golden["grad_x.f64"])
    rows = {row[0]: row for row in json.load(open(f"{FOLDER}/full/{name}.trace.json"))["rows"]}
    ours = [row for row in trace(network, inputs) if row[0] in rows]
    compare(f"{name} rms of {len(ours)} modules", [r[2] for r in ours], [rows[r[0]][4] for r in ours])
    compare(f"{name} mean of {len(ours)} modules", [r[1] for r in ours], [rows[r[0]][3] for r in ours])


def check_chains(unet, wrn):
    inputs = load("chain/chain_inputs.safetensors")
    x0, zf, zr = (torch.from_numpy(inputs[k]).double() for k in ("x", "noise.forward", "noise.reverse"))
    label = torch.from_numpy(inputs["label"])
    cases = {"ddpm_clip_fixedlarge": dict(sampler="ddpm"),
             "ddpm_clip_fixedsmall": dict(sampler="ddpm", variance="fixedsmall"),
             "ddpm_epsform_noclip_fixedlarge": dict(sampler="ddpm", form="eps"),
             "reverse_only_ddpm_clip_fixedlarge": dict(sampler="ddpm", forward="none"),
             "ddpm_eta1_noclip": dict(sampler="eta", eta=1.0, how="none"),
             "ddim_noclip_10": dict(sampler="eta", how="none"),
             "ddim_clip_10": dict(sampler="eta", how="x0")}
    for name, settings in cases.items():
        golden, kept = load(f"chain/{name}.safetensors"), {}

        def logits_of(x):
            kept["u"], logits = diffusion.defended_logits(unet, wrn, x, zf, zr, **settings)
            return logits
        loss, gradient, logits = attack.loss_and_gradient(logits_of, x0, label)
        compare(f"{name} purified", kept["u"], golden["purified.f64"])
        compare(f"{name} logits", logits, golden["logits.f64"])
        compare(f"{name} loss", loss, golden["loss.f64"])
        compare(f"{name} grad_x", gradient, golden["grad_x.f64"])
    for name, logits_of in (("pgd5_wrn", wrn), ("pgd5_wrn_purified", lambda x: diffusion.defended_logits(
            unet, wrn, x, zf, zr, sampler="ddpm")[1])):
        golden = load(f"chain/{name}.safetensors")
        start = torch.from_numpy(golden["x_start"]).double()
        x0 = torch.from_numpy(golden["x0"]).double()
        iterates, gradients, losses = attack.pgd_linf(logits_of, x0, start, label, 5)
        compare(f"{name} adv", iterates[-1], golden["adv.f64"])
        compare(f"{name} gradients", torch.stack(gradients), golden["grads.f64"])
        compare(f"{name} losses", torch.stack(losses), golden["losses.f64"])


def check_step(unet):
    golden = load("chain/step_ddpm_fixedlarge_clip.safetensors")
    u = torch.from_numpy(golden["x_t"]).double().requires_grad_(True)
    z, cotangent = (torch.from_numpy(golden[k]).double() for k in ("noise", "cotangent"))
    t = golden["t"]
    s = diffusion.linear_schedule()
    eps = unet(u, torch.from_numpy(t))
    sample = diffusion.ddpm_step(s, t, u, eps, z)
    (sample * cotangent).sum().backward()
    compare("step sample", sample, golden["sample.f64"])
    compare("step pred_xstart", diffusion.predict_x0(s.abar[t], u, eps, "x0"), golden["pred_xstart.f64"])
    compare("step grad_x_t", u.grad, golden["grad_x_t.f64"])


def check_schedules():
    golden, s = load("chain/schedules.safetensors"), diffusion.linear_schedule()
    for name, values in (("betas", s.beta), ("alphas_cumprod", s.abar), ("posterior_variance", s.posterior),
                         ("posterior_mean_coef1", s.c1), ("posterior_mean_coef2", s.c2),
                         ("logvar_fixedlarge", 2 * np.log(s.sigma["fixedlarge"])),
                         ("respaced_betas.100", s.respaced(golden["space_timesteps.100"]).beta)):
        compare(f"schedule {name}", values, golden[name])


def main():
    tiny16 = with_weights(networks.DdpmUnet(32, (1, 2), 1, (8,), 32, 16), "tiny/tiny_ddpm.weights.safetensors")
    tiny32 = with_weights(networks.DdpmUnet(32, (1, 2), 1, (16,), 32, 32), "tiny/tiny_ddpm.weights.safetensors")
    wrn = with_weights(networks.WideResnet(10, 1), "tiny/tiny_wrn.weights.safetensors")
    check_schedules()
    check_tiny("tiny_ddpm", tiny16)
    check_tiny("tiny_wrn", wrn)
    check_step(tiny16)
    check_chains(tiny32, wrn)
    check_full("ddpm_cifar10", networks.DdpmUnet(), 3 ** 0.5, 0.0, [37, 640])
    check_full("wrn_28_10", networks.WideResnet(), 0.5, 0.5)
    print(f"{len(failures)} failures {failures}")
    return 1 if failures else 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    FOLDER = sys.argv[1]
    sys.exit(main())
