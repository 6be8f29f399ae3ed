"""Python's warnings held back, by any number of threads at once."""

from __future__ import annotations

import warnings
from threading import Lock
from types import TracebackType


class Silence:
    """A context without Python's warnings.

    `warnings.catch_warnings` alone is for one thread: it changes what the whole process does, and of two threads that
    leave it in another order than they came, the last one makes that change last. So the first thread to come holds
    them back, and the last one to leave puts the process as it was.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._caught = Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            if not self._inside:
                self._caught = warnings.catch_warnings()
                self._caught.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._caught.__exit__(None, None, None)
