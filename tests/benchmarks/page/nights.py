"""Small histories for the page's tests, in real files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.history.store import Store, open_store
from benchmarks.measurement import MODEL, Cell, Identity, Measurement, Sample, State, Verdict, Word

NIGHTS = [f"2026-11-{day:02}T02:00:00Z" for day in range(1, 29)]
LATENCY = {"p50": 4.0, "p90": 4.4, "p99": 5.0, "first_invoke": 6.0, "load": 12.0, "cold_start": 60.0, "read": 0.3}
LATENCY |= {"decode": 6.0, "preprocess": 1.5, "invoke": 4.0, "postprocess": 0.2, "total": 12.0}
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "a\"b'c&amp;<img src=x onerror=alert(1)>",
    "\u202eabc\u202c",
    "🫀 لوحة",
)


def no_steps(samples: Sequence[Sample]) -> list[int]:
    return []


def measured(cell: Cell, night: str, start: int = 0, p50: float = 4.0, **more: Any) -> Measurement:
    values: dict[str, Any] = {
        "latency_ms": {**LATENCY, "p50": p50, "invoke": p50},
        "invokes": 50,
        "memory_mb": {"peak": 60.0, "model": 9.0},
        "sizes": {"file": 1_600_000},
        "identity": identity(),
        "states": [
            State("before", 0.0, "ondemand", [1500.0, 1800.0], 48.0),
            State("after", 2.0, None, None, 61.0, ["capped"]),
        ],
    }
    return Measurement(cell, more.pop("role", MODEL), start, night, **{**values, **more})


def identity(**more: Any) -> Identity:
    board = {"model": "Raspberry Pi 4", "architecture": "aarch64", "cores": 4}
    return Identity(**{**Identity(board, "m", "6.6.31", "0.1.0", "r1", "2.3.0", "ab" * 32).__dict__, **more})


def down(cell: Cell, night: str) -> Measurement:
    return Measurement(cell, MODEL, 0, night, fault={"code": "board.timeout", "message": "no answer within 60 s"})


def add(store: Store, night: str, found: Sequence[Measurement], verdicts: Sequence[Verdict] = ()) -> None:
    with store.together():
        store.begin(night, {})
        for one in found:
            store.add(night, one)
        for verdict in verdicts:
            store.add_verdict(night, verdict)
        store.finish(night)


@contextmanager
def history(path: Path) -> Iterator[Store]:
    with open_store(path) as store:
        yield store


def every_word(store: Store, nights: int = 20) -> list[Cell]:
    """Some nights of six cells on two devices; in the last one each has another verdict."""
    cells = [
        Cell(device, model, "litert", threads)
        for device in ("pi4", "pi5")
        for model, threads in (("net", 1), ("net", 2), ("other", 1))
    ]
    for night in NIGHTS[:nights]:
        last = night == NIGHTS[nights - 1]
        found, verdicts = [], []
        for index, (cell, word) in enumerate(zip(cells, Word, strict=True)):
            word = word if last else Word.PASS
            ratio = {Word.REGRESSED: 1.12, Word.IMPROVED: 0.8}.get(word, 1.0)
            found += (
                [down(cell, night)]
                if word == Word.DEVICE_DOWN
                else [measured(cell, night, start, (4.0 + index) * ratio) for start in range(3)]
            )
            evidence: Mapping[str, Any] = (
                {}
                if word == Word.DEVICE_DOWN
                else {"ratio": ratio, "baseline_ms": 4.0 + index, "alarm": word == Word.REGRESSED}
            )
            verdicts.append(Verdict(cell, word, f"because of {word.value}", dict(evidence)))
        add(store, night, found, verdicts)
    return cells
