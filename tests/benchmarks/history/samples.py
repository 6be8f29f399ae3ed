"""Measurements and verdicts for the tests of the history."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.measurement import MODEL, Cell, Identity, Measurement, State, Verdict, Word
from tests.edge.processes import Ended, environment

CELL = Cell("pi4", "bpcp", "native", 1)
OTHER = Cell("pi4", "polyp", "litert", 2)
FIRST, SECOND, THIRD = (f"2026-11-{day}T02:00:00Z" for day in (26, 27, 28))
IDENTITY = Identity(
    {"model": "Raspberry Pi 4 Model B", "architecture": "aarch64", "cores": 4},
    machine="0123",
    kernel="6.6.31",
    program="0.1.0",
    release="2026.11",
    runtime_version="2.1.0",
    model_sha256="45ff" * 16,
)


def start(
    number: int = 0,
    p50: float = 1.5,
    cell: Cell = CELL,
    role: str = MODEL,
    identity: Identity | None = IDENTITY,
    fault: str | None = None,
) -> Measurement:
    """Return a whole measurement."""
    return Measurement(
        cell,
        role,
        number,
        "2026-11-28T02:00:05Z",
        {} if fault else {"p50": p50, "p90": 1.1 * p50, "cold_start": 40 * p50, "first_invoke": 2 * p50},
        invokes=50,
        memory_mb={"peak": 12.5, "model": 1.5},
        sizes={"file": 158_095},
        accuracy={"kind": "golden", "passed": 8, "count": 8, "verdicts": []},
        targets=[{"name": "speedup", "target": 6.0, "measured": 3.84, "met": False, "basis": "host"}],
        states=[State("before", 0.0, "performance", [1500.0], 44.5, ["throttled"], [])],
        identity=identity,
        fault={"code": fault, "message": "the model failed"} if fault else None,
    )


def verdict(
    word: Word = Word.PASS, cell: Cell = CELL, reason: str = "1.5 ms against 1.5 ms", alarm: bool = False
) -> Verdict:
    """Return one with some evidence."""
    return Verdict(cell, word, reason, {"p50_ms": 1.5, "ratio": 1.0, "interval": [0.98, 1.02], "alarm": alarm})


def edge_bench(*words: object, cwd: Path | None = None) -> Ended:
    """Run `edge-bench` as a process of its own."""
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    return Ended(subprocess.run(command, capture_output=True, env=environment(), cwd=cwd, timeout=60))
