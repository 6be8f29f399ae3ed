"""From the command line to the answer: `edge-infer` against the shortest script that does the same.

    python -m benchmarks.papers.cold_start [--model pneumonia] [--runs 21]

Whole processes in turns; time is the wall clock's, memory the kernel's peak resident set.
"""

from __future__ import annotations

import argparse
import compileall
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import edge
from benchmarks import table
from compress.data.phantom import phantom
from edge.model import find

TIME_LIMIT, MEMORY_LIMIT = 1.2, 1.1


def once(command: list[str]) -> tuple[float, float]:
    """Return wall milliseconds and peak resident MB of one process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {status}")
    return (time.perf_counter() - begun) * 1e3, usage.ru_maxrss * 1024 / 1e6


def main() -> None:
    """Measure and write `results/cold_start.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="pneumonia")
    parser.add_argument("--runs", type=int, default=21)
    options = parser.parse_args()
    compileall.compile_dir(Path(edge.__file__).parent, quiet=1)
    model = str(find(options.model))
    with tempfile.TemporaryDirectory() as folder:
        image = str(Path(folder) / "phantom.png")
        Image.fromarray(phantom(1, opacity=True, size=1024)).save(image)
        commands = {
            "shortest script": [sys.executable, str(Path(__file__).with_name("minimal.py")), model, image],
            "edge-infer": [sys.executable, "-m", "edge", "--threads", "1", "--model", model, image],
            "edge-infer --json": [sys.executable, "-m", "edge", "--threads", "1", "--json", "--model", model, image],
        }
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for turn in range(options.runs + 1):
            for name, command in commands.items():
                result = once(command)
                if turn:
                    runs[name].append(result)
    peer = runs["shortest script"]
    rows = []
    for name, results in runs.items():
        ratios = [
            statistics.median(mine[i] / theirs[i] for mine, theirs in zip(results, peer, strict=True)) for i in (0, 1)
        ]
        medians = [statistics.median(result[i] for result in results) for i in (0, 1)]
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
