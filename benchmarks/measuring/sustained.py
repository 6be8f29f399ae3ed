"""`edge-bench sustained`: half an hour of invokes, and what heat makes of them: the first minute against the last.

The invokes come in pieces of `PIECE_SECONDS`, each a process of its own, so that the program's own percentiles say how
time goes by; what a process takes to start is no invoke, and `busy` says how little it is. Each piece is written down
at once: a run that is interrupted goes on where it stopped, if the board had no more than a minute to cool.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import re
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import edge.model
from benchmarks.devices.device import Session
from benchmarks.measurement import Cell, State
from benchmarks.measuring import choice, models
from benchmarks.measuring.energy import Energy, energy
from benchmarks.measuring.measure import ask
from edge.command import Progress, log
from edge.files import write_beside
from edge.record import now
from edge.strict_json import dumps, loads
from edge.terminal import columns

FOLDER = Path("build/bench/sustained")
PIECE_SECONDS = 15.0
COOLS = 60.0  # seconds of a break after which a board is another one
MINUTE = 60.0
_SHORTEST, _LONGEST = 2.0, 7 * 86_400.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")
_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True)
class Piece:
    """One process of the run.

    Attributes:
        since, seconds: when it began after the run's start, and how long it lasted, by this host's monotonic clock.
        p50_ms, invokes: of its warm invokes.
        states: of the board.
    """

    since: float
    seconds: float
    p50_ms: float
    invokes: int
    states: list[State]


@dataclass
class Heat:
    """A sustained run, so far.

    Attributes:
        cell: what is run. sha256: of its model file.
        seconds: that it is to last. window: seconds that count as the first and the last minute.
        boot, began: the host's start and its monotonic clock at the run's.
        time: UTC at the run's beginning.
        pieces: in their order.
    """

    cell: Cell
    sha256: str
    seconds: float
    boot: str
    began: float
    time: str
    pieces: list[Piece] = field(default_factory=list)

    @property
    def window(self) -> float:
        return min(MINUTE, self.seconds / 2)

    @property
    def done(self) -> float:
        """Seconds from the beginning to the end of the last piece."""
        return self.pieces[-1].since + self.pieces[-1].seconds if self.pieces else 0.0


def duration(text: str) -> float:
    """Return the seconds of "90s", "30m", "2h" on a command line."""
    found = re.fullmatch(r"([0-9]{1,6})([smh])", text)
    seconds = int(found[1]) * _UNITS[found[2]] if found else 0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise argparse.ArgumentTypeError(f"expected a time such as 90s, 30m or 2h, of at least 2s, not {text!r}")
    return float(seconds)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench sustained` takes."""
    choice.add_arguments(parser)
    parser.add_argument("--model", default="pneumonia", metavar="NAME|FILE", help="default: pneumonia")
    parser.add_argument("--sustained", type=duration, default=1800.0, metavar="TIME", help="such as 30m (the default)")
    parser.add_argument("--energy", action="store_true", help="then measure joules, on a Raspberry Pi 5")
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(options: argparse.Namespace) -> int:
    """Run `edge-bench sustained`; what there is of an interrupted run is shown as well."""
    path = Path(edge.model.find(options.model))
    model = models.read(path)
    progress = Progress()
    here = choice.device(options)
    with here.open([path], lambda text: progress(f"{text}\n")) as session:
        if options.energy and not session.power:  # said before the half hour, and not after it
            progress(f"{here.name} does not say what it draws: no energy is measured (a Raspberry Pi 5 does)\n")
        cell = choice.cell(options, here.name, session, model.name)
        heat, file = begun(cell, model.sha256, options.sustained, FOLDER, progress)
        drawn: Energy | None = None
        try:
            heated(session, heat, path, file, progress)
            if options.energy and session.power:
                progress(f"{here.name}: energy")
                drawn = energy(session, cell, path, 30.0, 300.0)
        finally:  # of Ctrl-C and of a board that is gone, too
            if heat.pieces:
                show(heat, drawn, options.json, progress)
    return 0


