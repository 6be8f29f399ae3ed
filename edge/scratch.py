"""Folders of the host's commands: temporary ones, those that killed ones left behind, and the one that lasts."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

_NAME = re.compile(r"edge-infer-[a-z]+-[a-z0-9_]{8}")
_LOCK = ".edge-lock"
_SURELY_LEFT = 60  # seconds without a lock; one that is being made has its own at once


@contextlib.contextmanager
def scratch(kind: str, parent: str | Path | None = None) -> Iterator[Path]:
    """A folder edge-infer-KIND-XXXXXXXX in `parent` (default: the system's for temporary files), gone after the block.

    A process that is killed leaves its own. The next one clears it away: the kernel gives the lock in it back when its
    holder dies. Whatever else is called so, lacks the lock file, is another user's or a symbolic link, is left alone;
    an empty folder, as one that is killed before it has the lock leaves it, goes when it is a minute old.
    """
    parent = Path(parent or tempfile.gettempdir())
    clear(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"edge-infer-{kind}-", dir=parent))
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
        _remove(folder)
        os.close(lock)


def cache() -> Path:
    """Return the folder of this user's in which downloads, and what takes minutes to make, are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "edge-infer"


def clear(parent: str | Path | None = None) -> None:
    """Remove the folders in `parent` that `scratch` made in processes which are no longer alive."""
    with contextlib.suppress(OSError):
        parent = Path(parent or tempfile.gettempdir())
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
        if time.time() - status.st_mtime > _SURELY_LEFT:
            os.rmdir(folder)  # an empty one alone
        return
    finally:
        os.close(inside)
    try:
        if not stat.S_ISREG(os.fstat(lock).st_mode):
            return
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(folder)
    finally:
        os.close(lock)


def _remove(folder: Path) -> None:
    """Remove it, as far as that goes; the lock only with the last file, so that what is left goes the next time.

    A compiler that outlives its killed parent writes on.
    """
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != _LOCK:
                path.unlink(missing_ok=True)
        if [path.name for path in folder.iterdir()] == [_LOCK]:
            shutil.rmtree(folder, ignore_errors=True)
