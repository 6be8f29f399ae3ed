"""A route's process: converters take gigabytes that come back only when a process ends, and they talk a lot."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from edge.errors import EdgeError, one_line

_SHORT_OF_MEMORY = ("MemoryError", "bad_alloc", "Cannot allocate memory", "can't allocate memory", "out of memory")


def made(
    name: str, command: Sequence[str], work: Path, count: int, environment: Mapping[str, str] | None = None
) -> Iterator[int]:
    """Run a route's process in the folder `work`; yield the numbers of its files as soon as they are there.

    The process gets the folder and a file descriptor as its last two arguments. It writes WORK/0.tflite,
    WORK/1.tflite, ... and a line "N" to the descriptor as soon as one is complete. What it says stands in WORK/log.

    Args:
        name: the route's, for messages.
        count: of the files.
        environment: its variables; default: this process's.

    Raises EdgeError: "conversion.killed" where a signal ended it or memory was short, "conversion.operator" where it
    ended with fewer files, with what it said last.
    """
    told, done = os.pipe()
    with open(work / "log", "w+", errors="replace") as log, open(told) as lines:
        try:
            process = subprocess.Popen(
                [*command, str(work), str(done)],
                cwd=work,
                env=environment,
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
            raise _failed(name, status, log.read())


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
    return EdgeError(
        f"the network could not be converted to TFLite by the route {name} (exit status {status}): {_last_error(log)}; "
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
