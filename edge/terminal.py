"""Standard output and standard error, as `edge-infer` writes them: at once, and whatever they are connected to."""

from __future__ import annotations

import os
import sys

from edge.errors import EdgeError, one_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence


def write(text: str) -> None:
    """Write to standard output at once, so that what goes wrong there shows here: BrokenPipeError or EdgeError."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except OSError as error:
        # What is left in the buffer would be tried again at the exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            raise
        raise EdgeError(
            f"standard output can't be written ({error.strerror}): make room where it goes", code="output.unwritable"
        ) from None


def log(text: str) -> None:
    """Write a line to standard error, if there is one that can be written."""
    try:
        if sys.stderr is not None:
            sys.stderr.write(text.rstrip("\n") + "\n")
            sys.stderr.flush()
    except OSError:
        pass


def complain(error: object) -> None:
    """Say what is wrong, in one line."""
    log(f"edge-infer: {one_line(str(error))}")


def wants_colour() -> bool:
    """Return whether standard output is a terminal whose user has not said otherwise."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not os.environ.get("NO_COLOR")
        and os.environ.get("TERM") != "dumb"
    )


def columns(rows: Sequence[Sequence[str]], left: Collection[int] = ()) -> list[str]:
    """Return rows of cells as lines, two spaces between columns: those in `left` flush left, all others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    places = range(len(widths))
    return ["  ".join(f"{row[n]:{'<' if n in left else '>'}{widths[n]}}" for n in places).rstrip() for row in rows]
