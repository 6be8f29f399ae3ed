"""The pipeline step that puts ghost convolutions in the place of trained ones, and carries over what those learned."""

from __future__ import annotations

import copy
import fnmatch
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from dataclasses import replace as changed
from typing import ClassVar

import torch
from torch import Tensor, nn

from compress.inputs import Inputs, as_inputs, run
from compress.layers.ghost import GhostConv2d, reconstruct
from compress.networks.hooks import hooked
from compress.state.structure import check_patterns, replace
from compress.steps.registry import register
from compress.steps.step import Context, Fault, Rehearsal, Step
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

INITIALIZATIONS = ("trained", "random")


@register
@dataclass(frozen=True)
class Ghosting(Step):
    """The step `ghost`.

    Attributes:
        layers: patterns of the convolutions to replace.
        cheap_kernel: side of the depthwise filter that makes the ghosts.
        init: "trained" (see `compress.layers.ghost.reconstruct`), or "random" to measure it against.
        samples: training images that the reconstruction looks at.
    """

    kind: ClassVar[str] = "ghost"

    layers: tuple[str, ...]
    cheap_kernel: int = 3
    init: str = "trained"
    samples: int = 48

    @property
    def detail(self) -> str:
        """Which convolutions are replaced."""
        return ", ".join(self.layers)

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield what is out of range."""
        if self.init not in INITIALIZATIONS:
            yield "init", self.init, f"one of {', '.join(INITIALIZATIONS)}"
        if self.cheap_kernel < 1 or self.cheap_kernel % 2 == 0:
            yield "cheap_kernel", self.cheap_kernel, "an odd number"
        if self.samples < 2:
            yield "samples", self.samples, "2 or more"

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Put ghost convolutions in, with random weights."""
        inputs = tuple(_two(x) for x in rehearsal.inputs)
        return ghost(network, changed(self, init="random"), inputs)

    def apply(self, context: Context) -> nn.Module:
        """Put ghost convolutions in, fitted to training images."""
        torch.manual_seed(context.seed)  # random weights are the same in a run that was taken up again
        return ghost(context.network, self, context.samples(self.samples), context.progress)


def ghost(
    network: nn.Module,
    settings: Ghosting,
    images: Tensor | Inputs,
    progress: Callable[[str], None] = lambda text: None,
) -> nn.Module:
    """Replace the matching convolutions in place and return the network.

    Layers are replaced in the network's order: each sees its inputs as the ghosts before it make them, and is fitted to
    what the trained network had at that place, so errors are corrected where they arise and do not add up. Last, the
    normalizations' running statistics are measured again.

    Args:
        images: float32 (N, channels, H, W), training images as the network reads them; of a network with several
            inputs a tuple, with N of each.

    Raises EdgeError for a pattern without a match, or a convolution that can't be divided.
    """
    names = [name for name, m in network.named_modules() if isinstance(m, nn.Conv2d)]
    check_patterns("ghost", settings.layers, names)
    chosen = [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in settings.layers)]
    trained = copy.deepcopy(network).eval()
    inputs = as_inputs(images)
    reached = _reached(network.eval(), tuple(x[:1] for x in inputs))
    for number, name in enumerate(chosen, start=1):
        conv = trained.get_submodule(name)
        assert isinstance(conv, nn.Conv2d)
        if name not in reached:
            raise EdgeError(f"layer {name} is never run: expected one that is; take it out of the step's layers")
        if conv.groups != 1 or conv.out_channels < 2 or conv.dilation != (1, 1) or conv.padding_mode != "zeros":
            raise EdgeError(
                f"layer {name} has {conv.groups} groups, {conv.out_channels} outputs and dilation {conv.dilation}: "
                "a ghost convolution replaces only an ordinary one with 2 or more outputs; take it out of the step's "
                "layers"
            )
        module = GhostConv2d(conv, settings.cheap_kernel)
        if settings.init == "trained":
            x = _seen(network, name, inputs)[0]
            left = reconstruct(module, conv, x, _seen(trained, name, inputs)[1])
            progress(f"{name} ({number}/{len(chosen)})  error left {left:.3f}")
        replace(network, name, module)
    recalibrate(network, inputs)
    return network


def _reached(network: nn.Module, inputs: Inputs) -> set[str]:
    """Return the names of the convolutions that a forward pass runs."""
    found: set[str] = set()
    convs = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    hooks = [conv.register_forward_pre_hook(lambda *_, name=name: found.add(name)) for name, conv in convs.items()]
    with hooked(hooks), torch.no_grad():
        run(network, inputs)
    return found


def _batches(inputs: Inputs, size: int) -> Iterator[Inputs]:
    yield from zip(*(x.split(size) for x in inputs), strict=True)


def _two(example: Tensor) -> Tensor:
    """Return a batch of two inputs like the example's first: normalizations are measured over more than one."""
    size = (2, *example.shape[1:])
    return torch.rand(size) if example.is_floating_point() else example[:1].expand(size)


class _Reached(Exception):
    """Ends a forward pass at the layer it was run for."""


def _seen(network: nn.Module, name: str, images: Inputs, batch: int = 16) -> tuple[Tensor, Tensor]:
    """Return inputs and outputs of the layer `name` for `images`."""
    inputs, outputs = [], []

    def keep(_: nn.Module, x: tuple[Tensor], y: Tensor) -> None:
        inputs.append(x[0].detach().clone())
        outputs.append(y.detach().clone())
        raise _Reached

    with hooked([network.get_submodule(name).register_forward_hook(keep)]), torch.no_grad():
        for part in _batches(images, batch):
            with suppress(_Reached):
                run(network, part)
    return torch.cat(inputs), torch.cat(outputs)


def recalibrate(network: nn.Module, images: Tensor | Inputs, batch: int = 16) -> None:
    """Measure every normalization's running mean and variance again, as the average over the batches of `images`."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [m.momentum for m in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average
    network.train()
    with torch.no_grad():
        for part in _batches(as_inputs(images), batch):
            if len(part[0]) > 1:
                run(network, part)
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
