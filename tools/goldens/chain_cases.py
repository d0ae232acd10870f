"""Goldens of purifier and classifier, of single reverse steps, of EOT gradients and of PGD; 16x16, hash weights."""
import json

import numpy as np
import torch
from torch.nn import functional as F

import attack
import diffusion
import hash_values
from network_cases import build, relative

SHAPE, STEPS, LABEL = (2, 3, 16, 16), 10, [3, 7]
STRIDED = dict(t=100, steps=10)

# name: settings of diffusion.purify, 'clamp01' for the classifier's input, 'trajectory' to keep every u.
CHAINS = {
    "ddpm_clip_fixedlarge": dict(sampler="ddpm", trajectory=True),
    "ddpm_clip_fixedsmall": dict(sampler="ddpm", variance="fixedsmall"),
    "ddpm_noclip_x0_form": dict(sampler="ddpm", how="none"),
    "ddpm_noclip_eps_form": dict(sampler="ddpm", how="none", form="eps"),
    "ddpm_straight_through": dict(sampler="ddpm", how="straight_through"),
    "ddpm_noclip_clamp01": dict(sampler="ddpm", how="none", clamp01=True),      # with the clip the clamp would be idle
    "ddpm_multi_step_forward": dict(sampler="ddpm", forward="multi_step"),
    "ddpm_respaced_10_of_100": dict(sampler="ddpm", **STRIDED),
    "ddpm_respaced_10_of_100_noclip": dict(sampler="ddpm", how="none", **STRIDED),
    "reverse_only": dict(sampler="ddpm", forward="none"),
    "reverse_only_scaled": dict(sampler="ddpm", forward="scale_only"),
    "ddim_clip": dict(sampler="eta", how="x0"),
    "ddim_noclip": dict(sampler="eta", how="none", trajectory=True),
    "ddim_straight_through": dict(sampler="eta", how="straight_through"),
    "ddim_strided_clip": dict(sampler="eta", how="x0", **STRIDED),
    "ddim_strided_noclip": dict(sampler="eta", how="none", **STRIDED),
    "eta1_noclip": dict(sampler="eta", eta=1.0, how="none"),
    "eta1_strided_noclip": dict(sampler="eta", eta=1.0, how="none", **STRIDED),
}
for _plusplus in (False, True):
    for _order, _single in ((1, False), (2, False), (3, False), (2, True), (3, True)):
        _name = f"dpm{'pp' if _plusplus else ''}_{_order}_{'single' if _single else 'multi'}"
        CHAINS[_name] = dict(sampler="dpm", t=100, steps=10 + _order, solver=dict(
            order=_order, plusplus=_plusplus, singlestep=_single, logsnr=_plusplus and _order == 3))
CHAINS.update({
    "adm_learned": dict(sampler="ddpm", variance="learned", network="adm_small"),
    "adm_learned_noclip": dict(sampler="ddpm", variance="learned", how="none", network="adm_small"),
    "resized": dict(sampler="ddpm", size=16, image_size=20, t=5, steps=5),
    "sde": dict(sampler="sde"),
    "ode": dict(sampler="ode"),
})
SINGLE_STEPS = {
    "step_ddpm_clip_fixedlarge": lambda s, t, u, e, z: diffusion.ddpm_step(s, t, u, e, z),
    "step_ddpm_clip_fixedsmall": lambda s, t, u, e, z: diffusion.ddpm_step(s, t, u, e, z, variance="fixedsmall"),
    "step_ddpm_straight_through": lambda s, t, u, e, z: diffusion.ddpm_step(s, t, u, e, z, how="straight_through"),
    "step_ddpm_noclip_eps_form": lambda s, t, u, e, z: diffusion.ddpm_step(s, t, u, e, z, how="none", form="eps"),
    "step_ddim_clip": lambda s, t, u, e, z: diffusion.eta_step(s, t, t - 1, u, e, z, 0.0, "x0"),
    "step_eta1_noclip": lambda s, t, u, e, z: diffusion.eta_step(s, t, t - 1, u, e, z, 1.0, "none"),
}


