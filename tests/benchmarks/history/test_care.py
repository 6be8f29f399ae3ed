"""Backups that are checked before they count; the search for what is wrong with a history."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.history.care import backup, faults
from benchmarks.history.database import Database
from benchmarks.history.store import Store, open_store
from edge.errors import EdgeError
from tests.benchmarks.history.samples import CELL, FIRST, IDENTITY, SECOND, edge_bench, start, verdict


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "history.sqlite") as opened:
        with opened.together():
            opened.begin(FIRST, {})
            for number in range(50):
                opened.add(FIRST, start(number))
            opened.add_verdict(FIRST, verdict())
            opened.add_latencies(FIRST, "pi4", IDENTITY, [{"operator": "add"}])
            opened.finish(FIRST)
        yield opened


def test_a_backup_is_the_history_of_one_moment(store: Store, tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "backup.sqlite"
    assert backup(store, target) == target.stat().st_size
    store.begin(SECOND, {})
    with open_store(target, create=False) as copy:
        assert copy.all_nights() == [FIRST]
        assert copy.measurements(FIRST) == store.measurements(FIRST)
        assert copy.latencies("pi4") == store.latencies("pi4")
        assert faults(copy) == []
    backup(store, target)
    with open_store(target, create=False) as copy:
        assert copy.all_nights() == [FIRST, SECOND], "a later one takes its place"
    assert [path.name for path in target.parent.iterdir()] == ["backup.sqlite"]


def test_a_backup_replaces_backups_alone(store: Store, tmp_path: Path) -> None:
    letter = tmp_path / "letter"
    letter.write_text("dear reader")
    connection = sqlite3.connect(tmp_path / "bookmarks")
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    os.symlink(store.path, tmp_path / "link")
    for target in (letter, tmp_path / "bookmarks", tmp_path / "link", store.path, tmp_path):
        with pytest.raises(EdgeError) as raised:
            backup(store, target)
        assert raised.value.code == "history.backup"
    assert letter.read_text() == "dear reader"
    assert len(store.measurements(FIRST)) == 50


@pytest.mark.parametrize("fault", ["DELETE FROM latencies", "PRAGMA user_version = 0", "DELETE FROM identities"])
def test_a_copy_that_is_not_the_same_does_not_count(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    copy_to = Database.copy_to

    def badly(database: Database, target: Path) -> None:
        copy_to(database, target)
        with contextlib.closing(sqlite3.connect(target)) as connection:
            connection.executescript(fault)

    monkeypatch.setattr(Database, "copy_to", badly)
    with pytest.raises(EdgeError) as raised:
        backup(store, tmp_path / "backup.sqlite")
    assert raised.value.code in ("history.backup", "history.damaged")
    assert [path.name for path in tmp_path.iterdir()] == ["history.sqlite"]


def test_a_full_disk_leaves_the_older_backup(store: Store, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    options = ["-t", "tmpfs", "-o", "size=200k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk")
    try:
        backup(store, disk / "backup.sqlite")
        before = (disk / "backup.sqlite").read_bytes()
        with store.together():
            for number in range(50, 300):
                store.add(FIRST, start(number))
        with pytest.raises(EdgeError) as raised:
            backup(store, disk / "backup.sqlite")
        assert raised.value.code in ("history.full", "history.unwritable")
        assert [path.name for path in disk.iterdir()] == ["backup.sqlite"]
        assert (disk / "backup.sqlite").read_bytes() == before
    finally:
        subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "DROP TRIGGER measurements_stay; UPDATE measurements SET p50_ms = 9 WHERE id = 3",
            "measurement 3: its columns",
        ),
        (
            "DROP TRIGGER records_stay; UPDATE records SET record = '{}' WHERE measurement = 7",
            "measurement 7: its record",
        ),
        ("DELETE FROM records WHERE measurement = 8", "measurement 8: it has no record"),
        ("DROP TRIGGER verdicts_stay; UPDATE verdicts SET word = 'WORSE'", "the verdict WORSE"),
        ("INSERT INTO nights (name, plan) VALUES ('1999-01-01T00:00:00Z', '{}')", "not in the order"),
        ("PRAGMA foreign_keys = OFF; DELETE FROM identities", "identities"),
    ],
)
def test_what_is_wrong_is_found(store: Store, statement: str, said: str) -> None:
    assert faults(store) == []
    with contextlib.closing(sqlite3.connect(store.path)) as connection:
        connection.executescript(statement)
    found = faults(store)
    assert any(said in line for line in found), found


# The command


def test_show_lists_nights_and_cells(store: Store) -> None:
    done = edge_bench("history", "show", "--history", store.path, "--cells")
    assert done.status == 0, done.err
    assert "1 night, 1 cell on 1 device, 50 measurements" in done.out
    assert f"{FIRST}        50       0  1 PASS" in done.out
    assert "bpcp on pi4, native, 1 thread" in done.out
    store.begin(SECOND, {})
    assert "unfinished" in edge_bench("history", "show", "--history", store.path).out


def test_show_gives_a_nights_verdicts(store: Store) -> None:
    done = edge_bench("history", "show", "--history", store.path, "--night", "last")
    assert done.out.splitlines()[0] == f"{FIRST}: 1 PASS"
    assert "1.5 ms against 1.5 ms" in done.out
    done = edge_bench("history", "show", "--history", store.path, "--night", "yesterday")
    assert (done.status, done.out) == (2, "")
    assert "has no night yesterday" in done.err


def test_what_devices_say_cannot_command_the_terminal(store: Store) -> None:
    store.begin(SECOND, {})
    store.add_verdict(SECOND, verdict(reason="\x1b[2J\nfooled", cell=CELL))
    store.finish(SECOND)
    done = edge_bench("history", "show", "--history", store.path, "--night", SECOND)
    assert "\x1b" not in done.out
    assert "\\x1b[2J\\nfooled" in done.out


def test_backup_and_prune_say_what_they_did(store: Store, tmp_path: Path) -> None:
    store.begin(SECOND, {})
    store.add(SECOND, start())
    done = edge_bench("history", "backup", tmp_path / "copy", "--history", store.path)
    assert done.status == 0, done.err
    assert "read back and found the same" in done.out
    done = edge_bench("history", "prune", "--keep", "2", "--history", store.path)
    assert "nothing is older than the newest 2 days with a night" in done.out
    store.begin("2027-01-01T02:00:00Z", {})
    done = edge_bench("history", "prune", "--keep", "1", "--history", store.path)
    assert f"51 measurements of 2 nights from {FIRST} to {SECOND} are gone; their verdicts stay" in done.out
    assert "1 latency table gone" in done.out
    assert (store.measurements(FIRST), store.verdicts(FIRST)) == ([], [verdict()])
    for keep in ("0", "-3", "soon"):
        assert edge_bench("history", "prune", "--keep", keep, "--history", store.path).status == 2
