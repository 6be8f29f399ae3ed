"""From the command line to the answer: the native `edge-infer` against the one in Python.

    python -m benchmarks.papers.native [--model pneumonia cpgresnet50 polyp] [--runs 21]

Whole processes in turns, both with the LiteRT of this environment; time is the wall clock's, memory the peak resident
set that each program reads from the kernel at its end. The native program is built in build/native (cmake and a C
compiler are needed).
"""

from __future__ import annotations

import argparse
import compileall
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from PIL import Image

import edge
from benchmarks import table
from compress.data.phantom import phantom
from edge.model import find

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build/native"
OVERHEAD_MS, FASTER, MEMORY_MB = 30, 5, 20


class Run(NamedTuple):
    """Wall milliseconds and peak resident MB of a process, and milliseconds of the network's first invoke in it."""

    wall: float
    memory: float
    first_invoke: float


def once(command: list[str], environment: dict[str, str]) -> Run:
    """Run one process that prints the JSON of one image."""
    begun = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    wall = (time.perf_counter() - begun) * 1e3
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {done.returncode}")
    said = json.loads(done.stdout)
    # The program's own word, from the kernel: getrusage would count what a process inherits from this one.
    return Run(wall, said["memory_mb"]["peak"], said["latency_ms"]["first_invoke"])


def build() -> str:
    """Build the native program; return its path."""
    for command in (
        ["cmake", "-S", str(ROOT / "firmware_bridge/native"), "-B", str(BUILD)],
        ["cmake", "--build", str(BUILD)],
    ):
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return str(BUILD / "edge-infer")


def measure(native: str, model: str, image: str, runs: int) -> list[list[str]]:
    """Return the rows of one model."""
    litert = importlib.util.find_spec("ai_edge_litert")
    assert litert is not None and litert.origin is not None
    environment = {**os.environ, "EDGE_INFER_LITERT": str(Path(litert.origin).with_name("libLiteRt.so"))}
    words = ["--threads", "1", "--json", "--model", model, image]
    commands = {"Python": [sys.executable, "-m", "edge", *words], "native": [native, *words]}
    results: dict[str, list[Run]] = {name: [] for name in commands}
    for turn in range(runs + 1):
        for name, command in commands.items():
            result = once(command, environment)
            if turn:
                results[name].append(result)
    faster = statistics.median(
        theirs.wall / mine.wall for mine, theirs in zip(results["native"], results["Python"], strict=True)
    )
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
    native = build()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        image = str(Path(folder) / "phantom.png")
        Image.fromarray(phantom(1, opacity=True, size=1024)).save(image)
        for model in options.model:
            rows += measure(native, str(find(model)), image, options.runs)
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
