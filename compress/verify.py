"""Proof that the file is still the same network: float beside int8, as the device's own code runs it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from compress.data import Split
from edge.engine import Engine
from edge.model import read
from edge.runtime import open_runtime


def edge_logits(engine: Engine, split: Split, progress: Callable[[str], None]) -> np.ndarray:
    """Return float32 logits, (N, classes) or (N, h, w, classes): every picture of `split` through the device's code."""
    rows = []
    for number, picture in enumerate(split.pixels, 1):
        rows.append(engine.logits(picture))
        if number % 50 == 0:
            progress(f"running the model file on image {number}/{len(split)}")
    return np.stack(rows)


def open_engine(path: Path, threads: int = 1) -> Engine:
    """Return LiteRT's engine for a model file."""
    file = read(path)
    return Engine(file, open_runtime(file.data, "litert", threads))


def latency(flatbuffers: Mapping[str, bytes], rounds: int = 15, threads: int = 1) -> dict[str, float]:
    """Return name -> median milliseconds of an invoke through LiteRT, the models taking turns in every round."""
    runners = {name: open_runtime(flatbuffer, "litert", threads) for name, flatbuffer in flatbuffers.items()}
    random = np.random.default_rng(0)
    inputs: dict[str, np.ndarray] = {}
    for name, runner in runners.items():
        shape = runner.input.shape
        if runner.input.dtype == "int8":
            inputs[name] = random.integers(-128, 128, shape, np.int8)
        else:
            inputs[name] = random.standard_normal(shape, np.float32)
    times: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + 1):
        for name, runner in runners.items():
            begun = time.perf_counter()
            runner.run(inputs[name])
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - begun) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}
