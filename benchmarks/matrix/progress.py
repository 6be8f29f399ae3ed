"""What the devices do, on standard error: a line a device that changes in place, elsewhere one line now and then."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Mapping

from edge.command import Progress
from edge.errors import one_line

_INTERVAL = 0.1  # seconds between two pictures of a terminal's lines
_LEAST = 20  # columns that a line has in any case


class Lines:
    """The devices' lines."""

    def __init__(self, names: list[str]) -> None:
        """`names`: of the devices, in the order of their lines."""
        self._texts = dict.fromkeys(names, "")
        self._width = max(map(len, map(one_line, names)), default=0)
        self._terminal = sys.stderr.isatty()
        self._elsewhere = Progress()
        self._drawn, self._last = 0, 0.0

    def show(self, texts: Mapping[str, str]) -> None:
        """Show what each device does, by its name; a device that is not named goes on with what it did."""
        self._texts |= texts
        if not self._terminal:
            self._elsewhere("; ".join(f"{name}: {text}" for name, text in self._texts.items()))
        elif time.monotonic() - self._last >= _INTERVAL:
            self._draw()

    def say(self, text: str) -> None:
        """Write a line that stays."""
        self._erase()
        self._elsewhere(f"{text}\n")
        if self._terminal:
            self._draw()

    def end(self) -> None:
        """Take the devices' lines away."""
        self._erase()
        sys.stderr.flush()

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        columns, rows = max(_LEAST, size.columns - 1), max(1, size.lines - 2)
        lines = [one_line(f"{name:<{self._width}}  {text}")[:columns] for name, text in self._texts.items()]
        if len(lines) > rows:
            lines[rows - 1 :] = [f"and {len(lines) - rows + 1} more"]
        self._erase()
        sys.stderr.write("".join(f"{line}\n" for line in lines))
        sys.stderr.flush()
        self._drawn, self._last = len(lines), time.monotonic()

    def _erase(self) -> None:
        if self._drawn:
            sys.stderr.write(f"\033[{self._drawn}F\033[J")
        self._drawn = 0
