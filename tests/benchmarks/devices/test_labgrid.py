"""A fleet on loopback: a real labgrid coordinator and exporter, whose place is a real sshd."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks import environment
from benchmarks.devices.labgrid import REQUIREMENTS, Labgrid
from benchmarks.lab.host import ROOT, free_port
from edge.errors import EdgeError
from edge.model import find
from tests.firmware_bridge.boards import LocalBoard

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]
OTHER = {"LG_USERNAME": "somebody", "LG_HOSTNAME": "elsewhere"}
RESOURCES = "{group}:\n  NetworkService:\n    address: {address}\n    username: {user}\n    port: {port}\n"


class Fleet(NamedTuple):
    """A coordinator with the place `one` (tag board=here), which is `board`, and `two` without a service."""

    coordinator: str
    board: LocalBoard
    client: Path

    def ask(self, *words: str, **environment: str) -> str:
        command = [str(self.client), "-x", self.coordinator, *words]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, env={**os.environ, **environment}, check=True
        )
        return done.stdout

    def device(self, **keys: object) -> Labgrid:
        keys = {
            "name": "shared",
            "coordinator": self.coordinator,
            "target": "x86-64",
            "tags": {"board": "here"},
            "wait_seconds": 6,
            "key": str(self.board.signer),
            **keys,
        }
        return Labgrid(**keys)  # type: ignore[arg-type]

    def is_free(self) -> bool:
        """Whether nobody has a place or a reservation."""
        return not self.ask("places", "--acquired").strip() and not self.ask("reservations").strip()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    programs = environment.ready("labgrid", REQUIREMENTS, folder=ROOT / environment.FOLDER) / "bin"
    board = LocalBoard(tmp_path_factory.mktemp("board"))
    config = board.config.read_text()
    board.config.write_text(config + re.sub("^Host board", "Host 127.0.0.1", config))
    user = os.environ.get("USER", "root")
    (folder / "resources.yaml").write_text(
        RESOURCES.format(group="one", address="127.0.0.1", user=user, port=board.port)
    )
    coordinator = f"127.0.0.1:{free_port()}"
    before = dict(os.environ)
    processes: list[subprocess.Popen[bytes]] = []
    try:
        os.environ |= {key: board.environment[key] for key in ("PATH", "HOME", "XDG_CACHE_HOME")}
        os.environ.pop("SSH_AUTH_SOCK", None)
        assert board.deploy("trust", "board", "--key", f"{board.signer}.pub").returncode == 0
        found = Fleet(coordinator, board, programs / "labgrid-client")
        processes.append(_started(programs / "labgrid-coordinator", folder, "-l", coordinator))
        until(lambda: _says(found, "places", ""))  # an exporter ends where there is none yet
        processes.append(
            _started(programs / "labgrid-exporter", folder, "-c", coordinator, "-n", "lab", "resources.yaml")
        )
        until(lambda: _says(found, "resources", "NetworkService"))
        for place, tag in (("one", "here"), ("two", "none")):
            found.ask("-p", place, "create")
            found.ask("-p", place, "set-tags", f"board={tag}")
        found.ask("-p", "one", "add-match", "lab/one/NetworkService")
        yield found
    finally:
        for process in reversed(processes):
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
        os.environ.clear()
        os.environ.update(before)
        board.stop()


def _started(program: Path, folder: Path, *words: str) -> subprocess.Popen[bytes]:
    with open(folder / f"{program.name}.log", "wb") as log:
        return subprocess.Popen([str(program), *words], cwd=folder, stdout=log, stderr=log, start_new_session=True)


def _says(fleet: Fleet, word: str, expected: str) -> bool:
    try:
        return expected in fleet.ask(word)
    except subprocess.CalledProcessError:
        return False


def until(happens: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for something."""
    begun = time.monotonic()
    while not happens():
        assert time.monotonic() - begun < seconds, "it did not happen"
        time.sleep(0.3)


@pytest.mark.compile
def test_a_place_is_locked_measured_and_released(fleet: Fleet) -> None:
    said: list[str] = []
    with fleet.device().open([Path(find("bpcp"))], said.append) as session:
        assert "one" in fleet.ask("places", "--acquired")
        ran = session.infer("native", ["--model", session.model(Path(find("bpcp"))), "--check"], None, 60)
        assert ran.status == 0 and b"golden vectors passed" in ran.output
        assert session.identity("native").machine
    assert fleet.is_free()
    assert any(line.startswith("one is ours, at ssh://") for line in said)


def test_a_place_is_released_where_the_board_is_down(fleet: Fleet) -> None:
    keys = fleet.board.folder / "authorized_keys"
    known = keys.read_text()
    keys.write_text("")
    try:
        with pytest.raises(EdgeError) as raised, fleet.device(tags=None, place="one").open([], print):
            pass
    finally:
        keys.write_text(known)
    assert raised.value.code == "board.login"
    assert fleet.is_free()


def test_somebody_else_has_the_place(fleet: Fleet) -> None:
    fleet.ask("-p", "one", "acquire", **OTHER)
    said: list[str] = []
    try:
        with pytest.raises(EdgeError, match="not free within 6 s") as raised, fleet.device().open([], said.append):
            pass
        assert "somebody  elsewhere  one" in fleet.ask("who")  # it is still theirs
    finally:
        fleet.ask("-p", "one", "release", **OTHER)
    assert raised.value.code == "board.busy"
    assert any(line.startswith("waiting for a place (board=here)") for line in said)
    assert fleet.is_free()


PROGRAM = """
import sys
from benchmarks.devices.labgrid import Labgrid
keys = dict(name="shared", coordinator=sys.argv[1], target="x86-64", tags={"board": "here"}, key=sys.argv[2])
with Labgrid(**keys).open([], lambda text: print(text, flush=True)):
    pass
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_process_that_is_ended_leaves_no_lock(fleet: Fleet, number: signal.Signals) -> None:
    command = [sys.executable, "-c", PROGRAM, fleet.coordinator, str(fleet.board.signer)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if line.startswith("one is ours"):
                break
        assert "one" in fleet.ask("places", "--acquired")
        process.send_signal(number)
        process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    assert process.returncode != 0
    until(fleet.is_free)


def test_a_place_that_there_is_not(fleet: Fleet) -> None:
    device = fleet.device(tags=None, place="three")
    with pytest.raises(EdgeError, match="has no place 'three'") as raised, device.open([], print):
        pass
    assert raised.value.code == "board.labgrid"


def test_a_place_without_a_service(fleet: Fleet) -> None:
    fleet.ask("-p", "two", "add-match", "lab/one/NetworkService/other")
    with pytest.raises(EdgeError) as raised, fleet.device(tags=None, place="two").open([], print):
        pass
    assert raised.value.code == "board.labgrid"
    assert fleet.is_free()


def test_a_coordinator_that_is_down(fleet: Fleet) -> None:
    device = Labgrid(name="shared", coordinator=f"127.0.0.1:{free_port()}", target="x86-64", place="one")
    with pytest.raises(EdgeError, match="can't be reached") as raised, device.open([], print):
        pass
    assert raised.value.code == "board.unreachable"
