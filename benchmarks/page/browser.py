"""Pages in headless Chromium, for measurements, images and tests; nothing of it is needed to write a page."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.lab.debian import PATH, need

# As root, Chromium refuses its sandbox; the pages are our own.
ARGUMENTS = ("--no-sandbox", "--disable-dev-shm-usage")


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Start Debian's Chromium for a block, as playwright's Browser.

    Raises benchmarks.lab.debian.Unavailable where it is not there and can't be installed.
    """
    need({"chromium": "chromium"})
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium", path=PATH), args=[*ARGUMENTS])
        try:
            yield browser
        finally:
            browser.close()


def drawn(page: Any, file: Path) -> None:
    """Load a page and wait until its charts in view are drawn."""
    page.goto(file.absolute().as_uri())
    page.wait_for_function("document.documentElement.dataset.drawn")


def opening_ms(browser: Any, file: Path) -> tuple[float, float]:
    """Return the milliseconds from the start of loading a page, in a new context: to its first paint with content, and
    until it is built and its charts in view are drawn.
    """
    context = browser.new_context()
    try:
        page = context.new_page()
        drawn(page, file)
        paint = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        return float(paint), float(page.evaluate("Number(document.documentElement.dataset.drawn)"))
    finally:
        context.close()
