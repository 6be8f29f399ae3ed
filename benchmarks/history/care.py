"""A history's backup, and the search for what is wrong with it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.history.database import APPLICATION, Database, check_version
from benchmarks.history.store import Store
from benchmarks.measurement import Word, measurement
from edge.errors import EdgeError

_TABLES = ("nights", "cells", "identities", "measurements", "records", "verdicts", "latencies")


def backup(store: Store, target: Path) -> int:
    """Copy the history as it is at one moment, while others may write to it; return the copy's bytes.

    The copy is read back before it takes its name: SQLite's own check, the version, and as many rows in each table.

    Raises:
        EdgeError: "history.backup" where `target` is the history itself or something else than a backup, and where
            the copy is wrong; "history.full", "history.unwritable". A file of that name stays as it was then.
    """
    _refuse(store, target)
    part = target.with_name(f".{target.name}.part")
    target.parent.mkdir(parents=True, exist_ok=True)
    part.unlink(missing_ok=True)  # of one that was killed
    try:
        with store.database.reading():
            counts = _counts(store.database)
            store.database.copy_to(part)
        with contextlib.closing(Database(part)) as copy:
            faults = copy.faults()
            if not faults:
                check_version(copy)
            if faults or _counts(copy) != counts:
                reason = faults[0] if faults else "it has other rows"
                raise EdgeError(
                    f"{target}: the copy is not what was copied ({reason}): check the disk", "history.backup"
                )
        with open(part, "rb") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    finally:
        for path in (part, part.with_name(f"{part.name}-journal")):
            path.unlink(missing_ok=True)
    return target.stat().st_size


def _refuse(store: Store, target: Path) -> None:
    if not target.exists():
        return
    if target.samefile(store.path):
        raise EdgeError(f"{target} is the history itself: give another path for the backup", "history.backup")
    if not _is_history(target):
        raise EdgeError(
            f"{target} is something else than a backup of a history: it stays; give another path", "history.backup"
        )


def _is_history(path: Path) -> bool:
    if not path.is_file():
        return False
    try:
        with contextlib.closing(Database(path)) as database:
            return bool(database.value("PRAGMA application_id") == APPLICATION)
    except EdgeError:
        return False


def _counts(database: Database) -> list[int]:
    return [database.value(f"SELECT count(*) FROM {table}") for table in _TABLES]


def faults(store: Store) -> list[str]:
    """Return what is wrong with a history, [] for nothing: the file, its records, and its columns against these."""
    found = store.database.faults()
    return found or [*_wrong_records(store.database), *_wrong_rows(store.database)]


def _wrong_records(database: Database) -> Iterator[str]:
    last = 0
    while rows := database.rows(  # piece by piece: a year of records is large
        "SELECT measurements.id, device, model, runtime, threads, role, start, time, p50_ms, fault, record "
        "FROM measurements JOIN cells ON cells.id = cell LEFT JOIN records ON measurement = measurements.id "
        "WHERE measurements.id > ? ORDER BY measurements.id LIMIT 1000",
        (last,),
    ):
        for number, *columns, text in rows:
            last = number
            if (wrong := _wrong(columns, text)) is not None:
                yield f"measurement {number}: {wrong}"


def _wrong(columns: list[Any], text: str | None) -> str | None:
    """Return what is wrong with a measurement's record; None for nothing."""
    if text is None:
        return "it has no record"
    try:
        read = measurement(json.loads(text))
    except (ValueError, KeyError, TypeError) as error:
        return f"its record can't be read ({error})"
    cell, fault = read.cell, read.fault
    same = [cell.device, cell.model, cell.runtime, cell.threads, read.role, read.start, read.time]
    same += [read.latency_ms.get("p50"), fault["code"] if fault else None]
    return None if same == columns else "its columns say something else than its record"


def _wrong_rows(database: Database) -> Iterator[str]:
    words = {word.value for word in Word}
    for night, word in database.rows("SELECT DISTINCT name, word FROM verdicts JOIN nights ON nights.id = night"):
        if word not in words:
            yield f"the night {night} has the verdict {word}, which is none"
    names = [name for (name,) in database.rows("SELECT name FROM nights ORDER BY id")]
    if names != sorted(names):
        yield "the nights are not in the order of their names"
