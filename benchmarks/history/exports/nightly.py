"""A night's numbers by cell, as the formats with one number a night need them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from statistics import median

from benchmarks.history.store import Store
from benchmarks.measurement import MODEL, Cell, Identity, Measurement, Verdict

Numbers = Callable[[Measurement], "float | None"]


@dataclass
class Nightly:
    """A cell's night.

    Attributes:
        cell: which.
        starts: the fresh starts without a fault.
        verdict: None where there is none.
    """

    cell: Cell
    starts: list[Measurement] = field(default_factory=list)
    verdict: Verdict | None = None

    @property
    def identity(self) -> Identity | None:
        """Return the first start's."""
        return next((start.identity for start in self.starts if start.identity), None)

    @property
    def name(self) -> str:
        """Return the cell in words; an emulator's times are marked."""
        return f"{self.cell}{' (emulated)' if self.identity and self.identity.emulated else ''}"

    def numbers(self, of: Numbers) -> list[float]:
        """Return a number of each start that has it."""
        return [number for start in self.starts if (number := of(start)) is not None]

    def middle(self, of: Numbers) -> float | None:
        """Return the median over the starts; None where none has the number."""
        return median(numbers) if (numbers := self.numbers(of)) else None


def nightly(store: Store, night: str) -> list[Nightly]:
    """Return the cells that were measured or judged in a night, sorted."""
    found: dict[Cell, Nightly] = {}
    for measured in store.measurements(night):
        if measured.role == MODEL:
            each = found.setdefault(measured.cell, Nightly(measured.cell))
            if measured.fault is None:
                each.starts.append(measured)
    for verdict in store.verdicts(night):
        found.setdefault(verdict.cell, Nightly(verdict.cell)).verdict = verdict
    return [found[cell] for cell in sorted(found)]


def latency(name: str) -> Numbers:
    """Return what gives one of a start's times in ms."""
    return lambda start: start.latency_ms.get(name)


def peak_mb(start: Measurement) -> float | None:
    """Return the process's most memory in MB (10**6 bytes)."""
    return start.memory_mb.get("peak")


def file_bytes(start: Measurement) -> float | None:
    """Return the model file's size."""
    return start.sizes.get("file")
