"""The pipeline step that puts ghost convolutions in the place of trained ones, and carries over what those learned."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from compress.layers.ghost import GhostConv2d, reconstruct
from compress.state.structure import check_patterns, replace
from edge.errors import EdgeError

INITIALIZATIONS = ("trained", "random")


@dataclass(frozen=True)
class Ghosting:
    """One ghosting step of a recipe.

    Attributes:
        layers: patterns of the convolutions to replace.
        cheap_kernel: side of the depthwise filter that makes the ghosts.
        init: "trained" (see `compress.layers.ghost.reconstruct`), or "random" to measure it against.
        samples: training images that the reconstruction looks at.
    """

    layers: tuple[str, ...]
    cheap_kernel: int = 3
    init: str = "trained"
    samples: int = 48


def ghost(
    network: nn.Module, settings: Ghosting, images: Tensor, progress: Callable[[str], None] = lambda text: None
) -> nn.Module:
    """Replace the matching convolutions in place and return the network.

    Layers are replaced in the network's order: each sees its inputs as the ghosts before it make them, and is fitted to
    what the trained network had at that place, so errors are corrected where they arise and do not add up. Last, the
    normalizations' running statistics are measured again.

    Args:
        images: float32 (N, channels, H, W), training images as the network reads them.

    Raises EdgeError for a pattern without a match, or a convolution that can't be divided.
    """
    names = [name for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    check_patterns("ghost", settings.layers, names)
    chosen = [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in settings.layers)]
    trained = copy.deepcopy(network).eval()
    run = _run(network.eval(), images[:1])
    for number, name in enumerate(chosen, start=1):
        conv = trained.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        if name not in run:
            raise EdgeError(f"layer {name} is never run: expected one that is; take it out of the step's layers")
        if conv.groups != 1 or conv.out_channels < 2 or conv.dilation != (1, 1) or conv.padding_mode != "zeros":
            raise EdgeError(
                f"layer {name} has {conv.groups} groups, {conv.out_channels} outputs and dilation {conv.dilation}: "
                "a ghost convolution replaces only an ordinary one with 2 or more outputs; take it out of the step's "
                "layers"
            )
        module = GhostConv2d(conv, settings.cheap_kernel)
        if settings.init == "trained":
            x = _seen(network, name, images)[0]
            left = reconstruct(module, conv, x, _seen(trained, name, images)[1])
            progress(f"{name} ({number}/{len(chosen)})  error left {left:.3f}")
        replace(network, name, module)
    recalibrate(network, images)
    return network


def _run(network: nn.Module, images: Tensor) -> set[str]:
    """Return the names of the convolutions that a forward pass runs."""
    found: set[str] = set()
    convs = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    hooks = [conv.register_forward_pre_hook(lambda *_, name=name: found.add(name)) for name, conv in convs.items()]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    return found


class _Reached(Exception):
    """Ends a forward pass at the layer it was run for."""


def _seen(network: nn.Module, name: str, images: Tensor, batch: int = 16) -> tuple[Tensor, Tensor]:
    """Return inputs and outputs of the layer `name` for `images`."""
    inputs, outputs = [], []

    def keep(_: nn.Module, x: tuple[Tensor], y: Tensor) -> None:
        inputs.append(x[0].detach().clone())
        outputs.append(y.detach().clone())
        raise _Reached

    hook = network.get_submodule(name).register_forward_hook(keep)
    try:
        with torch.no_grad():
            for part in images.split(batch):
                try:
                    network(part)
                except _Reached:
                    continue
    finally:
        hook.remove()
    return torch.cat(inputs), torch.cat(outputs)


def recalibrate(network: nn.Module, images: Tensor, batch: int = 16) -> None:
    """Measure every normalization's running mean and variance again, as the average over the batches of `images`."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
    network.train()
    with torch.no_grad():
        for part in images.split(batch):
            if len(part) > 1:
                network(part)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
