"""A year of nights as a chart can carry it: medians, older nights thinned where there are too many, steps marked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measurement import Cell, Sample, Word
from benchmarks.page.numbers import median, short

Steps = Callable[[Sequence[Sample]], Sequence[int]]

WHOLE = 60  # of the newest nights each is drawn
_UNMARKED = (Word.PASS, Word.MISSED)  # a target is missed every night
BEFORE_AFTER = 14  # nights on each side of a step that say how large it is


@dataclass(frozen=True)
class Axis:
    """The nights of the charts, oldest first.

    Attributes:
        groups: for each place of the charts the nights that it stands for.
        thinned: how many nights share a place before the newest WHOLE; 1 where none do.
    """

    groups: Sequence[Sequence[str]]
    thinned: int

    @property
    def labels(self) -> list[str]:
        """Return the last night of each place."""
        return [group[-1] for group in self.groups]


def axis(nights: Sequence[str], series: int, points: int) -> Axis:
    """Return the places for so many series of all nights, at most about `points` values in all."""
    places = max(points // max(series, 1), 1)
    if len(nights) <= max(places, WHOLE):
        return Axis([[night] for night in nights], 1)
    older, newer = nights[:-WHOLE], nights[-WHOLE:]
    each = -(-len(older) // max(places - WHOLE, 1))
    groups = [older[place : place + each] for place in range(0, len(older), each)]
    return Axis([*groups, *([night] for night in newer)], each)


def trend(samples: Sequence[Sample], axis: Axis, places: Mapping[str, int], steps: Steps) -> dict[str, Any]:
    """Return one cell's: "trend" (ms at each place, None without), "marks" [place, word], "steps" [place, ratio].

    Args:
        samples: of the cell, oldest first.
        places: night -> its place on the axis.
        steps: finds the samples at which a new level begins.
    """
    nightly = [median(sample.p50_ms) for sample in samples]
    values: list[list[float]] = [[] for _ in axis.groups]
    marks: dict[int, str] = {}
    for sample, value in zip(samples, nightly, strict=True):
        place = places[sample.night]
        if value is not None:
            values[place].append(value)
        if sample.verdict and sample.verdict.word not in _UNMARKED:
            marks[place] = sample.verdict.word.value
    begins = steps(samples)
    bounds = zip([0, *begins], begins, [*begins[1:], len(samples)], strict=False)
    found = [(begin, step_ratio(nightly[before:begin], nightly[begin:end])) for before, begin, end in bounds]
    return {
        "trend": [short(group[0] if len(group) == 1 else median(group)) for group in values],
        "marks": [list(mark) for mark in sorted(marks.items())],
        "steps": [[places[samples[index].night], ratio] for index, ratio in found if ratio is not None],
    }


def step_ratio(before: Sequence[float | None], after: Sequence[float | None]) -> float | int | None:
    """Return the level after a step divided by the one before, of at most BEFORE_AFTER nights on each side."""
    old = median(value for value in before[-BEFORE_AFTER:] if value is not None)
    new = median(value for value in after[:BEFORE_AFTER] if value is not None)
    return short(new / old) if old and new else None


def places_of(axis: Axis) -> dict[str, int]:
    """Return each night's place on the axis."""
    return {night: place for place, group in enumerate(axis.groups) for night in group}


def until(series: Mapping[Cell, Sequence[Sample]], nights: Sequence[str]) -> dict[Cell, Sequence[Sample]]:
    """Return the samples of these nights, without cells that have none."""
    wanted = {*nights}
    kept = {cell: [sample for sample in samples if sample.night in wanted] for cell, samples in series.items()}
    return {cell: samples for cell, samples in kept.items() if samples}
