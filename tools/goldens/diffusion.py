"""Noise schedule, reverse steps and the purifier, written for reading.

Coefficients are computed in float64 and cast to the working type when used.

u: image in [-1,1] (u = 2x - 1); a_k = prod_{j<=k} (1 - beta_j), a_{-1} = 1; k is 0-based.
"""
import math

import numpy as np
import torch
from torch.nn import functional as F


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


def learned_step(s, k, u, out, z, how="x0"):
    """As ddpm_step; out = [eps, v], log sigma^2 = f log beta + (1 - f) log posterior, f = (v + 1) / 2."""
    eps, v = out.chunk(2, dim=1)
    f = (v + 1.0) / 2.0
    floor = np.append(s.posterior[1], s.posterior[1:])
    logvar = f * column(np.log(s.beta[k]), u) + (1.0 - f) * column(np.log(floor[k]), u)
    mean = column(s.c1[k], u) * predict_x0(s.abar[k], u, eps, how) + column(s.c2[k], u) * u
    return mean + column(k > 0, u) * torch.exp(0.5 * logvar) * z


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
           variance="fixedlarge", form="x0", eta=0.0, trail=None, size=None, solver=None):
    """Purified u of x in [0,1]. sampler: 'ddpm', 'eta', 'sde', 'ode', 'dpm'; noise_reverse[m] belongs to the m-th step executed.

    size: the network's, where x has another one (bilinear there and back); solver: settings of dpm_solver.

    steps < t: 'ddpm' derives the betas of the kept indices again, 'eta' strides over the original table.
    """
    full = linear_schedule()
    if size:
        inner = purify(network, F.interpolate(x, (size, size), mode="bilinear", align_corners=False), noise_forward,
                       noise_reverse, sampler=sampler, t=t, steps=steps, forward=forward, how=how, variance=variance, eta=eta)
        return F.interpolate(inner, x.shape[2:], mode="bilinear", align_corners=False)
    u = add_noise(full, 2.0 * x - 1.0, t, noise_forward, forward)
    if sampler in ("sde", "ode"):
        return reverse_sde(network, u, noise_reverse, t, sampler == "sde")
    if sampler == "dpm":
        return dpm_solver(network, u, t, steps, **solver)
    kept = kept_indices(t, steps)
    spaced = full if steps == t else full.respaced(kept)
    for m in range(steps):
        if trail is not None:
            trail.append(u)
        here = steps - 1 - m
        k = np.full(len(x), here)
        eps = network(u, torch.as_tensor(np.full(len(x), kept[here])))
        if variance == "learned":
            u = learned_step(spaced, k, u, eps, noise_reverse[m], how)
        elif sampler == "ddpm":
            u = ddpm_step(spaced, k, u, eps, noise_reverse[m], how, variance, form)
        else:
            before = kept[here - 1] if here > 0 else -1
            u = eta_step(full, np.full(len(x), kept[here]), np.full(len(x), before), u, eps, noise_reverse[m], eta, how)
    if trail is not None:
        trail.append(u)
    return u


def eps_of(network, u, label):
    """Predicted noise at one, maybe fractional, label; variance channels are dropped."""
    return network(u, torch.full((len(u),), label, dtype=u.dtype))[:, :u.shape[1]]


def reverse_sde(network, u, noise_reverse, t, stochastic):
    """Euler(-Maruyama) from t/1000 to 1e-5: du = [beta u / 2 + beta score] dt + sqrt(beta dt) z, half the score without noise."""
    for m, k in enumerate(range(t, 0, -1)):
        time, h = k / 1000.0, 1e-3 if k > 1 else 1e-3 - 1e-5
        beta, std = 0.1 + 19.9 * time, np.sqrt(-np.expm1(-0.5 * 19.9 * time ** 2 - 0.1 * time))
        score = -eps_of(network, u, float(k)) / std
        if stochastic:
            u = u + (0.5 * beta * u + beta * score) * h + np.sqrt(beta * h) * noise_reverse[m]
        else:
            u = u + 0.5 * beta * (u + score) * h
    return u


class HalfLogSnr:
    """log alpha linear between t_i = (i + 1) / 1000 of the discrete schedule, l = log(alpha / sigma)."""

    def __init__(self):
        self.grid, self.log_alpha = np.arange(1, 1001) / 1000.0, 0.5 * np.log(linear_schedule().abar)

    def alpha(self, t):
        return np.exp(np.interp(t, self.grid, self.log_alpha))

    def sigma(self, t):
        return np.sqrt(1.0 - self.alpha(t) ** 2)

    def l(self, t):
        return np.log(self.alpha(t) / self.sigma(t))

    def time(self, l):
        """Inverse of l by bisection."""
        low, high = self.grid[0], self.grid[-1]
        for _ in range(200):
            middle = (low + high) / 2
            low, high = (middle, high) if self.l(middle) > l else (low, middle)
        return (low + high) / 2


