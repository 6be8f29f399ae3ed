"""What a model was built to achieve, beside what was measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from edge.manifest import Manifest
from edge.meter import median

Measured = tuple[float | None, str]


HOST, FIRST, WARM, PEAK = "host", "first invoke", "warm median", "peak"


class Comparison(TypedDict):
    """One target beside its measurement. `measured` and `met` are None where nothing was measured.

    `basis` says what is compared: what the "host" measured, or on this device the "peak" of the memory, the "warm
    median" of the invokes, or where there is no warm one the "first invoke".
    """

    name: str
    target: float
    measured: float | None
    met: bool | None
    basis: str


def here(warm_ms: Sequence[float], first_invoke_ms: float | None, peak_mb: float | None) -> dict[str, Measured]:
    """Return what this device has just measured, as `compare` takes it."""
    latency = (median(list(warm_ms)), WARM) if warm_ms else (first_invoke_ms, FIRST)
    return {"latency_ms": latency, "memory_mb": (peak_mb, PEAK)}


def compare(manifest: Manifest, measured_here: Mapping[str, Measured]) -> list[Comparison]:
    """Return the manifest's targets in its order.

    `measured_here` is what this device has just measured (latency_ms, memory_mb), each with its basis; for these names
    the host's numbers do not count, even where this device has none.
    """
    rows: list[Comparison] = []
    for target in manifest.targets:
        measured, basis = measured_here.get(target.name, (manifest.measured.get(target.name), HOST))
        met = None
        if measured is not None:
            met = measured <= target.target if target.better == "lower" else measured >= target.target
        rows.append({"name": target.name, "target": target.target, "measured": measured, "met": met, "basis": basis})
    return rows
