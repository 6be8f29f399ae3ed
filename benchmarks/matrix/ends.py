"""How an end from outside becomes a Ctrl-C."""

from __future__ import annotations

import signal
from collections.abc import Iterable


def interrupt_once(numbers: Iterable[signal.Signals]) -> None:
    """Let the first of these signals raise KeyboardInterrupt, so that all is tidied up on the way out.

    Those that follow do nothing: none cuts that short. They are not set to be ignored, as Python complains of one that
    came in the very moment.
    """
    seen: list[int] = []

    def handle(number: int, frame: object) -> None:
        seen.append(number)
        if len(seen) == 1:
            raise KeyboardInterrupt

    for number in numbers:
        signal.signal(number, handle)
