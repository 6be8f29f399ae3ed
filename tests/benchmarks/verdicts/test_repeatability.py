"""Two nights beside each other."""

from __future__ import annotations

from pathlib import Path

from benchmarks.history.store import open_store
from benchmarks.measurement import MODEL, Cell, Measurement, Verdict, Word
from benchmarks.verdicts.repeatability import compare

NIGHTS = ("2026-01-01T02:00:00Z", "2026-01-01T03:00:00Z")


def test_cells_within_five_percent_noisy_ones_and_others(tmp_path: Path) -> None:
    times = {"calm": (10.0, 10.4), "loud": (10.0, 12.0), "slow": (10.0, 12.0), "alone": (10.0, None)}
    cells = {name: Cell("here", name, "litert", 1) for name in times}
    with open_store(tmp_path / "history.sqlite") as store:
        for index, night in enumerate(NIGHTS):
            store.begin(night, {})
            for name, cell in cells.items():
                p50 = times[name][index]
                if p50 is not None:
                    store.add(night, Measurement(cell, MODEL, 0, night, {"p50": p50}, 10))
            store.add_verdict(night, Verdict(cells["loud"], Word.NOISY, "the canary moved"))
            store.finish(night)
        rows = {row[0].split()[0]: row[1:] for row in compare(store, *NIGHTS)}
    assert rows == {
        "calm": ["10.000", "10.400", "+4.0%", "yes"],
        "loud": ["10.000", "12.000", "+20.0%", "NOISY"],
        "slow": ["10.000", "12.000", "+20.0%", "no"],
    }