def begun(cell: Cell, sha256: str, seconds: float, folder: Path, progress: Callable[[str], None]) -> tuple[Heat, Path]:
    """Return the run to go on with, and its file: one that was interrupted not long ago, else a new one."""
    named = re.sub(r"[^\w.-]", "_", f"{cell.device}-{cell.model}-{cell.runtime}-{cell.threads}")
    file = folder / f"{named}.jsonl"
    here = Heat(cell, sha256, seconds, _boot(), time.monotonic(), now())
    before = _read(file)
    alike = before is not None and all(
        getattr(before, name) == getattr(here, name) for name in ("cell", "sha256", "seconds", "boot")
    )
    if before is not None and alike and before.pieces and before.done < seconds:
        gap = here.began - before.began - before.done
        if 0 <= gap <= COOLS:
            progress(f"going on at {_clock(before.done)}, after a break of {gap:.0f} s\n")
            _write(file, before)  # without what a kill left of a last line
            return before, file
        progress(f"an interrupted run is {gap / 60:.0f} minutes old, in which the board cooled: it begins again\n")
    _write(file, here)
    return here, file


def heated(session: Session, heat: Heat, path: Path, file: Path, progress: Callable[[str], None]) -> None:
    """Run piece after piece until the run's time is over; each is added to `heat` and to `file` at its end.

    Raises EdgeError where the device fails.
    """
    cell, model = heat.cell, models.read(path)
    word = session.model(path)
    length = min(PIECE_SECONDS, heat.window / 4)
    timeout = 60 + 10 * length  # a board that is throttled takes several times as long
    p50 = heat.pieces[-1].p50_ms if heat.pieces else 0.0
    if not p50:
        p50 = ask(session, cell, model, word, ["--repeat", "5"], timeout)[1].warm_ms["p50"]
    with file.open("a") as lines:
        while (since := time.monotonic() - heat.began) < heat.seconds:
            repeat = max(2, round(min(length, heat.seconds - since) * 1000 / p50))
            ran, answer = ask(session, cell, model, word, ["--repeat", str(repeat)], timeout)
            p50 = answer.warm_ms["p50"]
            piece = Piece(since, time.monotonic() - heat.began - since, p50, answer.count, ran.states)
            heat.pieces.append(piece)
            lines.write(dumps(dataclasses.asdict(piece), "a piece") + "\n")
            lines.flush()
            degrees = _hottest([piece])
            heated_to = "" if degrees is None else f", {degrees:.1f} degC"
            share = f"{_clock(heat.done)} of {_clock(heat.seconds)}"
            progress(f"{cell.device}: {share}, p50 {p50:.2f} ms (at first {heat.pieces[0].p50_ms:.2f}){heated_to}")


def summary(heat: Heat) -> dict[str, Any]:
    """Return the first and the last minute, their ratio, and each minute between, for JSON.

    A minute has `from` and `to` (seconds), `p50_ms` (the median of its pieces' p50), `busy` (invokes times their
    median, as a share of the time), `temperature_c` (the highest), `clock_mhz` (the mean of the cores, the lowest of
    the minute), `throttled` (causes that held). null is what the board does not say. `breaks` are gaps of more than 2 s
    between two pieces: [when, seconds].
    """
    end = heat.done
    count = max(1, round(end / heat.window))
    spans = [(n * heat.window, (n + 1) * heat.window) for n in range(count)]
    minutes = [_minute(heat, *span) for span in spans]
    first, last = _minute(heat, 0.0, heat.window), _minute(heat, end - heat.window, end)
    ended = [(piece.since + piece.seconds, following.since) for piece, following in _neighbours(heat.pieces)]
    return {
        "cell": dataclasses.asdict(heat.cell),
        "model_sha256": heat.sha256,
        "time": heat.time,
        "seconds": heat.seconds,
        "done": end,
        "complete": end >= heat.seconds,
        "first": first,
        "last": last,
        "ratio": last["p50_ms"] / first["p50_ms"],
        "throttled": sorted({cause for minute in minutes for cause in minute["throttled"] or []}),
        "breaks": [[stop, start - stop] for stop, start in ended if start - stop > 2],
        "minutes": minutes,
    }


