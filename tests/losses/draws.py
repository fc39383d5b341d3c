"""Random scores with labels, and a loss with its gradient."""

import torch


def draw(rows=5, classes=7):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(rows, classes, generator=generator, dtype=torch.float64)
    return logits, torch.rand(rows, classes, generator=generator) < 0.4


def with_gradient(function, logits, *arguments, **options):
    logits = logits.detach().clone().requires_grad_()
    value = function(logits, *arguments, **options)
    return value.detach(), torch.autograd.grad(value, logits)[0]
