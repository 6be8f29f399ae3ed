"""The step `fold-grey`: a grey image in three equal channels becomes an image of one.

With x the same channel three times, sum_c w_c * x = (sum_c w_c) * x. The device then prepares, and reads, a third.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor, nn

from compress.inputs import Inputs, as_inputs
from compress.networks.hooks import hooked
from compress.steps.registry import register
from compress.steps.step import Context, Fault, Rehearsal, Step
from edge.errors import EdgeError
from edge.preprocess import Preprocessing


@register
@dataclass(frozen=True)
class GreyFolding(Step):
    """The step `fold-grey`: a grey image in three equal channels needs one. It has no settings."""

    kind: ClassVar[str] = "fold-grey"

    @property
    def detail(self) -> str:
        """The same for every network."""
        return "three equal channels to one"

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield what keeps the three channels from being equal."""
        if (spec.color, spec.channels, len(spec.mean), len(spec.std)) != ("grey", 3, 1, 1):
            yield (
                "",
                self.kind,
                "an input with color = 'grey', channels = 3, and one mean and std for all three",
            )
        elif any(step.kind == self.kind for step in earlier):
            yield "", self.kind, "this step once"

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Fold."""
        return fold_grey(network, rehearsal.inputs)

    def apply(self, context: Context) -> nn.Module:
        """Fold."""
        return fold_grey(context.network, context.inputs)

    def input_after(self, spec: Preprocessing) -> Preprocessing:
        """One channel."""
        return replace(spec, channels=1)


def fold_grey(network: nn.Module, inputs: Tensor | Inputs) -> nn.Module:
    """Make the first convolution read one channel and return the network, which gives the same logits as before.

    With x the same channel three times, sum_c w_c * x = (sum_c w_c) * x. The three channels must be normalized alike.

    Args:
        inputs: example input, one image float32 (1, 3, height, width).

    Raises EdgeError where the first convolution is another, or what else the network does with the channels keeps the
    logits from being the same.
    """
    seen: list[nn.Conv2d] = []
    convs = [m for m in network.modules() if isinstance(m, nn.Conv2d)]
    hooks = [conv.register_forward_hook(lambda module, *_: seen.append(module)) for conv in convs]
    images = as_inputs(inputs)
    if len(images) != 1:
        raise EdgeError(
            f"step fold-grey found a network of {len(images)} inputs: expected one image; take the step out of the "
            "recipe"
        )
    shape = images[0].shape[1:]
    grey = torch.rand(1, 1, *shape[1:], generator=torch.Generator().manual_seed(0))
    with hooked(hooks), torch.no_grad():
        before = network.eval()(grey.expand(1, *shape).clone())
    first = seen[0] if seen else None
    if first is None or first.in_channels != shape[0] or first.groups != 1:
        raise EdgeError(
            "step fold-grey found no ordinary convolution over 3 channels as the network's first: "
            "take the step out of the recipe, or set input.channels = 1"
        )
    first.weight = nn.Parameter(first.weight.detach().sum(1, keepdim=True))
    first.in_channels = 1
    try:
        with torch.no_grad():
            same = torch.allclose(network(grey), before, rtol=1e-3, atol=1e-4 * float(before.abs().max()))
    except Exception:  # the user's own code: anything
        same = False
    if not same:
        raise EdgeError(
            "step fold-grey gives other logits: expected a network whose first convolution is all that reads the three "
            "channels; take the step out of the recipe, or set input.channels = 1"
        )
    return network
