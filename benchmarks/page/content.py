"""What the page shows, as plain values: from a history to one object for JSON."""

from __future__ import annotations

import gc
import re
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from benchmarks.measurement import CONFIRMATION, MODEL, RUNTIMES, Cell, Measurement, Sample, Verdict
from benchmarks.page.devices import device_row
from benchmarks.page.models import Known, known_models
from benchmarks.page.numbers import clean, median, short
from benchmarks.page.targets import target_rows
from benchmarks.page.trends import Steps, axis, places_of, trend, until
from edge.errors import EdgeError

POINTS = 150_000  # values of all trends together: about 0.9 MB of the page's 3


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


def content(history: History, steps: Steps, night: str | None = None, points: int = POINTS) -> dict[str, Any]:
    """Return the page's content: a finished night (the last one by default) and all nights before it.

    Keys: "night" (None where nothing was measured), "nights" (of the trends' places), "thinned", "devices", "models",
    "runtimes", "cells" (each with its numbers of the night and its trend) and "targets".

    Args:
        steps: finds the places in a cell's samples at which a new level begins.
        points: how many values of trends there may be; older nights are thinned to that.

    Raises EdgeError ("page.night") for a night that the history does not have.
    """
    was_on = gc.isenabled()
    gc.disable()  # a year is half a million objects that stay: looking through them again and again takes a third of it
    try:
        return _content(history, steps, night, points)
    finally:
        if was_on:
            gc.enable()


def _content(history: History, steps: Steps, night: str | None, points: int) -> dict[str, Any]:
    nights = history.nights()
    if night is not None and night not in nights:
        raise EdgeError(_no_night(night, nights), "page.night")
    if not nights:
        return {"night": None, "nights": [], "thinned": 1, "devices": [], "models": [], "runtimes": []} | {
            "cells": [],
            "targets": [],
        }
    chosen = night or nights[-1]
    tonight = _by_cell(history.measurements(chosen))
    verdicts = {verdict.cell: verdict for verdict in history.verdicts(chosen)}
    before = nights[: nights.index(chosen) + 1]
    series = until(history.all_series(evidence=False), before)
    return _assembled(chosen, before, tonight, verdicts, series, known_models(), steps, points)


def _assembled(
    night: str,
    nights: Sequence[str],
    tonight: Mapping[Cell, Sequence[Measurement]],
    verdicts: Mapping[Cell, Verdict],
    series: Mapping[Cell, Sequence[Sample]],
    known: Mapping[str, Known],
    steps: Steps,
    points: int,
) -> dict[str, Any]:
    cells = sorted({*series, *tonight, *verdicts}, key=_order)
    devices = sorted({cell.device for cell in cells}, key=natural)
    models = sorted({cell.model for cell in cells}, key=natural)
    drawn = axis(nights, len(series), points)
    places = places_of(drawn)
    nothing: dict[str, Any] = {"trend": [], "marks": [], "steps": []}
    rows = []
    for cell in cells:
        measured = tonight.get(cell, [])
        row = {"device": devices.index(cell.device), "model": models.index(cell.model)}
        row |= {"runtime": cell.runtime, "threads": cell.threads}  # type: ignore[dict-item]
        row |= cell_row(measured, verdicts.get(cell), known)
        row |= trend(series[cell], drawn, places, steps) if cell in series else nothing
        rows.append(row)
    present = {cell.runtime for cell in cells}
    return {
        "night": night,
        "nights": drawn.labels,
        "thinned": drawn.thinned,
        "devices": [
            device_row(name, [one for cell in cells if cell.device == name for one in tonight.get(cell, [])])
            for name in devices
        ],
        "models": models,
        "runtimes": [name for name in RUNTIMES if name in present] + sorted(present - {*RUNTIMES}),
        "cells": rows,
        "targets": target_rows(tonight, known),
    }


def cell_row(measured: Sequence[Measurement], verdict: Verdict | None, known: Mapping[str, Known]) -> dict[str, Any]:
    """Return one cell's night: verdict with evidence, and the medians over its fresh starts; absent keys: no value."""
    row: dict[str, Any] = {}
    if verdict is not None:
        row |= {"word": verdict.word.value, "reason": verdict.reason, "evidence": clean(verdict.evidence)}
    starts = [one for one in measured if one.role == MODEL]
    good = [one for one in starts if one.fault is None]
    row["starts"] = _p50(good)
    row["confirmation"] = _p50([one for one in measured if one.role == CONFIRMATION and one.fault is None])
    row["p50"] = short(median(row["starts"]))
    row["latency"] = _medians([one.latency_ms for one in good])
    row["memory"] = _medians([one.memory_mb for one in good])
    row["invokes"] = max((one.invokes for one in good), default=0)
    row["sizes"] = dict(good[-1].sizes) if good else {}
    row["accuracy"] = next((_accuracy(one.accuracy) for one in good if one.accuracy), {})
    identity = next((one.identity for one in good if one.identity), None)
    if identity and identity.model_sha256:
        row["digest"] = identity.model_sha256
        if identity.model_sha256 in known:
            row["host"] = known[identity.model_sha256].record()
    fault = next((one.fault for one in starts if one.fault), None)
    if fault:
        row["fault"] = {"code": str(fault.get("code", "")), "message": str(fault.get("message", ""))}
    return {key: value for key, value in row.items() if value not in (None, [], {}, 0)}


def _by_cell(measurements: Sequence[Measurement]) -> dict[Cell, list[Measurement]]:
    """Return the measurements of each cell, the canary's left out: its cells are no model's."""
    cells: dict[Cell, list[Measurement]] = {}
    for one in measurements:
        if one.role in (MODEL, CONFIRMATION):
            cells.setdefault(one.cell, []).append(one)
    return cells


def _p50(measured: Sequence[Measurement]) -> list[float | int | None]:
    return [short(one.latency_ms["p50"]) for one in measured if "p50" in one.latency_ms]


def _medians(records: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    names = dict.fromkeys(name for record in records for name in record)
    return {name: short(median(record[name] for record in records if name in record)) for name in names}


def _accuracy(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return it without the single golden vectors' verdicts."""
    return {name: clean(value) for name, value in found.items() if name != "verdicts"}


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
