"""Going back, and what damaged storage leaves to go back to."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.firmware_bridge.boards import LocalBoard, with_path
from tests.firmware_bridge.places import Place, refused


def pushed(place: Place, *numbers: int, seconds: float = 0) -> None:
    for number in numbers:
        done = place.push(place.archive(f"0.1.0-{number}", seconds=seconds))
        assert done.status == 0, done.err


def test_it_works_on_a_full_disk(local_board: LocalBoard, tmp_path: Path, mount: Callable[..., Path]) -> None:
    place = Place(local_board, tmp_path, mount("size=8m") / "edge")
    assert place("trust", "board", "--key", local_board.signer).status == 0
    pushed(place, 1, 2)
    with pytest.raises(OSError) as full, open(place.folder.parent / "filler", "wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    assert full.value.errno == errno.ENOSPC
    done = place("rollback", "board")
    assert (done.status, done.err) == (0, "")
    assert place.active() == "0.1.0-1"


def test_a_damaged_release_is_passed_over(place: Place) -> None:
    pushed(place, 1, 2, 3)
    place.damage("0.1.0-2")
    done = place("rollback", "board")
    assert done.status == 0 and "skipped 0002-edge-infer-0.1.0-2" in done.out
    assert "models/one.tflite: FAILED" in done.out
    assert place.active() == "0.1.0-1"


def test_where_no_earlier_release_is_good(place: Place) -> None:
    pushed(place, 1, 2)
    place.damage("0.1.0-1")
    refused(place("rollback", "board"), "no earlier release", "one.tflite: FAILED", "0002-edge", "stays active")
    assert place.active() == "0.1.0-2"
    (place.release("0.1.0-1") / "digests").unlink()
    refused(place("rollback", "board"), "No such file", "stays active")


@pytest.mark.parametrize("damaged", ["0.1.0-1", "0.1.0-2"], ids=["kept", "serving"])
def test_a_push_mends_a_damaged_release(place: Place, damaged: str) -> None:
    pushed(place, 1, 2)
    place.damage(damaged)
    done = place.push(place.archive(damaged), "--allow-downgrade")
    assert done.status == 0 and "one.tflite: FAILED" in done.out and "it is uploaded again" in done.out
    assert place.active() == damaged
    assert (place.release(damaged) / "models/one.tflite").read_bytes() == b"model"  # and the other copy went
    assert place.release(damaged).name.startswith("0003-")


@pytest.mark.parametrize("all_of_it", [False, True])
def test_a_push_mends_a_release_that_has_lost_its_files(place: Place, all_of_it: bool) -> None:
    pushed(place, 1, 2)
    lost = place.release("0.1.0-2")
    if all_of_it:
        shutil.rmtree(lost)
    else:
        (lost / "release").unlink()
    told = place("status", "board")
    assert told.status == 0 and f"active     {lost.name}" in told.out and "damaged    it has lost its files" in told.out
    assert place.push(place.archive("0.1.0-2")).status == 0
    assert place.active() == "0.1.0-2"


def test_pruning_does_not_count_what_is_damaged(place: Place) -> None:
    pushed(place, 1, 2, 3)
    place.damage("0.1.0-3")
    place.damage("0.1.0-2")
    done = place.push(place.archive("0.1.0-4"))
    assert done.status == 0 and done.out.count(", which is damaged\n") == 2
    assert [name[:4] for name in place.names()] == ["0001", "0004"]
    assert place("rollback", "board").status == 0
    assert place.active() == "0.1.0-1"


def test_what_serves_already_is_said_to(place: Place) -> None:
    pushed(place, 1)
    done = place.push(place.archive())
    assert done.status == 0 and done.out.endswith(f"{place.names()[0]} is active\n")


def test_one_that_was_not_heard_of_is_not_done_twice(place: Place) -> None:
    pushed(place, 1, 2, 3)
    place.unheard("rollback")
    assert place.active() == "0.1.0-2"
    done = place("rollback", "board")
    assert done.status == 0 and "active already" in done.out
    assert place.active() == "0.1.0-2"
    assert place("rollback", "board").status == 0  # that one was heard of: this one is meant
    assert place.active() == "0.1.0-1"


def test_it_is_done_anew_after_a_push(place: Place) -> None:
    pushed(place, 1, 2)
    place.unheard("rollback")
    pushed(place, 3)
    assert place("rollback", "board").status == 0
    assert place.active() == "0.1.0-1"


def test_an_interrupted_one_says_where_to_look(place: Place) -> None:
    pushed(place, 1, seconds=3)
    pushed(place, 2)
    done = place.interrupted(signal.SIGINT, 3, "rollback", "board")
    assert done.status == 130 and "edge-deploy status HOST says which release is active" in done.err


def test_while_another_is_at_work(place: Place) -> None:
    pushed(place, 1)
    with open(place.folder / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for done in (place("rollback", "board"), place.push(place.archive("0.1.0-2")), place("remove", "board")):
            refused(done, "another edge-deploy is at work", "0001-edge-infer-0.1.0-1", "stays active")


@pytest.mark.parametrize(("missing", "package"), [("flock", "util-linux"), ("ssh-keygen", "openssh-client")])
def test_a_board_without_a_tool(tmp_path: Path, missing: str, package: str) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in Path("/usr/bin").iterdir():
        if tool.name != missing:
            (tools / tool.name).symlink_to(tool)
    (tmp_path / "board").mkdir()
    board = LocalBoard(tmp_path / "board", settings=with_path(tools))
    try:
        place = Place(board, tmp_path)
        place("trust", "board", "--key", board.signer)
        refused(place.push(place.archive()), f"the board has no {missing}", f"apt-get install {package}")
    finally:
        board.stop()


def test_a_refused_archive_does_not_stay(place: Place) -> None:
    pushed(place, 1)
    refused(place.push(place.archive("0.1.0-2", status=1)), "fails on the board")
    assert os.listdir(place.folder / "incoming") == [] and len(place.names()) == 1


def test_removing_says_what_went(place: Place) -> None:
    pushed(place, 1, 2)
    names = place.names()
    done = place("remove", "board")
    assert done.out.splitlines()[:2] == [f"removed {name}" for name in names]
    assert "and the keys that it trusted" in done.out
