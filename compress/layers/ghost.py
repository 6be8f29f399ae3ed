"""Ghost convolution: some output channels are computed, the others are derived from them by a cheap depthwise filter.

Han et al., "GhostNet: More Features from Cheap Operations" (CVPR 2020), section 3.1.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class GhostConv2d(nn.Module):
    """y = concat(p, cheap(p)) with p = primary(x), for the same input and output as the convolution it replaces.

    With s = 2 (each primary map has one ghost) the primary convolution makes ceil(outputs / 2) channels; the cheap one
    is depthwise, `cheap_kernel` x `cheap_kernel`, and makes the other floor(outputs / 2) from the first of them.
    It starts linear, like the convolution it stands for, with the block's own normalization and rectifier behind it.
    The step `fold-norms` moves them inside, normalization divided between the two halves, `primary_norm` and
    `cheap_norm`, and `activation` behind each, as in the paper's own module: there a converter can merge both into
    the convolutions.

    Args:
        conv: the convolution to replace (groups 1, dilation 1, 2 or more outputs); kernel, stride and padding become
            the primary's.
        cheap_kernel: d in the paper, odd.
    """

    def __init__(self, conv: nn.Conv2d, cheap_kernel: int = 3):
        super().__init__()
        bias = conv.bias is not None
        primary = (conv.out_channels + 1) // 2
        self.ghosts = conv.out_channels - primary
        self.primary = nn.Conv2d(conv.in_channels, primary, conv.kernel_size, conv.stride, conv.padding, bias=bias)  # type: ignore[arg-type]
        self.cheap = nn.Conv2d(
            self.ghosts, self.ghosts, cheap_kernel, padding=cheap_kernel // 2, groups=self.ghosts, bias=bias
        )
        self.primary_norm: nn.Module = nn.Identity()
        self.cheap_norm: nn.Module = nn.Identity()
        self.activation: nn.Module = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        p = self.activation(self.primary_norm(self.primary(x)))
        base = p if self.ghosts == p.shape[1] else p[:, : self.ghosts]
        return torch.cat([p, self.activation(self.cheap_norm(self.cheap(base)))], 1)


def reconstruct(ghost: GhostConv2d, conv: nn.Conv2d, x: Tensor, y: Tensor, steps: int = 150) -> float:
    """Set the weights of `ghost` so that ghost(x) is near y; return the relative squared error that is left.

    First in closed form: the primary takes the first filters of `conv`, and each cheap filter is the least-squares
    solution of y[ghost channel] from the d*d neighbourhood of y[its primary channel]. Then both are refined together
    by Adam on sum_c |ghost(x)_c - y_c|^2 / var(y_c): the normalization that follows divides each channel by its
    deviation, so errors count relative to it.

    Args:
        x: inputs (N, inputs, H, W) as they reach the layer now. y: outputs (N, outputs, H', W') the trained one made.
        conv: the trained convolution.
    """
    m, k = ghost.primary.out_channels, ghost.cheap.kernel_size[0]
    with torch.no_grad():
        ghost.primary.weight.copy_(conv.weight[:m])
        for c in range(ghost.ghosts):
            columns = F.unfold(y[:, c : c + 1], k, padding=k // 2).transpose(1, 2).reshape(-1, k * k).double()
            gram = columns.T @ columns
            gram += torch.eye(k * k, dtype=gram.dtype) * (1e-4 * gram.diagonal().mean() + 1e-12)
            solution = torch.linalg.solve(gram, columns.T @ y[:, m + c].reshape(-1).double())
            ghost.cheap.weight[c, 0] = solution.view(k, k).float()
        if conv.bias is not None and ghost.primary.bias is not None and ghost.cheap.bias is not None:
            ghost.primary.bias.copy_(conv.bias[:m])
            ghost.cheap.bias.zero_()
    scale = 1 / (y.var((0, 2, 3), keepdim=True) + 1e-6)

    def error(chosen: Tensor | slice) -> Tensor:
        return ((ghost(x[chosen]) - y[chosen]).square() * scale).mean()

    optimizer = torch.optim.Adam(ghost.parameters(), lr=0.01 * float(conv.weight.detach().std() + 1e-6))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    batch, generator = min(8, len(x)), torch.Generator().manual_seed(0)
    for _ in range(steps):
        optimizer.zero_grad()
        error(torch.randperm(len(x), generator=generator)[:batch]).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        return float(error(slice(None)))
