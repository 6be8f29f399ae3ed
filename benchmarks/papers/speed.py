"""How fast the networks are: all of them in one process, taking turns, against ResNet-50 in float32.

    python -m benchmarks.papers.speed build/benchmark [--threads 1] [--rounds 40]

Needs numpy and LiteRT only, so that the folder can be copied to a board and measured there.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks import table
from benchmarks.papers import turns
from benchmarks.papers.turns import in_turns, milliseconds
from edge.runtime import Runtime, open_runtime

BASELINE = "resnet50.float32"
TARGETS = {"cpgresnet50.int8": 8.0, "pneumonia.float32": 12.0, "pneumonia.int8": 19.0}  # times faster than BASELINE


def measure(runners: dict[str, Runtime], rounds: int) -> dict[str, list[float]]:
    """Return name -> milliseconds of each invoke; in every round each network has its turn, after one warm-up round."""
    return in_turns({name: _invoke(runner) for name, runner in runners.items()}, rounds)


def _invoke(runner: Runtime) -> Callable[[], float]:
    """Return what times an invoke: the second, as the first brings the network back into the caches."""
    random, (tensor, *_) = np.random.default_rng(0), runner.inputs
    whole = tensor.dtype == "int8"
    image = random.integers(-128, 128, tensor.shape, np.int8) if whole else random.random(tensor.shape, np.float32)

    def timed() -> float:
        runner.run(image)
        return milliseconds(lambda: runner.run(image))

    return timed


def main() -> None:
    """Measure and write `results/speed-N-threads.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--name", default="speed", help="of the results file")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    files = sorted(path for path in options.folder.glob("*.tflite"))
    runners = {path.stem: open_runtime(path.read_bytes(), "litert", options.threads) for path in files}
    times = measure(runners, options.rounds)
    rows = []
    for name in sorted(times, key=lambda name: -statistics.median(times[name])):
        ratio = turns.times(times[BASELINE], times[name])
        target = TARGETS.get(name)
        said = f">= {target:g}: {table.met(ratio >= target)}" if target and options.threads == 1 else ""
        network, _, kind = name.rpartition(".")
        milliseconds = f"{statistics.median(times[name]):.2f}"
        rows.append([network, kind, milliseconds, f"{min(times[name]):.2f}", f"{ratio:.1f}", said])
    delegates = sorted({runner.delegate for runner in runners.values()})
    notes = (
        f"Batch 1, 224x224, {options.threads} thread(s), {options.rounds} rounds, delegate {', '.join(delegates)}. "
        "Times faster: median of the ratios within each round. Weights are untrained: they do not change the time."
    )
    plural = "s" if options.threads > 1 else ""
    table.write(
        f"{options.name}-{options.threads}-thread{plural}",
        f"Speed against ResNet-50 float32, LiteRT, {options.threads} thread{plural}",
        f"python -m benchmarks.papers.speed {options.folder} --threads {options.threads} --rounds {options.rounds}",
        ["network", "kind", "median ms", "fastest ms", "times faster", "target"],
        rows,
        notes,
    )


if __name__ == "__main__":
    main()
