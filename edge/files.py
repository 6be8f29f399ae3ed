"""Files: reading those that nobody vouches for, not further than they make sense; writing whole ones or none."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from errno import EMFILE, ENFILE

from edge import readers
from edge.errors import EdgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

LIMIT = 1 << 30  # bytes of an image file: 64,000,000 pixels of 4 times 16 bits, not compressed, take half of that

_PIECE = 1 << 20  # bytes


def read_image(path: str | os.PathLike[str]) -> bytes:
    """Return an image file's bytes; of a file that begins like no image only the beginning, which is all that
    `edge.image.decode` needs to refuse it.

    So /dev/zero, a pipe that never ends and a disk are refused as soon as any other file. Raises EdgeError where the
    file can't be read, or is larger than LIMIT or half of this machine's memory.
    """
    try:
        with open(path, "rb") as file:  # pathlib would cost a cold start 3 ms
            return read_stream(file, os.fspath(path), os.fstat(file.fileno()).st_size)
    except (OSError, ValueError, MemoryError) as error:
        raise _unreadable(path, error) from None


def read_stream(file: BinaryIO, name: str, size: int = 0) -> bytes:
    """Do the same with an open file that has about `size` bytes, 0 where that is not known. `name` is for messages."""
    head = file.read(readers.SHORT_HEAD)
    if readers.find(head, built_in=True) is None:
        if readers.has_others():  # their magic may lie further back
            head += file.read(readers.HEAD - len(head))
        if readers.find(head) is None:
            return head
    limit = image_limit()
    if size <= limit:
        pieces = [head]
        left = limit + 1 - len(head)
        while left > 0 and (piece := file.read(min(left, max(_PIECE, size - len(head))))):
            pieces.append(piece)
            left -= len(piece)
        if left > 0:
            return b"".join(pieces)
    raise EdgeError(
        f"{name} has more than {limit} bytes, the limit for an image file on this machine: make it smaller",
        "image.too-large",
    )


def image_limit() -> int:
    """Return how many bytes an image file may have: LIMIT, or half of this machine's memory where that is less."""
    return min(LIMIT, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)


def read_bytes(path: str | os.PathLike[str]) -> bytes:
    """Return a file's bytes, whatever it is; EdgeError where it can't be read."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (OSError, ValueError, MemoryError) as error:
        raise _unreadable(path, error) from None


def write_beside(path: Path, data: bytes, check: Callable[[Path], None] | None = None) -> None:
    """Write `data` beside `path` and rename it: nobody sees a part of it, and a full disk leaves nothing behind.

    `check` gets the place of the file before it is renamed. Raises what `check` raises, OSError, and EdgeError where
    `path` is no ordinary file; nothing is left behind then.
    """
    write_all_beside({path: data}, check)


def write_all_beside(files: Mapping[Path, bytes], check: Callable[[Path], None] | None = None) -> None:
    """Do the same with several files: none is renamed before all are written and checked."""
    for path in files:
        if path.exists() and not path.is_file():
            raise EdgeError(
                f"{path} is no ordinary file and can't be replaced: give another path for the output",
                "output.unwritable",
            )
    beside = {path: path.with_name(f".{path.name}.part") for path in files}
    made = [folder for path in files for folder in path.parents if not folder.exists()]
    try:
        for path, part in beside.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(part, "wb") as file:
                file.write(files[path])
                file.flush()
                os.fsync(file.fileno())
            if part.read_bytes() != files[path]:
                raise EdgeError(f"{path} reads as something else than was written: check the disk", "output.unwritable")
            if check:
                check(part)
        for path, part in beside.items():
            os.replace(part, path)
    except BaseException:
        for part in beside.values():
            part.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # somebody else may have put a file there
                folder.rmdir()
        raise


def _unreadable(path: str | os.PathLike[str], error: Exception) -> EdgeError:
    if isinstance(error, FileNotFoundError):
        return EdgeError(f"{path} does not exist: expected a file; check the path", "image.missing")
    if isinstance(error, IsADirectoryError):
        return EdgeError(f"{path} is a folder: expected a file", "image.folder")
    if isinstance(error, MemoryError):
        return EdgeError(f"{path} does not fit into memory: expected an image; check the path", "image.memory")
    number = getattr(error, "errno", None)
    reason = getattr(error, "strerror", None) or error  # ValueError: a null character in the path
    way_out = "check the file and its permissions"
    if number in (EMFILE, ENFILE):
        way_out = "close files, or allow more (`ulimit -n`)"
    return EdgeError(f"{path} can't be read ({reason}): {way_out}", "image.unreadable")
