"""From settings to scores: the criterion that they name, given what it asks for, and its scores checked."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch_pruning.dependency import Group

from compress.pruning.criteria import CRITERIA, Criterion, Function, random
from compress.pruning.groups import Trace
from compress.pruning.settings import Pruning
from compress.pruning.taylor import Batches, Examples, loss_gradient, random_gradient
from edge.errors import EdgeError

Log = Callable[[str], None]
Scores = Callable[[Group], Tensor]  # a group -> float32 (channels,), finite


def scoring(settings: Pruning, examples: Examples | None, progress: Log) -> Callable[[Trace], Scores]:
    """Return a function from a trace of the network, as it then is, to the scores of its groups.

    Raises EdgeError where the criterion asks for examples and there are none. The scores' function raises it for a
    criterion that fails, or whose scores are not one finite number for each channel.
    """
    criterion = settings.scored_by
    generator = torch.Generator().manual_seed(settings.seed)
    if not settings.needs_images:
        return lambda traced: _scores(criterion, settings, generator, None)
    if examples is None or not len(examples.images):
        raise EdgeError(
            f"criterion {criterion.name!r} looks at images and found none: expected examples with at least one "
            f"(1 to {settings.samples} are used); give them, or choose bn-scale or l2-norm"
        )
    if settings.gradient == "random" or (criterion.name not in CRITERIA and examples.loss is None):
        gradient = random_gradient(generator)  # a user's criterion may want images and nothing else
    else:
        gradient = loss_gradient(examples, settings.normalize)
    count = settings.samples
    targets = None if examples.targets is None else examples.targets[:count]
    used = Examples(examples.images[:count], targets, examples.loss)
    return lambda traced: _scores(criterion, settings, generator, Batches(traced, used, gradient, progress))


def _scores(criterion: Criterion, settings: Pruning, generator: torch.Generator, batches: Batches | None) -> Scores:
    has = {"examples": batches, "across": not settings.ratios, "generator": generator}
    asked = {name: has[name] for name in criterion.asks}

    def scores(group: Group) -> Tensor:
        try:
            found = criterion.function(group, **asked)
        except (Exception, SystemExit) as error:
            if criterion.name in CRITERIA or isinstance(error, (EdgeError, MemoryError)):
                raise
            raise EdgeError(
                f"criterion {criterion.name!r} fails ({type(error).__name__}: {error}): expected one score for each "
                "channel; correct the function"
            ) from error
        return _checked(criterion.name, found, len(group[0].idxs))

    return scores


def rehearsing(settings: Pruning) -> str | Function:
    """Return the criterion to rehearse a pruning with, before the training: it makes random scores.

    A user's own that asks for no examples is called, too, for the type and the shape of its scores: their
    values mean nothing while the network is untrained.
    """
    criterion = settings.scored_by
    if criterion.name in CRITERIA or settings.needs_images:
        return "random"

    def tried(group: Group, across: bool, generator: torch.Generator) -> Tensor:
        has = {"across": across, "generator": generator}
        found = criterion.function(group, **{name: has[name] for name in criterion.asks})
        _shaped(criterion.name, found, len(group[0].idxs))
        return random(group, generator)

    tried.__module__, _, tried.__qualname__ = criterion.name.partition(":")
    return tried


def _shaped(name: str, scores: object, channels: int) -> Tensor:
    if not isinstance(scores, Tensor) or scores.shape != (channels,):
        found = (
            f"a tensor of shape {tuple(scores.shape)}" if isinstance(scores, Tensor) else f"a {type(scores).__name__}"
        )
        raise EdgeError(
            f"criterion {name!r} gives {found}: expected a tensor of shape {(channels,)}, a score for each channel; "
            "correct the function"
        )
    return scores.detach().float().cpu()


def _checked(name: str, found: object, channels: int) -> Tensor:
    """Return a criterion's scores as float32 (channels,); EdgeError where they are anything else, or not finite."""
    scores = _shaped(name, found, channels)
    if not scores.isfinite().all():
        raise EdgeError(
            f"criterion {name!r} gives scores that are not finite: expected finite weights, images and "
            "losses; train the network first, or look for what overflows"
        )
    return scores
