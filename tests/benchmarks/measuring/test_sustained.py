"""A sustained run: pieces of real invokes, an interruption, and what the minutes say."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.devices.device import Ran
from benchmarks.measurement import Cell, State
from benchmarks.measuring import sustained
from benchmarks.measuring.sustained import Heat, Piece, begun, duration, heated, summary
from edge.command import Progress
from edge.errors import EdgeError
from edge.model import find, read
from tests.benchmarks.measuring.stand_in import Again
from tests.edge.processes import environment, usual_ends

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


class Quick(Again):
    """A tenth of a second for each process, and what edge-infer once said; `raises` instead of the third."""

    def __init__(self, raises: BaseException | None = None) -> None:
        super().__init__()
        self.raises = raises

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        if self.raises is not None and len(self.asked) == 3:
            raise self.raises
        time.sleep(0.1)
        at = words.index("--repeat") + 1
        return super().infer(runtime, [*words[:at], "5", *words[at + 1 :]], image, seconds, power)


def test_pieces_are_run_until_the_time_is_over(tmp_path: Path) -> None:
    heat, file = begun(CELL, SHA256, 2.0, tmp_path, quiet)
    heated(Quick(), heat, BPCP, file, quiet)
    assert heat.done >= 2.0
    assert all(piece.p50_ms > 0 and piece.invokes == 4 for piece in heat.pieces)  # the first of five is not counted
    again, _ = begun(CELL, SHA256, 2.0, tmp_path, quiet)
    assert again.pieces == []  # a complete one is not gone on with


def test_an_interrupted_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    heat, file = begun(CELL, SHA256, 60.0, tmp_path, quiet)
    with pytest.raises(KeyboardInterrupt):
        heated(Quick(KeyboardInterrupt()), heat, BPCP, file, quiet)
    with file.open("a") as lines:
        lines.write('{"since": 1.0, "sec')  # as a kill leaves it
    said: list[str] = []
    again, _ = begun(CELL, SHA256, 60.0, tmp_path, said.append)
    assert again.pieces == heat.pieces
    assert len(again.pieces) == 2
    assert said[0].startswith("going on at 00:0")
    again.seconds = again.done + 0.5
    heated(Quick(), again, BPCP, file, quiet)
    assert len(again.pieces) > 2
    assert again.pieces[2].since > heat.done
    assert len(file.read_bytes().splitlines()) == 1 + len(again.pieces)


def test_a_device_that_fails_keeps_what_was_measured(tmp_path: Path) -> None:
    heat, file = begun(CELL, SHA256, 60.0, tmp_path, quiet)
    with pytest.raises(EdgeError, match="is gone"):
        heated(Quick(EdgeError("here is gone", "board.lost")), heat, BPCP, file, quiet)
    assert len(heat.pieces) == 2


def test_ctrl_c_shows_what_there_is_and_the_same_command_goes_on(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.toml"
    inventory.write_text('[[device]]\nname = "desk"\nkind = "local"\nruntimes = ["litert"]\n')
    words = ["sustained", "--sustained", "2m", "--model", "bpcp", "--inventory", str(inventory), "--energy"]
    kept = tmp_path / "build/bench/sustained/desk-bpcp-litert-1.jsonl"
    short = (
        "import sys, benchmarks.cli, benchmarks.measuring.sustained as sustained\n"
        "sustained.PIECE_SECONDS = 0.2\nsys.exit(benchmarks.cli.main())"
    )
    ends = []
    for least in (2, 4):
        process = subprocess.Popen(
            [sys.executable, "-c", short, *words],
            cwd=tmp_path, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=usual_ends,
        )  # fmt: skip
        while process.poll() is None and not (kept.exists() and len(kept.read_bytes().splitlines()) > least):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        ends.append((out.decode(), err.decode()))
    (out, err), (_, after) = ends
    assert "bpcp on desk, litert, 1 thread: 00:" in out
    assert "first minute" in out
    assert "no energy is measured" in err
    assert "interrupted; the same command goes on where it stopped" in err
    assert "Traceback" not in err + after
    assert "going on at 00:" in after


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


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90.0), ("30m", 1800.0), ("2h", 7200.0)])
def test_times_are_read(text: str, seconds: float) -> None:
    assert duration(text) == seconds


@pytest.mark.parametrize("text", ["", "30", "1s", "-5m", "1d", "30 m", "999999h", "٣0m"])
def test_other_times_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        duration(text)
