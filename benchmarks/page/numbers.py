"""What the page keeps of measured values: few digits, nothing that JSON can't say."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from math import isfinite
from typing import Any

DIGITS = 4  # significant ones; a median of fresh starts has about two


def short(value: float | None) -> float | int | None:
    """Return a number with DIGITS significant digits, a whole one as an int; None for one that is not finite."""
    if value is None or not isfinite(value):
        return None
    rounded = value if isinstance(value, int) else float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded == int(rounded) else rounded


def median(values: Iterable[float]) -> float | None:
    """Return the median, None of no values."""
    found = list(values)
    return statistics.median(found) if found else None


def clean(value: Any, depth: int = 6) -> Any:
    """Return evidence as JSON can say it: numbers short, lists of at most 50, nothing deeper than `depth`."""
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, (int, float)):
        return short(value)
    if isinstance(value, dict):
        return {str(key): clean(item, depth - 1) for key, item in value.items()} if depth else "..."
    if isinstance(value, (list, tuple)):
        return [clean(item, depth - 1) for item in value[:50]] if depth else "..."
    return str(value)
