"""A night: begun or gone on with, its jobs in their order, and what is said of it.

All that decides what is done next is read from the history, so that an interrupted night goes on where it stopped.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from benchmarks.devices.device import Device
from benchmarks.history.store import Store
from benchmarks.matrix.plan import Network, Plan, is_recent
from benchmarks.matrix.worker import Down, Job, Ready
from benchmarks.measurement import (
    CANARY_AFTER,
    CANARY_BEFORE,
    CONFIRMATION,
    MODEL,
    RUNTIMES,
    Cell,
    Measurement,
    Sample,
    Verdict,
)
from benchmarks.measuring.measure import Effort
from benchmarks.verdicts.detector import CANARY_STARTS
from benchmarks.verdicts.judge import CONFIRMATIONS, Past
from edge.record import now

FAULTS = 2  # after so many the night tries a cell no more
EFFORT = Effort(invokes=50, warmup=5, budget=0.7)  # of a start: the shipped models on this machine in three minutes

_SLOW = "measure.timeout"


def begin(store: Store, plan: Plan, say: Callable[[str], None]) -> str:
    """Return the name of the night that is measured: of the one that was interrupted, where it has the same plan."""
    today = datetime.datetime.now(datetime.timezone.utc)
    record = plan.record()
    if (found := store.unfinished()) is not None:
        name, old = found
        changed = sorted(key for key in record if record[key] != old.get(key))
        if not changed and is_recent(name, today):
            say(f"night {name} goes on: {len(store.measurements(name))} starts are measured")
            return name
        reason = f"other {', '.join(changed)}" if changed else "it is too old"
        say(f"night {name} was interrupted and is not gone on with: {reason}")
        store.finish(name)
    name = store.new_night(today)
    if name != f"{today:%Y-%m-%dT%H:%M:%SZ}":
        say(f"the clock says {today:%Y-%m-%dT%H:%M:%SZ}, and the history has a later night: this one is named {name}")
    store.begin(name, record)
    return name


class Course:
    """One device's part of a night.

    Attributes:
        device: it.
        cells: what is measured; [] until the device is reached.
        done, total: starts that are measured, and in all, as far as that is known.
        verdicts: in the end.
    """

    def __init__(self, store: Store, night: str, plan: Plan, device: Device) -> None:
        """Read what the history has of it."""
        self._store, self._night, self._plan, self.device = store, night, plan, device
        self._measured = [m for m in store.measurements(night) if m.cell.device == device.name]
        self.cells: list[Cell] = []
        self.total = 0
        self.verdicts: list[Verdict] = []
        self._is_lost = False
        self._pasts: dict[Cell, Past] = {}

    @property
    def done(self) -> int:
        """How many starts are measured."""
        return sum(m.fault is None for m in self._measured)

    def is_judged(self) -> bool:
        """Whether nothing is left to do, as the night was interrupted behind this device's end."""
        self.verdicts = [v for v in self._store.verdicts(self._night) if v.cell.device == self.device.name]
        judged = {verdict.cell for verdict in self.verdicts}
        expected = {m.cell for m in self._measured if m.role == MODEL}
        after = any(m.role == CANARY_AFTER for m in self._measured)
        return bool(judged) and expected <= judged and after

    def jobs(self, ready: Ready) -> Iterator[Job]:
        """Return what is to be done, one after the other; `add` takes what became of each."""
        runtimes = [runtime for runtime in RUNTIMES if runtime in ready.runtimes]
        self.cells = self._plan.cells(self.device, runtimes, ready.cores)
        self.total = len(self.cells) * self._plan.starts + 2 * CANARY_STARTS
        if not self.cells:
            return
        canary = Cell(self.device.name, self._plan.canary.name, runtimes[0], 1)
        yield from self._starts([canary], CANARY_BEFORE, CANARY_STARTS)
        yield from self._starts(self.cells, MODEL, self._plan.starts)
        yield from self._starts([canary], CANARY_AFTER, CANARY_STARTS)
        suspected = [cell for cell in self.cells if self._is_suspected(cell)]
        self.total += len(suspected) * CONFIRMATIONS
        yield from self._starts(suspected, CONFIRMATION, CONFIRMATIONS)

    def add(self, measured: Measurement) -> None:
        """Keep what became of a job."""
        self._store.add(self._night, measured)
        self._measured.append(measured)

    def down(self, down: Down) -> None:
        """Keep that the device was lost, as a fault of each cell: of its first start that is missing, else of one more.

        A device that is lost behind its last start has measured everything, and is down all the same.
        """
        self._is_lost = True
        fault = {"code": down.code, "message": down.message}
        for cell in self.cells or self._plan.expected(self.device, self._store.cells()):
            missing = [start for start in range(self._plan.starts) if not self._has(cell, MODEL, start)]
            self.add(Measurement(cell, MODEL, [*missing, self._plan.starts][0], now(), fault=fault))

    def judge(self) -> None:
        """Give each cell that has something tonight its verdict, once."""
        judged = {verdict.cell for verdict in self.verdicts}
        for cell in sorted({m.cell for m in self._measured if m.role == MODEL} - judged):
            past, sample = self._looked_at(cell)
            verdict = past.judge(sample, self._tonight(cell))
            self._store.add_verdict(self._night, verdict)
            self.verdicts.append(verdict)

    def _tonight(self, cell: Cell) -> list[Measurement]:
        """Return what is judged: of a start that was tried once more, how it came out.

        That the device had been lost before an interruption is past where it was not lost again.
        """
        tonight = {
            (m.role, m.start): m
            for m in self._measured
            if m.cell == cell and m.role in (MODEL, CONFIRMATION)
            if self._is_lost or not (m.fault and _is_devices(m.fault["code"]))
        }
        return list(tonight.values())

    def _starts(self, cells: Sequence[Cell], role: str, count: int) -> Iterator[Job]:
        """Return fresh starts, each number of all cells before the next one, so that what drifts meets all alike.

        Each time in another order: no cell always follows the same one, in the heat that it leaves.
        """
        for start in range(count):
            order = random.Random(f"{self._night} {role} {start}").sample(cells, len(cells))
            for cell in order:
                if not self._has(cell, role, start) and not self._is_given_up(cell, role):
                    yield self._job(cell, role, start)

    def _job(self, cell: Cell, role: str, start: int) -> Job:
        network = self._network(cell.model)
        return Job(
            cell,
            role,
            start,
            network.path,
            accuracy=role == MODEL and start == 0,
            images=self.device.images.get(network.task),
            effort=dataclasses.replace(EFFORT, seconds=self._plan.seconds),
        )

    def _network(self, name: str) -> Network:
        plan = self._plan
        return next((network for network in plan.networks if network.name == name), plan.canary)

    def _has(self, cell: Cell, role: str, start: int) -> bool:
        return any((m.cell, m.role, m.start) == (cell, role, start) and m.fault is None for m in self._measured)

    def _is_given_up(self, cell: Cell, role: str) -> bool:
        """Whether it took too long once, or failed several times; a device that was lost is none of its faults."""
        faults = Counter(
            m.fault["code"]
            for m in self._measured
            if m.fault and (m.cell, m.role) == (cell, role) and not _is_devices(m.fault["code"])
        )
        return faults[_SLOW] > 0 or faults.total() >= FAULTS

    def _is_suspected(self, cell: Cell) -> bool:
        past, tonight = self._looked_at(cell)
        return past.suspects(tonight)

    def _looked_at(self, cell: Cell) -> tuple[Past, Sample]:
        """Return a cell's nights before, looked at once in a night, and tonight as it is now."""
        series = self._store.series(cell, self._night)
        tonight = series.pop() if series and series[-1].night == self._night else Sample(self._night)
        if cell not in self._pasts:
            self._pasts[cell] = Past(cell, series)
        return self._pasts[cell], tonight


def _is_devices(code: str) -> bool:
    return code.startswith("board.") or code == "matrix.driver"
