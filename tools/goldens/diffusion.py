"""Noise schedule, reverse steps and the purifier, written for reading.

Coefficients are computed in float64 and cast to the working type when used.

u: image in [-1,1] (u = 2x - 1); a_k = prod_{j<=k} (1 - beta_j), a_{-1} = 1; k is 0-based.
"""
import numpy as np
import torch


class Schedule:
    """Tables for one list of betas; label[k] is the index handed to the network at step k."""

    def __init__(self, betas, labels):
        self.label = np.asarray(labels)
        self.beta, self.alpha = betas, 1.0 - betas
        self.abar = np.cumprod(self.alpha)
        self.abar_prev = np.append(1.0, self.abar[:-1])
        self.posterior = betas * (1.0 - self.abar_prev) / (1.0 - self.abar)
        self.c1 = betas * np.sqrt(self.abar_prev) / (1.0 - self.abar)
        self.c2 = (1.0 - self.abar_prev) * np.sqrt(self.alpha) / (1.0 - self.abar)
        # Entry 0 of 'fixedlarge' is the posterior variance of index 1; no step reads it: noise is masked at k = 0.
        self.sigma = {"fixedlarge": np.sqrt(np.append(self.posterior[1], betas[1:])),
                      "fixedsmall": np.sqrt(np.maximum(self.posterior, 1e-20))}

    def respaced(self, kept):
        """Keeps the given indices: beta'_m = 1 - a[kept_m] / a[kept_{m-1}]; the network gets the original index."""
        kept = np.asarray(kept)
        return Schedule(1.0 - self.abar[kept] / np.append(1.0, self.abar[kept[:-1]]), self.label[kept])


def linear_schedule():
    """beta from 1e-4 to 2e-2 in 1000 equal steps (Ho et al. 2020)."""
    return Schedule(np.linspace(1e-4, 2e-2, 1000), np.arange(1000))


class StraightThroughClamp(torch.autograd.Function):
    """Clamps to [-1,1] on the way forward, hands the gradient on unchanged."""

    @staticmethod
    def forward(ctx, x):
        return x.clamp(-1.0, 1.0)

    @staticmethod
    def backward(ctx, dy):
        return dy


def column(values, like):
    """One coefficient per image as [n,1,1,1] of the working type."""
    return torch.as_tensor(np.asarray(values, dtype=np.float64)).to(like.dtype).view(-1, 1, 1, 1)


def clip(x0, how):
    if how == "none":
        return x0
    return {"x0": lambda x: x.clamp(-1.0, 1.0), "straight_through": StraightThroughClamp.apply}[how](x0)


def predict_x0(abar, u, eps, how):
    """x0 = sqrt(1/a) u - sqrt(1/a - 1) eps, then the clip."""
    return clip(column(np.sqrt(1.0 / abar), u) * u - column(np.sqrt(1.0 / abar - 1.0), u) * eps, how)


def ddpm_step(s, k, u, eps, z, how="x0", variance="fixedlarge", form="x0"):
    """u' = mean + [k>0] sigma z, mean = c1 x0 + c2 u; in form 'eps' (u - beta / sqrt(1-a) eps) / sqrt(alpha)."""
    if form == "eps":
        mean = (u - column(s.beta[k] / np.sqrt(1.0 - s.abar[k]), u) * eps) / column(np.sqrt(s.alpha[k]), u)
    else:
        mean = column(s.c1[k], u) * predict_x0(s.abar[k], u, eps, how) + column(s.c2[k], u) * u
    return mean + column(np.where(k > 0, s.sigma[variance][k], 0.0), u) * z


def eta_step(s, i, j, u, eps, z, eta, how="none"):
    """u' = sqrt(a_j) x0 + c z + sqrt(1 - a_j - c^2) eps, c = eta sqrt((1 - a_i/a_j)(1 - a_j)/(1 - a_i)).

    j = -1 means a = 1. With a clip, eps is derived again from the clipped x0:
    eps = (sqrt(1/a_i) u - x0) / sqrt(1/a_i - 1).
    """
    ai, aj = s.abar[i], np.append(1.0, s.abar)[j + 1]
    x0 = predict_x0(ai, u, eps, how)
    if how != "none":
        eps = (column(np.sqrt(1.0 / ai), u) * u - x0) / column(np.sqrt(1.0 / ai - 1.0), u)
    c = eta * np.sqrt((1.0 - ai / aj) * (1.0 - aj) / (1.0 - ai))
    return column(np.sqrt(aj), u) * x0 + column(c, u) * z + column(np.sqrt(1.0 - aj - c * c), u) * eps


def add_noise(s, u, steps, noise, forward):
    """'one_shot': sqrt(a) u + sqrt(1-a) e, a = a[steps-1]; 'multi_step': u <- sqrt(1-beta_k) u + sqrt(beta_k) e_k;
    'scale_only': sqrt(a) u; 'none': u."""
    a = s.abar[steps - 1]
    if forward == "one_shot":
        return column([np.sqrt(a)], u) * u + column([np.sqrt(1.0 - a)], u) * noise
    if forward == "multi_step":
        for k in range(steps):
            u = column([np.sqrt(1.0 - s.beta[k])], u) * u + column([np.sqrt(s.beta[k])], u) * noise[k]
        return u
    return column([np.sqrt(a)], u) * u if forward == "scale_only" else u


def kept_indices(t, n):
    """{s-1, 2s-1, ...}, s = t // n: the last index of each of n equal sections."""
    return np.arange(1, n + 1) * (t // n) - 1


def purify(network, x, noise_forward, noise_reverse, *, sampler, t=10, steps=10, forward="one_shot", how="x0",
           variance="fixedlarge", form="x0", eta=0.0, trail=None):
    """Purified u of x in [0,1]. sampler: 'ddpm' or 'eta'; noise_reverse[m] belongs to the m-th step executed.

    steps < t: 'ddpm' derives the betas of the kept indices again, 'eta' strides over the original table.
    """
    full = linear_schedule()
    u = add_noise(full, 2.0 * x - 1.0, t, noise_forward, forward)
    kept = kept_indices(t, steps)
    spaced = full if steps == t else full.respaced(kept)
    for m in range(steps):
        if trail is not None:
            trail.append(u)
        here = steps - 1 - m
        k = np.full(len(x), here)
        eps = network(u, torch.as_tensor(np.full(len(x), kept[here])))
        if sampler == "ddpm":
            u = ddpm_step(spaced, k, u, eps, noise_reverse[m], how, variance, form)
        else:
            before = kept[here - 1] if here > 0 else -1
            u = eta_step(full, np.full(len(x), kept[here]), np.full(len(x), before), u, eps, noise_reverse[m], eta, how)
    if trail is not None:
        trail.append(u)
    return u


def defended_logits(network, classifier, x, noise_forward, noise_reverse, clamp01=False, **settings):
    """(purified u, logits of u/2 + 0.5)."""
    u = purify(network, x, noise_forward, noise_reverse, **settings)
    image = u / 2.0 + 0.5
    return u, classifier(image.clamp(0.0, 1.0) if clamp01 else image)
