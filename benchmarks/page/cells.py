"""A cell's night in one row: its verdict with the evidence, and the medians over its fresh starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measurement import CONFIRMATION, MODEL, Cell, Measurement, Verdict
from benchmarks.page.numbers import clean, median, short

# Of the evidence, what a row says anyway.
_SAID = ("accuracy", "model_sha256", "p50_ms", "starts")


def cell_row(measured: Sequence[Measurement], verdict: Verdict | None) -> dict[str, Any]:
    """Return one cell's row; keys are absent where there is no value.

    Keys: "word", "reason", "evidence"; "starts" and "confirmation" (p50 of each, ms), "p50", "latency", "memory",
    "invokes", "sizes", "accuracy", "digest" (the model's SHA-256) and "fault" (the first one).
    """
    row: dict[str, Any] = {}
    if verdict is not None:
        row |= {"word": verdict.word.value, "reason": verdict.reason, "evidence": _evidence(verdict)}
    starts = [one for one in measured if one.role == MODEL]
    good = [one for one in starts if one.fault is None]
    row["starts"] = _p50(good)
    row["confirmation"] = _p50([one for one in measured if one.role == CONFIRMATION and one.fault is None])
    row["p50"] = short(median(row["starts"]))
    row["latency"] = _medians([one.latency_ms for one in good])
    row["memory"] = _medians([one.memory_mb for one in good])
    row["invokes"] = max((one.invokes for one in good), default=0)
    row["sizes"] = clean(good[-1].sizes) if good else {}
    row["accuracy"] = next((_accuracy(one.accuracy) for one in good if one.accuracy), {})
    identity = next((one.identity for one in good if one.identity), None)
    if identity and identity.model_sha256:
        row["digest"] = identity.model_sha256
    fault = next((one.fault for one in starts if one.fault), None)
    if fault:
        row["fault"] = {"code": str(fault.get("code", "")), "message": str(fault.get("message", ""))}
    return {key: value for key, value in row.items() if value not in (None, [], {}, 0)}


def _evidence(verdict: Verdict) -> dict[str, Any]:
    """Return it without what else the page has: of targets their names are enough."""
    kept = {name: value for name, value in verdict.evidence.items() if name not in _SAID}
    if isinstance(kept.get("targets"), (list, tuple)):
        kept["targets"] = [one.get("name") if isinstance(one, Mapping) else one for one in kept["targets"]]
    return {name: value for name, value in clean(kept).items() if value not in (None, [])}


def by_cell(measurements: Sequence[Measurement]) -> dict[Cell, list[Measurement]]:
    """Return the measurements of each cell, the canary's left out: its cells are no model's."""
    cells: dict[Cell, list[Measurement]] = {}
    for one in measurements:
        if one.role in (MODEL, CONFIRMATION):
            cells.setdefault(one.cell, []).append(one)
    return cells


def _p50(measured: Sequence[Measurement]) -> list[float]:
    found = [short(one.latency_ms["p50"]) for one in measured if "p50" in one.latency_ms]
    return [value for value in found if value is not None]


def _medians(records: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    names = dict.fromkeys(name for record in records for name in record)
    return {name: short(median(record[name] for record in records if name in record)) for name in names}


def _accuracy(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return it without the single golden vectors' verdicts."""
    return {name: clean(value) for name, value in found.items() if name != "verdicts"}