def show(heat: Heat, drawn: Energy | None, as_json: bool, progress: Progress) -> None:
    """Print a run."""
    what = summary(heat)
    if as_json:
        what["energy"] = None if drawn is None else dataclasses.asdict(drawn)
        progress.log(dumps(what, "the run"), log)
        return
    first, last = what["first"], what["last"]
    rows = [["from", "p50 ms", "busy", "degC", "MHz", "throttled"]]
    for minute in what["minutes"]:
        causes = minute["throttled"]
        rows.append(
            [
                _clock(minute["from"]),
                f"{minute['p50_ms']:.3f}",
                f"{100 * minute['busy']:.0f} %",
                _number(minute["temperature_c"], ".1f"),
                _number(minute["clock_mhz"], ".0f"),
                "-" if causes is None else ", ".join(causes) or "no",
            ]
        )
    said = [f"{heat.cell}: {_clock(what['done'])} of {_clock(heat.seconds)}", *columns(rows)]
    span = "minute" if heat.window == MINUTE else f"{heat.window:g} s"
    said.append(
        f"first {span} {first['p50_ms']:.3f} ms, last {span} {last['p50_ms']:.3f} ms: {what['ratio']:.3f} times; "
        f"{_number(first['temperature_c'], '.1f')} to {_number(last['temperature_c'], '.1f')} degC, "
        f"{_number(first['clock_mhz'], '.0f')} to {_number(last['clock_mhz'], '.0f')} MHz; "
        f"throttled: {_causes(what)}"
    )
    said += [f"a break of {seconds:.0f} s at {_clock(at)}" for at, seconds in what["breaks"]]
    if drawn is not None:
        said.append(
            f"energy: {1000 * drawn.joules:.2f} mJ an invoke, {drawn.watts:.2f} W of {len(drawn.counted)} rails "
            f"({drawn.samples} readings); not in it: {', '.join(drawn.without) or 'nothing'} and the power chip's loss"
        )
    for line in said:
        progress.log(line, log)


def _minute(heat: Heat, begin: float, end: float) -> dict[str, Any]:
    """Return what the pieces say whose middles lie in a span, or the piece that is nearest to it."""
    inside = [piece for piece in heat.pieces if begin <= piece.since + piece.seconds / 2 < end]
    inside = inside or [min(heat.pieces, key=lambda piece: abs(piece.since + piece.seconds / 2 - (begin + end) / 2))]
    busy = sum(piece.invokes * piece.p50_ms / 1000 for piece in inside)
    during = [state for piece in inside for state in piece.states]
    clocks = [statistics.fmean(state.clock_mhz) for state in during if state.clock_mhz]
    told = [state.throttled for state in during if state.throttled is not None]
    return {
        "from": begin,
        "to": end,
        "p50_ms": statistics.median(piece.p50_ms for piece in inside),
        "busy": min(1.0, busy / sum(piece.seconds for piece in inside)),
        "temperature_c": _hottest(inside),
        "clock_mhz": min(clocks, default=None),
        "throttled": sorted({cause for causes in told for cause in causes}) if told else None,
    }


def _hottest(pieces: Sequence[Piece]) -> float | None:
    found = [state.temperature_c for piece in pieces for state in piece.states if state.temperature_c is not None]
    return max(found, default=None)


def _causes(what: dict[str, Any]) -> str:
    if all(minute["throttled"] is None for minute in what["minutes"]):
        return "the board does not say"
    return ", ".join(what["throttled"]) or "no"


def _neighbours(pieces: Sequence[Piece]) -> list[tuple[Piece, Piece]]:
    return list(itertools.pairwise(pieces))


def _read(file: Path) -> Heat | None:
    """Return the run in `file`, without a last line that a kill cut short; None where there is none to be read."""
    try:
        rows = [loads(line) for line in file.read_bytes().split(b"\n")[:-1]]
        head = Heat(**{**rows[0], "cell": Cell(**rows[0]["cell"])})
        head.pieces = [Piece(**{**row, "states": [State(**state) for state in row["states"]]}) for row in rows[1:]]
        numbers = [
            head.began,
            *(value for piece in head.pieces for value in (piece.since, piece.seconds, piece.p50_ms)),
        ]
    except (OSError, ValueError, TypeError, KeyError, IndexError):
        return None
    return head if all(isinstance(value, (int, float)) for value in numbers) else None


def _write(file: Path, heat: Heat) -> None:
    """Write a run to its file: a line about it, and one for each piece."""
    head = dataclasses.asdict(heat)
    rows = [head, *head.pop("pieces")]
    write_beside(file, "".join(dumps(row, "a run") + "\n" for row in rows).encode())


def _boot() -> str:
    """Return what this start of the host is called, during which its monotonic clock goes on; "" where nobody says."""
    with suppress(OSError):
        return _BOOT.read_text().strip()
    return ""


def _clock(seconds: float) -> str:
    whole = round(seconds)
    hours = f"{whole // 3600}:" if whole >= 3600 else ""
    return f"{hours}{whole % 3600 // 60:02}:{whole % 60:02}"


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
