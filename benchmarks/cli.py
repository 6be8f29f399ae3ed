"""`edge-bench`: every model on every device, every night; what became faster, slower or wrong; the page."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from edge import __version__
from edge.arguments import Parser, add_command
from edge.command import ended
from edge.errors import EdgeError

# A command is a module with `add_arguments(parser)` and `run(options)`, which returns an exit status or None for 0; it
# is imported where it is asked for.
COMMANDS = {
    "matrix": ("benchmarks.matrix.command", "measure models on devices, and judge the night"),
    "report": ("benchmarks.page.command", "write the page of the history, or a Markdown summary"),
    "compare": ("benchmarks.measuring.compare", "measure two models or programs in turns, and say how they differ"),
    "history": ("benchmarks.history.command", "show, export, back up or prune what was measured"),
    "sustained": ("benchmarks.measuring.sustained", "measure under heat: the first minute against the last"),
    "latency": ("benchmarks.latency.command", "time single operators on devices, and predict networks from them"),
    "papers": ("benchmarks.papers.command", "show the papers' headlines beside ours, measured now"),
    "peers": ("benchmarks.peers.command", "run the same networks in other runtimes, in turns"),
    "compression": ("benchmarks.peers.compression.command", "compare what other tools and this one make of a network"),
    "simulate": ("benchmarks.verdicts.simulation", "judge simulated histories: what is caught, what is a false alarm"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit status.

    0 done; 1 a verdict that a CI must hear of; 2 invalid input; 130 interrupted; 141 closed output.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    statuses: list[int] = []

    def work() -> None:
        options = _parser(words).parse_args(words)
        if sys.version_info < (3, 11):
            raise EdgeError(
                f"this is Python {sys.version.split()[0]}: expected 3.11 or later; run it on the host", "python.version"
            )
        statuses.append(options.action(options) or 0)

    return ended("edge-bench", work, "the same command goes on where it stopped") or statuses[0]


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    parser = Parser(
        prog="edge-bench",
        description="Measure models on devices every night, and say what became faster, slower or wrong.",
        epilog="exit status: 0 done, 1 a verdict to look at (REGRESSED, DEVICE-DOWN, MISSED on request), "
        "2 invalid input, 130 interrupted, 141 output closed early",
    )
    parser.add_argument("--version", action="version", version=f"edge-bench {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module, text) in COMMANDS.items():
        command = add_command(commands, name, text)
        if name in words:  # the others' imports take time
            found = importlib.import_module(module)
            found.add_arguments(command)
            command.set_defaults(action=found.run)
    return parser
