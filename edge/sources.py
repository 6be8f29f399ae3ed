"""What the words on the command line mean: which images, and what was left out of a folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator

from edge import readers
from edge.errors import EdgeError, one_line

STDIN = "-"
WILD = "*?["
NO_SUFFIX, HIDDEN, SPECIAL = "without a suffix", "hidden", "special"  # kinds of left out files beside suffixes
_NAMED = 5  # kinds that are named one by one


class Found(list[str]):
    """The images that one word stands for: their paths, or "-".

    Attributes:
        root: the folder that was looked into; of a pattern its part in front of the first wildcard, "" for the working
            directory; None for a word that is an image itself. Images' paths begin with it.
        left_out: how many files were left out, by kind.
    """

    def __init__(self, images: list[str], root: str | None = None, left_out: Counter[str] | None = None) -> None:
        super().__init__(images)
        self.root, self.left_out = root, left_out if left_out is not None else Counter[str]()


def listing(folder: str | os.PathLike[str], skip: str | None = None) -> tuple[list[str], Counter[str]]:
    """Return the images in a folder and its sub-folders, and how many other files there are, by kind.

    An image is a file that ends in a suffix of `edge.readers`, in upper or lower case. The paths begin with `folder`
    and are sorted part by part, by bytes. Links are followed; a folder that two paths lead to is looked into once.
    Files and folders with a dot in front are left out. A sub-folder that can't be read is among the paths, so that
    reading it says why; so is a link that leads nowhere.

    Args:
        skip: a sub-folder that is not looked into, as `os.path.realpath` gives it; its files are not counted.

    The kinds: a suffix in lower case with its dot (".txt"), "without a suffix", "hidden" (a hidden folder counts as
    one), "special" (pipes, devices, sockets). `left_out_line` says them in words.

    Raises EdgeError where the folder itself can't be read.
    """
    images, left_out = [], Counter[str]()
    for path, kind in _walk(os.fspath(folder), skip):
        if kind is None:
            images.append(path)
        else:
            left_out[kind] += 1
    return sorted(images, key=_parts), left_out


def left_out_line(left_out: Counter[str]) -> str:
    """Return it in words, "12 files were left out (8 .txt, 4 without a suffix)", frequent kinds first; "" for none."""
    count = left_out.total()
    if not count:
        return ""
    kinds = sorted(left_out.items(), key=lambda item: (-item[1], os.fsencode(item[0])))
    said = [f"{number} {one_line(kind)}" for kind, number in kinds[:_NAMED]]
    if kinds[_NAMED:]:
        said.append(f"{sum(number for _, number in kinds[_NAMED:])} of other kinds")
    return f"{count} file{' was' if count == 1 else 's were'} left out ({', '.join(said)})"


def expand(word: str, skip: str | None = None) -> Found:
    """Return the images that one word stands for.

    "-" is standard input. A folder stands for its `listing`. A pattern (with *, ? or [, where there is no such file)
    stands for the files that it matches, whatever they end in, and for the listings of the folders that it matches,
    sorted. Any other word is a file, whether there is one or not.

    Raises EdgeError for a folder without images, one that can't be read, and a pattern that matches no file.
    """
    if word == STDIN:
        return Found([word])
    if os.path.isdir(word):
        images, left_out = listing(word, skip)
        if not images:
            raise _without(f"{word} has no images in it", left_out)
        return Found(images, word, left_out)
    if not os.path.exists(word) and any(letter in word for letter in WILD):
        return _matching(word, skip)
    return Found([word])


def _matching(word: str, skip: str | None) -> Found:
    matches = list(_matches("/" if word.startswith("/") else "", word.lstrip("/")))
    folders = {path for path in matches if os.path.isdir(path)}
    files = set(matches) - folders
    left_out = {path: SPECIAL for path in files if os.path.exists(path) and not os.path.isfile(path)}
    images = files - left_out.keys()
    for folder in sorted(folders):
        try:
            found = list(_walk(folder, skip))
        except EdgeError:
            found = [(folder, None)]  # reading it says why
        for path, kind in found:
            if kind is None:
                images.add(path)
            else:
                left_out[path] = kind
    counts = Counter(kind for path, kind in left_out.items() if path not in images)
    if not matches:
        raise EdgeError(f"{word} matches no file: check the pattern", code="image.missing")
    if not images:
        raise _without(f"{word} matches nothing that is an image", counts)
    first = min(word.find(letter) for letter in WILD if letter in word)
    return Found(sorted(images, key=_parts), word[: word.rfind("/", 0, first) + 1], counts)


def _matches(folder: str, pattern: str, above: tuple[tuple[int, int], ...] = ()) -> Iterator[str]:
    """Yield the files and folders under `folder` ("", or ends in a slash) that match; ** is any folders, or none.

    Files are also pipes and links that lead nowhere. Links are followed, but not into one of the folders `above`, as
    `glob.glob` would until the system has enough of it.
    """
    from fnmatch import fnmatchcase

    part, slash, after = pattern.partition("/")
    after = after.lstrip("/")
    if not any(letter in part for letter in WILD):
        if slash:
            yield from _matches(f"{folder}{part}/", after)
        elif os.path.lexists(folder + part):
            yield folder + part
        return
    is_deep = part == "**"
    if is_deep and slash:
        yield from _matches(folder, after)
    elif is_deep and folder:
        yield folder
    try:
        status = os.stat(folder or ".")
        names = sorted(os.listdir(folder or "."))
    except OSError:
        return
    here = (status.st_dev, status.st_ino)
    if is_deep and here in above:
        return
    for name in names:
        if (name.startswith(".") and (is_deep or not part.startswith("."))) or not (is_deep or fnmatchcase(name, part)):
            continue
        path = folder + name
        is_folder = os.path.isdir(path)
        if not slash and not (is_folder and is_deep):
            yield path
        if is_folder and is_deep:
            yield from _matches(f"{path}/", pattern, (*above, here))
        elif is_folder and slash:
            yield from _matches(f"{path}/", after)


def _without(what: str, left_out: Counter[str]) -> EdgeError:
    reason = left_out_line(left_out)
    return EdgeError(
        f"{what}{f', {reason}' if reason else ''}: expected files that end in {', '.join(readers.suffixes())}",
        code="image.missing",
    )


def _walk(folder: str, skip: str | None) -> Iterator[tuple[str, str | None]]:
    """Yield every file below, with its kind where it is left out and None where it is an image."""
    waiting, seen = [folder], set()
    while waiting:
        here = waiting.pop()
        try:
            status = os.stat(here)
            if (status.st_dev, status.st_ino) in seen or (here != folder and os.path.realpath(here) == skip):
                continue
            seen.add((status.st_dev, status.st_ino))
            items = sorted(os.scandir(here), key=lambda item: os.fsencode(item.name), reverse=True)
        except OSError as error:
            if here == folder:
                raise EdgeError(
                    f"{folder} can't be read ({error.strerror}): check the path and its permissions",
                    code="image.unreadable",
                ) from None
            yield here, None
            continue
        for item in items:
            if not item.name.startswith(".") and _leads_to(item, "is_dir"):
                waiting.append(item.path)
            else:
                yield item.path, _kind(item)


def _kind(item: os.DirEntry[str]) -> str | None:
    if item.name.startswith("."):
        return HIDDEN
    # A link that leads nowhere is no file and yet no other kind.
    if not _leads_to(item, "is_file") and os.path.exists(item.path):
        return SPECIAL
    suffix = os.path.splitext(item.name)[1].lower()
    if readers.knows(suffix):
        return None
    return suffix if suffix.strip(".") else NO_SUFFIX


def _leads_to(item: os.DirEntry[str], question: str) -> bool:
    try:
        return bool(getattr(item, question)())
    except OSError:  # a link to itself
        return False


def _parts(path: str) -> list[bytes]:
    return os.fsencode(path).split(b"/")
