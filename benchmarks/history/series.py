"""A year of nights from the columns of a history, without its records."""

from __future__ import annotations

import contextlib
import gc
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import astuple
from typing import Any

from benchmarks.history.database import Database
from benchmarks.measurement import (
    CANARY_AFTER,
    CONFIRMATION,
    MODEL,
    Cell,
    Identity,
    Sample,
    Verdict,
    Word,
)

# By device, or by a cell's row, and then by a night's row: a year has 73,000 of these, so that tuples as keys cost.
_Canaries = dict[str, dict[int, tuple[list[float], list[float]]]]
_Starts = dict[int, dict[int, list[Any]]]
_Verdicts = dict[int, dict[int, Verdict]]


def cells(database: Database, only: Cell | None = None) -> dict[int, Cell]:
    """Return the cells that were measured or judged, or one of them, by their row."""
    rows = database.rows(
        "SELECT id, device, model, runtime, threads FROM cells "
        "WHERE (EXISTS (SELECT 1 FROM measurements WHERE cell = cells.id AND role IN (?, ?)) "
        "OR EXISTS (SELECT 1 FROM verdicts WHERE cell = cells.id))"
        + (" AND device = ? AND model = ? AND runtime = ? AND threads = ?" if only else ""),
        (MODEL, CONFIRMATION, *(astuple(only) if only else ())),
    )
    return {number: Cell(*values) for number, *values in rows}


def read(
    database: Database,
    cell: Cell | None = None,
    until: int | None = None,
    finished: bool = False,
    evidence: bool = True,
) -> dict[Cell, list[Sample]]:
    """Return each cell's nights, oldest first; those that are pruned are left out.

    Args:
        cell: only this one.
        until: the row of the last night.
        finished: leave out nights that are not.
        evidence: False: the verdicts' is {}.
    """
    with database.reading(), _no_collection():
        known = cells(database, cell)
        names = dict(
            database.rows(
                "SELECT id, name FROM nights WHERE NOT pruned AND (finished OR NOT ?) AND (? IS NULL OR id <= ?)",
                (finished, until, until),
            )
        )
        if not known:
            return {}
        only = next(iter(known)) if cell else None
        starts, verdicts = _starts(database, only), _verdicts(database, only, known, evidence)
        canaries = _canaries(database, cell.device if cell else None)
        identities = _Identities(database)
        found = {}
        for number, each in sorted(known.items(), key=lambda item: item[1]):
            samples = _samples(names, starts[number], verdicts[number], canaries[each.device], identities)
            if samples:
                found[each] = samples
        return found


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """Python does not look for circles among all those lists again and again, which takes half of the time."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


class _Identities(dict[int | None, Identity | None]):
    """By their row, read when they are first asked for."""

    def __init__(self, database: Database) -> None:
        super().__init__({None: None})
        self._database = database

    def __missing__(self, number: int) -> Identity:
        text = self._database.value("SELECT record FROM identities WHERE id = ?", (number,))
        self[number] = found = Identity(**json.loads(text))
        return found


def _starts(database: Database, cell: int | None) -> _Starts:
    """Return [p50 of the starts, of the confirmation's, identity's row]."""
    rows = database.rows(
        "SELECT cell, night, role, fault, p50_ms, identity FROM measurements INDEXED BY measurements_series "
        f"WHERE role IN (?, ?) {'' if cell is None else 'AND cell = ?'} ORDER BY cell, night, role, start",
        (MODEL, CONFIRMATION) if cell is None else (MODEL, CONFIRMATION, cell),
    )
    found: _Starts = defaultdict(dict)
    last = None
    for number, night, role, fault, p50, identity in rows:
        if (number, night) != last:
            last = number, night
            nightly = found[number][night] = [[], [], None]
        if role == MODEL:
            if nightly[2] is None:
                nightly[2] = identity
            if fault is None and p50 is not None:
                nightly[0].append(p50)
        elif fault is None and p50 is not None:
            nightly[1].append(p50)
    return found


def _canaries(database: Database, device: str | None) -> _Canaries:
    """Return p50 of the canary's starts before and after."""
    # The roles as the index has them, which is of canaries alone.
    rows = database.rows(
        "SELECT device, night, role, p50_ms FROM cells JOIN measurements INDEXED BY measurements_canary "
        "ON cell = cells.id WHERE role IN ('canary-before', 'canary-after') AND fault IS NULL AND p50_ms IS NOT NULL "
        f"{'' if device is None else 'AND device = ?'} ORDER BY cell, night, role, start",
        () if device is None else (device,),
    )
    found: _Canaries = defaultdict(lambda: defaultdict(lambda: ([], [])))
    for name, night, role, p50 in rows:
        found[name][night][role == CANARY_AFTER].append(p50)
    return found


def _verdicts(database: Database, cell: int | None, known: dict[int, Cell], evidence: bool) -> _Verdicts:
    rows = database.rows(
        f"SELECT cell, night, word, reason, {'evidence' if evidence else 'NULL'} FROM verdicts "
        f"{'' if cell is None else 'WHERE cell = ?'}",
        () if cell is None else (cell,),
    )
    words = {word.value: word for word in Word}
    found: _Verdicts = defaultdict(dict)
    for number, night, word, reason, text in rows:
        found[number][night] = Verdict(known[number], words[word], reason, json.loads(text) if text else {})
    return found


def _samples(
    names: dict[int, str],
    starts: dict[int, list[Any]],
    verdicts: dict[int, Verdict],
    canaries: dict[int, tuple[list[float], list[float]]],
    identities: _Identities,
) -> list[Sample]:
    """Return a cell's nights, oldest first; nights have ascending rows."""
    nights = starts if verdicts.keys() <= starts.keys() else sorted({*starts, *verdicts})
    return [
        Sample(names[night], p50, confirmation, *canaries[night], identities[identity], verdicts.get(night))
        for night in nights
        if night in names
        for p50, confirmation, identity in (starts.get(night) or ([], [], None),)
    ]
