"""From the command line to the answer: `edge-infer` against the shortest script that does the same.

    python -m benchmarks.papers.cold_start [--model pneumonia] [--runs 21]

Whole processes in turns; time is the wall clock's, memory the kernel's peak resident set.
"""

from __future__ import annotations

import argparse
import compileall
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path

import edge
from benchmarks import table
from benchmarks.papers import turns
from edge.model import find

TIME_LIMIT, MEMORY_LIMIT = 1.2, 1.1


def main() -> None:
    """Measure and write `results/cold_start.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pneumonia")
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    compileall.compile_dir(Path(edge.__file__).parent, quiet=1)
    model = str(find(options.model))
    with tempfile.TemporaryDirectory() as folder:
        image = turns.scan(Path(folder))
        commands = {
            "shortest script": [sys.executable, str(Path(__file__).with_name("minimal.py")), model, image],
            "edge-infer": [sys.executable, "-m", "edge", "--threads", "1", "--model", model, image],
            "edge-infer --json": [sys.executable, "-m", "edge", "--threads", "1", "--json", "--model", model, image],
        }
        actions = {name: partial(turns.process, command) for name, command in commands.items()}
        runs = turns.in_turns(actions, options.runs)
    walls = {name: [run.wall for run in results] for name, results in runs.items()}
    memories = {name: [run.memory for run in results] for name, results in runs.items()}
    rows = []
    for name in runs:
        ratios = [turns.times(figures[name], figures["shortest script"]) for figures in (walls, memories)]
        medians = [statistics.median(figures[name]) for figures in (walls, memories)]
        met = ""
        if name != "shortest script":
            met = table.met(ratios[0] <= TIME_LIMIT and ratios[1] <= MEMORY_LIMIT)
            met = f"<= {TIME_LIMIT}, <= {MEMORY_LIMIT}: {met}"
        rows.append([name, f"{medians[0]:.0f} ms", f"{ratios[0]:.2f}", f"{medians[1]:.1f} MB", f"{ratios[1]:.2f}", met])
    table.write(
        "cold_start",
        "Cold start and peak memory, PNG of 1024x1024 to answer",
        f"python -m benchmarks.papers.cold_start --model {options.model} --runs {options.runs}",
        ["command", "time", "ratio", "peak memory", "ratio", "target"],
        rows,
        f"Median of {options.runs} runs in turns after one warm-up, bytecode compiled, one thread; ratios pair by "
        "pair. The script is `benchmarks/papers/minimal.py`.",
    )


if __name__ == "__main__":
    main()
