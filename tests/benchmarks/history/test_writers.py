"""Several processes and threads at one history."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from benchmarks.history.store import open_store
from benchmarks.measurement import Cell
from edge.errors import EdgeError
from tests.benchmarks.history.samples import CELL, FIRST, SECOND, start
from tests.edge.processes import environment

WRITER = """
import sys
from pathlib import Path
from benchmarks.history.store import open_store
from benchmarks.measurement import Cell
from tests.benchmarks.history.samples import start, verdict

path, night, device, count = Path(sys.argv[1]), *sys.argv[2:4], int(sys.argv[4])
sys.stdin.readline()
with open_store(path) as store:
    for number in range(count):
        store.add(night, start(number, cell=Cell(device, "bpcp", "native", 1)))
        print(number, flush=True)
    store.add_verdict(night, verdict(cell=Cell(device, "bpcp", "native", 1)))
"""
BEGINNER = """
import sys
from pathlib import Path
from benchmarks.history.store import open_store

sys.stdin.readline()
with open_store(Path(sys.argv[1]), begin_new=True) as store:
    print(len(store.all_nights()))
"""


def started(script: str, *words: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", script, *map(str, words)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, text=True, env=environment(), **pipes)  # type: ignore[call-overload,no-any-return]


def ended(processes: list[subprocess.Popen[str]]) -> list[str]:
    """Let them go at once; return what they wrote."""
    for process in processes:
        assert process.stdin
        process.stdin.write("\n")
        process.stdin.flush()
    found = []
    for process in processes:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        found.append(out + err)
    return found


def test_two_processes_add_at_once(tmp_path: Path) -> None:
    path, count = tmp_path / "history.sqlite", 60
    with open_store(path) as store:
        store.begin(FIRST, {})
        store.begin(SECOND, {})
    ended([started(WRITER, path, night, device, count) for night, device in ((FIRST, "a"), (SECOND, "b"))])
    with open_store(path) as store:
        for night, device in ((FIRST, "a"), (SECOND, "b")):
            found = store.measurements(night)
            assert [(each.cell.device, each.start) for each in found] == [(device, n) for n in range(count)]
            assert len(store.verdicts(night)) == 1
        assert store.database.faults() == []
        assert store.database.value("SELECT count(*) FROM identities") == 1, "the same identity is one row"


def test_several_processes_begin_one_history(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    assert ended([started(BEGINNER, path) for _ in range(4)]) == ["0\n"] * 4
    assert [each.name for each in tmp_path.iterdir()] == ["history.sqlite"]


def test_several_processes_keep_one_damaged_history_aside_once(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    path.write_text("damaged")
    said = ended([started(BEGINNER, path) for _ in range(3)])
    assert sum("is kept as" in text for text in said) == 1
    assert len(list(tmp_path.iterdir())) == 2


def test_a_killed_writer_leaves_whole_measurements(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with open_store(path) as store:
        store.begin(FIRST, {})
    process = started(WRITER, path, FIRST, "a", 100_000)
    assert process.stdin
    assert process.stdout
    process.stdin.write("\n")
    process.stdin.flush()
    said = [process.stdout.readline() for _ in range(20)]
    process.kill()
    process.communicate()
    with open_store(path) as store:
        assert len(store.measurements(FIRST)) >= int(said[-1]) + 1
        assert store.database.faults() == []
        assert store.unfinished() == (FIRST, {})


def test_threads_share_a_store(tmp_path: Path) -> None:
    with open_store(tmp_path / "history.sqlite") as store:
        store.begin(FIRST, {})

        def add(device: str) -> None:
            for number in range(25):
                store.add(FIRST, start(number, cell=Cell(device, "bpcp", "native", 1)))

        threads = [threading.Thread(target=add, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(store.measurements(FIRST)) == 100


def test_a_writer_that_does_not_end_is_waited_for_and_then_said(tmp_path: Path) -> None:
    path = tmp_path / "history.sqlite"
    with open_store(path, wait=0.3) as store:
        store.begin(FIRST, {})
        other = sqlite3.connect(path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        with pytest.raises(EdgeError, match=r"another program for more than 0\.3 s") as raised:
            store.add(FIRST, start())
        assert raised.value.code == "history.busy"
        assert time.monotonic() - began > 0.3
        assert store.measurements(FIRST) == [], "reading goes on meanwhile"
        other.execute("COMMIT")
        other.close()
        store.add(FIRST, start())
        assert store.series(CELL)[0].p50_ms == [1.5]
