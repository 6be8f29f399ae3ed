"""CSV (RFC 4180): one line a fresh start, canaries and confirmations too.

A text that a spreadsheet would take for a formula has an apostrophe in front: names of models and devices, and what
devices say of themselves, are others' words.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.history.store import Store
from benchmarks.measurement import Measurement, State, Verdict
from edge.errors import one_line

LATENCIES = (
    "p50",
    "p90",
    "p99",
    "first_invoke",
    "load",
    "cold_start",
    "read",
    "decode",
    "preprocess",
    "invoke",
    "postprocess",
    "total",
)
HEADER = (
    *("night", "time", "device", "model", "runtime", "threads", "role", "start", "invokes"),
    *(f"{name}_ms" for name in LATENCIES),
    *("peak_mb", "model_mb", "file_bytes", "archive_bytes", "accuracy", "temperature_c", "throttled"),
    *("board", "machine", "kernel", "program", "release", "runtime_version", "model_sha256", "emulated"),
    *("fault", "verdict", "reason"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def files(store: Store, nights: Sequence[str], output: Path) -> dict[Path, bytes]:
    """Return the file."""
    text = io.StringIO()
    writer = csv.writer(text)  # with CR LF, and quotes where they are needed
    writer.writerow(HEADER)
    for night in nights:
        verdicts = {verdict.cell: verdict for verdict in store.verdicts(night)}
        for measured in store.measurements(night):
            row = _row(night, measured, verdicts.get(measured.cell) if measured.role == "model" else None)
            writer.writerow([_safe(value) if isinstance(value, str) else value for value in row])
    return {output: text.getvalue().encode()}


def _row(night: str, measured: Measurement, verdict: Verdict | None) -> Iterator[object]:
    """Yield the values in the header's order; None, which is written as nothing, where there is none."""
    cell, identity, fault = measured.cell, measured.identity, measured.fault
    yield from (night, measured.time, cell.device, cell.model, cell.runtime, cell.threads)
    yield from (measured.role, measured.start, measured.invokes)
    yield from (measured.latency_ms.get(name) for name in LATENCIES)
    yield from (measured.memory_mb.get("peak"), measured.memory_mb.get("model"))
    yield from (measured.sizes.get("file"), measured.sizes.get("archive"))
    yield _accuracy(measured.accuracy)
    yield max((state.temperature_c for state in measured.states if state.temperature_c is not None), default=None)
    yield _throttled(measured.states)
    if identity is None:
        yield from [None] * 8
    else:
        yield from (identity.board.get("model"), identity.machine, identity.kernel, identity.program, identity.release)
        yield from (identity.runtime_version, identity.model_sha256, int(identity.emulated))
    yield f"{fault['code']}: {fault['message']}" if fault else None
    yield from (verdict.word.value, verdict.reason) if verdict else (None, None)


def _accuracy(accuracy: dict[str, object]) -> str | None:
    """Return "golden 8/8" or "accuracy 0.91, auc 0.97 of 500"."""
    if accuracy.get("kind") == "golden":
        return f"golden {accuracy.get('passed')}/{accuracy.get('count')}"
    metrics = accuracy.get("metrics")
    if isinstance(metrics, dict):
        return ", ".join(f"{name} {value}" for name, value in metrics.items()) + f" of {accuracy.get('count')}"
    return None


def _throttled(states: Sequence[State]) -> str | None:
    """Return the causes that held in any state, "" for none; None where the board does not say."""
    said = [state.throttled for state in states if state.throttled is not None]
    return ", ".join(sorted({cause for causes in said for cause in causes})) if said else None


def _safe(text: str) -> str:
    text = text if text.isprintable() else one_line(text)  # most are, and a year has millions
    return f"'{text}" if text.startswith(_FORMULA) else text
