"""The units and the workflow of the nights, as systemd and GitHub read them; and their commands, as edge-bench does."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.cli import main
from benchmarks.inventory import load
from benchmarks.lab import debian
from tests.documents import ROOT, code

NIGHTLY = ROOT / "benchmarks/nightly"
UNITS = [NIGHTLY / "edge-bench.service", NIGHTLY / "edge-bench.timer"]
WORKFLOW = NIGHTLY / "edge-bench.yml"


@pytest.fixture
def systemd() -> None:
    try:
        debian.need({"systemd-analyze": "systemd"})
    except debian.Unavailable as error:
        pytest.skip(str(error))


def verified(folder: Path, *units: Path) -> subprocess.CompletedProcess[str]:
    program = folder / "edge-infer/.venv/bin/edge-bench"
    if not program.exists():
        program.parent.mkdir(parents=True)
        program.symlink_to("/bin/true")
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    command = ["systemd-analyze", "--user", "verify", *map(str, units)]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.usefixtures("systemd")
def test_systemd_takes_the_units_without_a_word(tmp_path: Path) -> None:
    done = verified(tmp_path, *UNITS)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.usefixtures("systemd")
def test_systemd_would_say_what_is_wrong_with_them(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.service"
    wrong.write_text(UNITS[0].read_text().replace("KillSignal", "KillSignl"))
    assert "Unknown key" in verified(tmp_path, wrong).stderr


@pytest.mark.usefixtures("systemd")
def test_the_timer_is_of_every_night() -> None:
    (calendar,) = re.findall(r"^OnCalendar=(.*)$", UNITS[1].read_text(), re.MULTILINE)
    done = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations", "2", calendar], capture_output=True, text=True, check=True,
        env={**os.environ, "TZ": "UTC"},
    )  # fmt: skip
    nights = re.findall(r"(\d{4}-\d\d-\d\d) 02:00:00", done.stdout)
    assert len(set(nights)) == 2


def schema(file: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)]
    return subprocess.run(command, capture_output=True, text=True)


def test_github_takes_the_workflow(tmp_path: Path) -> None:
    done = schema(WORKFLOW)
    assert done.returncode == 0, done.stdout
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOW.read_text().replace("runs-on:", "runs-at:"))
    assert schema(wrong).returncode == 1


def test_a_stranger_starts_no_night() -> None:
    """A pull request's code would run on the machine that has the boards' keys."""
    text = WORKFLOW.read_text()
    (triggers,) = re.findall(r"^on:\n((?:  .*\n)+)", text, re.MULTILINE)
    assert re.findall(r"^  (\w+):", triggers, re.MULTILINE) == ["schedule", "workflow_dispatch"]


def commands() -> list[str]:
    """Return the commands of the units, the workflow and the page."""
    found = re.findall(r"^Exec\w+=-?\S*/edge-bench (.*)$", UNITS[0].read_text(), re.MULTILINE)
    found += re.findall(r"(?:^|: )\s*edge-bench (.*)$", WORKFLOW.read_text(), re.MULTILINE)
    for block in code("docs/bench-nightly.md", "sh"):
        found += re.findall(r"^edge-bench ([^#\n]*)", block, re.MULTILINE)
    return [re.sub(r"\s*>> .*", "", command).strip() for command in found]


def test_there_are_commands_to_look_at() -> None:
    assert {command.split()[0] for command in commands()} == {"latency", "matrix", "report", "history"}
    assert len(commands()) >= 8


@pytest.mark.parametrize("command", sorted(set(commands())))
def test_edge_bench_has_these_commands_and_options(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = shlex.split(command)
    path = words[: 1 + (words[0] == "history")]
    with pytest.raises(SystemExit) as ended:
        main([*path, "--help"])
    assert ended.value.code in (0, None)
    text = capsys.readouterr().out
    for word in words[len(path) :]:
        if word.startswith("--"):
            assert re.search(rf"{word}\b", text), word


def test_the_page_shows_the_inventory_that_is_read(tmp_path: Path) -> None:
    (example,) = code("docs/bench-nightly.md", "toml")
    file = tmp_path / "boards.toml"
    file.write_text(example)
    found = load(file)
    assert [device.name for device in found.devices] == ["pi4"]
    assert json.loads(json.dumps(list(found.alarm or ()))) == ["mail", "-s", "edge-bench", "me@example.org"]
