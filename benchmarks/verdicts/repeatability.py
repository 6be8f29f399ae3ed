"""Two nights of one history, beside each other: `python -m benchmarks.verdicts.repeatability [--history FILE]`."""

from __future__ import annotations

import sys
from pathlib import Path
from statistics import median

from benchmarks import table
from benchmarks.history.store import DEFAULT, Store, open_store
from benchmarks.measurement import Word
from edge.arguments import Parser
from edge.command import ended
from edge.errors import EdgeError

WITHIN = 0.05


def compare(store: Store, first: str, second: str) -> list[list[str]]:
    """Return a row for each cell that both nights measured: p50 of each, their ratio, what it comes to."""
    words = {verdict.cell: verdict.word for verdict in store.verdicts(second)}
    rows = []
    for cell in store.cells():
        samples = {sample.night: sample for sample in store.series(cell, until=second)}
        if not all(night in samples and samples[night].p50_ms for night in (first, second)):
            continue
        before, after = (median(samples[night].p50_ms) for night in (first, second))
        change = after / before - 1
        within = "yes" if abs(change) <= WITHIN else "NOISY" if words.get(cell) is Word.NOISY else "no"
        rows.append([str(cell), f"{before:.3f}", f"{after:.3f}", f"{change:+.1%}", within])
    return rows


def main() -> None:
    """Compare the history's last two nights; write `results/repeatability.md`."""
    parser = Parser(prog="python -m benchmarks.verdicts.repeatability", description="Compare the last two nights.")
    parser.add_argument("--history", type=Path, default=DEFAULT, metavar="FILE", help=f"default: {DEFAULT}")
    options = parser.parse_args()
    with open_store(options.history, create=False) as store:
        nights = store.nights()
        if len(nights) < 2:
            raise EdgeError(
                f"{options.history} has {len(nights)} finished nights: expected two; run edge-bench matrix again",
                "history.nights",
            )
        rows = compare(store, *nights[-2:])
    good = sum(row[-1] != "no" for row in rows)
    table.write(
        "repeatability",
        "Repeatability",
        "python -m benchmarks.verdicts.repeatability",
        ["cell", "p50, first (ms)", "p50, second (ms)", "change", f"within {WITHIN:.0%}"],
        rows,
        f"Nights {nights[-2]} and {nights[-1]}: {good} of {len(rows)} cells within {WITHIN:.0%} or NOISY.",
    )


if __name__ == "__main__":
    sys.exit(ended("benchmarks.verdicts.repeatability", main, "give the same command again"))
