"""One matrix at a time on a history: the second is refused, and hears who has it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import time
from collections.abc import Iterator
from pathlib import Path

from edge.errors import EdgeError, one_line
from edge.record import now

WAIT = 15.0  # seconds for what a killed matrix has left behind: its processes let go of their devices

_MOST = 300  # bytes that are read of what another has written


@contextlib.contextmanager
def alone(history: Path) -> Iterator[None]:
    """Nobody else measures into this history meanwhile; EdgeError (code "matrix.busy") where somebody does.

    Processes that are forked in this block keep the lock until they end.
    """
    history.parent.mkdir(parents=True, exist_ok=True)
    path = history.with_name(f"{history.name}.lock")
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        until = time.monotonic() + WAIT
        while not _taken(handle):
            holder = one_line(os.pread(handle, _MOST, 0).decode(errors="replace").strip())
            if _lives(holder) or time.monotonic() > until:
                raise EdgeError(
                    f"{history} is written by another matrix ({holder or 'it has just begun'}): wait for its end, or "
                    "give another file with --history",
                    "matrix.busy",
                )
            time.sleep(0.1)
        os.ftruncate(handle, 0)
        os.pwrite(handle, f"process {os.getpid()} on {platform.node()} since {now()}\n".encode(), 0)
        yield
    finally:
        os.close(handle)


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lives(holder: str) -> bool:
    """Whether the process that wrote these words runs; one on another host is taken to."""
    found = re.match(r"process (\d+) on (\S+) since ", holder)
    return found is None or found[2] != platform.node() or Path(f"/proc/{found[1]}").exists()
