"""Muon for the matrices (Jordan et al., 2024), AdamW for the embedding and the norms.

Muon takes the momentum's nearest semi-orthogonal matrix as the step, by a few Newton-Schulz
iterations; matrices of one shape go through them as one batch.
"""
from __future__ import annotations

from collections import defaultdict

import torch
from torch import Tensor, nn

NS_STEPS = 4  # at 4096 tokens a step, one iteration costs about 3 % of forward and backward


def orthogonalise(g: Tensor) -> Tensor:
    """Newton-Schulz on [N, rows, columns] with rows <= columns; singular values end near 1, so bfloat16 is enough."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (g / (g.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
    for _ in range(NS_STEPS):
        s = x @ x.transpose(1, 2)
        x = torch.baddbmm(x, torch.baddbmm(s, s, s, beta=b, alpha=c), x, beta=a)
    return x.float()


class Muon(torch.optim.Optimizer):
    def __init__(self, params: list[nn.Parameter], lr: float, momentum: float = 0.95,
                 weight_decay: float = 0.05) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            shapes: dict[tuple[int, ...], list[nn.Parameter]] = defaultdict(list)
            for p in group["params"]:
                shapes[tuple(p.shape)].append(p)
            for (rows, columns), params in shapes.items():
                update = orthogonalise(self._momentum(params, group["momentum"], rows > columns))
                scale = group["lr"] * max(1.0, rows / columns) ** 0.5
                for p, u in zip(params, update):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(u.T if rows > columns else u, alpha=-scale)

    def _momentum(self, params: list[nn.Parameter], beta: float, transpose: bool) -> Tensor:
        """Nesterov momentum of the gradients, wide side last."""
        directions = []
        for p in params:
            buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
            buffer.lerp_(p.grad, 1 - beta)
            direction = p.grad.lerp(buffer, beta)
            directions.append(direction.T if transpose else direction)
        return torch.stack(directions)
