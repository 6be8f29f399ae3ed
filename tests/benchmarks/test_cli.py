"""`edge-bench` as such: its commands, and how it ends."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

from benchmarks.cli import COMMANDS, main
from tests.edge.processes import Ended, environment


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_a_module_with_arguments_and_a_run(name: str) -> None:
    module = importlib.import_module(COMMANDS[name][0])
    assert list(inspect.signature(module.add_arguments).parameters) == ["parser"]
    assert list(inspect.signature(module.run).parameters) == ["options"]


def test_the_list_has_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    for name, (_, text) in COMMANDS.items():
        assert f"    {name}" in shown
        assert text.split(",")[0] in " ".join(shown.split())


@pytest.mark.parametrize("words", [[], ["nothing"], ["matrix", "--nothing"]])
def test_invalid_words_are_said(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.startswith("edge-bench: ") and "--help" in said and len(said.splitlines()) == 1


def test_it_is_a_program() -> None:
    line = [sys.executable, "-m", "benchmarks", "--version"]
    ended = Ended(subprocess.run(line, capture_output=True, env=environment(), timeout=60))
    assert ended.status == 0 and ended.out.startswith("edge-bench ")
