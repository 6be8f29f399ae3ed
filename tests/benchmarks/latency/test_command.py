"""`edge-bench latency` with real processes of the program in Python, on a few operators."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.devices.local import Local
from benchmarks.history.store import open_store
from benchmarks.inventory import Inventory
from benchmarks.latency import command, evaluation, networks, timing
from benchmarks.latency.networks import name
from benchmarks.latency.operators import ADDITION, CALL, CONVOLUTION, Operator, grid
from benchmarks.latency.timing import Setting, Timer
from benchmarks.matrix.lock import alone
from edge.engine import load
from edge.errors import EdgeError
from edge.model import find, read
from tests.documents import ROOT

CONVOLVED = Operator(CONVOLUTION, "int8", 1, 1, 16, 8, 16)
ADDED = Operator(ADDITION, "int8", 1, 1, 8, 8, 8)
CALLED = Operator(CALL, "int8", 1, 1, 32, 1, 1)
SETTING = Setting("here", "litert", 1)


class Broken(Local):
    """A device that is not there."""

    @contextlib.contextmanager
    def open(self, models: Any, log: Any) -> Iterator[Any]:
        raise EdgeError(f"{self.name} can't be reached: expected a board; switch it on", "board.unreachable")
        yield


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Two operators, one pass, and a folder of its own; return the history's file."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "grid", lambda: [CONVOLVED, CALLED])
    monkeypatch.setattr(timing, "PASSES", 1)
    return tmp_path / "history.sqlite"


def test_times_are_kept_and_a_table_is_had_from_them(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["latency", "--runtime", "litert", "--history", str(few)]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith("here: 2 operators, litert, 1 thread, ")
    with open_store(few, create=False) as store:
        _, table = timing.load(store, SETTING, [CONVOLVED, CALLED])
        rows = [row for found in store.latencies("here") for row in found.rows]
        assert all(found.identity and found.identity.runtime_version for found in store.latencies("here"))
    assert {name for row in rows for name in row["network_ms"]} == {name(CONVOLVED), name(CALLED)}
    (row,) = (row for row in rows if name(CONVOLVED) in row["network_ms"])
    network_ms = row["network_ms"][name(CONVOLVED)]
    assert table.ms(CALLED) > 0 and network_ms > 0 and row["baseline_ms"] > 0
    expected = max(1e-4, timing.difference(network_ms, row["baseline_ms"]))
    assert table.ms(CONVOLVED) == pytest.approx(expected)


def test_what_was_interrupted_goes_on(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    operators = [CONVOLVED, ADDED]
    files = timing.write_all(operators, tmp_path / "operators")
    monkeypatch.setattr(timing, "PASSES", 1)
    asked: list[None] = []

    def interrupting() -> None:
        asked.append(None)
        if len(asked) == 6:  # one process to know what runs there, three of the first group
            raise KeyboardInterrupt

    with open_store(tmp_path / "history.sqlite") as store, Local("here").open([], print) as session:
        with pytest.raises(KeyboardInterrupt):
            timing.run(Timer(session, SETTING, interrupting), files, operators, store, 60, print)
        with pytest.raises(EdgeError, match="an unfinished table"):
            timing.load(store, SETTING, operators)
        (first,) = store.latencies("here")
        timer = Timer(session, SETTING)
        timing.run(timer, files, operators, store, 60, print)
        tables = store.latencies("here")
        assert [list(table.rows[0]["network_ms"]) for table in tables] == [[name(CONVOLVED)], [name(ADDED)]]
        assert {table.night for table in tables} == {first.night}
        assert timing.load(store, SETTING, operators)[0] == first.night
        # A whole one is not gone on with: the next night begins one, or leaves it where it is young enough.
        assert timing.unfinished(store, SETTING, timer.identity, operators) is None
        assert not timing.run(timer, files, operators, store, 60, print, after=7)
        assert len(store.latencies("here")) == 2
        assert timing.run(timer, files, operators[:1], store, 60, print)


ENDLESS = f"""
import sys
from benchmarks.cli import main
from benchmarks.latency import command, timing
from benchmarks.latency.networks import name
from benchmarks.latency.operators import Operator
command.grid = lambda: [Operator{tuple(CONVOLVED)}]
timing.PASSES = 1_000_000
sys.exit(main(["latency", "--runtime", "litert", "--history", "history.sqlite", "--minutes", "1440"]))
"""


def test_a_ctrl_c_ends_it_in_seconds_and_what_was_timed_is_kept(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", ENDLESS], cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    )
    history = tmp_path / "history.sqlite"

    def kept() -> int:
        if not history.exists():
            return 0
        with open_store(history) as store:
            return len(store.latencies("here"))

    until = time.monotonic() + 60
    while not kept() and time.monotonic() < until:
        time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.splitlines()[-1] == "edge-bench: interrupted; the same command goes on where it stopped"
    assert "Traceback" not in said
    assert kept() > 0


def test_another_device_under_the_same_name_begins_a_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {"runtime": "litert", "threads": 1, "network_ms": {name(CALLED): 1.0}, "baseline_ms": 1.0}
    with open_store(tmp_path / "history.sqlite") as store, Local("here").open([], print) as session:
        identity = session.identity("litert")
        store.add_latencies(store.new_night(), "here", identity, [row])
        found = timing.unfinished(store, SETTING, identity, [CALLED])
        assert found is not None and found[1][CALLED] == 1
        assert timing.unfinished(store, SETTING, dataclasses.replace(identity, machine="other"), [CALLED]) is None
        store.add_latencies("2020-01-01T00:00:00Z", "there", identity, [row])  # too long ago
        assert timing.unfinished(store, Setting("there", "litert", 1), identity, [CALLED]) is None


def test_a_device_that_fails_costs_the_others_nothing(
    few: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load", lambda path: Inventory([Broken("gone"), Local("here")]))
    assert main(["latency", "--runtime", "litert", "--history", str(few)]) == 1
    out = capsys.readouterr().out
    assert "gone can't be reached: expected a board" in out.splitlines()[0]
    assert "here: 2 operators" in out


def test_files_of_another_version_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "operators"
    before = timing.write_all([CALLED], folder)
    assert all(path.is_file() for path in before.values())
    assert timing.write_all([CALLED], folder) == before
    monkeypatch.setattr(networks, "version", lambda: "other")
    after = timing.write_all([CALLED], folder)
    assert all(path.is_file() for path in after.values())
    assert not any(path.exists() for path in before.values())


def test_a_matrix_at_the_same_time_is_refused(few: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(few):
        assert main(["latency", "--history", str(few)]) == 2
    assert "is written by another matrix" in capsys.readouterr().err


def test_an_emulator_is_left_out_and_said(
    few: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "load", lambda path: Inventory([Broken("virtual", kind="virtual-pi")]))
    assert main(["latency", "--history", str(few)]) == 0
    assert capsys.readouterr().out == "virtual: left out, as an emulator's times are nobody's; --device asks for it\n"
    assert main(["latency", "--history", str(few), "--device", "virtual"]) == 1


def test_predictions_are_of_the_newest_whole_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = tmp_path / "history.sqlite"

    def rows(ms: float, operators: list[Operator]) -> list[dict[str, Any]]:
        found = {name(operator): ms for operator in operators}
        return [{"runtime": "native", "threads": 1, "network_ms": found, "baseline_ms": 0.0}]

    with open_store(history) as store:
        store.add_latencies("2026-01-01T00:00:00Z", "here", None, rows(9.0, grid()))
        store.add_latencies("2026-01-02T00:00:00Z", "here", None, rows(0.4, grid()))
        store.add_latencies("2026-01-03T00:00:00Z", "here", None, rows(0.1, grid()[:5]))
    assert main(["latency", "predict", "bpcp", "polyp", "--history", str(history), "--json"]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(each["model"], each["table"], each["measured_ms"]) for each in found] == [
        ("bpcp", "2026-01-02T00:00:00Z", None),
        ("polyp", "2026-01-02T00:00:00Z", None),
    ]
    operators = len(read(find("polyp")).network().graphs[0].operators)
    # Each costs a quarter of what its network takes longer, or more where it lies beyond the grid; the call all of it.
    assert 0.1 * operators + 0.4 <= found[1]["predicted_ms"] + 1e-9 <= 0.2 * operators + 0.4
    assert main(["latency", "--history", str(history), "predict"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["latency", "--device", "pi"], "there is no device 'pi' in the inventory: expected one of here"),
        (["latency", "predict", "--history", "none.sqlite"], "none.sqlite does not exist"),
        (["latency", "predict", "--history", "empty.sqlite"], "the history has no table of here"),
        (["latency", "predict", "nothing", "--history", "empty.sqlite"], "nothing"),
        (["latency", "--minutes", "0"], "expected a whole number from 1 to 1440"),
    ],
)
def test_bad_input_is_said_in_a_sentence(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(Path("empty.sqlite")):
        pass
    assert main(words) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.splitlines()) == 1


def test_a_network_in_float_answers_as_the_one_in_int8(tmp_path: Path) -> None:
    """The twin that the evaluation times is the same network, not one that looks like it."""
    path = tmp_path / "twin.tflite"
    evaluation.in_float(read(find("pneumonia")), path)
    image = Path(__file__).parents[3] / "docs/phantom.png"
    twin, whole = load(path, "litert"), load("pneumonia", "litert")
    assert twin.file.manifest.raw["runtime"]["type"] == "float32"
    mine, theirs = ({row["label"]: row["score"] for row in engine(image).results} for engine in (twin, whole))
    assert mine == pytest.approx(theirs, abs=0.05)


def test_the_evaluation_times_each_network_beside_its_prediction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    history = tmp_path / "history.sqlite"
    found = {name(operator): 0.4 for operator in grid()}
    row = {"runtime": "litert", "threads": 1, "network_ms": found, "baseline_ms": 0.0}
    with open_store(history) as store:
        store.add_latencies("2026-01-02T00:00:00Z", "here", None, [row])
    monkeypatch.setattr(evaluation, "STARTS", 1)
    monkeypatch.setattr(evaluation, "INVOKES", 5)
    monkeypatch.setattr(evaluation.table, "RESULTS", tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluation", "--runtime", "litert", "--history", str(history)])
    evaluation.main()
    rows = evaluation.table.kept("latency").rows
    assert [(row["network"], row["type"]) for row in rows] == [
        (model, kind) for kind in ("int8", "float32") for model in ("bpcp", "cpgresnet50", "pneumonia", "polyp")
    ]
    for row in rows:
        ratio = float(row["predicted ms"]) / float(row["measured ms"])
        assert float(row["ratio"]) == pytest.approx(ratio, rel=0.05, abs=0.006)
        assert row["target: within 15%"] == ("met" if abs(ratio - 1) <= 0.15 else "MISSED")
