"""A night that is interrupted, resumed, refused, or begun with a wrong clock; what it says, and to whom."""

from __future__ import annotations

import datetime
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.history.store import open_store
from benchmarks.lab import stand_in
from benchmarks.lab.stand_in import StandIn
from benchmarks.matrix.plan import RESUMED_HOURS
from benchmarks.measurement import Word
from benchmarks.verdicts.detector import CANARY_STARTS
from edge.errors import EdgeError
from tests.benchmarks.matrix.nights import end, last, measure, options, start

SLOWLY = [StandIn("one", seconds=0.03), StandIn("two", seconds=0.03)]
ALL = len(SLOWLY) * (2 * CANARY_STARTS + 3)  # starts of a night on these


@pytest.fixture
def history(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def until(found: Callable[[], bool], seconds: float = 30) -> None:
    limit = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < limit
        time.sleep(0.02)


def count(history: Path) -> int:
    try:
        return len(last(history)[1])
    except (EdgeError, IndexError):
        return 0


def children(pid: int) -> list[int]:
    """Return the processes below one."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return found + [below for child in found for below in children(child)]


def test_a_night_that_was_interrupted_goes_on_and_measures_nothing_twice(history: Path) -> None:
    first = start(history, SLOWLY)
    until(lambda: count(history) >= 5)
    os.killpg(first.pid, signal.SIGINT)  # as a terminal does: the processes of the devices get it too
    ended = end(first, seconds=20)
    assert ended.status == 130
    assert "the same command goes on where it stopped" in ended.err
    night, before, verdicts = last(history)
    assert 5 <= len(before) < ALL and not verdicts

    ended = end(start(history, SLOWLY))
    assert ended.status == 0
    assert f"night {night} goes on: {len(before)} starts are measured" in ended.err
    same, after, verdicts = last(history)
    assert same == night
    assert after[: len(before)] == before
    assert len(after) == len({(row.cell, row.role, row.start) for row in after}) == ALL
    assert {verdict.word for verdict in verdicts} == {Word.PASS}


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_night_that_was_killed_leaves_nothing_running_and_goes_on(number: signal.Signals, history: Path) -> None:
    first = start(history, [*SLOWLY, StandIn("stuck", failure=stand_in.NEVER_RETURNS)])
    until(lambda: count(history) >= 3)
    below = children(first.pid)
    assert len(below) >= 3
    first.send_signal(number)
    assert end(first, seconds=20).status == (-9 if number == signal.SIGKILL else 130)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), seconds=10)
    night, _, _ = last(history)
    assert end(start(history, SLOWLY, "--devices", "one", "two")).status == 0
    assert last(history)[0] > night  # the devices are others, so it is another night


def test_a_device_that_was_measured_when_the_night_was_interrupted_is_left_alone(history: Path, tmp_path: Path) -> None:
    switch = tmp_path / "off"
    devices = [StandIn("quick", off=str(switch)), StandIn("slow", seconds=0.1)]
    first = start(history, devices)
    until(lambda: len(last(history)[2]) == 1 if count(history) else False)
    first.send_signal(signal.SIGINT)
    assert end(first).status == 130
    night, before, _ = last(history)
    switch.touch()  # were it opened once more, it would be lost
    assert end(start(history, devices)).status == 0
    same, after, verdicts = last(history)
    assert same == night
    assert [row for row in after if row.cell.device == "quick"] == [row for row in before if row.cell.device == "quick"]
    assert [verdict.word for verdict in verdicts] == [Word.PASS] * 2


def test_a_device_that_was_lost_before_an_interruption_is_tried_once_more(history: Path, tmp_path: Path) -> None:
    switch = tmp_path / "off"
    devices = [StandIn("lost", off=str(switch), seconds=0.02), StandIn("slow", seconds=0.1)]
    first = start(history, devices)
    until(lambda: count(history) > 2)
    switch.touch()
    until(lambda: any(row.fault for row in last(history)[1]))
    first.send_signal(signal.SIGKILL)
    end(first)
    night, _, verdicts = last(history)
    assert not verdicts
    switch.unlink()
    assert end(start(history, devices)).status == 0
    same, measured, verdicts = last(history)
    assert same == night
    assert [verdict.word for verdict in verdicts] == [Word.PASS] * 2
    assert sum(row.cell.device == "lost" and row.fault is not None for row in measured) == 1


def test_two_matrices_at_once(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = start(history, SLOWLY)
    until(lambda: count(history) >= 1)
    with pytest.raises(EdgeError, match=f"another matrix .process {first.pid} on ") as raised:
        measure(history, [StandIn("three")])
    assert raised.value.code == "matrix.busy"
    assert measure(history.with_name("other.sqlite"), [StandIn("three")]) == 0  # another history is another matter
    assert end(first).status == 0
    assert measure(history, [StandIn("three")]) == 0
    assert {row.cell.device for row in last(history)[1]} == {"three"}


@pytest.mark.parametrize(
    ("words", "what"), [(("--starts", "4"), "starts"), (("--threads", "2"), "threads"), (("--timeout", "9"), "seconds")]
)
def test_another_plan_is_another_night(
    words: tuple[str, ...], what: str, history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = _interrupted(history, datetime.datetime.now(datetime.timezone.utc))
    measure(history, [StandIn("one")], *words)
    night, measured, verdicts = last(history)
    assert night > old and verdicts and all(row.fault is None for row in measured)
    assert f"night {old} was interrupted and is not gone on with: other {what}" in capsys.readouterr().err
    with open_store(history) as store:
        assert store.unfinished() is None


@pytest.mark.parametrize(("hours", "goes_on"), [(RESUMED_HOURS - 1, True), (RESUMED_HOURS + 1, False)])
def test_a_night_of_long_ago_is_not_gone_on_with(hours: float, goes_on: bool, history: Path) -> None:
    begun = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=hours)
    old = _interrupted(history, begun)
    measure(history, [StandIn("one")])
    assert (last(history)[0] == old) == goes_on


def test_a_clock_that_was_set_back_makes_no_earlier_night(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with open_store(history) as store:
        store.begin("2099-12-31T23:59:59Z", {})
        store.finish("2099-12-31T23:59:59Z")
    for name in ("2100-01-01T00:00:00Z", "2100-01-01T00:00:01Z"):
        assert measure(history, [StandIn("one")]) == 0
        assert last(history)[0] == name
        assert f"the history has a later night: this one is named {name}" in capsys.readouterr().err


def test_cells_of_the_last_night_that_are_gone_are_named(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(history, [StandIn("one", has=("native", "litert"))])
    capsys.readouterr()
    measure(history, [StandIn("one", has=("litert",))])
    assert "1 cells of the last night are not in this one: bpcp on one, native, 1 thread" in capsys.readouterr().err


def test_a_device_that_is_down_has_the_cells_of_the_nights_before(history: Path) -> None:
    measure(history, [StandIn("one", has=("native", "litert"))], "--threads", "1,2")
    cells = {verdict.cell for verdict in last(history)[2]}
    assert measure(history, [StandIn("one", failure=stand_in.UNREACHABLE)], "--threads", "1,2") == 1
    verdicts = last(history)[2]
    assert {verdict.cell for verdict in verdicts} == cells
    assert {verdict.word for verdict in verdicts} == {Word.DEVICE_DOWN}


def test_verdicts_as_json_and_as_a_table(history: Path, capsys: pytest.CaptureFixture[str]) -> None:
    devices = [StandIn("one"), StandIn("two", failure=stand_in.GONE)]
    assert measure(history, devices, "--json", "--fail-on", "REGRESSED,missed") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["cell"]["device"], row["verdict"]) for row in rows] == [
        ("one", "PASS"),
        ("two", "DEVICE-DOWN"),
    ]
    assert measure(history, devices) == 1
    night, _, _ = last(history)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"night {night}: 1 PASS, 1 DEVICE-DOWN"
    assert [line.split()[0] for line in lines[3:]] == ["DEVICE-DOWN"]


def _interrupted(history: Path, begun: datetime.datetime) -> str:
    """Begin the night of `StandIn("one")` and leave it; return its name."""
    from benchmarks.matrix.command import _plan
    from tests.benchmarks.matrix.nights import inventory

    plan = _plan(options(history), inventory([StandIn("one")]))
    with open_store(history) as store:
        night = store.new_night(begun)
        store.begin(night, plan.record())
    return night
