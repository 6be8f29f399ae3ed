"""From the command line to the answer: the native `edge-infer` against the one in Python.

    python -m benchmarks.papers.native [--model pneumonia cpgresnet50 polyp] [--runs 21]

Whole processes in turns, both with the LiteRT of this environment; time is the wall clock's, memory the peak resident
set that each program reads from the kernel at its end. The native program is the one that `edge-bench` measures on this
machine.
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import statistics
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import NamedTuple

import edge
from benchmarks import table
from benchmarks.devices.local import native
from benchmarks.papers import turns
from edge.model import find

OVERHEAD_MS, FASTER, MEMORY_MB = 30, 5, 20


class Run(NamedTuple):
    """Wall milliseconds and peak resident MB of a process, and milliseconds of the network's first invoke in it."""

    wall: float
    memory: float
    first_invoke: float


def once(command: list[str], environment: dict[str, str]) -> Run:
    """Run one process that prints the JSON of one image."""
    done = turns.process(command, environment)
    said = json.loads(done.output)
    # The program's own word, from the kernel: what `turns.process` counts is inherited from this process in part.
    return Run(done.wall, said["memory_mb"]["peak"], said["latency_ms"]["first_invoke"])


def measure(program: str, model: str, image: str, runs: int) -> list[list[str]]:
    """Return the rows of one model."""
    litert = importlib.util.find_spec("ai_edge_litert")
    assert litert is not None and litert.origin is not None
    environment = {**os.environ, "EDGE_INFER_LITERT": str(Path(litert.origin).with_name("libLiteRt.so"))}
    words = ["--threads", "1", "--json", "--model", model, image]
    commands = {"Python": [sys.executable, "-m", "edge", *words], "native": [program, *words]}
    actions = {name: partial(once, command, environment) for name, command in commands.items()}
    results = turns.in_turns(actions, runs)
    faster = turns.times(*([run.wall for run in results[name]] for name in ("Python", "native")))
    file_mb = os.path.getsize(model) / 1e6
    rows = []
    for name, measured in results.items():
        wall = statistics.median(run.wall for run in measured)
        rest = statistics.median(run.wall - run.first_invoke for run in measured)
        memory = statistics.median(run.memory for run in measured)
        met = ""
        if name == "native":
            goals = rest <= OVERHEAD_MS, faster >= FASTER, memory - file_mb <= MEMORY_MB
            words = [f"<= {OVERHEAD_MS} ms without it", f">= {FASTER} times", f"<= file + {MEMORY_MB} MB"]
            met = ", ".join(f"{goal}: {table.met(fine)}" for goal, fine in zip(words, goals, strict=True))
        times = f"{faster:.2f}" if name == "native" else "1"
        cells = [f"{wall:.1f} ms", f"{wall - rest:.1f} ms", f"{rest:.1f} ms", times, f"{memory:.1f} MB"]
        rows.append([f"{Path(model).stem}, {name}", *cells, f"{file_mb:.1f} MB", met])
    return rows


def main() -> None:
    """Measure and write `results/native.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", default=["pneumonia", "cpgresnet50", "polyp"])
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    compileall.compile_dir(Path(edge.__file__).parent, quiet=1)
    program = str(native())
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        image = turns.scan(Path(folder))
        for model in options.model:
            rows += measure(program, str(find(model)), image, options.runs)
    table.write(
        "native",
        "Native and Python: cold start and peak memory, PNG of 1024x1024 to answer",
        f"python -m benchmarks.papers.native --model {' '.join(options.model)} --runs {options.runs}",
        [
            "program",
            "time",
            "of it the first invoke",
            "without it",
            "times faster",
            "peak memory",
            "model file",
            "targets",
        ],
        rows,
        f"Median of {options.runs} runs in turns after one warm-up, one thread, both with --json and the same LiteRT; "
        "times faster pair by pair.",
    )


if __name__ == "__main__":
    main()
