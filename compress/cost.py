"""What a network costs before anything is measured: parameters and multiply-accumulates."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn


@dataclass(frozen=True)
class Cost:
    """Parameters, and MACs of convolutions and linear layers at batch 1 (what the pruning papers call FLOPs)."""

    parameters: int
    macs: int


def cost(network: nn.Module, shape: tuple[int, int, int]) -> Cost:
    """Return the cost of `network` for an input of `shape` (channels, height, width).

    A convolution's MACs are its output elements times the weights that make one of them, kernel * kernel *
    in_channels / groups; a linear layer's are its weights, for each position it is applied to.
    """
    macs = 0

    def count(module: nn.Module, _: object, output: torch.Tensor) -> None:
        nonlocal macs
        assert isinstance(module, (nn.Conv2d, nn.Linear))
        macs += output.numel() * module.weight[0].numel()

    layers = [m for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    training = network.training
    try:
        with torch.no_grad():
            parameter = next(network.parameters())
            network.eval()(torch.zeros(1, *shape, device=parameter.device))
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return Cost(sum(p.numel() for p in network.parameters()), macs)
