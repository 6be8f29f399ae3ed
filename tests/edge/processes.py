"""`edge-infer` as a process of its own; and in this one, where only what it answers is looked at."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from edge.cli import main

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


def call(*words: object, stdin: bytes = b"", **more: str) -> Ended:
    """Run `edge-infer` with these words and environment variables in this process.

    A process of its own takes most of its time to start. What is about processes (signals, streams that are closed,
    memory, what is imported) has one.
    """
    read, out, err = (io.TextIOWrapper(io.BytesIO(data), encoding="utf-8") for data in (stdin, b"", b""))
    arguments = [os.fsdecode(word) if isinstance(word, bytes) else str(word) for word in words]
    with patch.multiple(sys, stdin=read, stdout=out, stderr=err), patch.dict(os.environ, more):
        try:
            status = main(arguments)
        except SystemExit as ended:  # of --help
            status = int(ended.code or 0)
        for stream in (out, err):
            stream.flush()
    buffers = [stream.buffer.getvalue() for stream in (out, err)]  # type: ignore[attr-defined]
    return Ended(subprocess.CompletedProcess(arguments, status, *buffers))


def run(*words: object, stdin: bytes = b"", **more: object) -> Ended:
    """Run `edge-infer` with these words; as a process of its own where something is said of it (`env`, `cwd`, ...)."""
    if not more:
        return call(*words, stdin=stdin)
    command = [sys.executable, "-m", "edge", *map(str, words)]
    settings = {"env": environment(), "timeout": 60, "stdout": subprocess.PIPE, **more}
    return Ended(subprocess.run(command, input=stdin, stderr=subprocess.PIPE, **settings))
