"""What a page of a year weighs: its bytes, the time from history to content, and the browser's first paint.

    python -m benchmarks.page.weight

The year is the made-up one of benchmarks.history.example: 20 models on 10 devices. It is made once, in minutes.
"""

from __future__ import annotations

import argparse
import importlib
import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median

from benchmarks.history.example import Shape, make
from benchmarks.history.store import open_store
from benchmarks.page.browser import chromium, opening_ms
from benchmarks.page.command import page
from benchmarks.page.content import content
from benchmarks.table import met, write
from benchmarks.verdicts.steps import steps
from edge.arguments import count
from edge.command import Progress
from edge.files import write_beside

YEAR = Path("build/bench/page/year.sqlite")
SHAPE = Shape(nights=365, devices=10, models=20)
BYTES, OPEN_S, PAINT_S = 3_000_000, 2.0, 1.0  # the targets
COMMAND = "python -m benchmarks.page.weight"
NOTES = """
Medians of the runs. From history to content, each in a fresh process: the SQLite file opened, all nights read, steps
found by ruptures, the object for the page made; importing ruptures, which imports scipy, is the row under it. First
paint: `first-contentful-paint` of a new context of headless Chromium that loads the page as a file. The history is made
up (`python -m benchmarks.history.example`).
"""


def _open_year() -> tuple[float, float]:
    """Return the seconds of importing ruptures, and from the history to the page's content."""
    begin = time.perf_counter()
    importlib.import_module("ruptures")
    imported = time.perf_counter()
    with open_store(YEAR, create=False) as store:
        content(store, steps)
    return imported - begin, time.perf_counter() - imported


def _fresh(work: Callable[[], tuple[float, float]]) -> tuple[float, float]:
    """Return what `work` returns in a process that has imported nothing but this module."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work).result()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Weigh the page of a made-up year.")
    parser.add_argument("--runs", type=count(1), default=5, metavar="N")
    runs = parser.parse_args().runs
    if not YEAR.exists():
        YEAR.parent.mkdir(parents=True, exist_ok=True)
        part = YEAR.with_suffix(".part.sqlite")
        part.unlink(missing_ok=True)
        make(part, SHAPE, Progress())
        part.rename(YEAR)
    imports, seconds = zip(*(_fresh(_open_year) for _ in range(runs)), strict=True)
    with open_store(YEAR, create=False) as store:
        found = content(store, steps)
    text = page(found).encode()
    file = YEAR.with_name("year.html")
    write_beside(file, text)
    with chromium() as browser:
        paints, drawn = zip(*(opening_ms(browser, file) for _ in range(runs)), strict=True)
    paint_s, drawn_s = median(paints) / 1000, median(drawn) / 1000
    rows = [
        ("page", "MB", f"{len(text) / 1e6:.2f}", f"<= {BYTES / 1e6:g}", met(len(text) <= BYTES)),
        ("history to content", "s", f"{median(seconds):.2f}", f"< {OPEN_S:g}", met(median(seconds) < OPEN_S)),
        ("before that, once: ruptures imported", "s", f"{median(imports):.2f}", "", ""),
        ("first paint", "s", f"{paint_s:.2f}", f"< {PAINT_S:g}", met(paint_s < PAINT_S)),
        ("page opened, charts in view drawn", "s", f"{drawn_s:.2f}", f"< {OPEN_S:g}", met(drawn_s < OPEN_S)),
    ]
    title = f"The page of {len(found['nights'])} nights, {len(found['models'])} models, {len(found['devices'])} devices"
    write("page", title, COMMAND, ("what", "unit", "measured", "target", ""), rows, NOTES)


if __name__ == "__main__":
    main()
