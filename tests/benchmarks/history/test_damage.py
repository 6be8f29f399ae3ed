"""Files that are no history, are damaged, or are of another version; a full disk; no rights."""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.history.database import VERSION
from benchmarks.history.store import open_store
from edge.errors import EdgeError
from tests.benchmarks.history.samples import CELL, FIRST, SECOND, edge_bench, start, verdict


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """A history of one night with 200 measurements."""
    path = tmp_path / "history.sqlite"
    with open_store(path) as store, store.together():
        store.begin(FIRST, {})
        for number in range(200):
            store.add(FIRST, start(number))
        store.add_verdict(FIRST, verdict())
        store.finish(FIRST)
    return path


def code(path: Path, **options: bool) -> str:
    with pytest.raises(EdgeError) as raised, open_store(path, **options) as store:
        store.measurements(FIRST)
        store.series(CELL)
    return raised.value.code


def overwrite(path: Path, place: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(data)


def garble_pages(path: Path) -> None:
    """All but the first page, which has the schema."""
    overwrite(path, 8192, os.urandom(path.stat().st_size - 8192))


def truncate(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def lose_a_table(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("DROP TABLE latencies")
    connection.close()


def lose_a_column(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(
        "DROP VIEW measured; DROP INDEX measurements_series; ALTER TABLE nights DROP COLUMN finished"
    )
    connection.close()


DAMAGES = {
    "no-head": lambda path: overwrite(path, 0, b"not a history of anything"),
    "text": lambda path: path.write_text("night,p50\n"),
    "pages": garble_pages,
    "half": truncate,
    "table": lose_a_table,
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_history_is_said_and_stays(history: Path, damage: str) -> None:
    DAMAGES[damage](history)
    before = history.read_bytes()
    assert code(history) == "history.damaged"
    assert history.read_bytes() == before
    assert [path.name for path in history.parent.iterdir()] == [history.name]


@pytest.mark.parametrize("damage", DAMAGES)
def test_on_demand_it_is_kept_aside_and_a_new_one_begun(history: Path, damage: str) -> None:
    DAMAGES[damage](history)
    before, said = history.read_bytes(), list[str]()
    with open_store(history, begin_new=True, log=said.append) as store:
        assert store.all_nights() == []
        store.begin(SECOND, {})
    (aside,) = history.parent.glob("history.sqlite.damaged-20*")
    assert aside.read_bytes() == before
    assert len(said) == 2
    assert str(aside) in said[0]
    assert "a new history begins" in said[1]
    with open_store(history, begin_new=True, log=said.append) as store:
        assert store.all_nights() == [SECOND], "a sound one goes on"
    assert len(said) == 2


def test_a_second_damaged_one_does_not_replace_the_first(history: Path) -> None:
    for text in ("first", "second"):
        history.write_text(text)
        with open_store(history, begin_new=True, log=lambda line: None):
            pass
    assert sorted(path.read_text() for path in history.parent.glob("*.damaged-*")) == ["first", "second"]


def test_a_changed_schema_is_damage(history: Path) -> None:
    lose_a_column(history)
    assert code(history) == "history.damaged"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE nights SET plan = '{'",
        "DROP TRIGGER records_stay; UPDATE records SET record = '{\"cell\": 3}'",
        "DROP TRIGGER verdicts_stay; UPDATE verdicts SET evidence = '[', word = 'PASS'",
        "DROP TRIGGER verdicts_stay; UPDATE verdicts SET word = 'WORSE'",
        "UPDATE identities SET record = '[]'",
    ],
)
def test_a_record_that_cannot_be_read_is_damage(history: Path, statement: str) -> None:
    connection = sqlite3.connect(history)
    connection.executescript(f"{statement}; UPDATE nights SET finished = 0")
    connection.close()
    with open_store(history) as store, pytest.raises(EdgeError) as raised:
        store.measurements(FIRST)
        store.series(CELL)
        store.unfinished()
    assert raised.value.code == "history.damaged"


@pytest.mark.parametrize("begin_new", [False, True])
def test_a_newer_version_is_refused_and_stays(history: Path, begin_new: bool) -> None:
    connection = sqlite3.connect(history)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()
    before = history.read_bytes()
    with (
        pytest.raises(EdgeError, match=rf"version {VERSION + 1}.*update") as raised,
        open_store(history, begin_new=begin_new),
    ):
        pass
    assert raised.value.code == "history.version"
    assert history.read_bytes() == before


@pytest.mark.parametrize("begin_new", [False, True])
def test_another_programs_database_is_refused_and_stays(tmp_path: Path, begin_new: bool) -> None:
    path = tmp_path / "other.sqlite"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.close()
    before = path.read_bytes()
    assert code(path, begin_new=begin_new) == "history.foreign"
    assert path.read_bytes() == before


def test_none_is_there(tmp_path: Path) -> None:
    assert code(tmp_path / "none.sqlite", create=False) == "history.missing"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "none.sqlite").write_text("")
    assert code(tmp_path / "none.sqlite", create=False) == "history.missing"
    with open_store(tmp_path / "none.sqlite") as store:
        assert store.all_nights() == []


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert code(tmp_path) == "history.unwritable"
    assert code(tmp_path / "file" / "history.sqlite") == "history.unwritable"
    assert code(Path("/proc/history.sqlite")) == "history.unwritable"


def test_the_command_says_it_in_a_sentence(history: Path, tmp_path: Path) -> None:
    done = edge_bench("history", "check", "--history", history)
    assert (done.status, done.out) == (0, f"{history}: no fault found\n")
    size = history.stat().st_size
    overwrite(history, size // 2, os.urandom(size // 4))
    done = edge_bench("history", "check", "--history", history)
    assert done.status == 1
    assert re.search(r"\d+ faults?\n$", done.out)
    history.write_text("text")
    done = edge_bench("history", "show", "--history", history)
    assert done.status == 2
    assert done.err.startswith("edge-bench: ")
    assert "is damaged" in done.err
    assert "--new-history" in done.err
    done = edge_bench("history", "show", cwd=tmp_path)
    assert done.status == 2
    assert "build/bench/history.sqlite does not exist" in done.err


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 256 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_is_said_and_costs_nothing_that_was_kept(small_disk: Path) -> None:
    path = small_disk / "history.sqlite"
    with open_store(path) as store:
        store.begin(FIRST, {})
        kept = 0
        with pytest.raises(EdgeError, match="disk is full") as raised:
            for kept in range(1000):
                store.add(FIRST, start(kept))
        assert raised.value.code == "history.full"
        assert len(store.measurements(FIRST)) == kept > 10
    with open_store(path) as store:
        assert len(store.measurements(FIRST)) == kept
        assert store.database.faults() == []


def test_a_full_disk_begins_no_history(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(252 * 1024))
    assert code(small_disk / "history.sqlite") in ("history.full", "history.unwritable")
    assert [path.name for path in small_disk.iterdir()] == ["filler"]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter, which those of the tests are not."""
    with tempfile.TemporaryDirectory(prefix="edge-infer-test-") as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


def as_nobody(action: Callable[[], object]) -> str:
    """Do it in a process of a user without rights; return the code of its EdgeError, or what it returned."""
    if os.geteuid():
        pytest.skip("only root can become another user")
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            said = str(action())
        except EdgeError as error:
            said = error.code
        except BaseException as error:
            said = repr(error)
        os.write(writer, said.encode())
        os._exit(0)
    os.close(writer)
    with open(reader) as stream:
        said = stream.read()
    os.waitpid(child, 0)
    return said


def test_without_rights_a_history_is_read_and_not_written(history: Path, open_folder: Path) -> None:
    path = open_folder / "history.sqlite"
    shutil.copy(history, path)
    path.chmod(0o444)

    def read() -> object:
        with open_store(path, create=False) as store:
            return len(store.measurements(FIRST))

    def write() -> None:
        with open_store(path) as store:
            store.begin(SECOND, {})

    def begin() -> None:
        with open_store(open_folder / "new.sqlite"):
            pass

    assert as_nobody(read) == "200"
    assert as_nobody(write) == "history.unwritable"
    assert as_nobody(begin) == "history.unwritable"
    path.chmod(0o000)
    assert as_nobody(read) == "history.unwritable"
    assert [each.name for each in open_folder.iterdir()] == ["history.sqlite"]
