"""The history: nights, what was measured in them, and what was said of it.

One SQLite file. Rows are added by any number of processes at once, each a transaction of its own, and never change;
`prune` alone lets old ones go.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.history import database as file
from benchmarks.history import series
from benchmarks.history.database import Database
from benchmarks.measurement import Cell, Identity, Measurement, Sample, Verdict, Word, measurement
from edge import strict_json
from edge.errors import EdgeError
from edge.terminal import log as complain

DEFAULT = Path("build/bench/history.sqlite")  # under the current folder

_NIGHT = "%Y-%m-%dT%H:%M:%SZ"
_NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


@dataclass(frozen=True)
class LatencyTable:
    """Times of single operators on a device.

    Attributes:
        night: when it was measured, in a night's form.
        device: its name in the inventory.
        identity: the device and its software; None where it does not say.
        rows: one JSON object an operator, as they were added.
    """

    night: str
    device: str
    identity: Identity | None
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Night:
    """A night in numbers.

    Attributes:
        name: of the night.
        finished, pruned: whether nothing more comes; whether its measurements are gone.
        measurements, faults: how many were kept; how many of them have a fault.
        words: how often each verdict was given.
    """

    name: str
    finished: bool
    pruned: bool
    measurements: int
    faults: int
    words: dict[str, int]


@dataclass(frozen=True)
class Pruned:
    """What `Store.prune` let go: the nights' names, how many measurements and latency tables, the file's bytes."""

    nights: list[str]
    measurements: int
    latencies: int
    bytes: int


@contextlib.contextmanager
def open_store(
    path: Path,
    *,
    begin_new: bool = False,
    create: bool = True,
    wait: float = file.WAIT,
    log: Callable[[str], None] = complain,
) -> Iterator[Store]:
    """Open the history at `path` for a block; a new one is begun where there is none.

    Args:
        begin_new: keep a damaged one aside as NAME.damaged-DATE and begin a new one; a sound one goes on.
        create: False for whoever only reads: EdgeError "history.missing" where there is none.
        wait: seconds to wait for another process that writes.
        log: gets a line where a damaged one was kept aside.

    Raises:
        EdgeError: "history.missing", "history.damaged", "history.version" (a newer program's), "history.foreign"
            (another program's database), "history.busy", "history.full", "history.unwritable"; each method the last
            three and "history.damaged" too.
    """
    with contextlib.closing(file.opened(path, begin_new=begin_new, create=create, wait=wait, log=log)) as opened:
        yield Store(opened)


class Store:
    """An open history; its methods may be called from several threads."""

    def __init__(self, opened: Database) -> None:
        """Wrap what `open_store` opened."""
        self.path = opened.path
        self.database = opened

    # Nights

    def new_night(self, now: datetime.datetime | None = None) -> str:
        """Return a name for a night that begins now: UTC, and later than every night's, whatever the clock says."""
        now = (now or datetime.datetime.now(datetime.timezone.utc)).astimezone(datetime.timezone.utc)
        last = self.database.value("SELECT max(name) FROM nights")
        name = now.strftime(_NIGHT)
        return name if last is None or name > last else (_moment(last) + datetime.timedelta(seconds=1)).strftime(_NIGHT)

    def begin(self, night: str, plan: Mapping[str, Any]) -> None:
        """Begin a night.

        Args:
            night: "2026-11-28T02:00:00Z", later than all others; `new_night` makes one.
            plan: JSON; `unfinished` returns it.

        Raises:
            EdgeError: "history.order" where a night of that name or a later one is there.
            ValueError: where the name is none.
        """
        if not _NAME.fullmatch(night):
            raise ValueError(f"{night!r} is no night: expected its UTC, such as 2026-11-28T02:00:00Z")
        _moment(night)
        text = strict_json.dumps(plan, "the night's plan", "history.invalid")
        with self.database.transaction():
            last = self.database.value("SELECT max(name) FROM nights")
            if last is not None and last >= night:
                raise EdgeError(
                    f"{self.path} has the night {last} already, which is not before {night}: expected nights in the "
                    "order of their names; correct the clock",
                    "history.order",
                )
            self.database.insert("INSERT INTO nights (name, plan) VALUES (?, ?)", (night, text))

    def unfinished(self) -> tuple[str, dict[str, Any]] | None:
        """Return the newest night and its plan where it was not finished; None where it was.

        One that was left unfinished when a later one began is given up.
        """
        rows = self.database.rows("SELECT name, plan, finished FROM nights ORDER BY id DESC LIMIT 1")
        with file.readable(self.path):
            return (rows[0][0], json.loads(rows[0][1])) if rows and not rows[0][2] else None

    def finish(self, night: str) -> None:
        """Say that nothing more comes of a night."""
        with self.database.transaction():
            self.database.rows("UPDATE nights SET finished = 1 WHERE id = ?", (self._night(night),))

    def nights(self) -> list[str]:
        """Return the finished ones, oldest first."""
        return [name for (name,) in self.database.rows("SELECT name FROM nights WHERE finished ORDER BY id")]

    def all_nights(self) -> list[str]:
        """Return all, oldest first: unfinished ones too, and those whose measurements are pruned."""
        return [name for (name,) in self.database.rows("SELECT name FROM nights ORDER BY id")]

    def summary(self) -> list[Night]:
        """Return all nights in numbers, oldest first."""
        with self.database.reading():
            words: dict[int, dict[str, int]] = {}
            for night, word, times in self.database.rows("SELECT night, word, count(*) FROM verdicts GROUP BY 1, 2"):
                words.setdefault(night, {})[word] = times
            rows = self.database.rows(
                "SELECT nights.id, name, finished, pruned, count(measurements.id), count(fault) FROM nights "
                "LEFT JOIN measurements ON night = nights.id GROUP BY nights.id ORDER BY nights.id"
            )
        return [
            Night(name, bool(finished), bool(pruned), number, faults, words.get(row, {}))
            for row, name, finished, pruned, number, faults in rows
        ]

    # What was measured

    def add(self, night: str, measured: Measurement) -> None:
        """Keep a measurement; a start of a cell and role is kept once a night, after a fault it may come again.

        Raises EdgeError "history.twice" for another, and "history.invalid" where a number is not finite.
        """
        # The same as `measured.record()` and three times as fast. The identity has a row of its own.
        record = vars(measured) | {"identity": None}
        text = strict_json.dumps(
            record, f"the measurement of {measured.cell}", "history.invalid", separators=(",", ":"), default=vars
        )
        try:
            with self.database.transaction():
                row = self.database.insert(
                    "INSERT INTO measurements (night, cell, role, start, time, p50_ms, fault, identity) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (
                        self._night(night),
                        self._cell(measured.cell),
                        measured.role,
                        measured.start,
                        measured.time,
                        measured.latency_ms.get("p50"),
                        measured.fault["code"] if measured.fault else None,
                        self._identity(measured.identity),
                    ),
                )
                self.database.insert("INSERT INTO records VALUES (?, ?)", (row, text))
        except sqlite3.IntegrityError:
            raise EdgeError(
                f"{self.path} has start {measured.start} ({measured.role}) of {measured.cell} in the night {night} "
                "already: expected each once; end other edge-bench that measure this night",
                "history.twice",
            ) from None

    def measurements(self, night: str) -> list[Measurement]:
        """Return what was measured in a night, in the order in which it was added."""
        rows = self.database.rows(
            "SELECT records.record, identities.record FROM measurements JOIN records ON measurement = measurements.id "
            "LEFT JOIN identities ON identities.id = identity WHERE night = ? ORDER BY measurements.id",
            (self._night(night),),
        )
        with file.readable(self.path):
            return [measurement(json.loads(text) | {"identity": json.loads(about or "null")}) for text, about in rows]

    def add_verdict(self, night: str, verdict: Verdict) -> None:
        """Keep a verdict, one for a cell and night: EdgeError "history.twice" for another."""
        evidence = strict_json.dumps(verdict.evidence, f"the verdict on {verdict.cell}", "history.invalid")
        try:
            with self.database.transaction():
                self.database.insert(
                    "INSERT INTO verdicts (cell, night, word, reason, evidence) VALUES (?, ?, ?, ?, ?)",
                    (self._cell(verdict.cell), self._night(night), verdict.word.value, verdict.reason, evidence),
                )
        except sqlite3.IntegrityError:
            raise EdgeError(
                f"{self.path} has a verdict on {verdict.cell} in the night {night} already: expected one; end other "
                "edge-bench that judge this night",
                "history.twice",
            ) from None

    def verdicts(self, night: str) -> list[Verdict]:
        """Return a night's verdicts, by cell."""
        rows = self.database.rows(
            "SELECT device, model, runtime, threads, word, reason, evidence FROM verdicts "
            "JOIN cells ON cells.id = cell WHERE night = ?",
            (self._night(night),),
        )
        with file.readable(self.path):
            found = [Verdict(Cell(*row[:4]), Word(row[4]), row[5], json.loads(row[6])) for row in rows]
        return sorted(found, key=lambda verdict: verdict.cell)

    # Series

    def cells(self) -> list[Cell]:
        """Return the cells that were measured or judged in any night, sorted; a canary is none."""
        return sorted(series.cells(self.database).values())

    def series(self, cell: Cell, until: str | None = None) -> list[Sample]:
        """Return a cell's nights, oldest first, unfinished ones too; a night that lacks it has no sample.

        Args:
            until: the last night.
        """
        last = None if until is None else self._night(until)
        with file.readable(self.path):
            return series.read(self.database, cell, last).get(cell, [])

    def all_series(self, evidence: bool = True) -> dict[Cell, list[Sample]]:
        """Return the finished nights of all cells, in one pass over a year.

        Args:
            evidence: False leaves the verdicts' evidence away ({}), which takes half of the time.
        """
        with file.readable(self.path):
            return series.read(self.database, finished=True, evidence=evidence)

    # Latency tables

    def add_latencies(
        self, night: str, device: str, identity: Identity | None, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """Keep a table of a device's operators, measured at `night` (in a night's form; it need not be one)."""
        text = strict_json.dumps(list(rows), f"the latency table of {device}", "history.invalid")
        with self.database.transaction():
            self.database.insert(
                "INSERT INTO latencies (night, device, identity, rows) VALUES (?, ?, ?, ?)",
                (night, device, self._identity(identity), text),
            )

    def latencies(self, device: str) -> list[LatencyTable]:
        """Return a device's tables, oldest first."""
        rows = self.database.rows(
            "SELECT night, record, rows FROM latencies LEFT JOIN identities ON identities.id = identity "
            "WHERE device = ? ORDER BY night, latencies.id",
            (device,),
        )
        with file.readable(self.path):
            return [
                LatencyTable(night, device, Identity(**json.loads(text)) if text else None, json.loads(table))
                for night, text, table in rows
            ]

    # Care

    def prune(self, keep_days: int) -> Pruned:
        """Let go what was measured before the newest `keep_days` days that have a night; nights and verdicts stay.

        Days with a night are counted, and not days on the calendar: one night under a clock that had jumped years
        ahead would empty the history.
        """
        before = self.path.stat().st_size
        with self.database.transaction():
            days = self.database.rows(
                "SELECT DISTINCT substr(name, 1, 10) FROM nights ORDER BY 1 DESC LIMIT ?", (keep_days,)
            )
            limit = days[-1][0] if days else ""
            old = self.database.rows("SELECT id, name FROM nights WHERE name < ? AND NOT pruned ORDER BY id", (limit,))
            count = 0
            for night, _ in old:
                self.database.rows("UPDATE nights SET finished = 1, pruned = 1 WHERE id = ?", (night,))
                count += self.database.value("SELECT count(*) FROM measurements WHERE night = ?", (night,))
                self.database.rows("DELETE FROM measurements WHERE night = ?", (night,))
            tables = self.database.value("SELECT count(*) FROM latencies WHERE night < ?", (limit,))
            self.database.rows("DELETE FROM latencies WHERE night < ?", (limit,))
        self.database.script("PRAGMA incremental_vacuum")  # a script steps through all pages, one statement does one
        return Pruned([name for _, name in old], count, tables, max(0, before - self.path.stat().st_size))

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Keep all that is added in the block at once, or nothing of it: for many rows. Others can't add meanwhile."""
        with self.database.transaction():
            yield

    # Numbers of rows

    def _night(self, name: str) -> int:
        number = self.database.value("SELECT id FROM nights WHERE name = ?", (name,))
        if number is None:
            raise EdgeError(
                f"{self.path} has no night {name}: expected one of those that `edge-bench history show` lists",
                "history.night",
            )
        return int(number)

    def _cell(self, cell: Cell) -> int:
        """Return the row of a cell, a new one where it is new; in a transaction."""
        values = cell.device, cell.model, cell.runtime, cell.threads
        number = self.database.value(
            "SELECT id FROM cells WHERE device = ? AND model = ? AND runtime = ? AND threads = ?", values
        )
        if number is None:
            number = self.database.insert(
                "INSERT INTO cells (device, model, runtime, threads) VALUES (?, ?, ?, ?)", values
            )
        return int(number)

    def _identity(self, identity: Identity | None) -> int | None:
        """Return the row of an identity, a new one where it is new; in a transaction."""
        if identity is None:
            return None
        text = strict_json.dumps(vars(identity), "the device's identity", "history.invalid", sort_keys=True)
        number = self.database.value("SELECT id FROM identities WHERE record = ?", (text,))
        if number is None:
            number = self.database.insert(
                "INSERT INTO identities (model_sha256, program, release, runtime_version, machine, kernel, emulated, "
                "record) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    identity.model_sha256,
                    identity.program,
                    identity.release,
                    identity.runtime_version,
                    identity.machine,
                    identity.kernel,
                    int(identity.emulated),
                    text,
                ),
            )
        return int(number)


def _moment(night: str) -> datetime.datetime:
    return datetime.datetime.strptime(night, _NIGHT).replace(tzinfo=datetime.timezone.utc)
