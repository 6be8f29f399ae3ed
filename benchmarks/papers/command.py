"""`edge-bench papers`: the papers' headlines beside ours."""

from __future__ import annotations

import argparse
import tempfile
from itertools import groupby
from pathlib import Path

from benchmarks.papers import headlines
from benchmarks.papers.headlines import NOW, Now, Row
from benchmarks.table import machine
from edge.arguments import count
from edge.command import Progress
from edge.strict_json import dumps
from edge.terminal import columns

NOTE = f"""\
"{NOW}": measured by this command, on one thread, against a network of the paper's form in float32 with random weights,
which do not change the time; parameters and MACs counted in the model file, its normalizations folded. A date: of the
results of the command at the right, which needs data or hours. "-": not measured here. Times are of this machine and
runtime; the papers' are of theirs."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench papers` takes."""
    parser.add_argument("--rounds", type=count(3, 1000), default=12, metavar="N", help="of timing (default: 12)")
    parser.add_argument("--json", action="store_true", help="one JSON object a headline on stdout")


def run(options: argparse.Namespace) -> None:
    """Measure what can be measured now, and print all headlines."""
    progress = Progress()
    with tempfile.TemporaryDirectory() as folder:
        now = headlines.measured(Path(folder), options.rounds, progress)
    rows = headlines.rows(now)
    progress.log(
        "\n".join([dumps(row._asdict(), "the headlines") for row in rows] if options.json else _text(rows, now))
    )


def _text(rows: list[Row], now: Now) -> list[str]:
    lines = []
    for paper, members in groupby(rows, lambda row: row.paper):
        cells = [["", row.headline, row.theirs, row.ours or "-", row.when or "-", row.again or ""] for row in members]
        lines += [
            "",
            paper,
            *(
                line.rstrip()
                for line in columns([["", "", "paper", "here", "when", "again"], *cells], left=(1, 2, 3, 4, 5))
            ),
        ]
    lines += ["", "Golden vectors and files"]
    cells = [
        ["", name, f"{right} of {number} right", f"{now.bytes[name] / 1e6:.2f} MB", NOW]
        for name, (right, number) in now.vectors.items()
    ]
    return [*lines, *columns(cells, left=(1, 2, 3, 4)), "", f"{machine()} {now.runtime}.", NOTE]