class World:
    """Networks and shared inputs in one precision."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.unet, self.classifier = build("ddpm_small").to(dtype), build("wrn_small").to(dtype)
        self.x, self.label = self.tensor(shared_inputs()["x"]), torch.tensor(LABEL)
        self.networks = {"ddpm_small": self.unet}

    def network(self, name):
        if name not in self.networks:
            self.networks[name] = build(name).to(self.dtype)
        return self.networks[name]

    def image(self, size):
        """The input of a case: the shared one, or one of another size."""
        return self.x if size is None else self.tensor(other_size_input(size))

    def tensor(self, array):
        return torch.from_numpy(array).to(self.dtype)

    def noise(self, forward="one_shot"):
        inputs = shared_inputs()
        steps = multi_step_noise() if forward == "multi_step" else inputs["noise.forward"]
        return self.tensor(steps), self.tensor(inputs["noise.reverse"])


def shared_inputs():
    return {"x": hash_values.uniform("chain.x", SHAPE, 0.5, 0.5), "label": np.array(LABEL, dtype=np.int64),
            "noise.forward": hash_values.normal("chain.noise.forward", SHAPE),
            "noise.reverse": hash_values.normal("chain.noise.reverse", (STEPS,) + SHAPE)}


def other_size_input(size):
    return hash_values.uniform("chain.x", SHAPE[:2] + (size, size), 0.5, 0.5)


def multi_step_noise():
    return hash_values.normal("chain.noise.multi_step", (STEPS,) + SHAPE)


def run_chain(world, x, settings, trail=None):
    """(loss, gradient, logits, purified) of the defended classifier."""
    kept, noise = {}, world.noise(settings.get("forward", "one_shot"))
    network = world.network(settings.get("network", "ddpm_small"))
    own = {k: v for k, v in settings.items() if k not in ("network", "image_size")}

    def logits_of(v):
        kept["u"], logits = diffusion.defended_logits(network, world.classifier, v, *noise, trail=trail, **own)
        return logits
    return attack.loss_and_gradient(logits_of, x, world.label) + (kept["u"].detach(),)


def echo(settings):
    """Every setting spelled out, with the network indices in the order of execution."""
    full = dict(t=10, steps=10, forward="one_shot", how="x0", variance="fixedlarge", form="x0", eta=0.0, clamp01=False)
    full.update(settings)
    full["clip"] = full.pop("how")
    full["indices"] = [int(k) for k in diffusion.kept_indices(full["t"], full["steps"])[::-1]]
    if full["sampler"] != "ddpm":                   # the variance follows from the sampler alone
        del full["variance"], full["form"]
    return full


def make_chain(name, worlds):
    settings = dict(CHAINS[name])
    keep_trail = settings.pop("trajectory", False)
    tensors, results, trail = {}, {}, []
    if settings.get("forward") == "multi_step":
        tensors["noise.forward"] = multi_step_noise()
    size = settings.get("image_size")
    if size:
        tensors["x"] = other_size_input(size)
    for suffix, world in worlds.items():
        loss, gradient, logits, u = run_chain(world, world.image(size), settings, trail if suffix == "f64" and keep_trail else None)
        results[suffix] = gradient
        tensors.update({f"purified.{suffix}": u.numpy(), f"logits.{suffix}": logits.numpy(),
                        f"loss.{suffix}": loss.numpy().reshape(1), f"grad_x.{suffix}": gradient.numpy()})
    if keep_trail:
        tensors["trajectory.f64"] = torch.stack([u.detach() for u in trail]).numpy()
    world, gradient = worlds["f64"], results["f64"]
    h, direction = 1e-8, gradient.sign()
    x = world.image(size)
    ends = [float(run_chain(world, x + s * h * direction, settings)[0]) for s in (1, -1)]
    nudged = run_chain(world, x + 1e-12 * direction, settings)[1]
    checks = {"f32_vs_f64_purified": relative(tensors["purified.f32"], tensors["purified.f64"]),
              "f32_vs_f64_grad_x": relative(results["f32"], gradient),
              "finite_difference_error": abs((ends[0] - ends[1]) / (2 * h) / float((gradient * direction).sum()) - 1.0),
              "gradient_change_when_x_moves_by_1e-12": relative(nudged, gradient)}
    return tensors, {"settings": json.dumps(echo(settings)), "inputs": "chain_inputs.safetensors"}, checks


def make_step(name, worlds):
    """One reverse step at t = [5, 500]: the sample, its vjp through the network, both partial vjps with eps given."""
    t, tensors, clipped = np.array([5, 500]), {}, 0.0
    inputs = {"x_t": hash_values.uniform("step.x_t", SHAPE, 3 ** 0.5), "noise": hash_values.normal("step.noise", SHAPE),
              "cotangent": hash_values.uniform("step.cotangent", SHAPE)}
    tensors.update(inputs, t=t)
    s, step = diffusion.linear_schedule(), SINGLE_STEPS[name]
    for suffix, world in worlds.items():
        u, z, cotangent = (world.tensor(inputs[k]) for k in ("x_t", "noise", "cotangent"))
        u.requires_grad_(True)
        eps = world.unet(u, torch.from_numpy(t))
        sample = step(s, t, u, eps, z)
        total = torch.autograd.grad((sample * cotangent).sum(), u)[0]
        given_u, given_eps = u.detach().requires_grad_(True), eps.detach().requires_grad_(True)
        partial = torch.autograd.grad((step(s, t, given_u, given_eps, z) * cotangent).sum(), (given_u, given_eps))
        tensors.update({f"eps.{suffix}": eps.detach().numpy(), f"sample.{suffix}": sample.detach().numpy(),
                        f"grad_x_t.{suffix}": total.numpy()})
        if suffix == "f64":
            x0 = diffusion.predict_x0(s.abar[t], u, eps, "none").detach()
            clipped = float((x0.abs() > 1.0).double().mean())
            tensors.update({"pred_x0_before_clip.f64": x0.numpy(), "grad_x_t_given_eps.f64": partial[0].numpy(),
                            "grad_eps.f64": partial[1].numpy()})
    checks = {"fraction_beyond_the_clip": clipped,
              "f32_vs_f64_sample": relative(tensors["sample.f32"], tensors["sample.f64"]),
              "f32_vs_f64_grad": relative(tensors["grad_x_t.f32"], tensors["grad_x_t.f64"])}
    return tensors, {"step": name[len("step_"):]}, checks


def make_eot(worlds, draws=3, t=4):
    """Gradients of the defended loss over several draws: each draw, their mean, and the loss of the mean logits."""
    forward = hash_values.normal("eot.noise.forward", (draws,) + SHAPE)
    reverse = hash_values.normal("eot.noise.reverse", (draws, t) + SHAPE)
    tensors = {"draws.noise.forward": forward, "draws.noise.reverse": reverse}
    world = worlds["f64"]

    def logits_of(x, d):
        noise = world.tensor(forward[d]), world.tensor(reverse[d])
        return diffusion.defended_logits(world.unet, world.classifier, x, *noise, sampler="ddpm", t=t, steps=t)[1]
    each = [attack.loss_and_gradient(lambda x, d=d: logits_of(x, d), world.x, world.label)[1] for d in range(draws)]
    x = world.x.clone().requires_grad_(True)
    mean_logits = sum(logits_of(x, d) for d in range(draws)) / draws
    loss = F.cross_entropy(mean_logits, world.label, reduction="sum")
    of_logits = torch.autograd.grad(loss, x)[0]
    of_loss = torch.stack(each).mean(dim=0)
    tensors.update({"grad_x_each.f64": torch.stack(each).numpy(), "grad_x_loss_mode.f64": of_loss.numpy(),
                    "grad_x_logits_mode.f64": of_logits.numpy(), "mean_logits.f64": mean_logits.detach().numpy()})
    settings = json.dumps(echo(dict(sampler="ddpm", t=t, steps=t)))
    return (tensors, {"settings": settings, "inputs": "chain_inputs.safetensors"},
            {"relative_difference_of_the_two_modes": relative(of_logits, of_loss)})


def make_pgd(purified, worlds, steps=5):
    """foolbox PGD from a stored start; the same noise at every step where the purifier is in front."""
    x0 = shared_inputs()["x"]
    offset = attack.EPSILON * hash_values.values("pgd.start", x0.size).reshape(SHAPE)
    start = np.clip(x0 + offset, 0.0, 1.0).astype(np.float32)
    tensors = {"x0": x0, "x_start": start, "label": np.array(LABEL, dtype=np.int64)}
    ends = {}
    for suffix, world in worlds.items():
        def logits_of(x):
            if not purified:
                return world.classifier(x)
            return diffusion.defended_logits(world.unet, world.classifier, x, *world.noise(), sampler="ddpm")[1]
        iterates, gradients, losses = attack.pgd_linf(logits_of, world.tensor(x0), world.tensor(start), world.label,
                                                      steps)
        ends[suffix] = iterates[-1].numpy()
        tensors[f"adv.{suffix}"] = ends[suffix]
        if suffix == "f64":
            tensors.update({"iterates.f64": torch.stack(iterates).numpy(), "grads.f64": torch.stack(gradients).numpy(),
                            "losses.f64": torch.stack(losses).numpy(),
                            "logits_adv.f64": logits_of(iterates[-1]).detach().numpy()})
    checks = {"losses": tensors["losses.f64"].tolist(), "linf": float(np.abs(ends["f64"] - x0).max()),
              "pixels_differing_f32_vs_f64": int((np.abs(ends["f32"] - ends["f64"]) > 1e-6).sum())}
    metadata = {"steps": str(steps), "eps": "8/255", "relative_step": "0.01/0.3", "inputs": "chain_inputs.safetensors"}
    return tensors, metadata, checks
