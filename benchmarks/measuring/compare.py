"""`edge-bench compare`: two models in turns on one device, and what their difference is known by.

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
from benchmarks.measuring import choice, models
from benchmarks.measuring.measure import Effort, ask, measure
from benchmarks.verdicts.ratio import Ratio, compare_ratio
from edge.arguments import count
from edge.command import Progress, log
from edge.strict_json import dumps
from edge.terminal import columns

SLOWER, FASTER, UNKNOWN = "slower", "faster", "no difference that could be shown"
_LEAST_PAIRS = 6
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
        files: model files of OLD and NEW.
        pairs: of fresh starts.
        rows: what was compared.
        verdict: of the median invoke: SLOWER or FASTER where the whole interval says so, else UNKNOWN.
        images: golden images that both answered; 0 where their tasks or labels differ.
        differ: those with two decisions, "golden image 3: cat, dog".
    """

    cells: tuple[Cell, Cell]
    files: tuple[str, str]
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
        rows = {row.name: {"old": row.old, "new": row.new, **_ratio(row.ratio)} for row in self.rows}
        return {
            "cells": [dataclasses.asdict(cell) for cell in self.cells],
            "files": list(self.files),
            "pairs": self.pairs,
            "rows": rows,
            "verdict": self.verdict,
            "images": self.images,
            "differ": self.differ,
        }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench compare` takes."""
    parser.add_argument("old", metavar="OLD", help="a model file, or the name of a shipped model")
    parser.add_argument("new", metavar="NEW", help="another, to be compared with it")
    choice.add_arguments(parser)
    parser.add_argument("--pairs", type=count(_LEAST_PAIRS, 1000), default=15, metavar="N", help="default: 15")
    parser.add_argument("--invokes", type=count(1, 100_000), default=50, metavar="N", help="of a start (default: 50)")
    parser.add_argument(
        "--timeout", type=count(1, 86_400), default=120, metavar="S", help="seconds of a process (default: 120)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(options: argparse.Namespace) -> int:
    """Run `edge-bench compare`; return 1 where NEW is slower or decides otherwise, else 0."""
    paths = (Path(edge.model.find(options.old)), Path(edge.model.find(options.new)))
    names = [models.read(path).name for path in paths]
    progress = Progress()
    here = choice.device(options)
    with here.open(paths, lambda text: progress(f"{text}\n")) as session:
        cells = (
            choice.cell(options, here.name, session, names[0]),
            choice.cell(options, here.name, session, names[1]),
        )
        effort = Effort(options.invokes, min(5, options.invokes), options.timeout)
        found = compare(session, cells, paths, options.pairs, effort, progress)
    for line in [dumps(found.record(), "the comparison")] if options.json else lines(found):
        progress.log(line, log)
    return found.status


def compare(
    session: Session,
    cells: tuple[Cell, Cell],
    paths: tuple[Path, Path],
    pairs: int,
    effort: Effort,
    progress: Callable[[str], None],
    seed: int | None = None,
) -> Comparison:
    """Return how the second of two cells differs from the first; EdgeError where the device fails.

    Args:
        seed: of the order within the pairs; None: another one each time.
    """
    order = random.Random(seed)
    found: tuple[list[Measurement], list[Measurement]] = ([], [])
    for turn in range(pairs + 1):
        progress(f"{cells[0].device}: pair {turn} of {pairs}")
        for side in order.sample((0, 1), 2):
            start = measure(session, cells[side], paths[side], MODEL, turn, effort)
            if turn:  # the first pair brings both into the system's caches
                found[side].append(start)
    rows = []
    for name, read in _ROWS.items():
        old, new = ([read(start) for start in side] for side in found)
        if min(old + new) > 0:  # a system that does not say has no row
            rows.append(Row(name, statistics.median(old), statistics.median(new), compare_ratio(old, new)))
    ratio = next(row.ratio for row in rows if row.name == _DECIDES)
    verdict = SLOWER if ratio.low > 1 else FASTER if ratio.high < 1 else UNKNOWN
    images, differ = _decisions(session, cells, paths, effort.seconds)
    return Comparison(cells, (str(paths[0]), str(paths[1])), pairs, rows, verdict, images, differ)


def _decisions(
    session: Session, cells: tuple[Cell, Cell], paths: tuple[Path, Path], seconds: float
) -> tuple[int, list[str]]:
    """Return how many golden images both answered, and those that they decide differently."""
    old, new = (models.read(path) for path in paths)
    if (old.task, old.labels) != (new.task, new.labels):
        return 0, []
    words = [session.model(path) for path in paths]
    images = list(dict.fromkeys(old.golden + new.golden))
    differ = []
    for number, image in enumerate(images):
        decisions = [
            ask(session, cell, model, word, [], seconds, image)[1].decision
            for cell, model, word in zip(cells, (old, new), words, strict=True)
        ]
        if decisions[0] != decisions[1]:
            differ.append(f"golden image {number}: {decisions[0]}, {decisions[1]}")
    return len(images), differ


def lines(found: Comparison) -> list[str]:
    """Return it for people."""
    cell = found.cells[0]
    table = [["", "OLD", "NEW", "NEW / OLD", "95 % interval"]]
    for row in found.rows:
        interval = f"{row.ratio.low:.3f} to {row.ratio.high:.3f}"
        table.append([row.name, f"{row.old:.4g}", f"{row.new:.4g}", f"{row.ratio.ratio:.3f}", interval])
    threads = f"{cell.threads} thread{'s' if cell.threads > 1 else ''}"
    said = [
        f"{cell.device}, {cell.runtime}, {threads}: {found.pairs} pairs of fresh starts in random order",
        f"OLD {found.files[0]}",
        f"NEW {found.files[1]}",
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
    return {"ratio": ratio.ratio, "low": ratio.low, "high": ratio.high}
