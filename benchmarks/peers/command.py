"""`edge-bench peers`: the same trained networks through other runtimes, on this machine or a virtual Pi."""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Sequence
from pathlib import Path

from benchmarks import table
from benchmarks.peers import emulated, environment, measuring, network
from benchmarks.peers.emulated import Count
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


FEWER = "**fewer**"  # no time was taken: nobody is ahead
BUDGET_TITLE = "Peers on a virtual Pi: instructions, emulated"
BUDGET_HEADER = ["network", "processor", "runtime", "one invoke, million instructions", "times LiteRT int8"]
BUDGET_HEADER += ["fresh process, million instructions", "peak memory, MB", "cosine", "against LiteRT int8"]
BUDGET_NOTES = """
Emulated: no row is a time, and none is a Raspberry Pi's. A virtual Pi (QEMU, one core of the named processor, Debian 12
and its Python) runs each runtime's wheel for 64-bit Arm, one thread, and its clock counts the instructions that are
executed, whatever this machine does meanwhile. An instruction that computes sixteen products counts as one that adds
two numbers, and a cache that misses costs nothing: fewer instructions are not always less time. Before anything counts,
answers to the golden images are compared with LiteRT's to the shipped file: a cosine under {cosine} is a row without
numbers. The invoke is the one after those. Fresh process: Python, its imports, loading and one answer, when all files
are in memory, with its peak resident set. Fewer, more: by more than {level:.0%}.

{peers}

{missing}
"""
_LEVEL = 0.02  # the kernel's own timer is among the instructions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("models", nargs="*", metavar="MODEL", help="names or model files (default: all that ship)")
    parser.add_argument("--only", metavar="NAME", action="append", choices=NAMES, help=f"one of {', '.join(NAMES)}")
    rounds = parser.add_argument(
        "--rounds",
        type=count(LEAST_PAIRS, 1000),
        default=20,
        help="turns of each runtime (default: 20); a virtual Pi takes one",
    )
    rounds.metavar = "N"
    parser.add_argument(
        "--virtual-pi",
        metavar="PROCESSOR",
        action="append",
        choices=emulated.PROCESSORS,
        help=f"count instructions on a virtual Pi ({', '.join(emulated.PROCESSORS)}) in place of times here",
    )
    parser.add_argument("--results", metavar="NAME", help="write results/NAME.md beside this program as well")


def run(options: argparse.Namespace) -> None:
    """Measure, and print the table."""
    names = [BASE, *(name for name in NAMES if name != BASE and name in (options.only or NAMES))]
    paths = [find(name) for name in options.models] or [str(path) for path in shipped()]
    progress = Progress()
    folders = {str(read(path).manifest.raw["name"]): network.make(path, NETWORKS.absolute()) for path in paths}
    words = ["edge-bench peers", *options.models, *(f"--only {name}" for name in options.only or ())]
    if options.virtual_pi:
        processors = list(dict.fromkeys(options.virtual_pi))
        counted = emulated.count(list(folders.values()), names, processors, progress)
        budgets = [line for name, folder in folders.items() for line in budget_lines(name, counted[folder])]
        words += [f"--virtual-pi {name}" for name in processors]
        rows_found: Sequence[Row | Count] = [row for counts in counted.values() for row in counts]
        said = BUDGET_NOTES.format(
            cosine=measuring.LEAST_COSINE, level=_LEVEL, peers=_peers(rows_found), missing=missing(rows_found)
        )
        _shown(options.results, BUDGET_TITLE, " ".join(words), BUDGET_HEADER, budgets, said)
    else:
        found = {
            name: measuring.measure(folder, names, THREADS, options.rounds, progress)
            for name, folder in folders.items()
        }
        rows_found = [row for rows in found.values() for row in rows]
        table_lines = [line for name, rows in found.items() for line in lines(name, rows)]
        command = " ".join([*words, f"--rounds {options.rounds}"])
        _shown(options.results, TITLE, command, HEADER, table_lines, notes(rows_found, options.rounds))
    progress.log(missing(rows_found))


def _shown(
    results: str | None, title: str, command: str, header: Sequence[str], rows: Sequence[Sequence[str]], said: str
) -> None:
    """Print a table; write it where it is asked for."""
    if results:
        table.write(results, title, command, header, rows, said)
    else:
        table.show(title, header, rows)


def budget_lines(name: str, counts: Sequence[Count]) -> list[list[str]]:
    """Return the lines of one network: by processor, the fewest instructions first; those without numbers last."""
    found = []
    for processor in dict.fromkeys(one.processor for one in counts):
        here = [one for one in counts if one.processor == processor]
        base = here[0]
        for one in sorted(here, key=lambda one: (bool(one.fault), one.invoke)):
            if one.fault:
                found.append([name, processor, one.title, *["-"] * (len(BUDGET_HEADER) - 4), one.fault])
                continue
            ratio = one.invoke / base.invoke
            verdict = FEWER if ratio < 1 - _LEVEL else "more" if ratio > 1 + _LEVEL else "the same"
            line = [name, processor, f"{one.title} ({one.version})", f"{one.invoke:.1f}", f"{ratio:.2f}"]
            line += [f"{one.cold:.0f}", f"{one.memory_mb:.0f}", f"{one.cosine:.4f}"]
            found.append([*line, "the base" if one is base else verdict])
    return found


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


def missing(rows: Sequence[Row | Count]) -> str:
    """Return how many rows have no numbers."""
    return f"{sum(bool(row.fault) for row in rows)} of {len(rows)} rows have no numbers; each says why."


def notes(rows: Sequence[Row | Count], rounds: int) -> str:
    """Return what stands under the table of times."""
    return NOTES.format(
        cosine=measuring.LEAST_COSINE,
        rounds=rounds,
        turn=round(measuring.TURN_SECONDS * 1e3),
        cold=max(3, rounds // 4),
        peers=_peers(rows),
        missing=missing(rows),
    )


def _peers(rows: Sequence[Row | Count]) -> str:
    """Return what a reader has to know of each runtime, a line each."""
    peers = [environment.peer(name) for name in dict.fromkeys(row.runtime for row in rows)]
    return "\n".join(f"- {peer.TITLE} ({', '.join(peer.REQUIREMENTS)}): {peer.NOTE}." for peer in peers)
