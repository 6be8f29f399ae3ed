"""A runtime that fails in the midst of being measured is a row that says so; the others go on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.papers.turns import Process
from benchmarks.peers import environment, measuring, process
from edge.errors import EdgeError


class Worker:
    """A process that answers, until its time has come."""

    left: dict[str, int] = {}  # noqa: RUF012  (the tests' own)

    def __init__(self, python: Path, runtime: str, path: Path, images: Path, threads: int) -> None:
        self.name = path.name

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def version(self) -> str:
        return "1.0"

    def answer(self) -> np.ndarray:
        return np.ones((1, 2), np.float32)

    def run(self, count: int) -> list[float]:
        self.left[self.name] = self.left.get(self.name, 1000) - 1
        if self.left[self.name] < 0:
            raise EdgeError("signal 9", "peers.run")
        return [1.0] * count


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worker, "left", {})
    monkeypatch.setattr(measuring, "Worker", Worker)
    monkeypatch.setattr(environment, "python", lambda name, say: Path(name))
    monkeypatch.setattr(process, "convert", lambda python, name, folder, kind, machine: Path(f"{name}.{kind}"))
    monkeypatch.setattr(process, "cold", lambda *_: Process(100.0, 50.0, b""))


@pytest.mark.usefixtures("stand_ins")
@pytest.mark.parametrize("runs", [0, 3, 12])
def test_a_runtime_that_dies_is_a_row_without_times(runs: int) -> None:
    Worker.left["onnxruntime.int8"] = runs
    rows = measuring.measure(Path("net"), ["litert", "onnxruntime"], (1, 2), 6, lambda text: None)
    assert [row.fault for row in rows] == ["", "", "signal 9", ""]
    assert all(len(row.ms[2]) == 6 and len(row.cold_ms) == 3 for row in rows if not row.fault)


@pytest.mark.usefixtures("stand_ins")
def test_without_litert_there_is_nothing_to_compare_with() -> None:
    Worker.left["litert.int8"] = 3
    with pytest.raises(EdgeError) as raised:
        measuring.measure(Path("net"), ["litert", "onnxruntime"], (1,), 6, lambda text: None)
    assert raised.value.code == "peers.base"


@pytest.mark.usefixtures("stand_ins")
def test_a_fresh_process_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        process, "cold", lambda python, name, path, images: _fail() if name != "litert" else Process(1, 1, b"")
    )
    rows = measuring.measure(Path("net"), ["litert", "onnxruntime"], (1,), 6, lambda text: None)
    assert [row.fault for row in rows] == ["", "", "status 1", "status 1"]


def _fail() -> Process:
    raise EdgeError("status 1", "peers.run")
