"""An alarm reaches someone: a command of the user's gets the verdicts as JSON on its standard input."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Sequence
from typing import IO

from benchmarks.measurement import Verdict
from edge.errors import EdgeError, brief
from edge.strict_json import dumps

SECONDS = 60.0  # for the whole command: a mail server that does not answer must not keep the night
_KEPT = 2000  # bytes of what it complains of


def send(command: Sequence[str], night: str, verdicts: Sequence[Verdict], seconds: float = SECONDS) -> None:
    """Run `command` with {"night": ..., "verdicts": [...]} on its standard input, and wait for its end.

    Args:
        command: the program and its arguments; no shell reads them.
        night: its name.
        verdicts: those to tell of, each as `Verdict.record` gives it.
        seconds: until the command and what it started are ended. What a command that ended leaves in the background
            is its own.

    Raises:
        EdgeError: "alarm.failed" where it can't be started, fails, or takes longer: with its exit status and the end
            of its standard error. What the night measured is in the history whatever becomes of this.
    """
    letter = dumps({"night": night, "verdicts": [verdict.record() for verdict in verdicts]}, "the alarm") + "\n"
    if not command:
        raise EdgeError("the alarm command is empty: expected a program and its arguments", "alarm.failed")
    name = brief(command[0])
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,  # so that its children end with it
        )
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise _failed(f"{name} can't be started ({reason})", "") from None
    complaints = _Tail(process.stderr)
    try:
        threading.Thread(target=_write, args=(process.stdin, letter.encode()), daemon=True).start()
        status = process.wait(seconds)
    except BaseException as error:
        with contextlib.suppress(PermissionError):  # where it became another user
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            what = f"{name} has not ended within {seconds:g} s and was ended"
            raise _failed(what, complaints.text()) from None
        raise
    finally:
        complaints.join()
    if status:
        raise _failed(f"{name} ended with exit status {status}", complaints.text())


def _failed(what: str, complaints: str) -> EdgeError:
    said = f"; it said: {brief(complaints, _KEPT)}" if complaints else ""
    return EdgeError(
        f"the alarm did not go out: {what}{said}: expected exit status 0; try the command of the inventory by hand, "
        "`edge-bench history show` has the verdicts",
        "alarm.failed",
    )


def _write(stream: IO[bytes] | None, letter: bytes) -> None:
    """Give it the letter; one that does not read it may still succeed."""
    assert stream
    with contextlib.suppress(OSError), stream:
        stream.write(letter)


class _Tail(threading.Thread):
    """Reads a stream to its end, and keeps the last of it: a command may complain without end."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        assert stream
        self._stream, self._kept = stream, b""
        self.start()

    def run(self) -> None:
        """Read."""
        with contextlib.suppress(OSError, ValueError):
            while piece := os.read(self._stream.fileno(), 1 << 16):
                self._kept = (self._kept + piece)[-_KEPT:]

    def join(self, timeout: float | None = 1.0) -> None:
        """Wait for the end, not for what the command left in the background with it open."""
        super().join(timeout)
        if not self.is_alive():
            self._stream.close()

    def text(self) -> str:
        """Return what was kept."""
        self.join()
        return self._kept.decode(errors="replace").strip()
