"""github-action-benchmark's own JSON, for `tool: customSmallerIsBetter`.

https://github.com/benchmark-action/github-action-benchmark: a list of objects with "name", "unit", "value" and, where
they are known, "range" and "extra". It refuses an empty list.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.history.exports.nightly import Nightly, latency, nightly, peak_mb
from benchmarks.history.store import Store
from edge.errors import EdgeError, one_line
from edge.strict_json import dumps

_METRICS = (
    ("p50", "ms", latency("p50")),
    ("first invoke", "ms", latency("first_invoke")),
    ("cold start", "ms", latency("cold_start")),
    ("peak memory", "MB", peak_mb),
)


def files(store: Store, nights: Sequence[str], output: Path) -> dict[Path, bytes]:
    """Return the file of the last of the nights; EdgeError "export.nothing" where nothing was measured then."""
    night = nights[-1]
    entries = [entry for each in nightly(store, night) for entry in _entries(each)]
    if not entries:
        raise EdgeError(
            f"the night {night} has no times: expected some, github-action-benchmark reads no empty list; "
            "export another with --night",
            "export.nothing",
        )
    return {output: (dumps(entries, "the export", "export.invalid", indent=1) + "\n").encode()}


def _entries(each: Nightly) -> list[dict[str, Any]]:
    found = []
    extra = f"{each.verdict.word.value}: {each.verdict.reason}" if each.verdict else ""
    if each.identity:
        about = each.identity
        extra += f"\nprogram {about.program}, runtime {about.runtime_version}, kernel {about.kernel}"
    for name, unit, of in _METRICS:
        numbers, value = each.numbers(of), each.middle(of)
        if value is not None:
            entry = {"name": one_line(f"{each.name}: {name}"), "unit": unit, "value": value}
            entry["range"] = f"± {(max(numbers) - min(numbers)) / 2:.4g}"
            found.append(entry | {"extra": "\n".join(map(one_line, extra.strip().split("\n")))})
    return found