def integral(h, power, plusplus):
    """h^power phi, phi_0 = e^z - 1, phi_j = phi_(j-1) / z - 1 / j!, z = h or (++) -h: the weight of a derivative of the prediction."""
    z = -h if plusplus else h
    phi = [np.expm1(z)]
    for j in range(1, power + 1):
        phi.append(phi[-1] / z - 1.0 / math.factorial(j))
    return phi[power] * h ** power


def dpm_solver(network, u, t, calls, order, plusplus, singlestep, logsnr):
    """DPM-Solver with noise or (plusplus) data prediction, written through divided differences of the predictions."""
    s = HalfLogSnr()

    def predict(x, time):
        eps = eps_of(network, x, time * 1000.0 - 1.0)
        return (x - s.sigma(time) * eps) / s.alpha(time) if plusplus else eps

    def linear(x, a, b):
        return (s.sigma(b) / s.sigma(a) if plusplus else s.alpha(b) / s.alpha(a)) * x

    def weight(time):
        return -s.alpha(time) if plusplus else -s.sigma(time)

    def times(a, b, count):
        if not logsnr:
            return np.linspace(a, b, count + 1)
        inner = [s.time(l) for l in np.linspace(s.l(a), s.l(b), count + 1)[1:-1]]
        return np.array([a] + inner + [b])

    start, end = t / 1000.0, 1e-3
    if not singlestep:
        grid, seen = times(start, end, calls), []
        for k in range(calls):
            a, b = grid[k], grid[k + 1]
            seen.append((s.l(a), predict(u, a)))
            here = min(order, k + 1, calls - k if calls < 10 else order)
            h = s.l(b) - s.l(a)
            y = linear(u, a, b) + weight(b) * integral(h, 0, plusplus) * seen[-1][1]
            if here == 2:
                slope = (seen[-1][1] - seen[-2][1]) / (seen[-1][0] - seen[-2][0])
                y = y + weight(b) * integral(h, 0, plusplus) * 0.5 * h * slope
            if here == 3:
                (l2, m2), (l1, m1), (l0, m0) = seen[-3:]
                d0, d1 = (m0 - m1) / (l0 - l1), (m1 - m2) / (l1 - l2)
                second = (d0 - d1) / (l0 - l2)              # divided difference: half of the second derivative
                first = d0 + second * (l0 - l1)             # derivative at l0
                y = y + weight(b) * (integral(h, 1, plusplus) * first + integral(h, 2, plusplus) * second)
            u = y
        return u
    if order == 2:
        orders = [2] * (calls // 2) + [1] * (calls % 2)
    else:
        orders = [3] * (calls // 3 - 1) + [2, 1] if calls % 3 == 0 else [3] * (calls // 3) + [calls % 3]
    outer = times(start, end, len(orders) if logsnr else calls)
    if not logsnr:
        outer = outer[np.cumsum([0] + orders)]
    for a, b, here in zip(outer[:-1], outer[1:], orders):
        inner = times(a, b, here)
        la, h, m = s.l(a), s.l(b) - s.l(a), predict(u, a)

        def euler(x, to):
            return linear(x, a, to) + weight(to) * integral(s.l(to) - la, 0, plusplus) * m
        if here == 1:
            u = euler(u, b)
            continue
        h1 = s.l(inner[1]) - la
        slope = (predict(euler(u, inner[1]), inner[1]) - m) / h1
        if here == 2:
            u = euler(u, b) + weight(b) * integral(h, 0, plusplus) * 0.5 * h * slope
            continue
        h2 = s.l(inner[2]) - la
        x2 = euler(u, inner[2]) + weight(inner[2]) * integral(h2, 1, plusplus) * slope
        u = euler(u, b) + weight(b) * integral(h, 1, plusplus) * (predict(x2, inner[2]) - m) / h2
    return u


def defended_logits(network, classifier, x, noise_forward, noise_reverse, clamp01=False, **settings):
    """(purified u, logits of u/2 + 0.5)."""
    u = purify(network, x, noise_forward, noise_reverse, **settings)
    image = u / 2.0 + 0.5
    return u, classifier(image.clamp(0.0, 1.0) if clamp01 else image)
