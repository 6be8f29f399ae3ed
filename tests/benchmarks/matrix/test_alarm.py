"""From a slower network to somebody who hears of it: suspected, measured again, an alarm on the second night."""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.history.store import open_store
from benchmarks.lab.stand_in import StandIn
from benchmarks.measurement import CONFIRMATION, Word
from benchmarks.verdicts.judge import CONFIRMATIONS
from edge.errors import EdgeError
from tests.benchmarks.matrix.nights import last, measure

NIGHTS = 60  # of a level that is no longer young
POLYP = ("--models", "polyp")


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """The history of a device that was steady for weeks: one night that was measured, with noise of 1 % a start."""
    first, path = tmp_path / "first.sqlite", tmp_path / "history.sqlite"
    measure(first, [StandIn("one", noise=0.01)], *POLYP)
    rows = last(first)[1]
    noise = random.Random(1)
    begun = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=NIGHTS)
    with open_store(path) as store, store.together():
        for day in range(NIGHTS):
            night = store.new_night(begun + datetime.timedelta(days=day))
            store.begin(night, {})
            for row in rows:
                latency = row.latency_ms | {"p50": 0.2 * noise.gauss(1.0, 0.01)}
                store.add(night, dataclasses.replace(row, latency_ms=latency))
            store.finish(night)
    return path


def listener(path: Path) -> list[str]:
    """Return a command that keeps what it is told."""
    return [sys.executable, "-c", "import sys; open(sys.argv[1], 'a').write(sys.stdin.read())", str(path)]


def test_a_slower_network_is_measured_again_and_alarms_on_the_second_night(history: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    slower = StandIn("one", noise=0.01, factors={"polyp": 1.3})
    assert measure(history, [slower], *POLYP, alarm=listener(told)) == 0
    _, measured, (verdict,) = last(history)
    again = [row.start for row in measured if row.role == CONFIRMATION]
    assert again == list(range(CONFIRMATIONS))
    assert verdict.evidence["confirmed"] and not verdict.evidence["alarm"]
    assert not told.exists()

    assert measure(history, [slower], *POLYP, alarm=listener(told)) == 1
    night, _, (verdict,) = last(history)
    assert verdict.word is Word.REGRESSED and verdict.evidence["alarm"]
    assert verdict.evidence["ratio"] == pytest.approx(1.3, rel=0.03)
    letter = json.loads(told.read_text())
    assert letter["night"] == night
    assert [(row["cell"]["model"], row["verdict"]) for row in letter["verdicts"]] == [("polyp", "REGRESSED")]

    told.unlink()
    assert measure(history, [slower], *POLYP, alarm=listener(told)) == 0  # one step is one alarm
    assert not told.exists()


def test_a_slower_machine_is_no_slower_network(history: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    slower = StandIn("one", noise=0.01, p50_ms=0.26)
    assert [measure(history, [slower], *POLYP, alarm=listener(told)) for _ in range(2)] == [0, 0]
    _, _, (verdict,) = last(history)
    assert verdict.word is Word.NOISY
    assert not told.exists()


def test_a_steady_night_measures_nothing_again(history: Path) -> None:
    assert measure(history, [StandIn("one")], *POLYP) == 0
    _, measured, (verdict,) = last(history)
    assert verdict.word is Word.PASS
    assert Counter(row.role for row in measured)[CONFIRMATION] == 0


def test_an_alarm_that_does_not_go_out_is_said_and_the_night_stays(
    history: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slower = StandIn("one", noise=0.01, factors={"polyp": 1.3})
    measure(history, [slower], *POLYP)
    with pytest.raises(EdgeError, match="exit status 3") as raised:
        measure(history, [slower], *POLYP, alarm=[sys.executable, "-c", "raise SystemExit(3)"])
    assert raised.value.code == "alarm.failed"
    night, _, verdicts = last(history)
    assert [verdict.word for verdict in verdicts] == [Word.REGRESSED]
    assert f"night {night}: 1 REGRESSED" in capsys.readouterr().out
    with open_store(history) as store:
        assert store.unfinished() is None
