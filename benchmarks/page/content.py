"""What the page shows, as plain values: from a history to one object for JSON."""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.measurement import RUNTIMES, Cell, Measurement, Sample, Verdict
from benchmarks.page.cells import by_cell, cell_row
from benchmarks.page.devices import device_row
from benchmarks.page.models import known_models
from benchmarks.page.targets import target_rows
from benchmarks.page.trends import Steps, axis, places_of, trend, until
from edge.errors import EdgeError

LIMIT = 2_950_000  # bytes of a page
FIXED = 1_230_000  # of which its program, its style and the library of charts are
VALUE = 7  # bytes of a value of a trend


class History(Protocol):
    """What the page reads of a history (`benchmarks.history.store.Store`)."""

    def nights(self) -> list[str]:
        """Return the finished nights, oldest first."""

    def measurements(self, night: str) -> list[Measurement]:
        """Return a night's measurements."""

    def verdicts(self, night: str) -> list[Verdict]:
        """Return a night's verdicts."""

    def all_series(self, evidence: bool = True) -> dict[Cell, list[Sample]]:
        """Return each cell's finished nights, oldest first."""


def content(history: History, steps: Steps, night: str | None = None) -> dict[str, Any]:
    """Return the page's content: a finished night (the last one by default) and all nights before it.

    Keys: "night" (None where nothing was measured), "nights" (the last one of each place of the trends), "thinned"
    (how many nights share an older place), "devices", "models", "runtimes", "digests" and "hosts" (of models, by the
    digest's place), "cells" (each with its numbers of the night and its trend) and "targets".

    Args:
        steps: finds the places in a cell's samples at which a new level begins.

    Raises EdgeError ("page.night") for a night that the history does not have.
    """
    was_on = gc.isenabled()
    gc.disable()  # a year is half a million objects that stay: looking through them again and again takes a third of it
    try:
        return _content(history, steps, night)
    finally:
        if was_on:
            gc.enable()


def _content(history: History, steps: Steps, night: str | None) -> dict[str, Any]:
    nights = history.nights()
    if night is not None and night not in nights:
        raise EdgeError(_no_night(night, nights), "page.night")
    chosen = night or (nights[-1] if nights else None)
    before = nights[: nights.index(chosen) + 1] if chosen else []
    tonight = by_cell(history.measurements(chosen)) if chosen else {}
    verdicts = {verdict.cell: verdict for verdict in history.verdicts(chosen)} if chosen else {}
    series = until(history.all_series(evidence=False), before)
    cells = sorted({*series, *tonight, *verdicts}, key=_order)
    rows = [cell_row(tonight.get(cell, []), verdicts.get(cell)) for cell in cells]
    found = {"night": chosen, **_names(cells, rows, tonight), "cells": rows}
    found["targets"] = target_rows(tonight, known_models())
    # What the night leaves of the page is the trends'.
    points = (LIMIT - FIXED - len(json.dumps(found))) // VALUE
    drawn = axis(before, len(series), points)
    places = places_of(drawn)
    for cell, row in zip(cells, rows, strict=True):
        row |= trend(series.get(cell, []), drawn, places, steps)
    return found | {"nights": drawn.labels, "thinned": drawn.thinned}


def _names(
    cells: Sequence[Cell], rows: Sequence[dict[str, Any]], tonight: Mapping[Cell, Sequence[Measurement]]
) -> dict[str, Any]:
    """Return what the rows refer to by its place, and write the places into them."""
    devices = sorted({cell.device for cell in cells}, key=natural)
    models = sorted({cell.model for cell in cells}, key=natural)
    digests = sorted({row["digest"] for row in rows if "digest" in row})
    places = {digest: place for place, digest in enumerate(digests)}
    measured: dict[str, list[Measurement]] = {name: [] for name in devices}
    for cell, row in zip(cells, rows, strict=True):
        row |= {"device": devices.index(cell.device), "model": models.index(cell.model)}
        row |= {"runtime": cell.runtime, "threads": cell.threads}
        if "digest" in row:
            row["digest"] = places[row["digest"]]
        measured[cell.device] += tonight.get(cell, [])
    present = {cell.runtime for cell in cells}
    known = known_models()
    return {
        "devices": [device_row(name, starts) for name, starts in measured.items()],
        "models": models,
        "runtimes": [name for name in RUNTIMES if name in present] + sorted(present - {*RUNTIMES}),
        "digests": digests,
        "hosts": [known[digest].record() if digest in known else None for digest in digests],
    }


def _order(cell: Cell) -> tuple[Any, ...]:
    known = RUNTIMES.index(cell.runtime) if cell.runtime in RUNTIMES else len(RUNTIMES)
    return natural(cell.model), natural(cell.device), known, cell.runtime, cell.threads


def natural(name: str) -> list[tuple[int, int, str]]:
    """Return a key by which "pi-9" comes before "pi-10"."""
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts]


def _no_night(night: str, nights: Sequence[str]) -> str:
    if not nights:
        return f"the history has no night {night!r}, and no other: measure one with `edge-bench matrix`"
    return (
        f"the history has no finished night {night!r}: it has {len(nights)}, from {nights[0]} to {nights[-1]}; "
        "`edge-bench history show` lists them"
    )
