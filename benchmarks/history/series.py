"""A year of nights from the columns of a history, without its records."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from benchmarks.history.database import Database
from benchmarks.measurement import (
    CANARY_AFTER,
    CANARY_BEFORE,
    CONFIRMATION,
    MODEL,
    Cell,
    Identity,
    Sample,
    Verdict,
    Word,
)

_Canaries = dict[tuple[str, int], tuple[list[float], list[float]]]


def cells(database: Database) -> dict[int, Cell]:
    """Return the cells that were measured or judged, by their row."""
    rows = database.rows(
        "SELECT id, device, model, runtime, threads FROM cells "
        "WHERE EXISTS (SELECT 1 FROM measurements WHERE cell = cells.id AND role IN (?, ?)) "
        "OR EXISTS (SELECT 1 FROM verdicts WHERE cell = cells.id)",
        (MODEL, CONFIRMATION),
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
    with database.reading():
        known = {number: found for number, found in cells(database).items() if cell in (None, found)}
        names = dict(
            database.rows(
                "SELECT id, name FROM nights WHERE NOT pruned AND (finished OR NOT ?) AND (? IS NULL OR id <= ?)",
                (finished, until, until),
            )
        )
        only = next(iter(known), None) if cell else None
        if cell and only is None:
            return {}
        starts = _starts(database, only)
        canaries = _canaries(database, cell.device if cell else None)
        verdicts = _verdicts(database, only, known, evidence)
        identities = _Identities(database)
        return _joined(known, names, starts, canaries, verdicts, identities)


class _Identities(dict[int | None, Identity | None]):
    """By their row, read when they are first asked for."""

    def __init__(self, database: Database) -> None:
        super().__init__({None: None})
        self._database = database

    def __missing__(self, number: int) -> Identity:
        text = self._database.value("SELECT record FROM identities WHERE id = ?", (number,))
        self[number] = found = Identity(**json.loads(text))
        return found


def _starts(database: Database, cell: int | None) -> dict[tuple[int, int], list[Any]]:
    """Return [p50 of the starts, of the confirmation's, identity's row] by cell and night."""
    rows = database.rows(
        "SELECT cell, night, role, fault, p50_ms, identity FROM measurements INDEXED BY measurements_series "
        f"WHERE role IN (?, ?) {'' if cell is None else 'AND cell = ?'} ORDER BY cell, night, role DESC, start",
        (MODEL, CONFIRMATION) if cell is None else (MODEL, CONFIRMATION, cell),
    )
    found: dict[tuple[int, int], list[Any]] = {}
    for number, night, role, fault, p50, identity in rows:
        nightly = found.get((number, night))
        if nightly is None:
            nightly = found[number, night] = [[], [], identity]
        elif nightly[2] is None:
            nightly[2] = identity
        if fault is None and p50 is not None:
            nightly[role == CONFIRMATION].append(p50)
    return found


def _canaries(database: Database, device: str | None) -> _Canaries:
    """Return p50 of the canary's starts before and after, by device and night."""
    rows = database.rows(
        "SELECT device, night, role, p50_ms FROM cells JOIN measurements INDEXED BY measurements_series "
        "ON cell = cells.id WHERE role IN (?, ?) AND fault IS NULL AND p50_ms IS NOT NULL "
        "AND (? IS NULL OR device = ?) ORDER BY cell, night, role, start",
        (CANARY_BEFORE, CANARY_AFTER, device, device),
    )
    found: _Canaries = defaultdict(lambda: ([], []))
    for name, night, role, p50 in rows:
        found[name, night][role == CANARY_AFTER].append(p50)
    return found


def _verdicts(
    database: Database, cell: int | None, known: dict[int, Cell], evidence: bool
) -> dict[tuple[int, int], Verdict]:
    rows = database.rows(
        f"SELECT cell, night, word, reason, {'evidence' if evidence else 'NULL'} FROM verdicts "
        f"{'' if cell is None else 'WHERE cell = ?'}",
        () if cell is None else (cell,),
    )
    words = {word.value: word for word in Word}
    return {
        (number, night): Verdict(known[number], words[word], reason, json.loads(text) if text else {})
        for number, night, word, reason, text in rows
    }


def _joined(
    known: dict[int, Cell],
    names: dict[int, str],
    starts: dict[tuple[int, int], list[Any]],
    canaries: _Canaries,
    verdicts: dict[tuple[int, int], Verdict],
    identities: _Identities,
) -> dict[Cell, list[Sample]]:
    found: dict[Cell, list[Sample]] = {cell: [] for cell in sorted(known.values())}
    for key in _in_order(starts, verdicts):
        number, night = key
        if (name := names.get(night)) is None:
            continue
        cell = known[number]
        p50, confirmation, identity = starts.get(key, ([], [], None))
        before, after = canaries[cell.device, night]
        found[cell].append(Sample(name, p50, confirmation, before, after, identities[identity], verdicts.get(key)))
    return {cell: samples for cell, samples in found.items() if samples}


def _in_order(starts: dict[tuple[int, int], list[Any]], verdicts: dict[tuple[int, int], Verdict]) -> Iterator[Any]:
    """Return the keys of both by cell and night; those of the first alone are in order already."""
    return iter(starts) if verdicts.keys() <= starts.keys() else iter(sorted({*starts, *verdicts}))
