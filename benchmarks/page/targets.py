"""The targets that models were built to reach, beside what was measured: met, missed, or not measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.measurement import MODEL, Cell, Measurement
from benchmarks.page.models import Known
from benchmarks.page.numbers import short
from edge.targets import HOST

Key = tuple[str, str, str, str]  # model, target, device ("" for what the host measured), basis


@dataclass
class _Row:
    target: float
    better: str | None
    source: str
    measured: list[float] = field(default_factory=list)
    met: int = 0
    missed: int = 0


def target_rows(tonight: Mapping[Cell, Sequence[Measurement]], known: Mapping[str, Known]) -> list[dict[str, Any]]:
    """Return a row for each model's target: one for what its maker measured on the host, one a device for the others.

    Keys: "model", "name", "device" (None: the host), "basis", "target", "better" ("lower", "higher", None where neither
    the manifest is at hand nor the numbers say it), "source", "low" and "high" of what was measured over the device's
    cells (None: not measured), "met" and "missed" (how many cells).
    """
    rows: dict[Key, _Row] = {}
    for cell, target, manifest in _targets(tonight, known):
        name, basis = str(target["name"]), str(target.get("basis", HOST))
        key = (cell.model, name, "" if basis == HOST else cell.device, basis)
        if key not in rows:
            better = target.get("better") or (manifest.better.get(name) if manifest else None) or _direction(target)
            source = target.get("source") or (manifest.sources.get(name) if manifest else None) or ""
            rows[key] = _Row(target["target"], better, str(source))
        row, measured, met = rows[key], target.get("measured"), target.get("met")
        if measured is not None and (basis != HOST or measured not in row.measured):
            row.measured.append(measured)
            row.met += met is True
            row.missed += met is False
    return [_record(key, row) for key, row in rows.items()]


def _targets(
    tonight: Mapping[Cell, Sequence[Measurement]], known: Mapping[str, Known]
) -> Iterator[tuple[Cell, Mapping[str, Any], Known | None]]:
    """Yield each cell's targets, from its last fresh start that says any."""
    for cell in sorted(tonight):
        said = [one for one in tonight[cell] if one.role == MODEL and one.targets]
        if said:
            identity = said[-1].identity
            manifest = known.get(identity.model_sha256 or "") if identity else None
            for target in said[-1].targets:
                yield cell, target, manifest


def _direction(target: Mapping[str, Any]) -> str | None:
    """Return which way is better, where a comparison shows it."""
    measured, met = target.get("measured"), target.get("met")
    if measured is None or met is None or measured == target["target"]:
        return None
    return "lower" if (measured < target["target"]) == met else "higher"


def _record(key: Key, row: _Row) -> dict[str, Any]:
    model, name, device, basis = key
    return {
        "model": model,
        "name": name,
        "device": device or None,
        "basis": basis,
        "target": short(row.target),
        "better": row.better,
        "source": row.source,
        "low": short(min(row.measured)) if row.measured else None,
        "high": short(max(row.measured)) if row.measured else None,
        "met": row.met,
        "missed": row.missed,
    }
