"""What a model was built to achieve, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from edge.manifest import Manifest


class Comparison(TypedDict):
    """One target beside its measurement. `measured` and `met` are None where nothing was measured."""

    name: str
    target: float
    measured: float | None
    met: bool | None


def compare(manifest: Manifest, measured_here: Mapping[str, float | None]) -> list[Comparison]:
    """Return the manifest's targets in its order.

    `measured_here` is what this device has just measured (latency_ms, memory_mb); for these names the host's numbers do
    not count, even where this device has none.
    """
    rows: list[Comparison] = []
    for target in manifest.targets:
        measured = (measured_here if target.name in measured_here else manifest.measured).get(target.name)
        met = None
        if measured is not None:
            met = measured <= target.target if target.better == "lower" else measured >= target.target
        rows.append({"name": target.name, "target": target.target, "measured": measured, "met": met})
    return rows
