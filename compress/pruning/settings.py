"""Settings of a pruning step, as recipes write them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from compress.cost import Cost
from compress.pruning.criteria import Criterion, Function, named
from compress.pruning.taylor import GRADIENTS
from edge.errors import EdgeError


@dataclass(frozen=True)
class Pruning:
    """One pruning step of a recipe: either `ratios`, or what share of `macs` and `parameters` goes.

    Attributes:
        ratios: pattern of layer names -> share of the layer's output channels to remove; of the patterns that match a
            layer (shell style: `*`, `?`, `[12]`) the first counts, a layer that none matches is left alone. Coupled
            layers (those joined by an addition) are pruned together, at the rate of the first of them.
        criterion: one of "bn-scale", "l2-norm", "fpgm" (`compress.pruning.criteria`), "taylor", "taylor-abs",
            "taylor-sq" (`compress.pruning.taylor`) and "random"; or one's own, "package.module:function" or a function:
            see `compress.pruning.criteria`.
        round_to: what remains of a layer is a multiple of this, and at least one; kernels compute channels in blocks
            of 8, so a 9th channel costs as much as a 16th. With `ratios` it is the multiple nearest to
            (1 - ratio) * channels.
        macs, parameters: share of the network's (`compress.cost.Cost`) to remove, 0 to below 1; the weakest blocks of
            all layers go until both are reached. 0: not asked for.
        layers: patterns of the layers that may be pruned for it; none: all but those that make the output. Of coupled
            layers one match is enough.
        steps: the shares are approached in so many equal parts, with scores computed again after each.
        gradient: for the Taylor criteria, "loss", or "random", which needs no labels.
        normalize: whether each sample counts equally, however large the gradient of its loss is.
        samples: images that criteria look at which ask for examples.
        seed: of what is random.
        overall: the shares are of the network before the first step that made it smaller, and not of what is left.
    """

    ratios: Mapping[str, float] = field(default_factory=dict)
    criterion: str | Function = "bn-scale"
    round_to: int = 8
    macs: float = 0.0
    parameters: float = 0.0
    layers: tuple[str, ...] = ()
    steps: int = 1
    gradient: str = "loss"
    normalize: bool = True
    samples: int = 64
    seed: int = 1
    overall: bool = False

    @property
    def detail(self) -> str:
        """The ledger's description of the step, such as "taylor, -60% MACs" or "bn-scale, 60% to 90%"."""
        name = self.criterion if isinstance(self.criterion, str) else self.criterion.__name__
        if self.ratios:
            low, high = min(self.ratios.values()), max(self.ratios.values())
            return f"{name}, {low:.0%}" + (f" to {high:.0%}" if low != high else "")
        short = {"MACs": "MACs", "parameters": "params"}  # a ledger's column is narrow
        going = [f"-{share:.0%} {short[what]}" for what, share in self.shares.items()]
        return ", ".join([name, *going]) + (" overall" if self.overall else "")

    def of_what_is_left(self, whole: Cost, now: Cost) -> Self:
        """Return the same settings with shares of `now`, where they were overall, those of `whole`."""
        if not self.overall:
            return self

        def share(asked: float, before: int, after: int) -> float:
            return max(0.0, 1 - (1 - asked) * before / after) if asked else 0.0

        macs, parameters = (
            share(self.macs, whole.macs, now.macs),
            share(self.parameters, whole.parameters, now.parameters),
        )
        return replace(self, overall=False, macs=macs, parameters=parameters)

    @property
    def shares(self) -> dict[str, float]:
        """What is to go, "MACs" and "parameters", and how large a share of it."""
        asked = {"MACs": self.macs, "parameters": self.parameters}
        return {what: share for what, share in asked.items() if share}

    @property
    def scored_by(self) -> Criterion:
        """The criterion that `criterion` names; EdgeError where there is none."""
        return named(self.criterion)

    @property
    def needs_images(self) -> bool:
        """Whether `prune` must be given examples."""
        return "examples" in self.scored_by.asks

    def mistakes(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with the settings."""
        try:
            named(self.criterion)
        except EdgeError as error:
            yield "criterion", self.criterion, str(error)
        yield from self._mistaken_amounts()
        for name in ("round_to", "steps", "samples"):
            if getattr(self, name) < 1:
                yield name, getattr(self, name), "1 or more"
        if self.gradient not in GRADIENTS:
            yield "gradient", self.gradient, f"one of {', '.join(GRADIENTS)}"
        if not 0 <= self.seed < 2**32:
            yield "seed", self.seed, "0 to 4294967295"

    def _mistaken_amounts(self) -> Iterator[tuple[str, object, str]]:
        if self.shares:
            if self.ratios:
                yield "ratios", dict(self.ratios), "either ratios, or macs and parameters"
        elif not self.ratios or not all(0 <= ratio < 1 for ratio in self.ratios.values()):
            yield "ratios", dict(self.ratios), "layer patterns with shares from 0 to below 1 (or macs or parameters)"
        elif self.steps != 1 or self.layers:
            yield "ratios", dict(self.ratios), "macs or parameters, where steps or layers are given"
        if self.overall and not self.shares:
            yield "overall", self.overall, "macs or parameters with it"
        for name in ("macs", "parameters"):
            if not 0 <= getattr(self, name) < 1:
                yield name, getattr(self, name), "a share from 0 to below 1"
