"""A device for tests: this machine, real processes of `python -m edge`, and what a test changes of what they say."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Callable, Sequence
from typing import ClassVar

from benchmarks.devices.device import Ran
from benchmarks.measurement import State
from benchmarks.measuring.programs import Program
from tests.edge.processes import environment


def as_it_is(ran: Ran) -> Ran:
    return ran


class Here(Program):
    """A session; `change` is made to each run, `asked` lists their words."""

    def __init__(self, change: Callable[[Ran], Ran] = as_it_is) -> None:
        super().__init__([sys.executable, "-m", "edge", "--runtime", "litert"], environment())
        self.runtimes = ("litert",)
        self.change = change
        self.asked: list[list[str]] = []

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        self.asked.append(list(words))
        ran = super().infer(runtime, words, image, seconds, power)
        wall = ran.wall_ms / 1000
        states = [State("before", 0.0), State("during", wall / 2), State("after", wall)]
        return self.change(dataclasses.replace(ran, states=states))


class Again(Here):
    """Runs each process once in all tests, and says afterwards what it said then, changed as the test wants it."""

    known: ClassVar[dict[tuple[str, ...], Ran]] = {}

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        change, self.change = self.change, as_it_is
        key = (*words, hashlib.sha256(image or b"").hexdigest())
        if key not in self.known:
            self.known[key] = super().infer(runtime, words, image, seconds, power)
        else:
            self.asked.append(list(words))
        self.change = change
        return change(self.known[key])
