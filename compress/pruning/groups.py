"""Groups of coupled channels: what has to go together when a channel goes, and where the layers compute how often.

The dependency graph is torch-pruning's (Fang et al., "DepGraph: Towards Any Structural Pruning", CVPR 2023).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch_pruning.dependency import Group
from torch_pruning.ops import OPTYPE
from torch_pruning.pruner import function

from compress.cost import Count, count
from compress.inputs import Inputs, as_inputs, outputs, run
from edge.errors import EdgeError

CONVS = (nn.Conv2d, nn.ConvTranspose2d)
OUTPUTS = (function.prune_conv_out_channels, function.prune_depthwise_conv_out_channels)
INPUTS = (function.prune_conv_in_channels, function.prune_linear_in_channels)


@dataclass(frozen=True)
class Trace:
    """What one forward pass shows of a network.

    Attributes:
        network: the network that was run.
        graph: which layers lose a slice when another one does.
        sources: stand-ins for the network's inputs, so that the graph knows what is coupled with them.
        count: what it multiplies, and with which parameters.
        outputs: shapes of the network's outputs for the example inputs.
    """

    network: nn.Module
    graph: tp.DependencyGraph
    sources: tuple[nn.Module, ...]
    count: Count
    outputs: tuple[tuple[int, ...], ...]


class _Sourced(nn.Module):
    """A network with a layer in front of each input that has channels; one of whole numbers goes through as it is."""

    def __init__(self, network: nn.Module, inputs: Inputs):
        super().__init__()
        self.sources = nn.ModuleList(_source(x) for x in inputs)
        self.network = network

    def forward(self, *inputs: Tensor) -> Any:
        return self.network(*(source(x) for source, x in zip(self.sources, inputs, strict=True)))


def _source(x: Tensor) -> nn.Module:
    if not x.is_floating_point() or x.ndim < 2:
        return nn.Identity()
    if x.ndim == 4:
        return nn.Conv2d(x.shape[1], x.shape[1], 1, bias=False).to(x)
    return nn.Linear(x.shape[-1], x.shape[-1], bias=False).to(x)


def trace(network: nn.Module, inputs: Tensor | Inputs) -> Trace:
    """Run `network`, in eval mode, once on copies of `inputs`, one tensor or several.

    Raises EdgeError where the dependency graph can't be made, or no output depends on the inputs and the weights.
    """
    shapes: list[tuple[int, ...]] = []

    def end(returned: Any) -> list[Tensor]:
        found = outputs(returned)
        shapes.extend(tuple(y.shape) for y in found)
        # torch-pruning knows an operation as the network's output, but not a layer
        return [y.clone() for y in found if y.grad_fn is not None]

    examples = as_inputs(inputs)
    multiplied = count(network, examples)
    device = next(network.parameters()).device
    whole = _Sourced(network.eval(), tuple(x.to(device) for x in examples))
    with torch.enable_grad():
        graph = tp.DependencyGraph().build_dependency(
            whole, example_inputs=examples, forward_fn=run, output_transform=end, verbose=False
        )
    return Trace(network, graph, tuple(whole.sources), multiplied, tuple(shapes))


def whole_group(seen: Trace, layer: nn.Conv2d | nn.ConvTranspose2d, channels: list[int] | None = None) -> Group:
    """Return the group of `layer`'s output channels, all of them unless `channels` says which.

    Raises EdgeError where the graph can't follow them: torch-pruning fails at what a recurrent layer reads, for one.
    """
    chosen = list(range(layer.out_channels)) if channels is None else channels
    try:
        return seen.graph.get_pruning_group(layer, tp.prune_conv_out_channels, idxs=chosen)
    except (IndexError, KeyError, ValueError, RuntimeError) as error:
        raise EdgeError(
            f"which layers read the channels of {layer} can't be followed ({type(error).__name__}: {error}): expected "
            "convolutions, linear layers, normalizations and attention; let no pattern match this layer"
        ) from None


def members(
    group: Group, pruned_by: Sequence[Callable[..., nn.Module]] = ()
) -> Iterator[tuple[tp.Dependency, Tensor, Tensor]]:
    """Yield (dependency, i, g) for each slice that the group loses: all of them, or those taken by `pruned_by`.

    Channel i[k] of the layer `dependency.target.module` goes with channel g[k] of the group; both int64, and as long as
    the group is wide unless a concatenation or a flattening lies between.
    """
    roots = group[0].idxs
    place = {root: position for position, root in enumerate(roots)}
    same = torch.arange(len(roots))
    for item in group.items:
        if not pruned_by or item.dep.handler in pruned_by:
            g = same if item.root_idxs == roots else torch.tensor([place[root] for root in item.root_idxs])
            yield item.dep, same if item.idxs == list(range(len(roots))) else torch.tensor(item.idxs), g


def prunable_groups(seen: Trace) -> list[Group]:
    """Divide the output channels of all convolutions into groups, none in two of them, and return those that may go.

    A layer behind an addition to a concatenation is coupled with several layers, each with a part of its channels.
    Starting from the narrowest layers, every group has one layer to which all its channels belong, and the channels
    which that layer has left are never part of another group. So groups can be pruned independently of each other,
    from the last to the first (the indices of the earlier ones then stay what they are).

    Left out is what must keep its width: what is coupled with the network's input or its output, what a convolution in
    groups or a group normalization divides, what a convolution that is no module reads or makes, and what the graph
    can't follow through an operation that renumbers channels.
    """
    layers = [m for m in seen.network.modules() if isinstance(m, CONVS) and m in seen.graph.module2node]
    layers.sort(key=lambda m: (_depthwise(m), m.out_channels))  # a depthwise one only carries another one's channels
    taken: dict[nn.Module, set[int]] = {layer: set() for layer in layers}
    groups = []
    for layer in layers:
        free = [i for i in range(layer.out_channels) if i not in taken[layer]]
        if not free:
            continue
        try:
            group = whole_group(seen, layer, free)
        except EdgeError:
            continue
        for dependency, i, _ in members(group, OUTPUTS):
            taken.setdefault(dependency.target.module, set()).update(i.tolist())
        if _understood(seen, group) and not any(_fixed(seen, item.dep.target) for item in group.items):
            groups.append(group)
    return groups


def is_divided(group: Group) -> bool:
    """Whether a convolution in groups, which is not depthwise, divides the channels: each group reads its own."""
    return any(_in_groups(item.dep.target.module) for item in group.items)


def _in_groups(module: nn.Module) -> bool:
    return isinstance(module, CONVS) and module.groups > 1 and not _depthwise(module)


def _depthwise(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv2d) and 1 < module.groups == module.out_channels == module.in_channels


def _fixed(seen: Trace, node: tp.dependency.Node) -> bool:
    module = node.module
    if module in seen.sources or node.type == OPTYPE.OUTPUT or isinstance(module, nn.GroupNorm):
        return True
    if isinstance(module, (*CONVS, nn.Linear)) and "weight" not in module._parameters:
        return True  # computed from others, by a weight normalization
    if "Convolution" in str(getattr(module, "_grad_fn", "")):
        return True  # a function of no module, which the graph takes for an operation on each element
    return _in_groups(module)


def _understood(seen: Trace, group: Group) -> bool:
    """Return False where a layer would lose channels that it does not have."""
    for dependency, i, _ in members(group):
        inputs = dependency.handler in INPUTS
        node = dependency.target
        width = seen.graph.get_in_channels(node) if inputs else seen.graph.get_out_channels(node)
        if width is not None and int(i.max()) >= width:
            return False
    return True
