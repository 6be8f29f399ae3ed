"""`edge-bench compare`: two models, or two programs, in turns on one device, and what their difference is known by.

Each pair is a fresh start of either, in random order, so that whatever the machine does in the meantime meets both. The
interval is that of the ratio within the pairs.
"""

from __future__ import annotations

import argparse
import dataclasses
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edge.model
from benchmarks.devices.device import Session
from benchmarks.measurement import MODEL, Cell, Measurement
from benchmarks.measuring import choice, models, programs
from benchmarks.measuring.measure import Effort, ask, measure
from benchmarks.measuring.programs import Program
from benchmarks.verdicts.ratio import LEAST_PAIRS, Ratio, compare_ratio
from edge.arguments import count
from edge.command import Progress, log
from edge.errors import EdgeError
from edge.strict_json import dumps
from edge.terminal import columns

SLOWER, FASTER, UNKNOWN = "slower", "faster", "no difference that could be shown"
# What is compared: title, and where a measurement has it.
_ROWS: dict[str, Callable[[Measurement], float]] = {
    "invoke p50, ms": lambda found: found.latency_ms["p50"],
    "cold start, ms": lambda found: found.latency_ms["cold_start"],
    "peak memory, MB": lambda found: found.memory_mb.get("peak", 0.0),
}
_DECIDES = next(iter(_ROWS))


