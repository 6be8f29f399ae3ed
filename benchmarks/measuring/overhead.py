"""What this harness adds to an invoke: its p50 against that of LiteRT's own benchmark script, of the same model.

    python -m benchmarks.measuring.overhead [--model NAME|FILE ...] [--threads 1,2] [--pairs 9] [--invokes 100]

Both run in one environment of their own (build/bench/env/litert), which the first call makes, so that both have one
LiteRT. Each pair is one fresh process of either, in random order, with as many invokes, warm-up invokes and threads.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import benchmarks
from benchmarks import table
from benchmarks.measurement import Cell
from benchmarks.measuring import models
from benchmarks.measuring.measure import ask
from benchmarks.measuring.programs import HERE, Program
from benchmarks.verdicts.ratio import compare_ratio
from edge.command import Progress, ended
from edge.errors import EdgeError
from edge.model import find, shipped
from edge.strict_json import loads

LITERT = "2.3.0"
PACKAGES = (f"ai-edge-litert=={LITERT}", "pillow>=10.1")
FOLDER = Path("build/bench/env/litert")
SCRIPT = "ai_edge_litert.tools.benchmark_litert_model"
TARGET = 0.03
_TIMEOUT = 120.0
_ROOT = Path(benchmarks.__file__).parents[1]


def environment(progress: Progress) -> Path:
    """Return the environment's Python; the environment is made where there is none. EdgeError where pip can't."""
    python = FOLDER.absolute() / "bin/python"
    ready = FOLDER / "ready"
    if not ready.exists():
        progress(f"making {FOLDER}: {', '.join(PACKAGES)}\n")
        pip = [str(python), "-m", "pip", "install", "-q", *PACKAGES]
        for command in ([sys.executable, "-m", "venv", str(FOLDER)], pip):
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                last = (done.stderr.strip().splitlines() or ["no word of why"])[-1]
                raise EdgeError(
                    f"{FOLDER} can't be made ({last}): expected a package index that has {PACKAGES[0]}; see pip's "
                    "configuration",
                    "overhead.environment",
                )
        ready.touch()
    return python


def ours(python: Path, cell: Cell, path: Path, invokes: int, warmup: int) -> float:
    """Return the harness's p50, milliseconds."""
    session = Program([str(python), "-m", "edge"], {**os.environ, "PYTHONPATH": str(_ROOT)})
    words = ["--repeat", str(invokes), "--warmup", str(warmup)]
    return ask(session, cell, models.read(path), session.model(path), words, _TIMEOUT)[1].warm_ms["p50"]


def theirs(python: Path, cell: Cell, path: Path, invokes: int, warmup: int) -> float:
    """Return the median that LiteRT's script gives, milliseconds with two decimals."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "result.json"
        words = [f"--model={path.absolute()}", f"--num_runs={invokes}", f"--warmup_runs={warmup}"]
        words += [f"--num_threads={cell.threads}", f"--result_json={result}"]
        ran = Program([str(python), "-m", SCRIPT]).infer("", words, None, _TIMEOUT)
        if ran.status or not result.exists():
            last = (ran.complaints or ["no word of why"])[-1]
            raise EdgeError(f"LiteRT's benchmark script failed ({last}): expected a result", "overhead.script")
        return float(loads(result.read_bytes())["latency"]["median_ms"])


def main() -> None:
    """Measure and write `results/overhead.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", help="may be given again (default: all that ship)")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--invokes", type=int, default=100)
    options = parser.parse_args()
    progress = Progress()
    python = environment(progress)
    paths = [Path(find(name)) for name in options.model] if options.model else shipped()
    cells = [
        (Cell(HERE, models.read(path).name, "litert", int(threads)), path)
        for threads in options.threads.split(",")
        for path in paths
    ]
    order = random.Random(0)
    pairs: dict[Cell, list[tuple[float, float]]] = {cell: [] for cell, _ in cells}
    for turn in range(options.pairs + 1):
        for cell, path in cells:
            progress(f"pair {turn} of {options.pairs}: {cell}")
            found = {0: 0.0, 1: 0.0}
            for side in order.sample((0, 1), 2):
                found[side] = (theirs, ours)[side](python, cell, path, options.invokes, 10)
            if turn:
                pairs[cell].append((found[0], found[1]))
    rows = [_row(cell, *map(list, zip(*pairs[cell], strict=True))) for cell, _ in cells]
    words = "".join(f" --model {name}" for name in options.model or [])
    table.write(
        "overhead",
        "The harness against LiteRT's own benchmark script: p50 of an invoke",
        f"python -m benchmarks.measuring.overhead{words} --threads {options.threads} --pairs {options.pairs} "
        f"--invokes {options.invokes}",
        ["model", "threads", "benchmark_litert_model", "edge-bench", "ratio", "95 % interval", "target"],
        rows,
        f"LiteRT {LITERT} in both. {options.pairs} pairs of fresh processes in random order after one uncounted pair, "
        f"{options.invokes} invokes after 10; medians in milliseconds, ratio and interval of the pairs. LiteRT's "
        "script prints two decimals and invokes CompiledModel on random numbers; edge-bench invokes Interpreter on an "
        "image, with its input copied in and its output copied out inside of the time. The target is met or MISSED "
        "where the whole interval says so; a busy machine shows neither.",
    )


def _row(cell: Cell, script: list[float], harness: list[float]) -> list[str]:
    ratio = compare_ratio(script, harness)
    limit = 1 + TARGET
    # A busy machine can show neither: then it is no result.
    said = "not shown" if ratio.low <= limit < ratio.high else table.met(ratio.high <= limit)
    medians = [f"{statistics.median(values):.2f}" for values in (script, harness)]
    interval = f"{ratio.low:.3f} to {ratio.high:.3f}"
    return [cell.model, str(cell.threads), *medians, f"{ratio.ratio:.3f}", interval, f"<= {limit:.2f}: {said}"]


if __name__ == "__main__":
    sys.exit(ended("benchmarks.measuring.overhead", main, "give the same command again"))
