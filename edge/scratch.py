"""Temporary folders of the host's commands, and those that killed ones left behind."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"edge-[a-z]+-[a-z0-9_]{8}")
_LOCK = ".edge-lock"


@contextlib.contextmanager
def scratch(kind: str, parent: str | Path | None = None) -> Iterator[Path]:
    """A folder edge-KIND-XXXXXXXX in `parent` (default: the system's for temporary files), which goes with the block.

    A process that is killed leaves its own. The next one clears it away: the kernel gives the lock in it back when its
    holder dies. Whatever else is called so, lacks the lock file, is another user's or a symbolic link, is left alone.
    """
    parent = Path(parent or tempfile.gettempdir())
    clear(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"edge-{kind}-", dir=parent))
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:  # another process has cleared it as an empty one; the next will have its own lock
            continue
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(lock), os.stat(folder / _LOCK)):
                break
        except OSError:  # taken between its making and its locking
            pass
        os.close(lock)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def clear(parent: Path) -> None:
    """Remove the folders in `parent` that `scratch` made in processes which are no longer alive."""
    with contextlib.suppress(OSError):
        names = [entry.name for entry in os.scandir(parent) if _NAME.fullmatch(entry.name)]
        for name in names:
            with contextlib.suppress(OSError):
                _clear(parent / name)


def _clear(folder: Path) -> None:
    status = os.lstat(folder)
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        return
    inside = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        lock = os.open(_LOCK, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=inside)
    except FileNotFoundError:
        os.rmdir(folder)  # killed before it had a lock: only an empty one goes
        return
    finally:
        os.close(inside)
    try:
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)
