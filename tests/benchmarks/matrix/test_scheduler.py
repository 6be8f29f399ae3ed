"""All devices at once: what one of them does costs the others nothing. They stand in, with real processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from benchmarks.lab import stand_in
from benchmarks.lab.stand_in import StandIn
from benchmarks.matrix import lane, worker
from benchmarks.measurement import CANARY_AFTER, CANARY_BEFORE, MODEL, Measurement, Word
from benchmarks.verdicts.detector import CANARY_STARTS
from tests.benchmarks.matrix.nights import TWO, last, measure

STARTS = 3
MODELS = ("--models", *TWO)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of a second, where a night has minutes."""
    monkeypatch.setattr(lane, "OPENING", 1.0)
    monkeypatch.setattr(lane, "GRACE", 0.5)
    monkeypatch.setattr(worker, "PROBE", 0.5)


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def of(measured: list[Measurement], device: str) -> list[Measurement]:
    return [row for row in measured if row.cell.device == device]


def test_a_night_has_the_canary_before_and_after_and_each_start_of_all_cells_before_the_next(history: Path) -> None:
    assert measure(history, [StandIn("one"), StandIn("two", has=("native", "litert"))], *MODELS) == 0
    _, measured, verdicts = last(history)
    assert {verdict.word for verdict in verdicts} == {Word.PASS}
    for device, runtimes, canary in (("one", ["litert"], "litert"), ("two", ["native", "litert"], "native")):
        rows = of(measured, device)
        cells = {(model, runtime) for model in TWO for runtime in runtimes}
        first = [(CANARY_BEFORE, n) for n in range(CANARY_STARTS)]
        between = [(MODEL, n) for n in range(STARTS) for _ in cells]
        assert [(row.role, row.start) for row in rows] == [*first, *between, *((CANARY_AFTER, n) for _, n in first)]
        for n in range(STARTS):
            assert {(row.cell.model, row.cell.runtime) for row in rows if (row.role, row.start) == (MODEL, n)} == cells
        assert {(row.cell.model, row.cell.runtime) for row in rows if row.role != MODEL} == {("bpcp", canary)}
        assert {verdict.cell for verdict in verdicts if verdict.cell.device == device} == {
            row.cell for row in rows if row.role == MODEL
        }


def test_each_cell_s_first_start_says_how_right_the_answers_are(history: Path) -> None:
    measure(history, [StandIn("one")])
    _, measured, _ = last(history)
    for row in measured:
        assert (row.accuracy.get("kind") == "golden") == (row.role == MODEL and row.start == 0)
        assert row.latency_ms["p50"] > 0


@pytest.mark.parametrize(
    ("failure", "after", "words"),
    [
        (stand_in.UNREACHABLE, 0, "does not answer"),
        (stand_in.NEVER_OPEN, 0, "did nothing for 1 s"),
        (stand_in.HANGS, 9, "did not end edge-infer within "),
        (stand_in.NEVER_RETURNS, 9, "did nothing for"),
        (stand_in.GONE, 9, "is gone"),
        (stand_in.BROKEN, 9, "RuntimeError: the driver of a stand-in is broken (stand_in.py, line "),
    ],
)
def test_a_device_that_is_lost_is_down_and_the_others_are_measured(
    failure: str, after: int, words: str, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = [StandIn("one"), StandIn("lost", failure=failure, after=after), StandIn("three")]
    assert measure(history, devices, "--timeout", "1") == 1
    _, measured, verdicts = last(history)
    assert Counter((verdict.cell.device, verdict.word) for verdict in verdicts) == {
        ("one", Word.PASS): 1,
        ("lost", Word.DEVICE_DOWN): 1,
        ("three", Word.PASS): 1,
    }
    assert all(words in verdict.reason for verdict in verdicts if verdict.cell.device == "lost")
    assert all(row.fault is None for device in ("one", "three") for row in of(measured, device))
    assert words in capsys.readouterr().err


def test_a_model_that_fails_on_one_device_only_is_that_cell_s_fault(history: Path) -> None:
    assert measure(history, [StandIn("one"), StandIn("two", refuses="polyp")], "--fail-on", "DEVICE-DOWN", *MODELS) == 0
    _, measured, verdicts = last(history)
    faults = [row for row in measured if row.fault]
    assert {(row.cell.device, row.cell.model) for row in faults} == {("two", "polyp")}
    assert {row.fault["code"] for row in faults if row.fault} == {"model.operator"}
    assert len(faults) == 2  # the third start was not tried
    words = {(verdict.cell.device, verdict.cell.model): verdict.word for verdict in verdicts}
    refused = words.pop(("two", "polyp"))
    assert set(words.values()) == {Word.PASS}
    assert refused not in (Word.PASS, Word.DEVICE_DOWN)


def test_a_model_that_never_ends_on_one_device_is_that_cell_s_fault_and_tried_once(history: Path) -> None:
    measure(history, [StandIn("one", slow="polyp")], "--timeout", "1", *MODELS)
    _, measured, verdicts = last(history)
    assert [row.fault["code"] for row in measured if row.fault] == ["measure.timeout"]
    assert {verdict.cell.model: verdict.word for verdict in verdicts}["bpcp"] == Word.PASS
    assert Word.DEVICE_DOWN not in {verdict.word for verdict in verdicts}


def test_an_emulator_on_this_machine_waits_until_nobody_s_times_count_there(history: Path) -> None:
    measure(history, [StandIn("emulated", kind="virtual-pi"), StandIn("here", kind="local"), StandIn("far")])
    _, measured, _ = last(history)
    order = [row.cell.device for row in measured]
    assert order.index("emulated") > max(n for n, name in enumerate(order) if name == "here")
    assert len(of(measured, "far")) == len(of(measured, "emulated")) == len(of(measured, "here"))


def test_what_is_left_out_is_said(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert measure(history, [StandIn("one"), StandIn("two", runtimes=["tflite"])], "--threads", "1,2") == 0
    said = capsys.readouterr()
    assert "two: left out, it has no runtime tflite" in said.err
    assert {verdict.cell.threads for verdict in last(history)[2]} == {1, 2}


def test_what_devices_say_can_t_write_on_the_terminal(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    devices = [StandIn("evil\033[2J\n", failure=stand_in.UNREACHABLE)]
    assert measure(history, devices) == 1
    said = capsys.readouterr()
    assert "\033" not in said.err + said.out
    assert "evil\\x1b[2J\\n: DEVICE-DOWN" in said.err
