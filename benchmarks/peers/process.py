"""A runtime's process, as this one speaks with it."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.papers import turns
from benchmarks.peers.environment import WORKER
from edge.errors import EdgeError

CONVERT_SECONDS, ANSWER_SECONDS = 900, 120


def _environment() -> dict[str, str]:
    """This process's, without what would slow or change a runtime's own threads."""
    return {name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "PYTHONPATH")}


def convert(python: Path, runtime: str, folder: Path, kind: str, machine: str) -> Path:
    """Let a runtime make its file of a network's folder for a machine; EdgeError ("peers.convert") where it can't."""
    command = [str(python), "-I", str(WORKER), "convert", runtime, str(folder), kind, machine]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, timeout=CONVERT_SECONDS, env=_environment())
    except subprocess.TimeoutExpired:
        raise EdgeError(f"converting took more than {CONVERT_SECONDS} s", "peers.convert") from None
    if ran.returncode:
        raise EdgeError(f"it can't be converted ({_last(ran.stderr, ran.returncode)})", "peers.convert")
    return folder / json.loads(ran.stdout)["file"]


def cold(python: Path, runtime: str, path: Path, images: Path) -> turns.Process:
    """Run a fresh process that gives one answer; its whole time, peak memory and phases (JSON).

    Raises EdgeError ("peers.run") where it fails, or takes longer than ANSWER_SECONDS.
    """
    command = [str(python), "-I", str(WORKER), "cold", runtime, str(path), str(images)]
    try:
        return turns.process(command, _environment(), ANSWER_SECONDS)
    except SystemExit as failed:
        raise EdgeError(f"a fresh process gives no answer ({failed})", "peers.run") from None


class Worker:
    """A process with a loaded network; a context manager that ends it."""

    def __init__(self, python: Path, runtime: str, path: Path, images: Path, threads: int) -> None:
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115  (closed in __exit__)
        command = [str(python), "-I", str(WORKER), "turns", runtime, str(path), str(images), str(threads)]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            env=_environment(),
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._complaints.close()

    def version(self) -> str:
        """Return the runtime's version, once the network is loaded; call it first."""
        return str(self._read()["version"])

    def answer(self) -> np.ndarray:
        """Return what it answers for all images, in real numbers: float32 (images, values)."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "answer.npy"
            self._ask(f"answer {path}")
            found: np.ndarray = np.load(path, allow_pickle=False)
        return found

    def run(self, count: int) -> list[float]:
        """Return milliseconds of `count` invokes, one behind the other; one before them is not counted."""
        return [float(value) for value in self._ask(f"run {count}")["ms"]]

    def _ask(self, line: str) -> dict[str, Any]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(f"{line}\n".encode())
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it said before its end is read below
        return self._read()

    def _read(self) -> dict[str, Any]:
        """Raise EdgeError ("peers.run") where it ends, or says nothing for ANSWER_SECONDS."""
        assert self._process.stdout is not None
        with selectors.DefaultSelector() as waiting:
            waiting.register(self._process.stdout, selectors.EVENT_READ)
            if not waiting.select(ANSWER_SECONDS):
                raise EdgeError(f"it did not answer within {ANSWER_SECONDS} s", "peers.run")
        line = self._process.stdout.readline()
        if not line:
            status = self._process.wait(ANSWER_SECONDS)
            self._complaints.seek(0)
            raise EdgeError(
                f"it can't run ({_last(self._complaints.read().decode(errors='replace'), status)})", "peers.run"
            )
        found: dict[str, Any] = json.loads(line)
        return found


def _last(complaint: str, status: int) -> str:
    lines = [line.strip() for line in complaint.splitlines() if line.strip()]
    return lines[-1][:160] if lines and status > 0 else f"signal {-status}" if status < 0 else f"status {status}"
