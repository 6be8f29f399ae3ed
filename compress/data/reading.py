"""Reading a data set's files: all of them, before one that fails ends the run; equal images are found on the way."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from edge import image as images
from edge import readers
from edge.board import usable_cores
from edge.errors import EdgeError, ImageWarning
from edge.files import read_image
from edge.preprocess import Picture, Preprocessing, pixels
from edge.sources import left_out_line, listing

NAMED = 10  # files that a message names one by one
Item = TypeVar("Item")
Result = TypeVar("Result")


class Read(NamedTuple):
    """An image as the network reads it.

    Attributes:
        pixels: uint8 (height, width, channels).
        identity: a hash of the decoded, upright image in the network's colours; equal images have the same.
        size: (width, height) of the image itself.
        reduced: whether it was decoded smaller than it is.
        warnings: what is doubtful about it.
    """

    pixels: np.ndarray
    identity: bytes
    size: tuple[int, int]
    reduced: bool
    warnings: tuple[ImageWarning, ...]


def read(path: Path, spec: Preprocessing) -> Read:
    """Return the image in a file; EdgeError where it can't be read."""
    return seen(images.read(path, spec), spec)


def seen(picture: Picture, spec: Preprocessing) -> Read:
    """Return a decoded image as the network reads it."""
    mode = "L" if spec.color == "grey" else "RGB"
    if picture.image.mode != mode:
        picture = picture._replace(image=picture.image.convert(mode))
    state = hashlib.sha256(repr((picture.size, picture.reduction)).encode())
    state.update(picture.image.tobytes())
    return Read(pixels(picture, spec), state.digest(), picture.size, picture.reduction > 1, picture.warnings)


def each(items: Sequence[Item], one: Callable[[Item], Result], where: Path) -> list[Result]:
    """Return `one(item)` of every item; EdgeError names all that failed, after all were tried."""
    results, errors = attempted(items, one)
    if errors:
        raise together(errors, len(items), where)
    return results


def attempted(items: Sequence[Item], one: Callable[[Item], Result]) -> tuple[list[Result], list[EdgeError]]:
    """Return `one(item)` of every item for which it raises no EdgeError, and the errors of the others."""

    def tried(item: Item) -> Result | EdgeError:
        try:
            return one(item)
        except EdgeError as error:
            return error

    with ThreadPoolExecutor(usable_cores()) as pool:  # decoders release the interpreter's lock
        results = list(pool.map(tried, items))
    errors = [result for result in results if isinstance(result, EdgeError)]
    return [result for result in results if not isinstance(result, EdgeError)], errors


def together(errors: Sequence[EdgeError], total: int, where: Path) -> EdgeError:
    """Return one error that names the first of many, and how many there are."""
    if len(errors) == 1:
        return errors[0]
    codes = {error.code for error in errors}
    found = [str(error).split(": expected")[0] for error in errors[:NAMED]]
    more = f"; and {len(errors) - NAMED} more" if len(errors) > NAMED else ""
    return EdgeError(
        f"{len(errors)} of {total} files of {where} can't be used ({'; '.join(found)}{more}): expected whole ones that "
        "fit; replace or remove them",
        code=codes.pop() if len(codes) == 1 else "invalid",
    )


def some(names: Iterable[object]) -> str:
    """Return the first of many names, and how many there are."""
    every = list(map(str, names))
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more


def equal(root: Path, reads: dict[str, Read], spec: Preprocessing) -> dict[str, bytes]:
    """Return path -> identity, the same for images that are equal after decoding, however their files store them.

    A JPEG that was decoded smaller is decoded whole where another image of its size was not, which it may equal.
    """
    whole = {read.size for read in reads.values() if not read.reduced}
    again = [path for path, read in reads.items() if read.reduced and read.size in whole]

    def identity(path: str) -> bytes:
        data = read_image(root / path)
        return seen(images.decode(data, str(root / path), spec, full_size=True), spec).identity

    found = {path: read.identity for path, read in reads.items()}
    return found | dict(zip(again, each(again, identity, root), strict=True))


def warned(reads: dict[str, Read]) -> dict[str, dict[str, object]]:
    """Return code -> how many images have this warning, one of them, and what it says of that one."""
    found: dict[str, dict[str, object]] = {}
    counts: Counter[str] = Counter()
    for path, read in reads.items():
        for warning in read.warnings:
            counts[warning.code] += 1
            found.setdefault(warning.code, {"example": path, "message": warning.message})
    return {code: {"count": counts[code]} | found[code] for code in sorted(found)}


def files(folder: Path, left_out: Counter[str]) -> list[str]:
    """Return the images in a folder and its sub-folders, by their paths below it; count what else there is.

    Raises EdgeError where there is none, or a name is no UTF-8: it can't be told to anyone.
    """
    paths, others = listing(folder)
    left_out.update(others)
    names = [os.path.relpath(path, folder).replace(os.sep, "/") for path in paths]
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise EdgeError(f"{folder} has a file {name!a}: expected names in UTF-8; rename it") from None
    if not names:
        reason = f" ({left_out_line(others)})" if others else ""
        raise EdgeError(f"{folder} has no images{reason}: expected files that end in {', '.join(readers.suffixes())}")
    return names


def strays(folder: Path, known: Iterable[str], left_out: Counter[str]) -> None:
    """Count the files that lie in a folder beside its `known` sub-folders, and the images in its other ones."""
    skipped = set(known)
    for item in sorted(folder.iterdir()):
        if item.is_dir():
            if item.name not in skipped and not item.name.startswith(".") and (count := _images_in(item)):
                left_out[f"in the folder {item.name!a}"] += count
        elif readers.knows(item.suffix.lower()) and not item.name.startswith("."):
            left_out[item.suffix.lower()] += 1


def _images_in(folder: Path) -> int:
    try:
        return len(listing(folder)[0])
    except EdgeError:  # nobody asked for it
        return 0
