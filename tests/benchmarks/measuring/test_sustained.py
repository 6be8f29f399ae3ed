"""A sustained run: pieces of real invokes, an interruption, and what the minutes say."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pytest

from benchmarks.devices.device import Ran
from benchmarks.measurement import Cell, State
from benchmarks.measuring import sustained
from benchmarks.measuring.sustained import Heat, Piece, begun, duration, heated, summary
from edge.command import Progress
from edge.errors import EdgeError
from edge.model import find, read
from tests.benchmarks.measuring.stand_in import Here

BPCP = Path(find("bpcp"))
CELL = Cell("here", "bpcp", "litert", 1)
SHA256 = read(BPCP).sha256


def quiet(text: str) -> None:
    pass


def heat_of(p50: list[float], every: float = 15.0, states: list[list[State]] | None = None) -> Heat:
    heat = Heat(CELL, SHA256, every * len(p50), "boot", 0.0, "2026-11-28T00:00:00Z")
    for number, value in enumerate(p50):
        invokes = round(0.9 * every * 1000 / value)
        heat.pieces.append(Piece(number * every, every, value, invokes, states[number] if states else []))
    return heat


def test_the_first_minute_is_compared_with_the_last() -> None:
    hot = [
        [State("during", 1.0, None, [2400.0 - 10 * n, 2400.0 - 10 * n], 50.0 + n, [] if n < 30 else ["throttled"])]
        for n in range(40)
    ]
    found = summary(heat_of([5.0] * 4 + [6.0] * 32 + [7.0, 8.0, 8.0, 9.0], states=hot))
    assert (found["first"]["p50_ms"], found["last"]["p50_ms"], found["ratio"]) == (5.0, 8.0, 1.6)
    assert len(found["minutes"]) == 10
    assert (found["first"]["temperature_c"], found["last"]["temperature_c"]) == (53.0, 89.0)
    assert (found["first"]["clock_mhz"], found["last"]["clock_mhz"]) == (2370.0, 2010.0)
    assert found["throttled"] == ["throttled"]
    assert found["minutes"][0]["throttled"] == []
    assert found["first"]["busy"] == pytest.approx(0.9, rel=0.01)
    assert found["complete"] and found["breaks"] == []


def test_a_board_that_says_nothing_has_dashes(capsys: pytest.CaptureFixture[str]) -> None:
    sustained.show(heat_of([5.0] * 8), None, False, Progress(shown=False))
    out = capsys.readouterr().out
    assert "first minute 5.000 ms, last minute 5.000 ms: 1.000 times; - to - degC, - to - MHz" in out
    assert "throttled: the board does not say" in out


def test_pieces_are_run_until_the_time_is_over(tmp_path: Path) -> None:
    heat, file = begun(CELL, SHA256, 2.0, tmp_path, quiet)
    heated(Here(), heat, BPCP, file, quiet)
    assert len(heat.pieces) >= 2
    assert heat.done >= 2.0
    assert all(piece.p50_ms > 0 and piece.invokes > 1 for piece in heat.pieces)
    again, _ = begun(CELL, SHA256, 2.0, tmp_path, quiet)
    assert again.pieces == []  # a complete one is not gone on with


class _Interrupting(Here):
    def infer(self, *words: object, **more: object) -> Ran:  # type: ignore[override]
        if len(self.asked) == 2:
            raise KeyboardInterrupt
        return super().infer(*words, **more)  # type: ignore[arg-type]


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    heat, file = begun(CELL, SHA256, 3.0, tmp_path, quiet)
    with pytest.raises(KeyboardInterrupt):
        heated(_Interrupting(), heat, BPCP, file, quiet)
    with file.open("a") as lines:
        lines.write('{"since": 1.0, "sec')  # as a kill leaves it
    said: list[str] = []
    again, _ = begun(CELL, SHA256, 3.0, tmp_path, said.append)
    assert again.pieces == heat.pieces
    assert len(again.pieces) == 1
    assert said[0].startswith("going on at 00:0")
    heated(Here(), again, BPCP, file, quiet)
    assert again.done >= 3.0


@pytest.mark.parametrize("what", ["cooled", "model", "threads", "time", "started", "garbage"])
def test_what_is_no_longer_the_same_run_begins_again(
    tmp_path: Path, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = begun(CELL, SHA256, 60.0, tmp_path, quiet)[1]
    piece = '{"since": 0.0, "seconds": 0.0, "p50_ms": 1.0, "invokes": 9, "states": []}\n'
    file.write_text(file.read_text() + piece)
    assert len(begun(CELL, SHA256, 60.0, tmp_path, quiet)[0].pieces) == 1
    cell, sha256, seconds, said = CELL, SHA256, 60.0, list[str]()
    if what == "cooled":
        now = time.monotonic()
        monkeypatch.setattr(sustained.time, "monotonic", lambda: now + 600)
    elif what == "model":
        sha256 = "0" * 64
    elif what == "threads":
        cell = Cell("here", "bpcp", "litert", 2)
    elif what == "time":
        seconds = 90.0
    elif what == "started":
        monkeypatch.setattr(sustained, "_BOOT", tmp_path / "none")
    else:
        file.write_text(file.read_text().replace('"since": 0.0', '"since": "x"'))
    assert begun(cell, sha256, seconds, tmp_path, said.append)[0].pieces == []
    assert bool(said) == (what == "cooled")


def test_a_device_that_fails_keeps_what_was_measured(tmp_path: Path) -> None:
    class Failing(Here):
        def infer(self, *words: object, **more: object) -> Ran:  # type: ignore[override]
            if len(self.asked) == 2:
                raise EdgeError("here is gone", "board.lost")
            return super().infer(*words, **more)  # type: ignore[arg-type]

    heat, file = begun(CELL, SHA256, 4.0, tmp_path, quiet)
    with pytest.raises(EdgeError):
        heated(Failing(), heat, BPCP, file, quiet)
    assert len(heat.pieces) == 1


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "1s", "-5m", "1d", "30 m", "999999h", "٣0m"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)
