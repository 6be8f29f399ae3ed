"""A board over a real ssh: this machine with the native release that such a board gets."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.devices import ssh
from benchmarks.devices.ssh import Ssh, SshSession
from benchmarks.measurement import MODEL, Cell
from benchmarks.measuring.measure import Effort, measure
from edge.errors import EdgeError
from edge.model import find
from tests.edge.processes import ROOT
from tests.firmware_bridge.boards import LocalBoard

pytestmark = [pytest.mark.compile, pytest.mark.timeout(300)]
QUICK = Effort(invokes=5, warmup=1, seconds=60)


@pytest.fixture(scope="module")
def reached(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBoard]:
    """A board that trusts the key, reached by this process's ssh as a user's configuration would have it."""
    board = LocalBoard(tmp_path_factory.mktemp("board"))
    before = dict(os.environ)
    try:
        os.environ |= {key: board.environment[key] for key in ("PATH", "HOME", "XDG_CACHE_HOME")}
        done = board.deploy("trust", "board", "--key", f"{board.signer}.pub")
        assert done.returncode == 0, done.stderr
        yield board
    finally:
        os.environ.clear()
        os.environ.update(before)
        board.stop()


@pytest.fixture
def device(reached: LocalBoard) -> Ssh:
    return Ssh(name="pi", host="board", target="x86-64", key=str(reached.signer))


@contextmanager
def session(device: Ssh, said: list[str] | None = None) -> Iterator[SshSession]:
    with device.open([Path(find("bpcp"))], (said if said is not None else []).append) as opened:
        yield opened


def test_a_board_is_deployed_once_and_measured(device: Ssh, reached: LocalBoard) -> None:
    said: list[str] = []
    with session(device, said) as opened:
        assert any(line.startswith("pushing edge-infer-") for line in said)
        found = measure(opened, Cell("pi", "bpcp", "native", 1), Path(find("bpcp")), MODEL, 0, QUICK)
        assert found.invokes == 5 and 0 < found.latency_ms["p50"] < found.latency_ms["cold_start"]
        assert found.states[0].when == "before" and found.states[-1].when == "after"
        assert found.identity is not None and found.identity.machine and found.identity.release
        assert found.sizes["archive"] > found.sizes["file"] > 0
        assert opened.fetch("/no/such/file", 10) is None
        assert opened.fetch("/etc/hostname", 10) == Path("/etc/hostname").read_bytes()
        with pytest.raises(EdgeError) as raised:
            opened.infer(
                "native", ["--repeat", "1000000", "--model", opened.model(Path(find("polyp"))), "-"], _phantom(), 1
            )
        assert raised.value.code == "board.timeout"
    said.clear()
    with session(device, said):
        assert not any(line.startswith("pushing") for line in said)
    kept = reached.ssh("ls ~/.cache/edge-bench/models").split()
    assert len(kept) == 1  # of the session's own models


def until(happens: Callable[[], bool], seconds: float = 30) -> None:
    """Wait for something."""
    begun = time.monotonic()
    while not happens():
        assert time.monotonic() - begun < seconds, "it did not happen"
        time.sleep(0.1)


def _phantom() -> bytes:
    return (Path(__file__).parents[3] / "docs/colon.jpg").read_bytes()


def test_a_host_that_is_down(device: Ssh) -> None:
    with (
        pytest.raises(EdgeError) as raised,
        session(Ssh(name="gone", host="127.0.0.9", target="x86-64", key=device.key)),
    ):
        pass
    assert raised.value.code == "board.unreachable"


def test_a_key_that_is_refused(device: Ssh, reached: LocalBoard) -> None:
    keys = reached.folder / "authorized_keys"
    known = keys.read_text()
    keys.write_text("")
    try:
        with pytest.raises(EdgeError) as raised, session(device):
            pass
    finally:
        keys.write_text(known)
    assert raised.value.code == "board.login"


def test_a_signer_that_is_not_trusted(device: Ssh, reached: LocalBoard) -> None:
    with (
        pytest.raises(EdgeError, match="trust") as raised,
        session(Ssh(name="pi", host="board", target="x86-64", key=str(reached.user), folder="other")),
    ):
        pass
    assert raised.value.code == "board.refused"


def test_a_board_whose_disk_is_full(device: Ssh, reached: LocalBoard) -> None:
    with session(device) as opened:
        reached.ssh("mv ~/.cache/edge-bench/models ~/kept && ln -s /dev/full ~/.cache/edge-bench/models")
        try:
            with pytest.raises(EdgeError) as raised:
                opened.model(Path(find("pneumonia")))
        finally:
            reached.ssh("rm ~/.cache/edge-bench/models && mv ~/kept ~/.cache/edge-bench/models")
    assert raised.value.code == "board.disk"


def test_models_that_a_session_did_not_ask_for_go(device: Ssh, reached: LocalBoard) -> None:
    reached.ssh("mkdir -p ~/.cache/edge-bench/models && echo theirs >~/.cache/edge-bench/models/mine.txt")
    reached.ssh(f"echo old >~/.cache/edge-bench/models/{'0' * 64}.tflite")
    with session(device) as opened:
        path = Path(opened.model(Path(find("bpcp"))))
        path.write_bytes(b"damaged")
        assert Path(opened.model(Path(find("bpcp")))).read_bytes() == Path(find("bpcp")).read_bytes()
    left = reached.ssh("ls ~/.cache/edge-bench/models").split()
    assert sorted(left) == sorted([path.name, "mine.txt"])


RUN_FOR_LONG = """
import sys
from pathlib import Path
from benchmarks.devices import ssh
from benchmarks.devices.ssh import Ssh
from edge.model import find
with Ssh(name="pi", host="board", target="x86-64", key=sys.argv[1]).open([], str) as session:
    model = session.model(Path(find("polyp")))
    print("runs", flush=True)
    session.infer("native", ["--repeat", "1000000", "--model", model, "-"], Path(sys.argv[2]).read_bytes(), 300)
"""


def test_nothing_runs_on_where_the_host_is_gone(device: Ssh, reached: LocalBoard) -> None:
    command = [sys.executable, "-c", RUN_FOR_LONG, str(reached.signer), str(ROOT / "docs/colon.jpg")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == b"runs\n"
        until(lambda: _running(reached))
    finally:
        process.kill()
        process.communicate()
    until(lambda: not _running(reached))


def _running(board: LocalBoard) -> bool:
    """Whether an edge-infer of the board's runs."""
    lines = subprocess.run(["ps", "-wweo", "args"], capture_output=True, text=True, check=True).stdout.splitlines()
    return any("--repeat 1000000" in line and str(board.folder) in line for line in lines)


def test_a_login_that_never_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: LocalBoard) -> None:
    monkeypatch.setattr(ssh, "_CONNECT_SECONDS", 2.0)
    board = LocalBoard(tmp_path, "ForceCommand exec sleep 600")
    monkeypatch.setenv("PATH", board.environment["PATH"])
    try:
        with (
            pytest.raises(EdgeError) as raised,
            session(Ssh(name="pi", host="board", target="x86-64", key=str(reached.signer))),
        ):
            pass
    finally:
        board.stop()
    assert raised.value.code == "board.login"


def test_a_host_whose_key_has_changed(device: Ssh, reached: LocalBoard) -> None:
    reached.know(" ".join(reached.user.with_suffix(".pub").read_text().split()[:2]))
    try:
        with pytest.raises(EdgeError, match="another host key") as raised, session(device):
            pass
    finally:
        reached.know(reached.host_key)
    assert raised.value.code == "board.login"