@dataclass(frozen=True)
class Row:
    """One quantity: medians of either side, and NEW over OLD with its 95 % interval."""

    name: str
    old: float
    new: float
    ratio: Ratio


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Attributes:
        cells: of OLD and NEW.
        names: OLD and NEW: model files, or programs.
        pairs: of fresh starts.
        rows: what was compared.
        verdict: of the median invoke: SLOWER or FASTER where the whole interval says so, else UNKNOWN.
        images: golden images that both answered; 0 where their tasks or labels differ.
        differ: those with two decisions, "golden image 3: cat, dog".
    """

    cells: tuple[Cell, Cell]
    names: tuple[str, str]
    pairs: int
    rows: list[Row]
    verdict: str
    images: int
    differ: list[str]

    @property
    def status(self) -> int:
        """Exit status: 1 where NEW is slower or decides otherwise."""
        return int(self.verdict == SLOWER or bool(self.differ))

    def record(self) -> dict[str, Any]:
        """Return it as an object for JSON."""
        rows = {
            row.name: {"old": round(row.old, 4), "new": round(row.new, 4), **_ratio(row.ratio)} for row in self.rows
        }
        return {
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
            "names": list(self.names),
            "pairs": self.pairs,
            "rows": rows,
            "verdict": self.verdict,
            "images": self.images,
            "differ": self.differ,
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench compare` takes."""
    parser.add_argument(
        "old", metavar="OLD", help="a model (file or shipped name); or a program (or a release's folder)"
    )
    parser.add_argument("new", metavar="NEW", help="another of the same kind, to be compared with it")
    parser.add_argument("--model", metavar="NAME|FILE", help="that two programs run (default: pneumonia)")
    choice.add_arguments(parser)
    parser.add_argument("--pairs", type=count(LEAST_PAIRS, 1000), default=15, metavar="N", help="default: 15")
    parser.add_argument("--invokes", type=count(1, 100_000), default=50, metavar="N", help="of a start (default: 50)")
    parser.add_argument(
        "--timeout", type=count(1, 86_400), default=120, metavar="S", help="seconds of a process (default: 120)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(options: argparse.Namespace) -> int:
    """Run `edge-bench compare`; return 1 where NEW is slower or decides otherwise, else 0."""
    progress = Progress()
    commands = [programs.command(word) for word in (options.old, options.new)]
    if commands[0] and commands[1]:
        found = _programs(options, commands[0], commands[1], progress)
    elif any(commands):
        raise EdgeError(
            f"{options.old} and {options.new} are a program and a model: expected two of a kind", "arguments.invalid"
        )
    else:
        found = _models(options, progress)
    for line in [dumps(found.record(), "the comparison")] if options.json else lines(found):
        progress.log(line, log)
    return found.status


def _models(options: argparse.Namespace, progress: Progress) -> Comparison:
    if options.model is not None:
        raise EdgeError("--model is for two programs: expected none with two models", "arguments.invalid")
    paths = (Path(edge.model.find(options.old)), Path(edge.model.find(options.new)))
    names = [models.read(path).name for path in paths]
    here = choice.device(options)
    with here.open(paths, lambda text: progress(f"{text}\n")) as session:
        cells = (
            choice.cell(options, here.name, session, names[0]),
            choice.cell(options, here.name, session, names[1]),
        )
        found = compare((session, session), cells, paths, options.pairs, _effort(options), progress)
    return dataclasses.replace(found, names=(str(paths[0]), str(paths[1])))


def _programs(options: argparse.Namespace, old: list[str], new: list[str], progress: Progress) -> Comparison:
    if options.inventory or options.device or options.runtime:
        raise EdgeError(
            "two programs are compared on this machine, and on the runtime that they have: expected no --inventory, "
            "--device or --runtime; compare two models there",
            "arguments.invalid",
        )
    path = Path(edge.model.find(options.model))
    sessions = Program(old), Program(new)
    cells = [programs.cell(session, path, options.threads, options.timeout) for session in sessions]
    found = compare(sessions, (cells[0], cells[1]), (path, path), options.pairs, _effort(options), progress)
    return dataclasses.replace(found, names=(old[0], new[0]))


def _effort(options: argparse.Namespace) -> Effort:
    return Effort(options.invokes, min(5, options.invokes), options.timeout)


def compare(
    sessions: tuple[Session, Session],
    cells: tuple[Cell, Cell],
    paths: tuple[Path, Path],
    pairs: int,
    effort: Effort,
    progress: Callable[[str], None],
    seed: int | None = None,
) -> Comparison:
    """Return how the second of two cells differs from the first; EdgeError where a device fails.

    Args:
        seed: of the order within the pairs; None: another one each time.
    """
    order = random.Random(seed)
    found: tuple[list[Measurement], list[Measurement]] = ([], [])
    for turn in range(pairs + 1):
        progress(f"{cells[0].device}: pair {turn} of {pairs}")
        for side in order.sample((0, 1), 2):
            start = measure(sessions[side], cells[side], paths[side], MODEL, turn, effort)
            if turn:  # the first pair brings both into the system's caches
                found[side].append(start)
    rows = []
    for name, read in _ROWS.items():
        old, new = ([read(start) for start in side] for side in found)
        if min(old + new) > 0:  # a system that does not say has no row
            rows.append(Row(name, statistics.median(old), statistics.median(new), compare_ratio(old, new)))
    ratio = next(row.ratio for row in rows if row.name == _DECIDES)
    verdict = SLOWER if ratio.low > 1 else FASTER if ratio.high < 1 else UNKNOWN
    images, differ = _decisions(sessions, cells, paths, effort.seconds)
    return Comparison(cells, ("OLD", "NEW"), pairs, rows, verdict, images, differ)


def _decisions(
    sessions: tuple[Session, Session], cells: tuple[Cell, Cell], paths: tuple[Path, Path], seconds: float
) -> tuple[int, list[str]]:
    """Return how many golden images both answered, and those that they decide differently."""
    old, new = (models.read(path) for path in paths)
    if (old.task, old.labels) != (new.task, new.labels):
        return 0, []
    words = [session.model(path) for session, path in zip(sessions, paths, strict=True)]
    images = list(dict.fromkeys(old.golden + new.golden))
    differ = []
    for number, image in enumerate(images):
        decisions = [
            ask(session, cell, model, word, [], seconds, image)[1].decision
            for session, cell, model, word in zip(sessions, cells, (old, new), words, strict=True)
        ]
        if decisions[0] != decisions[1]:
            differ.append(f"golden image {number}: {decisions[0]}, {decisions[1]}")
    return len(images), differ


def lines(found: Comparison) -> list[str]:
    """Return it for people."""
    old, new = found.cells
    runtimes = " and ".join(dict.fromkeys((old.runtime, new.runtime)))
    table = [["", "OLD", "NEW", "NEW / OLD", "95 % interval"]]
    for row in found.rows:
        interval = f"{row.ratio.low:.3f} to {row.ratio.high:.3f}"
        table.append([row.name, f"{row.old:.4g}", f"{row.new:.4g}", f"{row.ratio.ratio:.3f}", interval])
    threads = f"{old.threads} thread{'s' if old.threads > 1 else ''}"
    said = [
        f"{old.device}, {runtimes}, {threads}: {found.pairs} pairs of fresh starts in random order",
        f"OLD {found.names[0]}",
        f"NEW {found.names[1]}",
        *columns(table, left={0}),
    ]
    if found.images:
        said.append(f"answers: {len(found.differ)} of {found.images} golden images are decided differently")
        said += [f"  {line}" for line in found.differ]
    else:
        said.append("answers: not compared, as task or labels differ or there is no golden image")
    ratio = next(row.ratio for row in found.rows if row.name == _DECIDES)
    return [*said, f"NEW: {found.verdict} ({_share(ratio.low)} to {_share(ratio.high)})"]


def _share(ratio: float) -> str:
    percent = 100 * (ratio - 1)
    return f"{abs(percent):.1f} % {'slower' if percent > 0 else 'faster'}"


def _ratio(ratio: Ratio) -> dict[str, float]:
    return {name: round(value, 5) for name, value in ratio._asdict().items()}
