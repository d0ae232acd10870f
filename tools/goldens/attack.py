"""Projected gradient descent in the order of foolbox: step, project, clamp; the last iterate counts."""
import torch
from torch.nn import functional as F

EPSILON = 8 / 255
RELATIVE_STEP = 0.01 / 0.3


def loss_and_gradient(logits_of, x, label):
    """Sum over the batch of the cross-entropy, its gradient in x, and the logits."""
    x = x.detach().requires_grad_(True)
    logits = logits_of(x)
    loss = F.cross_entropy(logits, label, reduction="sum")
    return loss.detach(), torch.autograd.grad(loss, x)[0], logits.detach()


def pgd_linf(logits_of, x0, start, label, steps, eps=EPSILON, relative_step=RELATIVE_STEP):
    """x <- clamp01(x0 + clip(x + a sgn(g) - x0, -eps, eps)), a = relative_step * eps, sgn(0) = 0.

    Returns the iterates [steps+1], the gradients [steps] and the losses [steps].
    """
    iterates, gradients, losses = [start], [], []
    for _ in range(steps):
        loss, gradient, _ = loss_and_gradient(logits_of, iterates[-1], label)
        x = iterates[-1] + (relative_step * eps) * gradient.sign()
        x = (x0 + (x - x0).clamp(-eps, eps)).clamp(0.0, 1.0)
        iterates.append(x)
        gradients.append(gradient)
        losses.append(loss)
    return iterates, gradients, losses
