"""The step `fold-norms`: what directly follows a ghost convolution moves into it, so that the device does it once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from compress.inputs import Inputs, as_inputs, outputs, run
from compress.layers.ghost import GhostConv2d
from compress.networks.hooks import hooked
from compress.state.structure import replace
from compress.steps.registry import register
from compress.steps.step import Context, Rehearsal, Step


@register
@dataclass(frozen=True)
class NormFolding(Step):
    """The step `fold-norms`: normalizations and ReLUs behind ghost convolutions move into them. It has no settings.

    Behind a ghost's concatenation a normalization stays a multiplication and an addition over all channels, and a
    ReLU an operator that LiteRT's int8 kernels leave to the slow path; inside, both cost nothing once they are
    converted. Train afterwards: see `fold_norms`.
    """

    kind: ClassVar[str] = "fold-norms"

    @property
    def detail(self) -> str:
        """The same for every network."""
        return "into the ghosts"

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Fold."""
        return fold_norms(network, rehearsal.inputs)

    def apply(self, context: Context) -> nn.Module:
        """Fold."""
        return fold_norms(context.network, context.inputs)

    def restore(self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: Inputs) -> nn.Module:
        """Fold: the rectifiers that moved have no tensors."""
        return fold_norms(network, inputs)


def fold_norms(network: nn.Module, inputs: Tensor | Inputs) -> nn.Module:
    """Move what directly follows a ghost convolution, normalization and then ReLU, into its halves; return the network.

    With y1 = s1 p + b1 the normalized primary maps, the cheap filters read y1 and not p: w becomes w / s1, and the
    constant that b1 adds, sum(w) b1 / s1, goes into the second normalization's mean. Without a ReLU the result is the
    same but at the image's rim, where the cheap filters' zero padding now stands for y1 = 0 and not for p = 0, and in
    channels whose s1 is near zero. With one, the cheap filters read max(y1, 0), as in GhostNet (Han et al. 2020,
    section 3.2): that has to be trained.

    Args:
        inputs: example inputs, one tensor or several.
    """
    for ghost, name, rectifier in _followers(network, as_inputs(inputs)):
        norm = network.get_submodule(name)
        assert isinstance(norm, nn.BatchNorm2d) and norm.running_mean is not None and norm.running_var is not None
        m = ghost.primary.out_channels
        second = _part(norm, slice(m, None))
        ghost.primary_norm, ghost.cheap_norm = _part(norm, slice(0, m)), second
        with torch.no_grad():
            slope = (norm.weight / (norm.running_var + norm.eps).sqrt())[: ghost.ghosts]
            least = 1e-2 * slope.abs().mean() + 1e-12
            slope = torch.where(slope < 0, -1.0, 1.0) * slope.abs().clamp_min(least)
            shift = (norm.bias - norm.weight * norm.running_mean / (norm.running_var + norm.eps).sqrt())[: ghost.ghosts]
            ghost.cheap.weight.div_(slope.view(-1, 1, 1, 1))
            assert second.running_mean is not None
            second.running_mean.add_(ghost.cheap.weight.sum((1, 2, 3)) * shift)
        replace(network, name, nn.Identity())
        if rectifier:
            ghost.activation = nn.ReLU(inplace=True)
            replace(network, rectifier, nn.Identity())
    return network


def _followers(network: nn.Module, inputs: Inputs) -> list[tuple[GhostConv2d, str, str]]:
    """Return each ghost convolution whose output goes straight into a normalization and nowhere else, and its name.

    Third, the name of the ReLU that the normalization's output goes straight into, if it is called in this place only.
    """
    made: dict[int, nn.Module] = {}  # which ghost or normalization made the tensor of this id last
    norms: dict[nn.Module, GhostConv2d] = {}  # normalization -> ghost
    rectifiers: dict[nn.Module, nn.Module] = {}  # normalization -> ReLU
    calls: Counter[nn.Module] = Counter()
    kept: list[torch.Tensor] = []  # alive: an id is unique only as long as its object lives
    ends: dict[nn.Module, Any] = {}  # module -> what made its output, in autograd's graph

    def into(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        calls[module] += 1
        source = made.get(id(inputs[0]))
        if source is not None and inputs[0].grad_fn is not ends[source]:
            source = None  # something was done to it in place since
        if isinstance(module, nn.BatchNorm2d) and module.affine and isinstance(source, GhostConv2d):
            norms[module] = source
        elif isinstance(module, nn.ReLU) and isinstance(source, nn.BatchNorm2d):
            rectifiers[source] = module

    def out(module: nn.Module, _: object, output: torch.Tensor) -> None:
        made[id(output)] = module
        kept.append(output)
        ends[module] = output.grad_fn

    hooks = []
    for module in network.modules():
        if isinstance(module, GhostConv2d | nn.BatchNorm2d | nn.ReLU):
            hooks += [module.register_forward_pre_hook(into), module.register_forward_hook(out)]
    with hooked(hooks), torch.enable_grad():
        graded = tuple(x.clone().requires_grad_() if x.is_floating_point() else x for x in inputs)
        found = outputs(run(network.eval(), graded))
    names = {module: name for name, module in network.named_modules()}
    readers = _readers([y.grad_fn for y in found])
    alone = {m for m in calls if calls[m] == 1 and ends[m] is not None and readers[ends[m]] == 1}
    once = {norm: relu for norm, relu in rectifiers.items() if calls[relu] == 1 and norm in alone}
    return [
        (ghost, names[norm], names[once[norm]] if norm in once else "")
        for norm, ghost in norms.items()
        if ghost in alone and calls[norm] == 1
    ]


def _readers(ends: list[Any]) -> Counter[Any]:
    """Return how many nodes of autograd's graph that makes the outputs `ends`, or outputs, read each node's output."""
    found: Counter[Any] = Counter(ends)
    waiting = [node for node in found if node is not None]  # a forward pass may detach an output
    while waiting:
        for node, _ in waiting.pop().next_functions:
            if node is not None and node not in found:
                waiting.append(node)
            found[node] += 1
    return found


def _part(norm: nn.BatchNorm2d, channels: slice) -> nn.BatchNorm2d:
    assert norm.running_mean is not None and norm.running_var is not None
    part = nn.BatchNorm2d(norm.weight[channels].numel(), eps=norm.eps, momentum=norm.momentum)
    with torch.no_grad():
        for mine, whole in (
            (part.weight, norm.weight),
            (part.bias, norm.bias),
            (part.running_mean, norm.running_mean),
            (part.running_var, norm.running_var),
        ):
            assert mine is not None
            mine.copy_(whole[channels])
    return part.train(norm.training)
