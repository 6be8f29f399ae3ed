"""The file of a history: opened, begun, found damaged, or of another version; SQLite's complaints as sentences."""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from edge.errors import EdgeError

VERSION = 1
APPLICATION = int.from_bytes(b"edbg", "big")
WAIT = 30.0  # seconds for another writer's transaction, which takes milliseconds

_SCHEMA = Path(__file__).with_name("schema.sql")
_TABLES = {"nights", "cells", "identities", "measurements", "records", "verdicts", "latencies", "measured"}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_BEGIN_NEW = "`edge-bench matrix --new-history` keeps it aside and begins a new one"


class Database:
    """An open file: one statement or transaction at a time, from any thread."""

    def __init__(self, path: Path, wait: float = WAIT) -> None:
        """Open what is there; nothing is read yet. Raises EdgeError where that can't be."""
        self.path, self._wait = path, wait
        self._lock = threading.RLock()
        with said(path, wait):
            self._connection = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute("PRAGMA foreign_keys = ON")
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close it."""
        with self._lock:
            self._connection.close()

    def rows(self, statement: str, values: Sequence[object] = ()) -> list[Any]:
        """Return the rows of one statement as tuples."""
        with self._lock, said(self.path, self._wait):
            return self._connection.execute(statement, values).fetchall()

    def value(self, statement: str, values: Sequence[object] = ()) -> Any:
        """Return the first column of the first row; None where there is no row."""
        rows = self.rows(statement, values)
        return rows[0][0] if rows else None

    def insert(self, statement: str, values: Sequence[object]) -> int:
        """Do one statement that adds a row; return the row's number."""
        with self._lock, said(self.path, self._wait):
            return int(self._connection.execute(statement, values).lastrowid or 0)

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done in the block, or nothing of it: also for whoever reads meanwhile, and after a power cut."""
        with self._lock, said(self.path, self._wait):
            if self._connection.in_transaction:  # in a larger one
                yield
                return
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:  # a full disk has ended it already
                    self._connection.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        """Everything that is read in the block is of one moment."""
        with self._lock, said(self.path, self._wait):
            if self._connection.in_transaction:
                yield
                return
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def script(self, text: str) -> None:
        """Do several statements; they begin and end their own transaction."""
        with self._lock, said(self.path, self._wait):
            try:
                self._connection.executescript(text)
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def copy_to(self, target: Path) -> None:
        """Copy the whole, as it is at one moment, to a file."""
        with self._lock, said(target, self._wait), contextlib.closing(sqlite3.connect(target)) as copy:
            self._connection.backup(copy)

    def faults(self) -> list[str]:
        """Return what SQLite finds wrong with the file, at most ten of it; reads all of it."""
        try:
            found = self.rows("PRAGMA integrity_check(10)") + self.rows("PRAGMA foreign_key_check")
        except EdgeError as error:
            if error.code != "history.damaged":
                raise
            return [str(error)]
        return [" ".join(map(str, row)) for row in found if row != ("ok",)]


@contextlib.contextmanager
def said(path: Path, wait: float) -> Iterator[None]:
    """Say as EdgeError what SQLite says of the file in this block."""
    try:
        yield
    except sqlite3.Error as error:
        raise _sentence(path, wait, error) from None
    except UnicodeEncodeError as error:
        raise EdgeError(
            f"{path} can't keep {error.object!a}: expected Unicode text, this has half of a surrogate pair; "
            "correct the name",
            "history.invalid",
        ) from None


def opened(path: Path, *, begin_new: bool, create: bool, wait: float, log: Callable[[str], None]) -> Database:
    """Return the history at `path`, a new one where there is none and `create` says so.

    Args:
        begin_new: a damaged one is renamed to NAME.damaged-DATE first, and a new one begun.
        log: gets a line for each of these two.

    Raises:
        EdgeError: "history.missing", "history.damaged", "history.version", "history.foreign" (another program's),
            "history.busy", "history.full", "history.unwritable".
    """
    if not create and not (path.exists() and path.stat().st_size):
        state = "is empty" if path.exists() else "does not exist"
        raise EdgeError(
            f"{path} {state}: expected a history; `edge-bench matrix` begins one, --history names another",
            "history.missing",
        )
    if path.is_dir():
        raise EdgeError(f"{path} is a folder: expected the file of a history", "history.unwritable")
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EdgeError(
                f"{path.parent} can't be made ({error.strerror}): expected the folder of a history; check the path and "
                "its permissions",
                "history.unwritable",
            ) from None
    if begin_new and path.exists():
        with _alone(path.parent, wait):
            if faults := _damage(path, wait):
                _keep_aside(path, faults[0], log)
    database = Database(path, wait)
    try:
        if create and _is_empty(database):
            with _alone(path.parent, wait):  # two processes may begin it at once
                if _is_empty(database):
                    _begin(database)
        check_version(database)
    except BaseException:
        database.close()
        raise
    return database


def check_version(database: Database) -> None:
    """Raise EdgeError where it is no history ("history.foreign"), a newer program's or has not what one has."""
    application, version = database.value("PRAGMA application_id"), database.value("PRAGMA user_version")
    if application != APPLICATION:
        raise EdgeError(
            f"{database.path} is another program's database: expected a history of edge-bench; check the path",
            "history.foreign",
        )
    if version > VERSION:
        raise EdgeError(
            f"{database.path} has version {version} of the history, a newer edge-bench's: this one reads version "
            f"{VERSION}; update edge-infer, or give another file with --history",
            "history.version",
        )
    names = {name for (name,) in database.rows("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")}
    lacks = _TABLES - names
    if version < VERSION or lacks:
        reason = f"has no {' and no '.join(sorted(lacks))}" if lacks else f"has version {version}"
        raise damaged(database.path, reason)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Say as EdgeError that a JSON text of the history can't be read in this block."""
    try:
        yield
    except (ValueError, KeyError, TypeError) as error:
        raise damaged(path, f"a record can't be read: {type(error).__name__} {error}") from None


def damaged(path: Path, reason: str) -> EdgeError:
    """Return the error that says so."""
    return EdgeError(
        f"{path} is damaged ({reason}): expected a history; restore a backup, or {_BEGIN_NEW}", "history.damaged"
    )


def _is_empty(database: Database) -> bool:
    """Whether there is no table yet, and nobody else's mark."""
    return database.value("PRAGMA application_id") == 0 and not database.value("SELECT count(*) FROM sqlite_master")


def _begin(database: Database) -> None:
    try:
        database.script(_SCHEMA.read_text(encoding="utf-8"))
    except EdgeError:
        if not database.path.stat().st_size:  # a full disk
            database.path.unlink()
        raise


def _damage(path: Path, wait: float) -> list[str]:
    """Return what is wrong with a file as such; [] of a sound one, whosever it is."""
    try:
        database = Database(path, wait)
    except EdgeError as error:
        if error.code == "history.damaged":
            return [str(error)]
        raise
    with contextlib.closing(database):
        if faults := database.faults():
            return faults
        if _is_empty(database):
            return []
        try:
            check_version(database)
        except EdgeError as error:
            if error.code == "history.damaged":
                return [str(error)]
            raise
    return []


def _keep_aside(path: Path, fault: str, log: Callable[[str], None]) -> None:
    day = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d")
    aside, number = path.with_name(f"{path.name}.damaged-{day}"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.damaged-{day}-{number}")
    for end in ("-journal", "-wal", "-shm"):  # of a writer that was killed: without them more is lost
        with contextlib.suppress(FileNotFoundError):
            path.with_name(path.name + end).rename(aside.with_name(aside.name + end))
    path.rename(aside)
    log(f"{path} is damaged ({fault}): it is kept as {aside}")
    log(f"{path}: a new history begins")


@contextlib.contextmanager
def _alone(folder: Path, wait: float) -> Iterator[None]:
    """No other process is in such a block with this folder."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        until = time.monotonic() + wait
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise EdgeError(
                        f"{folder} is locked by another edge-bench for {wait:g} s: wait until it has begun its history",
                        "history.busy",
                    ) from None
                time.sleep(0.05)
        yield
    finally:
        os.close(handle)


def _sentence(path: Path, wait: float, error: sqlite3.Error) -> EdgeError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the higher bits say more of the same
    if code in _DAMAGED:
        return damaged(path, str(error))
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return EdgeError(
            f"{path} is written by another program for more than {wait:g} s: expected milliseconds; end that program "
            "(`fuser` names it), or wait for it",
            "history.busy",
        )
    if code == sqlite3.SQLITE_FULL:
        return EdgeError(f"{path} can't be written, the disk is full: free some space", "history.full")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_IOERR):
        return EdgeError(
            f"{path} can't be opened or written ({error}): check the path, its permissions and those of its folder, "
            "and the disk",
            "history.unwritable",
        )
    if isinstance(error, sqlite3.OperationalError):  # tables or columns that are not as they were made
        return damaged(path, str(error))
    raise error
