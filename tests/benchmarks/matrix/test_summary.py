"""What a night prints."""

from __future__ import annotations

from benchmarks.matrix.summary import table
from benchmarks.measurement import Cell, Verdict, Word


def missed(device: str, threads: int, measured: float, **evidence: object) -> Verdict:
    targets = [{"name": "latency", "measured": measured, "target": 8.0, "met": False}]
    reason = f"misses latency {measured:g} (target 8)"
    return Verdict(Cell(device, "bpcp", "litert", threads), Word.MISSED, reason, {"targets": targets, **evidence})


def test_a_target_that_many_cells_miss_is_said_once_for_the_model() -> None:
    other = Verdict(Cell("pi", "polyp", "litert", 1), Word.NOISY, "the canary moved", {})
    said = table("now", [missed("pi", 1, 31.5), missed("pi", 4, 9.25), missed("local", 1, 12), other]).splitlines()
    assert said[0] == "night now: 1 NOISY, 3 MISSED"
    rows = [line.split(None, 1) for line in said[3:]]
    assert [row[0] for row in rows] == ["MISSED", "NOISY"]
    assert " ".join(rows[0][1].split()) == "bpcp: 3 cells on local, pi misses latency 9.25 to 31.5 (target 8)"


def test_one_cell_and_a_new_miss_are_said_as_they_are() -> None:
    said = table("now", [missed("pi", 1, 31.5, alarm=True)]).splitlines()
    words = f"MISSED {Cell('pi', 'bpcp', 'litert', 1)} alarm misses latency 31.5 (target 8)"
    assert " ".join(said[-1].split()) == words
