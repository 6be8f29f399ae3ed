"""Bencher's metric format, for `bencher run --adapter json --file FILE`.

https://bencher.dev/docs/reference/bencher-metric-format: benchmark -> measure -> value, lower_value, upper_value.
`latency` is Bencher's own measure, in nanoseconds, and `file-size` in bytes; the others are made when they first come.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.history.exports.nightly import Nightly, file_bytes, latency, nightly, peak_mb
from benchmarks.history.store import Store
from edge.errors import brief
from edge.strict_json import dumps

_NS, _BYTES = 1e6, 1e6  # in a ms, in a MB
_MEASURES = (
    ("latency", latency("p50"), _NS),
    ("cold-start", latency("cold_start"), _NS),
    ("peak-memory", peak_mb, _BYTES),
    ("file-size", file_bytes, 1.0),
)
_LONGEST = 900  # characters of a name; Bencher takes 1024


def files(store: Store, nights: Sequence[str], output: Path) -> dict[Path, bytes]:
    """Return the file of the last of the nights."""
    found = {brief(each.name, _LONGEST): _measures(each) for each in nightly(store, nights[-1]) if each.starts}
    return {output: (dumps(found, "the export", "export.invalid", indent=1) + "\n").encode()}


def _measures(each: Nightly) -> dict[str, dict[str, float]]:
    """Return the median of the starts, the least and the most."""
    found = {}
    for name, of, factor in _MEASURES:
        numbers, value = each.numbers(of), each.middle(of)
        if value is not None:
            found[name] = {
                "value": value * factor,
                "lower_value": min(numbers) * factor,
                "upper_value": max(numbers) * factor,
            }
    return found
