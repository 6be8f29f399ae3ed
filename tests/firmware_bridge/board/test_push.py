"""Releases on a board and back, over a real sshd; all that can go wrong, and what serves then."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.lab.host import new_key
from firmware_bridge.board import board
from firmware_bridge.board.ssh import Connection
from firmware_bridge.release import release
from tests.edge.processes import Ended
from tests.firmware_bridge import releases
from tests.firmware_bridge.boards import LocalBoard, with_path
from tests.firmware_bridge.places import Place, refused


def test_the_whole_life(place: Place) -> None:
    first = place.push(place.archive())
    assert (first.status, first.err) == (0, "")
    assert "signature verified on the board" in first.out and "one.tflite: 1 of 1 golden vectors passed" in first.out
    assert place.active() == "0.1.0-1"
    assert place.push(place.archive("0.1.0-2")).status == 0
    assert place.active() == "0.1.0-2"
    status = place("status", "board").out
    assert "active     0002-edge-infer-0.1.0-2-x86-64-" in status and "earlier    0001-" in status
    assert "model      one\n" in status and "trusts     SHA256:" in status
    assert os.listdir(place.folder / "incoming") == []
    assert place("rollback", "board").status == 0
    assert place.active() == "0.1.0-1"
    assert "0.1.0-2-x86-64" in place("status", "board").out and "rolled back from" in place("status", "board").out
    refused(place("rollback", "board"), "no earlier release")
    # The same once more: it is there already, was rolled back from, and is proven and taken all the same.
    again = place.push(place.archive("0.1.0-2"))
    assert again.status == 0 and "is on the board already" in again.out
    assert place.active() == "0.1.0-2"
    assert place("remove", "board").status == 0
    assert not place.folder.exists()
    refused(place("status", "board"), "nothing is installed")
    refused(place("run", "board", place.tmp_path / "picture.png"), "nothing is installed")


def test_old_releases_go_and_the_last_good_stays(place: Place) -> None:
    for number in range(1, 6):
        assert place.push(place.archive(f"0.1.0-{number}")).status == 0
    assert [name[:4] for name in place.names()] == ["0003", "0004", "0005"]
    # Two bad releases can't drive out what they did not replace.
    for number in (6, 7):
        refused(place.push(place.archive(f"0.1.0-{number}", status=1)), "stays active")
    assert [name[:4] for name in place.names() if name[0] != "."] == ["0003", "0004", "0005"]
    assert place("rollback", "board").status == 0 and place("rollback", "board").status == 0
    assert place.active() == "0.1.0-3"
    assert place.push(place.archive("0.1.0-8")).status == 0
    assert [name.split("-")[4] for name in place.names()] == ["3", "8"]
    assert place("rollback", "board").status == 0
    assert place.active() == "0.1.0-3"


def test_more_than_nine_releases_keep_their_order(place: Place) -> None:
    for number in range(7, 12):
        assert place.push(place.archive(f"0.1.0-{number}")).status == 0
    assert place.active() == "0.1.0-11"
    assert place("rollback", "board").status == 0 and place.active() == "0.1.0-10"


def test_golden_vectors_that_fail_leave_the_old_release(place: Place) -> None:
    assert place.push(place.archive()).status == 0
    reason = "one.tflite has the task 'detection': expected classification or segmentation"
    refused(
        place.push(place.archive("0.1.0-2", status=2, verdict=reason)),
        "one.tflite fails on the board",
        "task 'detection'",
        "0001-edge-infer-0.1.0-1-x86-64-",
        "stays active",
    )
    assert place.active() == "0.1.0-1"


def test_an_older_release_is_refused_without_being_told(place: Place) -> None:
    assert place.push(place.archive("0.10.0-1")).status == 0
    refused(place.push(place.archive("0.9.0-3")), "version 0.9.0-3, older than the 0.10.0-1", "--allow-downgrade")
    assert place.active() == "0.10.0-1"
    assert place.push(place.archive("0.9.0-3"), "--allow-downgrade").status == 0
    assert place.active() == "0.9.0-3"


def test_an_unknown_signer_is_refused(place: Place) -> None:
    assert place.push(place.archive()).status == 0
    stranger = new_key(place.tmp_path / "stranger")
    archive = place.archive("0.1.0-2", key=stranger)
    refused(place.push(archive), "signature is of no key that the board trusts", "stays active")
    assert place.active() == "0.1.0-1"
    assert place("trust", "board", "--key", stranger).status == 0
    assert place.push(archive).status == 0
    assert place.active() == "0.1.0-2"


def test_a_board_that_trusts_nobody(local_board: LocalBoard, tmp_path: Path) -> None:
    place = Place(local_board, tmp_path)
    refused(place.push(place.archive()), "trusts no key yet", "edge-deploy trust", "no release is active")


def test_a_signature_for_another_purpose_is_none(place: Place) -> None:
    what, files = releases.release_of(), releases.payload()
    digests, packed = release.digest_list(what, files)
    (place.tmp_path / "digests").write_bytes(digests)
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-f", place.board.signer, "-n", "file", place.tmp_path / "digests"]
    subprocess.run(sign, check=True, capture_output=True)
    other = (place.tmp_path / "digests.sig").read_bytes()
    archive = place.tmp_path / "other.tar"
    archive.write_bytes(release.archive_bytes(what, digests, other, packed))
    refused(place.push(archive), "signature is of no key that the board trusts")


@pytest.mark.parametrize("member", ["release", "digests", "digests.sig", "payload.tar.gz"])
def test_a_changed_byte_never_serves(place: Place, member: str) -> None:
    """On this side it is refused before it is sent; what only a key can tell, the board refuses."""
    assert place.push(place.archive()).status == 0
    archive = place.archive("0.1.0-2")
    data = bytearray(archive.read_bytes())
    place_in_it = data.index(member.encode() + b"\0") + 512 + 40
    data[place_in_it] ^= 1
    archive.write_bytes(data)
    done = place.push(archive)
    assert done.status == 2 and done.err.count("\n") == 1
    assert place.active() == "0.1.0-1"


def test_an_upload_goes_on_where_it_stopped(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = place.archive(bulk=3_000_000)
    archive = release.read(whole)
    beginning = whole.read_bytes()[:100_000]
    (place.folder / "incoming" / archive.sha256).write_bytes(beginning)
    # Were the beginning sent again, it would be wrong.
    hollow = place.tmp_path / "hollow.tar"
    hollow.write_bytes(bytes(100_000) + whole.read_bytes()[100_000:])
    monkeypatch.setenv("PATH", place.board.environment["PATH"])
    said: list[str] = []
    with Connection("board") as connection:
        board.push(connection, str(place.folder), archive._replace(path=hollow), False, said.append, said.append)
    assert place.active() == "0.1.0-1"


def test_an_upload_that_was_changed_is_thrown_away(place: Place) -> None:
    archive = place.archive(bulk=300_000)
    part = place.folder / "incoming" / release.read(archive).sha256
    part.write_bytes(b"x" * 100_000)
    refused(place.push(archive), "changed on its way", "no release is active")
    assert not part.exists()
    part.write_bytes(b"x" * 1_000_000)  # longer than the whole
    assert place.push(archive).status == 0


def test_two_pushes_at_once(place: Place) -> None:
    assert place.push(place.archive()).status == 0
    slow = place.board.start(
        "push", "x86-64", "board", "--archive", place.archive("0.1.0-2", seconds=4), "--folder", place.folder
    )
    assert slow.stdout is not None and b"signature verified" in slow.stdout.readline()
    refused(place.push(place.archive("0.1.0-3")), "another edge-deploy is at work")
    assert place.active() == "0.1.0-1"
    _, err = slow.communicate(timeout=60)
    assert slow.returncode == 0, err
    assert place.active() == "0.1.0-2"


@pytest.mark.timeout(300)
def test_a_push_that_is_killed_anywhere(place: Place) -> None:
    """edge-deploy and its ssh are killed at random moments: old or new answers, and the next push goes through."""
    moments = random.Random(5)
    assert place.push(place.archive("0.1.0-1")).status == 0
    before = "0.1.0-1"
    seen = set()
    for number in range(2, 14):
        version = f"0.1.0-{number}"
        archive = place.archive(version, seconds=0.1, bulk=1_000_000)
        process = place.board.start("push", "x86-64", "board", "--archive", archive, "--folder", place.folder)
        try:
            process.wait(moments.uniform(0.15, 0.9))
        except subprocess.TimeoutExpired:
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            for child in children:
                with contextlib.suppress(ProcessLookupError):  # it ended by itself
                    os.kill(int(child), signal.SIGKILL)
            process.kill()
        process.communicate()
        serves = place.active()
        assert serves in (before, version)
        seen.add(serves == version)
        before = serves
    for _ in range(50):  # a push whose connection is gone may still be at its end there
        done = place.push(place.archive("0.1.0-99"))
        if done.status == 0:
            break
        time.sleep(0.2)
    assert place.active() == "0.1.0-99"
    assert [name for name in place.names() if name.startswith(".")] == []
    assert os.listdir(place.folder / "incoming") == []


def test_another_architecture(place: Place, tmp_path: Path) -> None:
    what = releases.release_of(target="pi5", architecture="aarch64")
    archive = releases.make(tmp_path, place.board.signer, what)
    refused(place("push", "pi5", "board", "--archive", archive), "the archive is for aarch64")
    refused(place("push", "x86-64", "board", "--archive", archive), "is for the target pi5: expected x86-64")


def test_a_board_with_an_older_c_library(place: Place, tmp_path: Path) -> None:
    archive = releases.make(tmp_path, place.board.signer, releases.release_of(glibc="9.1"))
    refused(place.push(archive), "needs glibc 9.1")


def test_a_board_with_another_python(place: Place, tmp_path: Path) -> None:
    archive = releases.make(tmp_path, place.board.signer, releases.release_of(python="3.2"))
    refused(place.push(archive), "the board has", "Python", "expected")


def test_a_board_without_python(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in Path("/usr/bin").iterdir():
        if not tool.name.startswith("python"):
            (tools / tool.name).symlink_to(tool)
    (tmp_path / "board").mkdir()
    board = LocalBoard(tmp_path / "board", settings=with_path(tools))
    try:
        place = Place(board, tmp_path)
        assert place("trust", "board", "--key", board.signer).status == 0
        archive = releases.make(tmp_path, board.signer, releases.release_of(python="3.11"))
        refused(place.push(archive), "the board has no Python", "apt-get install python3")
    finally:
        board.stop()


def test_hosts_that_can_not_be_reached(place: Place) -> None:
    archive = place.archive()
    for host, word in (("127.0.0.1:1", "127.0.0.1:1 "), ("ssh://127.0.0.1:1", "Connection refused")):
        refused(place("push", "x86-64", host, "--archive", archive), word, "check name, network and power")
    for host in ("board;id", "board id", "", "$(id)", "-oProxyCommand=id"):
        refused(Ended(place.board.deploy("status", "--", host)), "is no host")


def test_a_host_key_that_changed_or_is_unknown(place: Place, local_board: LocalBoard) -> None:
    other = " ".join(new_key(place.tmp_path / "other").with_suffix(".pub").read_text().split()[:2])
    usual = local_board.config.read_text()
    try:
        local_board.config.write_text(f"{usual} StrictHostKeyChecking no\n NoHostAuthenticationForLocalhost yes\n")
        local_board.know(other)
        refused(place.push(place.archive()), "shows another host key", "ssh-keygen -R")
        local_board.know("")
        refused(place.push(place.archive()), "not among the known hosts", "fingerprint")
    finally:
        local_board.config.write_text(usual)
        local_board.know(local_board.host_key)
    assert place.push(place.archive()).status == 0


def test_a_login_key_that_the_board_does_not_know(place: Place, local_board: LocalBoard) -> None:
    allowed = local_board.folder / "authorized_keys"
    usual = allowed.read_text()
    try:
        allowed.write_text(new_key(place.tmp_path / "other").with_suffix(".pub").read_text())
        refused(place.push(place.archive()), "takes none of the offered keys", "ssh-copy-id")
    finally:
        allowed.write_text(usual)


@pytest.mark.parametrize("options", ["size=4m", "size=12m,nr_inodes=40"], ids=["too small", "full while it unpacks"])
def test_a_full_disk(local_board: LocalBoard, tmp_path: Path, mount: Callable[..., Path], options: str) -> None:
    place = Place(local_board, tmp_path, mount(options) / "edge")
    assert place("trust", "board", "--key", local_board.signer).status == 0
    assert place.push(place.archive()).status == 0
    filler = 0
    while "nr_inodes" in options:  # until but a few files fit
        try:
            (place.folder.parent / f"file{filler}").touch()
        except OSError:
            break
        filler += 1
    for number in range(min(filler, 6)):
        (place.folder.parent / f"file{number}").unlink()
    refused(place.push(place.archive("0.1.0-2", bulk=3_000_000)), "make room", "0001-edge-infer", "stays active")
    assert place.active() == "0.1.0-1"


def test_a_read_only_file_system(local_board: LocalBoard, tmp_path: Path, mount: Callable[..., Path]) -> None:
    disk = mount("size=20m")
    place = Place(local_board, tmp_path, disk / "edge")
    assert place("trust", "board", "--key", local_board.signer).status == 0
    assert place.push(place.archive()).status == 0
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    refused(place.push(place.archive("0.1.0-2")), "can't be written", "Read-only file system")
    refused(place("rollback", "board"), "Read-only file system")
    refused(place("remove", "board"), "Read-only file system")
    assert place.active() == "0.1.0-1"
    assert "active     0001-" in place("status", "board").out


def test_a_board_that_can_write_no_more(tmp_path: Path) -> None:
    """What the check of free space did not foresee: writing fails in the middle of the upload."""
    (tmp_path / "board").mkdir()
    board = LocalBoard(
        tmp_path / "board", settings='ForceCommand ulimit -f 200; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
    )
    try:
        place = Place(board, tmp_path)
        assert place("trust", "board", "--key", board.signer).status == 0
        assert place.push(place.archive()).status == 0
        refused(place.push(place.archive("0.1.0-2", bulk=3_000_000)), "the upload can't be written", "stays active")
        assert place.active() == "0.1.0-1"
    finally:
        board.stop()


def test_a_folder_of_somebody_else(place: Place, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other/letter.txt").write_text("dear")
    done = place.board.deploy("trust", "board", "--key", place.board.signer, "--folder", tmp_path / "other")
    refused(Ended(done), "contains other files", "--folder")
    assert os.listdir(tmp_path / "other") == ["letter.txt"]


def test_files_that_are_not_there(place: Place) -> None:
    assert place.push(place.archive()).status == 0
    refused(place.push(place.tmp_path / "no.tar"), "can't be read", "No such file")
    refused(place("run", "board", place.tmp_path / "no.png"), "can't be read", "No such file")
    refused(place("trust", "board", "--key", place.tmp_path / "no.pub"), "does not exist")
    (place.tmp_path / "text.pub").write_text("ssh-ed25519 nonsense\n")
    refused(place("trust", "board", "--key", place.tmp_path / "text.pub"), "no whole public OpenSSH key")
