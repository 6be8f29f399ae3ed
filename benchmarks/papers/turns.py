"""What the measurements share: several things in turns, so that what disturbs the machine disturbs all alike.

Needs the standard library only.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

T = TypeVar("T")
MOST_SECONDS = 600.0  # of a process


class Process(NamedTuple):
    """What a process took and gave: wall milliseconds, the kernel's peak resident set in MB, standard output."""

    wall: float
    memory: float
    output: bytes


def in_turns(actions: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Return what each action gave in each round, by name; a round before them warms up and does not count."""
    found: dict[str, list[T]] = {name: [] for name in actions}
    for turn in range(rounds + 1):
        for name, action in actions.items():
            result = action()
            if turn:
                found[name].append(result)
    return found


def milliseconds(action: Callable[[], object]) -> float:
    """Return how long an action takes, by the wall clock."""
    begun = time.perf_counter()
    action()
    return (time.perf_counter() - begun) * 1e3


def times(base: Sequence[float], values: Sequence[float]) -> float:
    """Return how many times less `values` are than `base`: the median of the rounds' ratios, as drift cancels there."""
    return statistics.median(a / b for a, b in zip(base, values, strict=True))


def process(
    command: Sequence[str], environment: Mapping[str, str] | None = None, seconds: float = MOST_SECONDS
) -> Process:
    """Run a process to its end; SystemExit where it fails or takes longer. Its standard error is dropped."""
    begun = time.perf_counter()
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert started.stdout is not None
    limit = threading.Timer(seconds, started.kill)
    limit.start()
    try:
        with started.stdout as stream:
            output = stream.read()
        _, status, usage = os.wait4(started.pid, 0)
        wall = (time.perf_counter() - begun) * 1e3
    finally:
        limit.cancel()
    started.returncode = os.waitstatus_to_exitcode(status)
    if status:
        raise SystemExit(f"{' '.join(command)} failed with status {started.returncode}")
    return Process(wall, usage.ru_maxrss * 1024 / 1e6, output)


def scan(folder: Path) -> str:
    """Write a phantom X-ray of 1024x1024 pixels into a folder; return its path."""
    from PIL import Image

    from compress.data.phantom import phantom

    path = folder / "phantom.png"
    Image.fromarray(phantom(1, opacity=True, size=1024)).save(path)
    return str(path)
