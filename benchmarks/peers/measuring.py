"""One network through all runtimes: what they answer, then how long they take, in turns."""

from __future__ import annotations

import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.peers import environment, process
from benchmarks.peers.network import INPUTS
from benchmarks.peers.process import Worker
from benchmarks.peers.runtimes import BASE
from benchmarks.verdicts.ratio import Ratio, compare_ratio
from edge.errors import EdgeError

LEAST_COSINE = 0.99
PAUSE_SECONDS = 0.02  # between turns: threads that wait by spinning fall asleep
TURN_SECONDS = 0.08
SEED = 1
_BASE = BASE, "int8"


@dataclass
class Row:
    """A runtime with one kind of network.

    Attributes:
        runtime, kind: "onnxruntime", "int8".
        version: of the runtime.
        cosine: of its answers and LiteRT's to the int8 file, over all images; 1.0 for the same.
        ms: by threads the median of each turn.
        cold_ms, memory_mb: of each fresh process: the whole time, peak resident set.
        fault: why it has no numbers, or "".
    """

    runtime: str
    kind: str
    version: str = ""
    cosine: float = 0.0
    ms: dict[int, list[float]] = field(default_factory=dict)
    cold_ms: list[float] = field(default_factory=list)
    memory_mb: list[float] = field(default_factory=list)
    fault: str = ""

    @property
    def title(self) -> str:
        return f"{environment.peer(self.runtime).TITLE} {self.kind}"

    def ratio(self, base: Row, threads: int) -> Ratio:
        """Return its time over the base's, of the same rounds."""
        return compare_ratio(base.ms[threads], self.ms[threads])


def measure(
    folder: Path, names: Sequence[str], threads: Sequence[int], rounds: int, say: Callable[[str], None]
) -> list[Row]:
    """Return a row for each runtime and kind, those with a fault among them; LiteRT int8 is the first.

    Raises EdgeError where LiteRT itself can't be measured: without it there is nothing to compare with.
    """
    rows, files = converted(folder, names, platform.machine(), say)
    _check(rows, files, folder, say)
    if rows[0].fault:
        raise EdgeError(f"LiteRT itself can't be measured: {rows[0].fault}", "peers.base")
    for count in threads:
        turns(rows, files, folder, count, rounds, say)
    _cold(rows, files, folder, max(3, rounds // 4), say)
    return rows


Files = dict[tuple[str, str], tuple[Path, Path]]


def converted(folder: Path, names: Sequence[str], machine: str, say: Callable[[str], None]) -> tuple[list[Row], Files]:
    """Return a row for each runtime and kind, and the Python and the file of each that has no fault."""
    rows: list[Row] = []
    files: Files = {}
    for name in names:
        for kind in ("int8", "float"):
            row = Row(name, kind)
            rows.append(row)
            try:
                peer = environment.peer(name)
                if kind not in peer.KINDS:
                    raise EdgeError(f"{peer.TITLE} is not run in {kind} here", "peers.kind")
                if machine != platform.machine() and peer.NOT_ON_ARM:
                    raise EdgeError(peer.NOT_ON_ARM, "peers.machine")
                python = environment.python(name, say)
                say(f"{folder.name}: converting for {row.title}")
                files[name, kind] = python, process.convert(python, name, folder, kind, machine)
            except EdgeError as error:
                row.fault = str(error)
    return rows, files


def _check(rows: Sequence[Row], files: Files, folder: Path, say: Callable[[str], None]) -> None:
    """Fill in versions and cosines; a row whose answers are others gets a fault and is not timed."""
    base: np.ndarray | None = None
    for row in rows:
        if row.fault:
            continue
        say(f"{folder.name}: asking {row.title}")
        python, path = files[row.runtime, row.kind]
        try:
            with Worker(python, row.runtime, path, folder / INPUTS, 1) as worker:
                row.version = worker.version()
                answer = worker.answer()
            base = answer if base is None else base
            row.cosine = cosine(base, answer)
            same(row.cosine)
        except EdgeError as error:
            row.fault = str(error)


def same(found: float) -> None:
    """Raise EdgeError ("peers.answer") where a cosine is that of another network's answers."""
    if not found >= LEAST_COSINE:
        raise EdgeError(f"its answers are others: cosine {found:.3f}, not timed", "peers.answer")


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Return the cosine of two sets of answers, all values of one as one vector; nan where they have no length."""
    if one.shape != other.shape:
        return float("nan")
    a, b = one.astype(np.float64).ravel(), other.astype(np.float64).ravel()
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def turns(
    rows: Sequence[Row], files: Files, folder: Path, threads: int, rounds: int, say: Callable[[str], None]
) -> None:
    """Time all that have no fault, into each row's `ms`: each round each has one turn, in random order."""
    order = random.Random(SEED)
    with ExitStack() as stack:
        workers: dict[int, Worker] = {}
        counts: dict[int, int] = {}
        for number, row in enumerate(rows):
            if row.fault:
                continue
            python, path = files[row.runtime, row.kind]
            worker = stack.enter_context(Worker(python, row.runtime, path, folder / INPUTS, threads))
            with _faults_of(row):
                worker.version()
                once = statistics.median(worker.run(3))
                workers[number], counts[number] = worker, max(1, min(50, round(TURN_SECONDS * 1e3 / once)))
        for turn in range(rounds):
            say(f"{folder.name}: {threads} threads, round {turn + 1} of {rounds}")
            for number in order.sample(sorted(workers), len(workers)):
                time.sleep(PAUSE_SECONDS)
                row = rows[number]
                with _faults_of(row):
                    row.ms.setdefault(threads, []).append(statistics.median(workers[number].run(counts[number])))
                if row.fault:
                    del workers[number]


@contextmanager
def _faults_of(row: Row) -> Iterator[None]:
    """Let what fails be the row's fault, and the others go on; not LiteRT's own, with which all are compared."""
    try:
        yield
    except EdgeError as error:
        if (row.runtime, row.kind) == _BASE:
            raise EdgeError(f"LiteRT itself can't be measured: {error}", "peers.base") from None
        row.fault = str(error)


def _cold(rows: Sequence[Row], files: Files, folder: Path, rounds: int, say: Callable[[str], None]) -> None:
    order = random.Random(SEED)
    good = [row for row in rows if not row.fault]
    for turn in range(rounds):
        say(f"{folder.name}: fresh processes, round {turn + 1} of {rounds}")
        for row in order.sample(good, len(good)):
            if row.fault:
                continue
            python, path = files[row.runtime, row.kind]
            with _faults_of(row):
                ran = process.cold(python, row.runtime, path, folder / INPUTS)
                row.cold_ms.append(ran.wall)
                row.memory_mb.append(ran.memory)
