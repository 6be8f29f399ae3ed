"""An image of a page for a README."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.lab import debian
from benchmarks.page.command import page
from benchmarks.page.content import content
from tests.benchmarks.page.nights import every_word, history, no_steps


@pytest.mark.timeout(300)  # a Chromium on a busy machine
def test_the_top_of_a_page_becomes_a_small_image(tmp_path: Path) -> None:
    try:
        debian.need({"chromium": "chromium"})
    except debian.Unavailable as error:
        pytest.skip(str(error))
    with history(tmp_path / "h.sqlite") as store:
        every_word(store)
        (tmp_path / "page.html").write_text(page(content(store, no_steps)))
    words = [tmp_path / "page.html", tmp_path / "page.png", "--width", "600", "--height", "500", "--theme", "dark"]
    subprocess.run([sys.executable, "-m", "benchmarks.page.screenshot", *map(str, words)], check=True)
    image = Image.open(tmp_path / "page.png").convert("RGB")
    assert image.size == (1200, 1000)
    assert max(image.getpixel((5, 5))) < 40, "dark"  # type: ignore[type-var]
    assert (tmp_path / "page.png").stat().st_size < 200_000
