"""Structured channel pruning: one dependency graph, per-layer rates or one ranking, tensors that really get smaller."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

import torch
from torch import Tensor, nn
from torch_pruning.dependency import Group

from compress.cost import Cost, cost
from compress.inputs import Inputs, outputs
from compress.pruning.budget import Block, Budget, blocks, weakest
from compress.pruning.groups import CONVS, OUTPUTS, Trace, is_divided, members, prunable_groups, trace, whole_group
from compress.pruning.scoring import Scores, scoring
from compress.pruning.settings import Pruning
from compress.pruning.taylor import Examples
from compress.state.structure import check_patterns
from edge.errors import EdgeError

Log = Callable[[str], None]


def prune(
    network: nn.Module,
    settings: Pruning,
    inputs: Tensor | Inputs,
    examples: Examples | None = None,
    progress: Log = lambda text: None,
) -> nn.Module:
    """Prune `network` in place and return it, in eval mode.

    With `ratios`, the hierarchical pruning of Yang et al. (2022): within each layer (or group of coupled layers)
    channels are ranked by that layer's own scores and the lowest go, at the layer's own rate; the next layer reads what
    is left. With `macs` or `parameters`, all layers' channels are ranked together and the lowest go until the network's
    cost is reached.

    Args:
        inputs: example inputs, one tensor or several.
        examples: for criteria that look at images, which see the first `settings.samples` of them.
        progress: gets what is being done.

    Raises EdgeError for settings that contradict each other, a pattern that matches no layer, a layer that makes the
    output, examples that are missing, scores that are not finite, and a share that can't be reached.
    """
    for name, found, expected in settings.mistakes():
        raise EdgeError(f"pruning's {name} is {found!r}: expected {expected}; correct it")
    layers = {name: m for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    rates = layer_ratios(list(layers), settings.ratios)
    check_patterns("pruning", settings.layers, [name for name, m in network.named_modules() if isinstance(m, CONVS)])
    frozen = {name for name, parameter in network.named_parameters() if not parameter.requires_grad}
    for parameter in network.parameters():
        parameter.requires_grad_(True)  # the graph is traced through autograd
    criteria = scoring(settings, examples, progress)
    if settings.ratios:
        seen = trace(network, inputs)
        _prune_layers(seen, {n: (layers[n], rate) for n, rate in rates.items()}, settings, criteria(seen), progress)
        _check(network, inputs, seen.outputs, "ratios")
    else:
        _prune_globally(network, inputs, settings, criteria, progress)
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(name not in frozen)
    return network


def _prune_layers(
    seen: Trace, rates: Mapping[str, tuple[nn.Conv2d, float]], settings: Pruning, criterion: Scores, progress: Log
) -> None:
    plan: list[tuple[nn.Conv2d, int, Tensor | None]] = []
    for layer, group, keep in _plan(seen, rates, settings, progress):
        # scores of images are those of the channels as they were numbered then
        plan.append((layer, keep, criterion(group) if settings.needs_images else None))
    for layer, keep, scores in plan:
        scores = criterion(whole_group(seen, layer)) if scores is None else scores
        whole_group(seen, layer, _lowest(scores, keep)).prune()


def weakest_channels(seen: Trace, settings: Pruning) -> Iterator[tuple[nn.Conv2d, list[int]]]:
    """Yield a layer of each group that `settings.ratios` match, and which of its channels have the lowest scores."""
    layers = {name: m for name, m in seen.network.named_modules() if isinstance(m, nn.Conv2d)}
    rates = {name: (layers[name], rate) for name, rate in layer_ratios(list(layers), settings.ratios).items()}
    criterion = scoring(settings, None, lambda text: None)(seen)
    for layer, group, keep in _plan(seen, rates, settings, lambda text: None):
        yield layer, _lowest(criterion(group), keep)


def _plan(
    seen: Trace, rates: Mapping[str, tuple[nn.Conv2d, float]], settings: Pruning, progress: Log
) -> Iterator[tuple[nn.Conv2d, Group, int]]:
    """Yield the first layer of each group that is to lose channels, the group, and how many channels it keeps."""
    done: set[nn.Module] = set()
    for name, (layer, ratio) in rates.items():
        if layer in done:
            continue
        if layer not in seen.graph.module2node:
            progress(f"{name}: stays whole, as the network never runs it\n")
            continue
        group, channels = whole_group(seen, layer), layer.out_channels
        done.update(dependency.target.module for dependency, _, _ in members(group, OUTPUTS))
        if is_divided(group):
            progress(f"{name}: stays whole, as a convolution in groups divides its channels\n")
            continue
        keep = kept(channels, ratio, settings.round_to)
        if ratio and (1 - ratio) * channels < settings.round_to / 2:
            progress(f"{name}: {ratio:.0%} of {channels} channels would leave less than the {keep} that stay\n")
        if keep < channels:
            yield layer, group, keep


def _lowest(scores: Tensor, keep: int) -> list[int]:
    return sorted(torch.argsort(scores, stable=True)[: len(scores) - keep].tolist())


def _prune_globally(
    network: nn.Module,
    inputs: Tensor | Inputs,
    settings: Pruning,
    criteria: Callable[[Trace], Scores],
    progress: Log,
) -> None:
    seen = trace(network, inputs)
    names = {module: name for name, module in network.named_modules()}
    groups = _groups(seen, names, settings)
    budget = Budget(seen, groups)
    before, whole = seen.outputs, budget.cost
    _check_reachable(budget, groups, settings)
    for step in range(1, settings.steps + 1):
        if step > 1:
            seen = trace(network, inputs)
            groups = _groups(seen, names, settings)
            budget = Budget(seen, groups)
        criterion = criteria(seen)
        ranking = blocks([criterion(group) for group in groups], settings.round_to)
        goal = _allowed(whole, settings, step / settings.steps)
        taken, left = weakest(ranking, budget, goal)
        remove(seen, groups, taken)
        lost, could = Counter(block.group for block in taken), Counter(block.group for block in ranking)
        floor = [names[groups[n][0].dep.target.module] for n in sorted(lost) if lost[n] == could[n]]
        progress(
            f"{step}/{settings.steps}: {1 - left.macs / whole.macs:.1%} of the MACs, "
            f"{1 - left.parameters / whole.parameters:.1%} of the parameters removed"
            + (f"; kept at one block: {', '.join(floor)}\n" if floor else "")
        )
    spent = _check(network, inputs, before, "layers")
    if not _allowed(whole, settings, 1)(spent):
        raise EdgeError(
            f"pruning was to leave {left} and left {spent}: expected layers that cost what their widths say; give "
            "layers that leave the unusual ones out"
        )


def _groups(seen: Trace, names: Mapping[nn.Module, str], settings: Pruning) -> list[Group]:
    """Return the groups that may be pruned and that a pattern of `settings.layers` allows."""

    def allowed(group: Group) -> bool:
        layers = [names[dependency.target.module] for dependency, _, _ in members(group, OUTPUTS)]
        return any(fnmatch.fnmatchcase(layer, pattern) for layer in layers for pattern in settings.layers)

    groups = prunable_groups(seen)
    return [group for group in groups if allowed(group)] if settings.layers else groups


def _allowed(whole: Cost, settings: Pruning, part: float) -> Callable[[Cost], bool]:
    """Return whether a cost is low enough when `part` of what is asked for has to be gone."""

    def reached(spent: Cost) -> bool:
        macs, parameters = whole.macs - spent.macs, whole.parameters - spent.parameters
        return macs >= settings.macs * part * whole.macs and parameters >= settings.parameters * part * whole.parameters

    return reached


def _check_reachable(budget: Budget, groups: list[Group], settings: Pruning) -> None:
    whole = budget.cost
    widest = [range(len(group[0].idxs) - settings.round_to) for group in groups]
    most = [Block(number, tuple(channels), 0.0) for number, channels in enumerate(widest)]
    for block in most:
        budget.take(block)
    least = budget.cost
    for block in most:
        budget.give_back(block)
    if not _allowed(whole, settings, 1)(least):
        asked = " and ".join(f"{share:.1%} of the {what}" for what, share in settings.shares.items())
        raise EdgeError(
            f"pruning is to remove {asked}, and at most {1 - least.macs / whole.macs:.1%} of the MACs and "
            f"{1 - least.parameters / whole.parameters:.1%} of the parameters can go while every layer keeps one block "
            f"of {settings.round_to} channels: ask for less, lower round_to, or let layers match more"
        )


def remove(seen: Trace, groups: list[Group], taken: list[Block]) -> None:
    going: dict[int, list[int]] = {}
    for block in taken:
        going.setdefault(block.group, []).extend(block.channels)
    for number in sorted(going, reverse=True):  # the last group first: see prunable_groups
        root = groups[number][0]
        whole_group(seen, root.dep.target.module, sorted(root.idxs[channel] for channel in going[number])).prune()


def _check(network: nn.Module, inputs: Tensor | Inputs, before: tuple[tuple[int, ...], ...], field: str) -> Cost:
    """Return what the pruned network costs; it must still run, with outputs of the shapes `before`."""
    found: list[tuple[tuple[int, ...], ...]] = []
    hook = network.register_forward_hook(lambda module, x, y: found.append(tuple(tuple(t.shape) for t in outputs(y))))
    try:
        spent = cost(network, inputs)
    except RuntimeError as error:
        raise EdgeError(
            f"after pruning the network no longer runs ({error}): give {field} that leave its unusual layers out"
        ) from None
    finally:
        hook.remove()
    if found[-1] != before:
        raise EdgeError(
            f"pruning changed the network's output from {_shapes(before)} to {_shapes(found[-1])}: let no pattern of "
            f"{field} match the layer that makes the logits"
        )
    return spent


def _shapes(found: tuple[tuple[int, ...], ...]) -> str:
    return " and ".join(map(str, found))


def kept(channels: int, ratio: float, round_to: int) -> int:
    """Return how many of `channels` remain when the share `ratio` goes: a multiple of `round_to`, unless all remain."""
    blocks = max(1, int((1 - ratio) * channels / round_to + 0.5))
    return min(channels, blocks * round_to)


def layer_ratios(names: list[str], ratios: Mapping[str, float]) -> dict[str, float]:
    """Return layer name -> ratio for the layers that a pattern matches, in the network's order."""
    check_patterns("pruning", ratios, names)
    chosen = {}
    for name in names:
        for pattern, ratio in ratios.items():
            if fnmatch.fnmatchcase(name, pattern):
                chosen[name] = ratio
                break
    return chosen
