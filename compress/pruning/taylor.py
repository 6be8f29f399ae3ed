"""Taylor importance: what the loss would change by, to first order, if a channel were not there.

Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference" (ICLR 2017), with the
gradient normalization and the random gradient of Sapkota and Bhattarai, "Importance Estimation with Random Gradient for
Neural Network Pruning" (arXiv 2310.20203), used on segmentation in "Neural Network Pruning for Real-time Polyp
Segmentation" (arXiv 2306.13203).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group
from torch_pruning.pruner import function

from compress.pruning.groups import Trace, members
from edge.errors import EdgeError

Loss = Callable[[Tensor, Tensor], Tensor]
Gradient = Callable[[Tensor, slice], Tensor]  # (outputs of some samples, which samples) -> dL/dy
GRADIENTS = ("loss", "random")
EPSILON = 1e-5
BATCH = 4
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)


@dataclass(frozen=True)
class Examples:
    """Images that a criterion looks at, and what should come out.

    Attributes:
        images: float32 (N, channels, H, W), as the network reads them.
        targets: N of whatever `loss` compares outputs with; not needed for a random gradient.
        loss: loss(outputs, targets) -> (N,), each sample's own loss, e.g. cross_entropy(..., reduction="none").
    """

    images: Tensor
    targets: Tensor | None = None
    loss: Loss | None = None


class Batches:
    """What a criterion reads that asks for `examples`: images with their targets, and the network that they are for.

    Attributes:
        images, targets, loss: as in `Examples`.
        network: as it is now, in eval mode; a criterion leaves it as it is.
    """

    def __init__(self, traced: Trace, examples: Examples, gradient: Gradient, progress: Callable[[str], None]):
        """With `gradient`, which makes dL/dy of the outputs y: see `loss_gradient` and `random_gradient`."""
        self.images, self.targets, self.loss = examples.images, examples.targets, examples.loss
        self.network = traced.network
        self._traced, self._gradient, self._progress = traced, gradient, progress
        self._place: dict[nn.Module, nn.Module] = {}  # convolution -> where its pre-activation is
        self._contributions: dict[nn.Module, Tensor] = {}

    def contributions(self, group: Group) -> Tensor:
        """Return a_n,i of the group's channels, float32 (samples, channels).

        With x_i a unit's pre-activation, dx_i = dL/dx_i,

            a_n,i = sum over height and width of x_i * dx_i

        A channel that goes, goes in all coupled convolutions at once: their a_n,i are added. The pre-activation is the
        output of the normalization that alone reads the convolution, or else the convolution's. They are computed once
        for all groups.
        """
        if not self._place:
            layers = [m for m in self.network.modules() if isinstance(m, CONVOLUTIONS)]
            self._place = {layer: _pre_activation(self._traced, layer) for layer in layers}
            places = list(dict.fromkeys(self._place.values()))
            self._contributions = contributions(self.network, places, self.images, self._gradient, self._progress)
        total = torch.zeros(len(self.images), len(group[0].idxs))
        for dependency, i, g in members(group, [function.prune_conv_out_channels]):
            layer = dependency.target.module
            if layer not in self._traced.sources:
                total.index_add_(1, g, self._contributions[self._place[layer]][:, i])
        return total


def taylor(group: Group, examples: Batches) -> Tensor:
    """Return I_i = | 1/N sum_n a_n,i | for N samples; shape (channels,). See `Batches.contributions`."""
    return examples.contributions(group).mean(0).abs()


def taylor_abs(group: Group, examples: Batches) -> Tensor:
    """Return I_i = 1/N sum_n | a_n,i |; shape (channels,)."""
    return examples.contributions(group).abs().mean(0)


def taylor_sq(group: Group, examples: Batches) -> Tensor:
    """Return I_i = 1/N sum_n a_n,i^2; shape (channels,)."""
    return examples.contributions(group).square().mean(0)


def contributions(
    network: nn.Module, layers: list[nn.Module], images: Tensor, gradient: Gradient, progress: Callable[[str], None]
) -> dict[nn.Module, Tensor]:
    """Return layer -> a, float32 (N, channels): sum over height and width of x * dL/dx, x being the layer's output.

    Each output is multiplied by a gate that is 1, one for each sample and channel. With x the output and g its gate,
    dL/dg = sum over height and width of x * dL/d(g x), which is a. `network` must be in eval mode: samples don't see
    each other then, and one backward pass serves a batch. No hooks, gradients or statistics stay behind.
    """
    gates: dict[nn.Module, list[Tensor]] = {}

    def multiply(layer: nn.Module, _: object, x: Tensor) -> Tensor:
        gate = x.new_ones(x.shape[:2] + (1,) * (x.dim() - 2)).requires_grad_()
        gates.setdefault(layer, []).append(gate)  # one for each time that the layer is used
        return x * gate

    parts: dict[nn.Module, list[Tensor]] = {layer: [] for layer in layers}
    device = next(network.parameters()).device
    hooks = [layer.register_forward_hook(multiply) for layer in layers]
    try:
        with torch.enable_grad():
            for start in range(0, len(images), BATCH):
                part = slice(start, min(start + BATCH, len(images)))
                gates.clear()
                y = network(images[part].to(device))
                inputs = [gate for used in gates.values() for gate in used]
                found = iter(torch.autograd.grad(y, inputs, gradient(y.detach(), part), materialize_grads=True))
                for layer, used in gates.items():
                    parts[layer].append(sum((next(found) for _ in used), torch.zeros(())).flatten(1).cpu())
                progress(f"gradients of {part.stop} of {len(images)} images")
    finally:
        for hook in hooks:
            hook.remove()
    return {layer: torch.cat(rows) for layer, rows in parts.items() if rows}


def loss_gradient(examples: Examples, normalize: bool) -> Gradient:
    """Return the gradient dL_n/dy_n of each sample's loss; divided by ||dL_n/dy_n||_2 + 1e-5 if `normalize`.

    Normalized, each sample counts equally, however large its loss is: a_n,i is linear in the output's gradient, so
    this is the paper's a_n,i / (||dL_n/dy_n||_2 + 1e-5). The norm is over all outputs of a sample, pixels included.

    Raises EdgeError without targets or loss, or where the loss is not one number for each sample.
    """
    if examples.targets is None or examples.loss is None:
        raise EdgeError(
            "the examples have no targets or no loss: expected both for gradient = 'loss'; give them, or set "
            "gradient = 'random', which needs neither"
        )
    targets, loss = examples.targets, examples.loss
    if len(targets) != len(examples.images):
        raise EdgeError(f"found {len(examples.images)} images and {len(targets)} targets: expected one for each")

    def gradient(y: Tensor, part: slice) -> Tensor:
        y.requires_grad_()
        losses = loss(y, targets[part].to(y.device))
        if losses.shape != (len(y),):
            raise EdgeError(
                f"the loss of {len(y)} samples has shape {tuple(losses.shape)}: expected {(len(y),)}, each sample's "
                "own loss; use reduction='none' and average over everything but the samples"
            )
        (dy,) = torch.autograd.grad(losses.sum(), y)
        return dy / (_norm(dy) + EPSILON) if normalize else dy

    return gradient


def random_gradient(generator: torch.Generator) -> Gradient:
    """Return the gradient r / ||r||_2 with r ~ N(0, I) for each sample, which no label has a part in."""

    def gradient(y: Tensor, part: slice) -> Tensor:
        r = torch.stack([torch.randn(sample.shape, generator=generator) for sample in y])  # however they are batched
        return (r / _norm(r)).to(y.device)

    return gradient


def _norm(dy: Tensor) -> Tensor:
    return dy.flatten(1).norm(dim=1).view(-1, *[1] * (dy.dim() - 1))


def _pre_activation(traced: Trace, conv: nn.Module) -> nn.Module:
    node = traced.graph.module2node.get(conv)
    readers = {reader.module for reader in node.outputs} if node else set()
    reader = readers.pop() if len(readers) == 1 else None
    return reader if isinstance(reader, nn.BatchNorm2d) else conv
