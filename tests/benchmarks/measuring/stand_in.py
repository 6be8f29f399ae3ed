"""A device for tests: this machine, real processes of `python -m edge`, and what a test changes of what they say."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.devices.device import Ran
from benchmarks.measurement import Identity, State
from edge.errors import EdgeError
from tests.edge.processes import environment

TINY = Path(__file__).parents[2] / "edge" / "data"


def as_it_is(ran: Ran) -> Ran:
    return ran


class Here:
    """A session; `change` is made to each run, `asked` lists their words."""

    runtimes = ("litert",)
    cores = 2
    emulated = False
    power = False

    def __init__(self, change: Callable[[Ran], Ran] = as_it_is) -> None:
        self.change = change
        self.asked: list[list[str]] = []

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        self.asked.append(list(words))
        command = [sys.executable, "-m", "edge", "--runtime", runtime, *words]
        begun = time.perf_counter()
        try:
            done = subprocess.run(command, input=image or b"", capture_output=True, timeout=seconds, env=environment())
        except subprocess.TimeoutExpired:
            raise EdgeError("here took too long: expected an answer", "board.timeout") from None
        wall = (time.perf_counter() - begun) * 1e3
        states = [State("before", 0.0), State("during", wall / 2000), State("after", wall / 1000)]
        return self.change(Ran(done.returncode, done.stdout, done.stderr.decode().splitlines(), wall, states))

    def fetch(self, path: str, seconds: float) -> bytes | None:
        return Path(path).read_bytes() if Path(path).is_file() else None

    def model(self, path: Path) -> str:
        return str(path)

    def identity(self, runtime: str) -> Identity:
        return Identity({"model": "here", "cores": 2}, "0" * 8, "6.1", None, None, None, None)

    def archive_bytes(self) -> int | None:
        return None
