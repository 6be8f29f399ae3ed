"""An image of a page, for a README.

python -m benchmarks.page.screenshot build/bench/report.html docs/bench.png
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

from PIL import Image

from benchmarks.page.browser import chromium, drawn
from edge.arguments import count
from edge.files import write_beside

COLOURS = 128  # of the PNG's palette: text and flat areas need no more


def image(file: Path, width: int, height: int, theme: str) -> bytes:
    """Return the top of a page as PNG, 2 device pixels for each of `width` x `height`."""
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=theme, device_scale_factor=2)
        drawn(page, file)
        shot = Image.open(io.BytesIO(page.screenshot()))
    packed = io.BytesIO()
    shot.convert("RGB").quantize(COLOURS).save(packed, "PNG", optimize=True)
    return packed.getvalue()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Write the top of a page as PNG.")
    parser.add_argument("page", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--width", type=count(200), default=1100, metavar="N")
    parser.add_argument("--height", type=count(200), default=820, metavar="N")
    parser.add_argument("--theme", choices=("light", "dark"), default="light")
    options = parser.parse_args()
    write_beside(options.output, image(options.page, options.width, options.height, options.theme))


if __name__ == "__main__":
    main()
