"""What the words on the command line mean: which pictures, and where each one's result goes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from edge.errors import EdgeError

STDIN = "-"


def expand(word: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the pictures that one word stands for.

    "-" is standard input. A folder stands for the files directly in it that have one of `suffixes` and no dot in front,
    sorted by name. A pattern (with *, ? or [, where there is no such file) stands for the files it matches, sorted. Any
    other word is a file, whether there is one or not.

    Raises EdgeError for a folder without pictures and a pattern that matches none.
    """
    if word == STDIN:
        return [word]
    try:
        if os.path.isdir(word):
            found = sorted(
                os.path.join(word, item.name)
                for item in os.scandir(word)
                if item.name.lower().endswith(suffixes) and not item.name.startswith(".") and _is_file(item)
            )
            if not found:
                raise EdgeError(f"{word} has no pictures in it: expected files that end in {', '.join(suffixes)}")
            return found
    except OSError as error:
        raise EdgeError(f"{word} can't be read ({error.strerror}): check the path and its permissions") from None
    if not os.path.exists(word) and any(letter in word for letter in "*?["):
        import glob

        found = sorted(item for item in glob.glob(word, recursive=True) if os.path.isfile(item))
        if not found:
            raise EdgeError(f"{word} matches no file: check the pattern")
        return found
    return [word]


def _is_file(item: os.DirEntry[str]) -> bool:
    """Whether it is a file, or a link whose target can't be examined: reading that one will say why."""
    try:
        return item.is_file() or (item.is_symlink() and not os.path.exists(item.path))
    except OSError:
        return True


def result_names(images: list[str]) -> Iterator[str]:
    """Yield a name for each picture's result files: its stem, numbered where an earlier one of this run has it.

    Names that differ in case only count as the same, because some file systems hold them to be.
    """
    taken: set[str] = set()
    for image in images:
        stem = "stdin" if image == STDIN else os.path.splitext(os.path.basename(image))[0]
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        yield name
