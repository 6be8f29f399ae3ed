"""What a run costs: milliseconds by phase, megabytes (10^6 bytes) of memory."""

from __future__ import annotations

import os
import sys
from time import perf_counter_ns


class Stopwatch:
    """Milliseconds of one phase after another: each `lap` ends a phase that began with the lap before."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._since = perf_counter_ns()

    def restart(self) -> None:
        """Let the next phase begin now: what was since the last one is in none."""
        self._since = perf_counter_ns()

    def lap(self, name: str) -> float:
        now = perf_counter_ns()
        self.laps[name] = (now - self._since) / 1e6
        self._since = now
        return self.laps[name]


def percentile(values: list[float], share: float) -> float:
    """Return the value below which this share (0..1) of `values`, at least one, lies.

    Between the two nearest values it lies on the straight line from one to the other (Hyndman and Fan 1996, definition
    7), so that 0.5 gives the median.
    """
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def median(values: list[float]) -> float:
    """Return the middle value, or the mean of the two middle ones."""
    return percentile(values, 0.5)


def peak_mb(status: str | os.PathLike[str] = "/proc/self/status") -> float | None:
    """Return the most memory (resident set) that this process ever held; None where the system does not say."""
    try:
        with open(status) as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024 / 1e6
    except (OSError, ValueError, IndexError):
        pass
    # Second choice: on Linux a process inherits this value from the one that started it.
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak * (1 if sys.platform == "darwin" else 1024) / 1e6


def now_mb(statm: str | os.PathLike[str] = "/proc/self/statm") -> float | None:
    """Return the memory (resident set) that this process holds now; None where the system does not say."""
    try:
        with open(statm) as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / 1e6
    except (OSError, ValueError, IndexError):
        return None


def growth_mb(before: float | None) -> float | None:
    """Return by how much the process holds more than `before`, at least 0; None where either is not known."""
    now = now_mb()
    return None if now is None or before is None else max(0.0, now - before)
