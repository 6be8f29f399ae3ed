"""What is refused before a device is asked for, and what a person sees meanwhile."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

import edge.model
from benchmarks.cli import main
from benchmarks.lab.stand_in import StandIn
from edge.errors import EdgeError
from tests.benchmarks.matrix.nights import measure
from tests.edge.processes import environment

INVENTORY = '[[device]]\nname = "here"\nkind = "local"\n'


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--models", "nothing"], "there is no model 'nothing'"),
        (["--models", "empty"], "has no model file"),
        (["--models", "doubled"], "both hold a model 'bpcp'"),
        (["--models", "broken.tflite"], "is not a TFLite file"),
        (["--devices", "there"], "the inventory has no device 'there': expected one of here"),
        (["--threads", "0"], "expected a whole number from 1 to 64, not '0'"),
        (["--threads", "1,"], "expected a whole number from 1 to 64, not ''"),
        (["--runtimes", "onnx"], "expected native, litert, tflite, not 'onnx'"),
        (["--starts", "2"], "expected a whole number from 3 to 100, not '2'"),
        (["--fail-on", "SLOW"], "expected PASS, REGRESSED, "),
        (["--inventory", "nowhere.toml"], "nowhere.toml can't be read"),
        (["--history", "broken.tflite"], "is damaged"),
        (["--inventory", "canary.toml"], "there is no model 'tweety'"),
    ],
)
def test_invalid_input_is_said_in_one_sentence(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("empty", "doubled"):
        Path(folder).mkdir()
    for name in ("a", "b"):
        shutil.copy(edge.model.find("bpcp"), f"doubled/{name}.tflite")
    Path("broken.tflite").write_bytes(b"not a model, and not a database, but long enough for either of the two" * 9)
    Path("canary.toml").write_text(f'canary = "tweety"\n{INVENTORY}')
    default = [] if "--history" in words else ["--history", "history.sqlite"]
    assert main(["matrix", *default, *words]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("edge-bench: ") and said in lines[0]
    assert not Path("history.sqlite").exists()


def test_a_folder_of_models(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one.tflite", "notes.txt"):
        shutil.copy(edge.model.find("polyp"), tmp_path / name)
    assert measure(tmp_path / "history.sqlite", [StandIn("here")], "--models", str(tmp_path), "bpcp", "--json") == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["cell"]["model"] for row in rows] == ["bpcp", "polyp"]


def test_what_is_refused_leaves_no_process(tmp_path: Path) -> None:
    history = tmp_path / "history.sqlite"
    history.write_bytes(b"nothing of the kind" * 99)
    before = set(_children())
    with pytest.raises(EdgeError, match="damaged"):
        measure(history, [StandIn("one")])
    assert set(_children()) == before


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()


def test_a_damaged_history_is_kept_aside_on_demand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = tmp_path / "history.sqlite"
    history.write_bytes(b"nothing of the kind" * 99)
    assert measure(history, [StandIn("one")], "--new-history") == 0
    assert list(tmp_path.glob("history.sqlite.damaged-*"))
    assert "a new history begins" in capsys.readouterr().err


def test_a_terminal_has_a_line_a_device_that_changes_in_place(tmp_path: Path) -> None:
    inventory = tmp_path / "inventory.toml"
    tables = [
        f'[[device]]\nname = "{name}"\nkind = "stand-in"\nseconds = 0.02\nthreads = [1]\n' for name in ("one", "second")
    ]
    inventory.write_text("".join(tables))
    words = ["--inventory", str(inventory), "--history", str(tmp_path / "history.sqlite"), "--models", "bpcp"]
    shown = _on_a_terminal([sys.executable, "-m", "tests.benchmarks.matrix.nights", *words], columns=60)
    assert b"\033[2F\033[J" in shown  # two lines are drawn over
    lines = shown.replace(b"\r", b"").decode().split("\n")
    drawn = [
        line.removeprefix("\033[2F\033[J") for line in lines if line.removeprefix("\033[2F\033[J").startswith("one ")
    ]
    assert any("/15  bpcp, litert, 1 thread" in line for line in drawn)
    assert max(map(len, drawn)) < 60
    assert lines[-2].endswith(": 2 PASS")


def _on_a_terminal(command: list[str], columns: int) -> bytes:
    """Return what a command writes on a terminal of its own."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    # Where COLUMNS is set, it says more than the terminal.
    clean = {name: value for name, value in environment().items() if name not in ("COLUMNS", "LINES")}
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=clean, close_fds=True)
    os.close(theirs)
    shown = b""
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 1 << 16)
        except OSError:  # its other end is closed
            break
        shown += piece
    os.close(ours)
    assert process.wait(30) == 0
    return shown
