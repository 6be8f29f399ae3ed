"""A route's process: converters take gigabytes that come back only when a process ends, and they talk a lot."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from compress.convert.routes.route import Float32, Source
from edge.errors import EdgeError, one_line
from edge.files import write_beside
from edge.scratch import scratch

CACHE = "EDGE_CONVERSION_CACHE"  # a folder: what was converted from the same bytes is taken from there; for tests
_SHORT_OF_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory", "can't allocate memory", "out of memory")


class Worker(NamedTuple):
    """A route's program.

    It gets a folder WORK and a file descriptor as its last two arguments. For each number N in WORK/numbers, a number a
    line, it reads what the route left in WORK/N/, writes WORK/N.tflite, and then a line "N" to the descriptor.

    Attributes:
        route: its name, for messages.
        python: the command that runs a file. file: the program.
        tools: versions of what decides its bytes. environment: its variables.
    """

    route: str
    python: Sequence[str]
    file: Path
    tools: Mapping[str, str]
    environment: Mapping[str, str]


def converted(worker: Worker, sources: Sequence[Source], prepare: Callable[[Source, Path], bytes]) -> Iterator[Float32]:
    """Convert networks in one process, and yield each file as soon as it is there.

    Args:
        prepare: writes a network into a folder, WORK/N, which is there, for the worker; returns what tells it from
            others: equal bytes, equal file.

    Raises what `prepare` raises of a network, behind the files of those before it, and EdgeError: "conversion.killed"
    where a signal ended the process or memory was short, "conversion.operator" where it ended with fewer files, with
    what it said last.
    """
    begun = time.monotonic()
    with scratch("convert") as work:
        kept, refused = [], None
        for number, source in enumerate(sources):
            (work / str(number)).mkdir()
            try:
                kept.append(_kept(worker, prepare(source, work / str(number))))
            except EdgeError as error:
                refused = error
                break
        left = [number for number, path in enumerate(kept) if path is None or not path.is_file()]
        (work / "numbers").write_text("\n".join(map(str, left)))
        told = _made(worker, work, len(left))  # which starts nothing before the first is wanted
        for number, path in enumerate(kept):
            if path is not None and number not in left:
                flatbuffer = path.read_bytes()
            else:
                next(told)
                flatbuffer = (work / f"{number}.tflite").read_bytes()
                if path is not None:
                    write_beside(path, flatbuffer)
            yield Float32(flatbuffer, time.monotonic() - begun)
            begun = time.monotonic()
        if refused is not None:
            raise refused


def _kept(worker: Worker, what: bytes) -> Path | None:
    """Return where the cache has what was made of this; None without a cache."""
    if CACHE not in os.environ:
        return None
    state = hashlib.sha256(repr((worker.route, sorted(worker.tools.items()))).encode())
    state.update(hashlib.sha256(worker.file.read_bytes()).digest() + what)
    return Path(os.environ[CACHE], f"{state.hexdigest()}.tflite")


def _made(worker: Worker, work: Path, count: int) -> Iterator[int]:
    """Run the process in the folder `work`; yield the numbers of its files as soon as they are there."""
    told, done = os.pipe()
    with open(work / "log", "w+", errors="replace") as log, open(told) as lines:
        try:
            process = subprocess.Popen(
                [*worker.python, str(worker.file), str(work), str(done)],
                cwd=work,
                env=dict(worker.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                pass_fds=[done],
            )
        finally:
            os.close(done)
        try:
            for line in lines:
                count -= 1
                yield int(line)
            status = process.wait()
        finally:
            process.kill()  # where nobody wants the rest
            process.wait()
        if count:
            log.seek(0)
            raise _failed(worker.route, status, log.read())


def _failed(name: str, status: int, log: str) -> EdgeError:
    if status == -signal.SIGKILL or any(word in log for word in _SHORT_OF_MEMORY):
        how = "was killed" if status == -signal.SIGKILL else "ran out of memory"
        return EdgeError(
            f"the converter of the route {name} {how}: expected some gigabytes of free memory (the system's log says "
            "whether it was short); end other programs or convert a smaller network, and give the same command again",
            "conversion.killed",
        )
    if status < 0:
        return EdgeError(
            f"the converter of the route {name} was ended by {_signal(-status)} ({_last_error(log)}): give the same "
            "command again, or name another route",
            "conversion.killed",
        )
    last = _last_error(log)
    if last.startswith(("ModuleNotFoundError", "ImportError")):
        return EdgeError(
            f"the converter of the route {name} lacks a part of itself ({last}): expected all of its packages; remove "
            "its environment, and install it again (docs/conversion.md)",
            "conversion.missing",
        )
    return EdgeError(
        f"the network could not be converted to TFLite by the route {name} (exit status {status}): {last}; "
        "see which operators TFLite has, and write the layer with those",
        "conversion.operator",
    )


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    marked = [line for line in lines if "rror" in line]
    return one_line((marked or lines or ["no message"])[-1])[:300]
