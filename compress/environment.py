"""Python environments for tools that can't live beside ours: each is made once, by pip, in a folder of its own."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError, one_line

_COMPLETE = "complete"  # written last: an environment without it is one whose making was interrupted
_WORD_SECONDS = 30.0  # between two lines that say that it goes on
_MOST_SECONDS = 1800.0
_INSTALL = ("install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", "--quiet")


class Packages(NamedTuple):
    """What an environment has, as pip takes it, with versions.

    Attributes:
        complete: installed with all that they require.
        alone: installed after those, without what they require: who names them names that, too, as far as it is used.
    """

    complete: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


def ready(name: str, packages: Packages, folder: Path, log: Callable[[str], None] = print) -> Path:
    """Return the folder of an environment that has these packages; it is made where it is not there yet.

    Its programs are in `bin`. Other packages make another one, and the old one goes.

    Args:
        name: of a file, for people.
        folder: of environments; it need not be there.
        log: gets a line when it is made, and one every half minute.

    Raises EdgeError ("environment.failed") where pip can't; what it said is in `NAME.log` beside it.
    """
    place = (folder / name).absolute()
    if is_ready(name, packages, folder):
        return place
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with _alone(place.with_name(f".{name}.lock")):
            if not is_ready(name, packages, folder):  # another process may have made it meanwhile
                _make(name, place, packages, log)
                (place / _COMPLETE).write_text(_wanted(packages))
    except OSError as error:
        raise EdgeError(
            f"{place} can't be written ({error.strerror}): expected a folder for the environment of {name}; make room",
            "environment.failed",
        ) from None
    return place


def is_ready(name: str, packages: Packages, folder: Path) -> bool:
    """Return whether `ready` would find the environment made, at the cost of reading a small file.

    Its Python is a link to the one that made it, which may be gone.
    """
    place = folder / name
    try:
        return (place / _COMPLETE).read_text() == _wanted(packages) and (place / "bin/python").exists()
    except (OSError, UnicodeDecodeError):
        return False


def _wanted(packages: Packages) -> str:
    return hashlib.sha256(repr((sys.version, *packages)).encode()).hexdigest()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with open(path, "w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _make(name: str, place: Path, packages: Packages, log: Callable[[str], None]) -> None:
    first, *others = [*packages.complete, *packages.alone]
    wanted = " ".join([first, *(others if len(others) < 3 else [f"and {len(others)} packages more"])])
    log(f"making the environment of {name}, once: pip installs {wanted} into {place}")
    pip = [str(place / "bin/python"), "-m", "pip", *_INSTALL]
    shutil.rmtree(place, ignore_errors=True)
    with open(place.with_name(f"{name}.log"), "w+", errors="replace") as said:
        for command in (
            [sys.executable, "-m", "venv", str(place)],
            *([[*pip, *packages.complete]] if packages.complete else []),
            *([[*pip, "--no-deps", *packages.alone]] if packages.alone else []),
        ):
            if _run(name, command, said.fileno(), log) != 0:
                said.seek(0)
                lines = [line for line in said.read().splitlines() if line.strip()] or ["no word of why"]
                raise EdgeError(
                    f"the environment of {name} can't be made ({one_line(lines[-1])[:200]}): expected "
                    f"{wanted} from pip; see {said.name}, and give the same command again",
                    "environment.failed",
                )


def _run(name: str, command: Sequence[str], output: int, log: Callable[[str], None]) -> int:
    """Run a command to its end, and say from time to time that it goes on; return its status."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    try:
        while time.monotonic() - begun < _MOST_SECONDS:
            try:
                return process.wait(_WORD_SECONDS)
            except subprocess.TimeoutExpired:
                log(f"the environment of {name} is being made: {time.monotonic() - begun:.0f} s")
        return 1
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
