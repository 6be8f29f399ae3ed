"""A device's night in one row: what it is, and how warm, how fast and how throttled its board was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.measurement import Measurement, State
from benchmarks.page.numbers import clean, short


def device_row(name: str, measured: Sequence[Measurement]) -> dict[str, Any]:
    """Return a device's row; keys are absent where nothing is known.

    Keys: "name", "emulated", "board", "kernel", "program", "release", "runtimes" (name -> version), "governor",
    "clock" [lowest, highest] in MHz, "temperature" {"before", "during", "after"}: the highest in degrees Celsius,
    "throttled" and "occurred" (causes), "faults" (how many fresh starts failed), "starts" (how many there were).
    """
    identities = [one.identity for one in measured if one.identity]
    states = [state for one in measured for state in one.states]
    row: dict[str, Any] = {"name": name, "starts": len(measured)}
    row["faults"] = sum(one.fault is not None for one in measured)
    if identities:
        last = identities[-1]
        row |= {"emulated": last.emulated, "board": clean(last.board), "kernel": last.kernel}
        row |= {"program": last.program, "release": last.release}
    row["runtimes"] = {
        one.cell.runtime: one.identity.runtime_version
        for one in measured
        if one.identity and one.identity.runtime_version
    }
    row["governor"] = " then ".join(dict.fromkeys(state.governor for state in states if state.governor))
    clocks = [clock for state in states for clock in state.clock_mhz or ()]
    row["clock"] = [short(min(clocks)), short(max(clocks))] if clocks else None
    row["temperature"] = {when: _hottest(states, when) for when in ("before", "during", "after")}
    row["throttled"] = _causes(state.throttled for state in states)
    row["occurred"] = _causes(state.occurred for state in states)
    return {key: value for key, value in row.items() if value not in (None, [], {}, "", False)}


def _hottest(states: Sequence[State], when: str) -> float | int | None:
    found = [state.temperature_c for state in states if state.when == when and state.temperature_c is not None]
    return short(max(found)) if found else None


def _causes(lists: Iterable[list[str] | None]) -> list[str]:
    return sorted({str(cause) for causes in lists for cause in causes or ()})
