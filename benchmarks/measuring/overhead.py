"""What this harness adds to an invoke: its p50 against that of LiteRT's own benchmark script, of the same model.

    python -m benchmarks.measuring.overhead [--model NAME|FILE ...] [--threads 1 2] [--pairs 9] [--invokes 100]

Both run in one environment of their own (build/bench/env/litert), which the first call makes, so that both have one
LiteRT. Each pair is one fresh process of either, in random order, with as many invokes, warm-up invokes and threads.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import benchmarks
from benchmarks import environment, table
from benchmarks.measurement import Cell
from benchmarks.measuring import models
from benchmarks.measuring.measure import ask
from benchmarks.measuring.programs import HERE, Program
from benchmarks.verdicts.ratio import LEAST_PAIRS, compare_ratio
from edge.arguments import count
from edge.command import Progress, ended
from edge.errors import EdgeError
from edge.model import find, shipped
from edge.strict_json import loads

LITERT = "2.3.0"
PACKAGES = (f"ai-edge-litert=={LITERT}", "pillow>=10.1")
SCRIPT = "ai_edge_litert.tools.benchmark_litert_model"
TARGET = 0.03
_TIMEOUT = 120.0
_ROOT = Path(benchmarks.__file__).parents[1]


class Times(NamedTuple):
    """Milliseconds of the warm invokes of one process."""

    p50: float
    least: float


def ours(python: Path, cell: Cell, path: Path, invokes: int, warmup: int) -> Times:
    """Return what the harness says."""
    session = Program([str(python), "-m", "edge"], {**os.environ, "PYTHONPATH": str(_ROOT)})
    words = ["--repeat", str(invokes), "--warmup", str(warmup)]
    warm = ask(session, cell, models.read(path), session.model(path), words, _TIMEOUT)[1].warm_ms
    return Times(warm["p50"], warm["least"])


def theirs(python: Path, cell: Cell, path: Path, invokes: int, warmup: int) -> Times:
    """Return what LiteRT's script says, with two decimals."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        words = [f"--model={path.absolute()}", f"--num_runs={invokes}", f"--warmup_runs={warmup}"]
        words += [f"--num_threads={cell.threads}", f"--result_json={result}"]
        ran = Program([str(python), "-m", SCRIPT]).infer("", words, None, _TIMEOUT)
        if ran.status or not result.exists():
            last = (ran.complaints or ["no word of why"])[-1]
            raise EdgeError(f"LiteRT's benchmark script failed ({last}): expected a result", "overhead.script")
        latency = loads(result.read_bytes())["latency"]
        return Times(float(latency["median_ms"]), float(latency["min_ms"]))


def main() -> None:
    """Measure and write `results/overhead.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="may be given again (default: all that ship)")
    parser.add_argument("--threads", type=count(1, 64), nargs="+", default=[1, 2])
    parser.add_argument("--pairs", type=count(LEAST_PAIRS), default=9)
    parser.add_argument("--invokes", type=count(2), default=100)
    options = parser.parse_args()
    progress = Progress()
    python = environment.ready("litert", PACKAGES, lambda text: progress(f"{text}\n")) / "bin/python"
    paths = [Path(find(name)) for name in options.model] if options.model else shipped()
    cells = [
        (Cell(HERE, models.read(path).name, "litert", threads), path) for threads in options.threads for path in paths
    ]
    order = random.Random(0)
    found: dict[Cell, tuple[list[Times], list[Times]]] = {cell: ([], []) for cell, _ in cells}
    for turn in range(options.pairs + 1):
        for cell, path in cells:
            progress(f"pair {turn} of {options.pairs}: {cell}")
            for side in order.sample((0, 1), 2):
                times = (theirs, ours)[side](python, cell, path, options.invokes, 10)
                if turn:  # the first pair brings all into the system's caches
                    found[cell][side].append(times)
    rows = [_row(cell, *found[cell]) for cell, _ in cells]
    words = "".join(f" --model {name}" for name in options.model or [])
    words += f" --threads {' '.join(map(str, options.threads))}"
    table.write(
        "overhead",
        "The harness against LiteRT's own benchmark script: p50 of an invoke",
        f"python -m benchmarks.measuring.overhead{words} --pairs {options.pairs} --invokes {options.invokes}",
        [
            "model",
            "threads",
            "benchmark_litert_model",
            "edge-bench",
            "ratio",
            "95 % interval",
            "target",
            "fastest invokes",
        ],
        rows,
        f"LiteRT {LITERT} in both. {options.pairs} pairs of fresh processes in random order after one uncounted pair, "
        f"{options.invokes} invokes after 10; medians in milliseconds, ratio and interval of the pairs. LiteRT's "
        "script prints two decimals and invokes CompiledModel on random numbers; edge-bench invokes Interpreter on an "
        "image, with its input copied in and its output copied out inside of the time. The target is met or MISSED "
        "where the whole interval says so; a busy machine shows neither. Fastest invokes: the script's, edge-bench's.",
    )


def _row(cell: Cell, script: list[Times], harness: list[Times]) -> list[str]:
    sides = [[times.p50 for times in side] for side in (script, harness)]
    ratio = compare_ratio(*sides)
    limit = 1 + TARGET
    # A busy machine can show neither: then it is no result.
    said = "not shown" if ratio.low <= limit < ratio.high else table.met(ratio.high <= limit)
    medians = [f"{statistics.median(values):.2f}" for values in sides]
    fastest = ", ".join(f"{min(times.least for times in side):.2f}" for side in (script, harness))
    interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
    return [cell.model, str(cell.threads), *medians, f"{ratio.ratio:.3f}", interval, f"<= {limit:.2f}: {said}", fastest]


if __name__ == "__main__":
    sys.exit(ended("benchmarks.measuring.overhead", main, "give the same command again"))
