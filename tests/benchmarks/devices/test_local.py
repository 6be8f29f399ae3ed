"""This machine as a device: real processes, which may hang, and their children with them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from benchmarks.devices import local
from benchmarks.devices.local import Local, LocalSession
from edge.errors import EdgeError
from edge.model import find
from tests.edge.processes import ROOT

BPCP = Path(find("bpcp"))
IMAGE = (ROOT / "docs/colon.jpg").read_bytes()


def test_a_fresh_process_answers_with_the_boards_state() -> None:
    with Local("here", runtimes=["litert"]).open([BPCP], print) as session:
        assert session.runtimes == ("litert",) and session.cores >= 1 and not session.emulated
        ran = session.infer("litert", ["--json", "--model", session.model(BPCP), "--threads", "1", "-"], IMAGE, 60)
        identity = session.identity("litert")
    assert ran.status == 0
    assert json.loads(ran.output)["model"]["name"] == "bpcp"
    assert ran.states[0].when == "before" and ran.states[-1].when == "after"
    assert ran.states[-1].seconds * 1e3 >= ran.wall_ms > 10
    assert identity.kernel and identity.board["cores"] >= 1


def test_a_machine_is_known_by_a_digest_of_its_identifier() -> None:
    identifier = Path("/etc/machine-id")
    found = LocalSession({}).identity("litert").machine
    if identifier.exists():
        assert found is not None and len(found) == 16
        assert found not in identifier.read_text()  # it is nobody else's to know
    else:
        assert found is None


@pytest.mark.parametrize("end", ["wait", "exit 0"])
def test_what_hangs_is_ended_with_its_children(end: str, tmp_path: Path) -> None:
    """The second one's process ends by itself, and its child keeps its output open."""
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\n/bin/sh -c 'sleep 600; :' {tmp_path}/child &\n{end}\n")
    program.chmod(0o755)
    with pytest.raises(EdgeError, match="within 1 s") as raised:
        LocalSession({"native": [str(program)]}).infer("native", [], None, 1)
    assert raised.value.code == "board.timeout"
    running = subprocess.run(["ps", "-wweo", "stat,args"], capture_output=True, text=True, check=True).stdout
    assert not [line for line in running.splitlines() if str(tmp_path) in line and not line.startswith("Z")]


def test_a_runtime_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.importlib.util, "find_spec", lambda name: None)
    device = Local("here", runtimes=["litert"])
    with pytest.raises(EdgeError, match="has none of the runtimes litert") as raised, device.open([], print):
        pass
    assert raised.value.code == "board.runtime"


def test_without_a_compiler_the_native_program_is_left_out_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local.platform, "machine", lambda: "riscv64")  # no native release is known for it
    said: list[str] = []
    with Local("here").open([], said.append) as session:
        assert "native" not in session.runtimes and "litert" in session.runtimes
    assert any("native is left out: this machine is riscv64" in line for line in said)
    with pytest.raises(EdgeError), Local("here", runtimes=["native"]).open([], print):
        pass  # asked for by name


def test_a_file_is_fetched(tmp_path: Path) -> None:
    session = LocalSession({})
    (tmp_path / "mask.png").write_bytes(b"mask")
    assert session.fetch(str(tmp_path / "mask.png"), 1) == b"mask"
    assert session.fetch(str(tmp_path / "none.png"), 1) is None
    assert session.fetch(str(tmp_path), 1) is None
