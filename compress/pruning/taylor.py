"""Taylor importance: what the loss would change by, to first order, if a channel were not there.

Molchanov et al., "Pruning Convolutional Neural Networks for Resource Efficient Inference" (ICLR 2017), with the
gradient normalization and the random gradient of Sapkota and Bhattarai, "Importance Estimation with Random Gradient for
Neural Network Pruning" (arXiv 2310.20203), used on segmentation in "Neural Network Pruning for Real-time Polyp
Segmentation" (arXiv 2306.13203).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group
from torch_pruning.pruner import function

from compress.pruning.criteria import Criterion
from compress.pruning.groups import Trace, members
from edge.errors import EdgeError

Loss = Callable[[Tensor, Tensor], Tensor]
Gradient = Callable[[Tensor, slice], Tensor]  # (outputs of some samples, which samples) -> dL/dy
GRADIENTS = ("loss", "random")
EPSILON = 1e-5
BATCH = 4
CONVOLUTIONS = (nn.Conv2d, nn.ConvTranspose2d)

# contributions a, shape (samples, channels), to importance I, shape (channels,)
IMPORTANCES: Mapping[str, Callable[[Tensor], Tensor]] = {
    "taylor": lambda a: a.mean(0).abs(),
    "taylor-abs": lambda a: a.abs().mean(0),
    "taylor-sq": lambda a: a.square().mean(0),
}


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


def taylor(name: str, seen: Trace, images: Tensor, gradient: Gradient, progress: Callable[[str], None]) -> Criterion:
    """Return the criterion `name`, one of IMPORTANCES.

    With x_i a unit's pre-activation, dx_i = dL/dx_i and N samples,

        a_n,i = sum over height and width of x_i * dx_i

        taylor      I_i = | 1/N sum_n a_n,i |
        taylor-abs  I_i =   1/N sum_n | a_n,i |
        taylor-sq   I_i =   1/N sum_n a_n,i^2

    A channel that goes, goes in all coupled convolutions at once: their a_n,i are added before anything else. The
    pre-activation is the output of the normalization that alone reads the convolution, or else the convolution's.

    Args:
        seen: of the network as it is now.
        gradient: makes dL/dy of the outputs y; see `loss_gradient` and `random_gradient`.
    """
    place = {m: _pre_activation(seen, m) for m in seen.network.modules() if isinstance(m, CONVOLUTIONS)}
    a = contributions(seen.network, list(dict.fromkeys(place.values())), images, gradient, progress)

    def score(group: Group) -> Tensor:
        total = torch.zeros(len(images), len(group[0].idxs))
        for dependency, i, g in members(group, [function.prune_conv_out_channels]):
            if dependency.target.module not in seen.sources:
                total.index_add_(1, g, a[place[dependency.target.module]][:, i])
        return IMPORTANCES[name](total)

    return score


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


def _pre_activation(seen: Trace, conv: nn.Module) -> nn.Module:
    node = seen.graph.module2node.get(conv)
    readers = {reader.module for reader in node.outputs} if node else set()
    reader = readers.pop() if len(readers) == 1 else None
    return reader if isinstance(reader, nn.BatchNorm2d) else conv
