"""The folder of --output: a file NAME.json for each image, and what its task draws: NAME.mask.png, NAME.overlay.jpg.

NAME is the image's file name without its ending, below a folder that was looked into with the path to it. The JSON
names its image, so that the next run knows whose answer it is: its own is replaced, by an error record where the image
fails now; whatever else lies there stays, and the new answer gets a numbered name. docs/answers.md says it all.
"""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import contextmanager, suppress
from stat import S_ISREG

from edge.errors import EdgeError
from edge.sources import STDIN
from edge.strict_json import dumps

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

JSON = ".json"
_TEXT = r'"(?:[^"\\]|\\.)*"'
_HEAD = re.compile(rf'\{{"image": {_TEXT}, "path": (null|{_TEXT}), "files": \[((?:{_TEXT}(?:, )?)*)\], ')
_HEAD_BYTES = 1 << 18  # more than the longest paths and names take
_LEFT_ALONE = ("SIGINT", "SIGTERM", "SIGHUP")  # while files take their places


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt where it would end the process at once (edge/__main__.py): files that are half
    written are removed on the way out."""
    before = signal.getsignal(signal.SIGINT)
    ends = getattr(before, "__name__", "") == "end_quietly"
    if ends:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        if ends:
            signal.signal(signal.SIGINT, before)


class Place:
    """Where one image's results go.

    Attributes:
        name: path below the folder, without an ending.
        path: of the image, absolute; None for standard input.
        owned: the endings of the files there that an earlier run made for this image.
    """

    def __init__(self, name: str, path: str | None, owned: tuple[str, ...]) -> None:
        self.name, self.path, self.owned = name, path, owned


class Results:
    """The folder; made where there is none, with those that it lies in."""

    def __init__(self, folder: str) -> None:
        """Raises EdgeError where it can't be made."""
        self.folder = folder
        self._taken: dict[bytes, str | None] = {}  # name in lower case -> path of its image
        _make(folder)

    def place(self, image: str, root: str | None) -> Place:
        """Return where the results of an image go: where an earlier run put them, else where nothing is.

        A name that another image has, or a file that edge-infer did not make, gets "-2", "-3", ... behind it. So does
        one that differs only in the case of ASCII letters from another of this run, as some file systems take both for
        the same. An image that is asked for twice has one name. Standard input has no path, so that nothing says
        whether it is the same image: it is kept apart.
        """
        stem, path = result_name(image, root), identity(image)
        free, number = "", 1
        while True:
            name = stem if number == 1 else f"{stem}-{number}"
            number += 1
            key = os.fsencode(name).lower()
            if key in self._taken and (path is None or self._taken[key] != path):
                continue
            owner, owned = self._owner(name)
            if owner == "" and not free:
                free = name
            if owner == "" and number > 2:
                owned = ()
                break
            if owner and path is not None and owner == json.dumps(path):
                free = name
                break
        self._taken[os.fsencode(free).lower()] = path
        return Place(free, path, owned)

    def write(self, place: Place, record: dict[str, Any], files: dict[str, bytes]) -> None:
        """Write `files` (ending -> content) and the record, all of them whole or none, in place of earlier ones.

        Raises EdgeError where that can't be, and where a file that edge-infer did not make would be replaced; then what
        an earlier run made for this image is removed.
        """
        try:
            for ending in files:
                if ending not in place.owned and os.path.lexists(self._at(place, ending)):
                    raise EdgeError(
                        f"{self._at(place, ending)} was not made by edge-infer and would be replaced: give --output "
                        "another folder",
                        code="output.foreign",
                    )
            base = os.path.basename(place.name)
            listed = [base + ending for ending in files]
            record = {"image": record["image"], "path": place.path, "files": listed, **record}
            self._put(place, {**files, JSON: (dumps(record, "the answer") + "\n").encode()})
        except EdgeError:
            for ending in place.owned:
                _remove(self._at(place, ending))
            raise

    @_interruptible()
    def _put(self, place: Place, files: dict[str, bytes]) -> None:
        """Write beside their places first, then rename: the JSON last, as it says which other ones are ours."""
        folder, name = os.path.split(place.name)
        _make(os.path.join(self.folder, folder))
        beside = {ending: os.path.join(self.folder, folder, f".{name}{ending}.{os.getpid()}") for ending in files}
        path = self.folder
        try:
            try:
                for ending, content in files.items():
                    path = self._at(place, ending)
                    with open(beside[ending], "wb") as file:
                        file.write(content)
                with _undisturbed():
                    for ending in files:
                        path = self._at(place, ending)
                        if ending == JSON:
                            for stale in set(place.owned) - set(files):
                                _remove(self._at(place, stale))
                        os.replace(beside[ending], path)
            finally:
                for temporary in beside.values():
                    _remove(temporary)
        except OSError as error:
            raise EdgeError(
                f"{path} can't be written ({error.strerror}): make room there, or give --output another folder",
                code="output.unwritable",
            ) from None

    def _at(self, place: Place, ending: str) -> str:
        return os.path.join(self.folder, place.name + ending)

    def _owner(self, name: str) -> tuple[str | None, tuple[str, ...]]:
        """Return whose answer lies there: the path as JSON, and the endings of its files.

        "" where there is none; None where what is there was not made by edge-infer.
        """
        path = os.path.join(self.folder, name + JSON)
        try:
            if not S_ISREG(os.stat(path).st_mode):  # a pipe would be waited for
                return None, ()
            with open(path, "rb") as file:
                head = _HEAD.match(file.read(_HEAD_BYTES).decode("ascii", "replace"))
        except OSError:
            return (None if os.path.lexists(path) else ""), ()
        if head is None:
            return None, ()
        base, listed = os.path.basename(name), re.findall(_TEXT, head[2])
        return head[1], (JSON, *_endings(base, listed))


def _endings(base: str, listed: list[str]) -> list[str]:
    """Return the endings of an earlier record's `files`, JSON strings, which begin with `base`.

    Only those that a task may have: no record can lay claim to an image beside it, or to a file elsewhere.
    """
    from edge.tasks import is_ending

    names = [name for name in map(json.loads, listed) if name.startswith(base)]
    return [ending for name in names if is_ending(ending := name[len(base) :])]


def result_name(image: str, root: str | None) -> str:
    """Return the path of an image's results below the folder, without an ending.

    It is the image's file name without its own, in front of it the path from `root` on, the folder that was looked
    into. Never leads out of the folder.
    """
    if image == STDIN:
        return "stdin"
    is_below = root is not None and image.startswith(root)
    parts = [part for part in image[len(root or "") if is_below else 0 :].split("/") if part not in ("", ".")]
    if not is_below or ".." in parts:
        parts = parts[-1:]
    stem = os.path.splitext(parts[-1])[0] if parts and parts[-1] != ".." else ""
    return "/".join([*parts[:-1], stem or "image"])


def identity(image: str) -> str | None:
    """Return the absolute path of an image, links in its folder followed; None for standard input."""
    if image == STDIN:
        return None
    folder, name = os.path.split(image.rstrip("/"))
    try:
        return os.path.join(os.path.realpath(folder or ".", strict=True), name)
    except (OSError, ValueError):  # there is no such folder
        pass
    try:
        return os.path.join(os.getcwd(), image)
    except OSError:  # the working directory was removed
        return image


def _make(folder: str) -> None:
    try:
        os.makedirs(folder, exist_ok=True)
    except OSError as error:
        raise EdgeError(
            f"{folder} can't be made a folder ({error.strerror}): give --output another one", code="output.unwritable"
        ) from None


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let signals that end the process wait."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [getattr(signal, name) for name in _LEFT_ALONE])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
