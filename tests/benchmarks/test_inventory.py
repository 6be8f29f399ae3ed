"""The inventory: a TOML file of a user's, and what is wrong with it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import inventory
from edge.errors import EdgeError
from tests.edge.processes import ROOT

WHOLE = """
alarm = ["mail", "-s", "bench", "me@here"]
canary = "phantom"
retention_days = 400

[[device]]
name = "here"
kind = "local"
threads = [1, 4]
runtimes = ["litert"]
images = {classification = "/data/test"}

[[device]]
name = "pi5"
kind = "ssh"
host = "bench@pi5.local"
target = "pi5"
key = "~/.ssh/release"
folder = "bench"

[[device]]
name = "virtual"
kind = "virtual-pi"
processor = "cortex-a76"

[[device]]
name = "shared"
kind = "labgrid"
coordinator = "lab:20408"
tags = {board = "pi4"}
target = "pi4"
"""


def load(folder: Path, text: str) -> inventory.Inventory:
    path = folder / "inventory.toml"
    path.write_text(text)
    return inventory.load(path)


def test_without_a_file_it_is_this_machine() -> None:
    found = inventory.load(None)
    assert [(device.name, device.kind) for device in found.devices] == [("here", "local")]
    assert found.alarm is None and found.retention_days is None and found.canary == inventory.CANARY


def test_all_kinds_and_keys(tmp_path: Path) -> None:
    found = load(tmp_path, WHOLE)
    assert found.alarm == ["mail", "-s", "bench", "me@here"]
    assert (found.canary, found.retention_days) == ("phantom", 400)
    here, pi5, virtual, shared = found.devices
    assert (here.kind, pi5.kind, virtual.kind, shared.kind) == ("local", "ssh", "virtual-pi", "labgrid")
    assert here.threads == [1, 4] and here.runtimes == ["litert"] and here.images == {"classification": "/data/test"}
    assert virtual.threads == (1,)  # it has one core
    assert pi5.threads is None and pi5.runtimes is None and pi5.images == {}


DEVICE = '[[device]]\nname = "a"\nkind = "local"\n'
SSH = '[[device]]\nname = "a"\nkind = "ssh"\nhost = "a"\ntarget = "pi5"\n'
FLEET = '[[device]]\nname = "a"\nkind = "labgrid"\ncoordinator = "lab:20408"\ntarget = "pi5"\n'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (DEVICE.replace("local", "serial"), "unknown kind 'serial': expected one of local, ssh, "),
        (DEVICE.replace('"local"', "3"), "unknown kind 3"),
        (DEVICE.replace('"local"', '["local"]'), "unknown kind"),
        (DEVICE + DEVICE, "two devices called 'a'"),
        (DEVICE + 'host = "b"', "unknown key 'host' in device 'a'"),
        ("colour = 1\n" + DEVICE, "unknown key 'colour'"),
        ("", "has no device"),
        ("device = 3", "has no device"),
        (DEVICE.replace('"a"', '"../a"'), "the name '../a'"),
        (DEVICE.replace('"a"', "7"), "the name 7"),
        (DEVICE + "threads = [0]", r"threads \[0\]"),
        (DEVICE + "threads = [true]", r"threads \[True\]"),
        (DEVICE + "threads = 4", "threads 4"),
        (DEVICE + 'runtimes = ["onnx"]', r"runtimes \['onnx'\]"),
        (DEVICE + 'images = "/data"', "images '/data'"),
        (DEVICE + 'images = {clasification = "/data"}', "images {'clasification'"),
        ('alarm = "mail me"\n' + DEVICE, "alarm 'mail me'"),
        ("alarm = []\n" + DEVICE, r"alarm \[\]"),
        ("retention_days = 0\n" + DEVICE, "retention_days 0"),
        ('canary = ""\n' + DEVICE, "canary ''"),
        (SSH.replace('host = "a"\n', ""), "no 'host' in device 'a'"),
        (SSH.replace('host = "a"', "host = 4"), "the host 4"),
        (SSH.replace('"pi5"', '"pi9"'), "no target 'pi9'"),
        (SSH + "key = 3", "the key 3"),
        (FLEET, "neither place nor tags"),
        (FLEET + 'place = "one"\ntags = {board = "a"}', "both place and tags"),
        (FLEET + 'place = "--help"\n', "the place '--help'"),
        (FLEET + 'tags = {board = "a b"}', "which labgrid can't reserve"),
        (FLEET.replace("lab:20408", "lab;ls") + 'place = "one"', "the coordinator 'lab;ls'"),
        ('[[device]]\nname = "v"\nkind = "virtual-pi"\nprocessor = "z80"', "the processor 'z80'"),
        ("[[device", "is not TOML"),
    ],
)
def test_what_is_wrong_is_said_with_the_file(tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(EdgeError, match=sentence) as raised:
        load(tmp_path, text)
    assert raised.value.code == "inventory.invalid"
    assert str(raised.value).startswith(str(tmp_path / "inventory.toml"))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="No such file") as raised:
        inventory.load(tmp_path / "none.toml")
    assert raised.value.code == "inventory.unreadable"


def test_the_command_says_it_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "boards.toml").write_text(DEVICE.replace("local", "serial"))
    command = [sys.executable, "-m", "benchmarks", "matrix", "--inventory", "boards.toml"]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("edge-bench: boards.toml has the device 'a' of the unknown kind 'serial'")
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["boards.toml"]
