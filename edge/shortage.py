"""What this process has too little of, asked after something has failed that should not have.

A library that can't be mapped and a network that can't be prepared say many things, and seldom that the memory is full.
"""

from __future__ import annotations

import os
from errno import EMFILE, ENFILE

from edge.errors import FULL, EdgeError

_ROOM = 64 << 20  # bytes; the largest of the libraries takes nearly as many
_DESCRIPTORS = 4


def explained(error: EdgeError) -> EdgeError:
    """Return what lies behind an error of the runtime, of an import or of reading a model file, where that is a
    shortage; else the error."""
    if error.code != "model.unreadable" and not error.code.startswith("runtime."):
        return error
    if _lacks_descriptors():
        return EdgeError("too few files may be open at once: allow more (`ulimit -n`)", "descriptors")
    return EdgeError(FULL, "memory") if lacks_memory() else error


def hold_threads(count: int, network: int) -> None:
    """Raise EdgeError where a runtime can't have so many threads beside a network of so many bytes.

    It would wait for ever for those that are missing.
    """
    if count == 1:
        return
    from mmap import mmap
    from threading import Event, Thread

    end, threads = Event(), []
    try:
        with mmap(-1, 2 * network + _ROOM // 2):
            for _ in range(count - 1):
                thread = Thread(target=end.wait)
                thread.start()
                threads.append(thread)
    except (RuntimeError, MemoryError, OSError):
        raise EdgeError(
            f"{count} threads can't be started here, where memory or processes are limited: use --threads 1", "memory"
        ) from None
    finally:
        end.set()
        for thread in threads:
            thread.join()


def lacks_memory() -> bool:
    """Return whether there is no room for 64 MiB more."""
    from mmap import mmap

    try:
        mmap(-1, _ROOM).close()
    except (OSError, MemoryError):
        return True
    return False


def _lacks_descriptors() -> bool:
    opened = []
    try:
        for _ in range(_DESCRIPTORS):
            opened.append(os.open("/", os.O_RDONLY))
    except OSError as error:
        return error.errno in (EMFILE, ENFILE)
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False
