"""What stands between edge-deploy and its script on the board: login scripts, shells, connections that end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.edge import processes
from tests.edge.processes import Ended, usual_ends
from tests.firmware_bridge.boards import LocalBoard
from tests.firmware_bridge.places import Place, refused

# Each begins as a line of board.sh or doctor.sh does, or as an answer; the last one has no end.
CHATTER = (
    "done loading profile,say hello,fail to load,active nobody,offset 7,fact elf 0-0,heard,answer {},{hello},done "
)


@pytest.fixture
def reached_by(tmp_path: Path) -> Iterator[Callable[[str], Place]]:
    """Return places on boards where this comes in front of each command."""
    boards: list[LocalBoard] = []

    def make(script: str) -> Place:
        folder = tmp_path / f"board{len(boards)}"
        folder.mkdir()
        (folder / "profile").write_text(script)
        forced = f'ForceCommand . {folder}/profile; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"'
        boards.append(LocalBoard(folder, settings=forced))
        return Place(boards[-1], tmp_path)

    yield make
    for board in boards:
        board.stop()


def test_a_login_script_can_print_what_it_likes(reached_by: Callable[[str], Place]) -> None:
    place = reached_by(f"printf %s '{CHATTER}' | tr , '\\n'")
    assert place("trust", "board", "--key", place.board.signer).status == 0
    for number in (1, 2):
        done = place.push(place.archive(f"0.1.0-{number}"))
        assert (done.status, done.err) == (0, "") and "hello" not in done.out
    assert place.active() == "0.1.0-2"
    assert place("rollback", "board").status == 0
    assert place.active() == "0.1.0-1"
    assert "active     0001-edge-infer-0.1.0-1-x86-64-" in place("status", "board").out
    told = place("doctor", "board")
    assert "ok    processor" in told.out and "ok    trust       1 key" in told.out
    refused(place("rollback", "board"), "no earlier release")
    assert place("remove", "board").status == 0
    assert not place.folder.exists()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """The socket of an ssh-agent without keys."""
    socket = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL, preexec_fn=usual_ends)
    while not socket.exists():
        time.sleep(0.01)
    yield socket
    process.terminate()
    process.wait()


def test_keys_that_only_the_agent_holds(tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "board").mkdir()
    board = LocalBoard(tmp_path / "board")
    try:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
        board.environment["SSH_AUTH_SOCK"] = str(agent)
        for key in (board.user, board.signer):
            subprocess.run(["ssh-add", "-q", key], check=True)
            key.unlink()
        place, signer = Place(board, tmp_path), board.signer.with_suffix(".pub")
        assert place("trust", "board", "--key", signer).status == 0
        assert place.push(place.archive(key=signer)).status == 0
        assert place.active() == "0.1.0-1"
        subprocess.run(["ssh-add", "-q", "-D"], check=True)
        refused(place("status", "board"), "takes none of the offered keys", "ssh-add the key")
    finally:
        board.stop()


def test_a_push_logs_in_once(place: Place) -> None:
    log = place.board.folder / "sshd.log"
    before = log.read_text().count("Accepted publickey")
    assert place.push(place.archive()).status == 0
    assert log.read_text().count("Accepted publickey") == before + 1


def test_a_shell_that_runs_nothing(reached_by: Callable[[str], Place]) -> None:
    place = reached_by("echo 'This account is not available.' >&2; exit 1")
    refused(place("status", "board"), "lets the user in and runs no command", "not available", "chsh")


@pytest.mark.parametrize(
    ("end", "words"),
    [
        ("kill -9 $$", ["a signal ended its shell", "edge-deploy doctor board"]),
        ("echo no memory >&2; exit 7", ["its shell ended with status 7: no memory", "edge-deploy doctor board"]),
        ("kill -9 $PPID; sleep 9", ["the connection ended", "check network and power", "edge-deploy status board"]),
    ],
)
def test_a_command_that_ends_too_early(reached_by: Callable[[str], Place], end: str, words: list[str]) -> None:
    place = reached_by(f'case $SSH_ORIGINAL_COMMAND in "echo connected"*) ;; *) {end} ;; esac')
    refused(place("status", "board"), "broke off", *words)


def test_a_long_name_of_the_temporary_folder(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place.tmp_path / ("long" * 30)
    folder.mkdir()
    monkeypatch.setitem(place.board.environment, "TMPDIR", str(folder))
    assert place("status", "board").status == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_end_from_outside_leaves_nothing(place: Place, number: signal.Signals) -> None:
    archive = place.archive(seconds=30)
    done = place.interrupted(number, 3, "push", "x86-64", "board", "--archive", archive)
    assert done.status == 130 and done.err.count("\n") == 2
    assert "interrupted; the same command goes on where it stopped; edge-deploy status HOST says which" in done.err


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("kill -9 $$", ["ended by signal 9, as where memory runs out", "stop other programs"]),
        ("kill -11 $$", ["ended by signal 11", "build and push it again"]),
        ("exec /no/such/program", ["status 127, its program is missing"]),
        ("echo nonsense", ["answer is no JSON ('nonsense'", "push it again"]),
        ("echo 'edge-infer: the image on standard input is none: draw one' >&2; exit 2", ["board: {} is none: draw"]),
    ],
)
def test_a_program_that_gives_no_answer(place: Place, script: str, words: list[str]) -> None:
    assert place.push(place.archive()).status == 0
    place.program(script)
    picture = place.tmp_path / "p.png"
    picture.write_bytes(b"pixels")
    refused(place("run", "board", picture), *(word.format(picture) for word in words))


def test_the_name_that_a_picture_has_on_the_board() -> None:
    """The sentence in which `run` puts the user's own name for it."""
    assert "the image on standard input is not" in processes.run("-", stdin=b"pixels").err


def test_pictures_and_models_by_name(place: Place) -> None:
    assert place.push(place.archive()).status == 0
    picture = place.tmp_path / "p.png"
    picture.write_bytes(b"pixels")
    assert place("run", "board", picture, "--model", "one").status == 0
    refused(place("run", "board", picture, "--model", "two"), "no model two on the board: expected one of one;")
    place.program("""printf '{"words": "%s"}' "$*" """)
    assert '"--json --model one --runtime edgetpu -"' in place("run", "board", picture, "--runtime", "edgetpu").out
    place.program("""printf '{"bytes": "%s"}' "$(cat)" """)
    with open(picture, "rb") as file:
        done = place.board.deploy("run", "board", "-", "--folder", place.folder, stdin=file)
    assert Ended(done).out == '{"bytes": "pixels", "image": "-"}\n'
