"""`edge-infer` as a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


class Ended:
    """A process that has ended; every test that runs one holds that no traceback was shown."""

    def __init__(self, done: subprocess.CompletedProcess[bytes]) -> None:
        self.status = done.returncode
        self.out, self.err = done.stdout.decode() if done.stdout else "", done.stderr.decode()
        assert "Traceback" not in self.err + self.out, self.err + self.out
        assert "Exception ignored" not in self.err, self.err

    @property
    def complaints(self) -> list[str]:
        """The sentences about things to correct."""
        return [line for line in self.err.splitlines() if line.startswith("edge-infer: ")]


def environment(**more: str) -> dict[str, str]:
    kept = {
        key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "PYTHONSTARTUP", "PYTHONUNBUFFERED")
    }
    return {**kept, "PYTHONPATH": str(ROOT), **more}


def usual_ends() -> None:
    """Let signals end the process that this is called in, as `preexec_fn`: a parent (`nohup`) may ignore them."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def ignoring(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal here, and so in the processes that are started meanwhile, as `nohup` does."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)


def run(*words: object, stdin: bytes = b"", stdout: object = subprocess.PIPE, **more: object) -> Ended:
    """Run `python -m edge` with these words."""
    command = [sys.executable, "-m", "edge", *map(str, words)]
    settings = {"env": environment(), "timeout": 60, **more}
    return Ended(subprocess.run(command, input=stdin, stdout=stdout, stderr=subprocess.PIPE, **settings))
