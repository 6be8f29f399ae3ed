"""`edge-bench peers`: the same trained networks through other runtimes, on this machine, in turns."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.peers import environment, measuring, network
from benchmarks.peers.measuring import Row
from benchmarks.peers.runtimes import BASE, NAMES
from benchmarks.verdicts.ratio import LEAST_PAIRS
from edge.arguments import count
from edge.command import Progress
from edge.model import find, read, shipped

NETWORKS = Path("build/bench/peers")
THREADS = (1, 2)
TITLE = "Peers: the same trained networks in other runtimes"
HEADER = ["network", "runtime", "1 thread, ms", "times LiteRT int8 (95 %)", "2 threads, ms", "times LiteRT int8 (95 %)"]
HEADER += ["cold start, ms", "peak memory, MB", "cosine", "against LiteRT int8"]
AHEAD, BEHIND, LEVEL = "**ahead**", "behind", "no difference shown"
NOTES = """
The trained network of each row is the shipped file's. In int8 it has that file's weights and scales, except where the
list below says otherwise; in float its weights times their scales, with nothing rounded in between. Before any time is
taken, answers to the golden images are compared with LiteRT's to the shipped file: a cosine under {cosine} is a row
without times. {rounds} rounds; in each, every runtime has a turn in random order, an uncounted invoke and then invokes
for {turn} ms, of which the median counts. Times LiteRT int8: the Hodges-Lehmann estimate of the ratio within the
rounds; above 1 is slower. Ahead, behind: the whole interval says so, for the threads named. Only the invoke is timed:
input and output in the runtime's own layout and type. Cold start: a whole fresh process with Python, from its start to
one answer, one thread; median of {cold}, with its peak resident set.

{peers}

{missing}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names or model files (default: all that ship)")
    parser.add_argument("--only", metavar="NAME", action="append", choices=NAMES, help=f"one of {', '.join(NAMES)}")
    rounds = parser.add_argument("--rounds", type=count(LEAST_PAIRS, 1000), default=20, help="turns of each runtime")
    rounds.metavar = "N"
    parser.add_argument("--results", metavar="NAME", help="write results/NAME.md beside this program as well")


def run(options: argparse.Namespace) -> None:
    """Measure, and print the table."""
    names = [BASE, *(name for name in NAMES if name != BASE and name in (options.only or NAMES))]
    paths = [find(name) for name in options.models] or [str(path) for path in shipped()]
    progress = Progress()
    found: dict[str, list[Row]] = {}
    for path in paths:
        folder = network.make(path, NETWORKS.absolute())
        found[str(read(path).manifest.raw["name"])] = measuring.measure(
            folder, names, THREADS, options.rounds, progress
        )
    rows = [line for name, measured in found.items() for line in lines(name, measured)]
    words = ["edge-bench peers", *options.models, *(f"--only {name}" for name in options.only or ())]
    command = " ".join([*words, f"--rounds {options.rounds}"])
    if options.results:
        table.write(options.results, TITLE, command, HEADER, rows, notes(found, options.rounds))
    else:
        table.show(TITLE, HEADER, rows)
    progress.log(missing(found))


def lines(name: str, rows: Sequence[Row]) -> list[list[str]]:
    """Return the table's lines of one network, the fastest first; those without times last, with the reason."""
    base, timed = rows[0], [row for row in rows if not row.fault]
    found = []
    for row in sorted(timed, key=lambda row: statistics.median(row.ms[1])):
        line = [name, f"{row.title} ({row.version})"]
        said = []
        for threads in THREADS:
            line.append(f"{statistics.median(row.ms[threads]):.2f}")
            if row is base:
                line.append("1")
                continue
            ratio = row.ratio(base, threads)
            line.append(f"{ratio.ratio:.2f} ({ratio.low:.2f} to {ratio.high:.2f})")
            said.append(AHEAD if ratio.high < 1 else BEHIND if ratio.low > 1 else LEVEL)
        line += [f"{statistics.median(row.cold_ms):.0f}", f"{statistics.median(row.memory_mb):.0f}"]
        found.append([*line, f"{row.cosine:.4f}", _said(said)])
    found += [[name, row.title, *["-"] * (len(HEADER) - 3), row.fault] for row in rows if row.fault]
    return found


def _said(words: Sequence[str]) -> str:
    """Return one word where all threads have the same."""
    if not words:
        return "the base"
    if len(set(words)) == 1:
        return words[0]
    return ", ".join(f"{word} with {count}" for word, count in zip(words, THREADS, strict=True))


def missing(found: dict[str, list[Row]]) -> str:
    """Return how many rows have no times."""
    rows = [row for measured in found.values() for row in measured]
    return f"{sum(bool(row.fault) for row in rows)} of {len(rows)} rows have no times; each says why."


def notes(found: dict[str, list[Row]], rounds: int) -> str:
    """Return what stands under the table."""
    runtimes = dict.fromkeys(row.runtime for measured in found.values() for row in measured)
    said = [
        f"- {environment.peer(name).TITLE} ({', '.join(environment.peer(name).REQUIREMENTS)}): "
        f"{environment.peer(name).NOTE}."
        for name in runtimes
    ]
    return NOTES.format(
        cosine=measuring.LEAST_COSINE,
        rounds=rounds,
        turn=round(measuring.TURN_SECONDS * 1e3),
        cold=max(3, rounds // 4),
        peers="\n".join(said),
        missing=missing(found),
    )
