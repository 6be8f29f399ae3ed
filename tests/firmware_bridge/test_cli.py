"""The command line by itself: what it lists, and what it refuses before it reaches for any board."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.edge.processes import ROOT, Ended, environment
from tests.test_install import interpreter

DOCS = (ROOT / "docs/deploy.md").read_text()


def deploy(*words: object, python: str = sys.executable, **settings: str) -> Ended:
    command = [python, "-m", "firmware_bridge", *map(str, words)]
    return Ended(subprocess.run(command, capture_output=True, env=environment(**settings), timeout=60))


def test_the_documentation_lists_the_targets() -> None:
    told = deploy("targets")
    assert told.status == 0
    assert f"```console\n$ edge-deploy targets\n{told.out}```" in DOCS


def test_a_target_that_is_not_known_is_told_of_before_anything_else() -> None:
    for words in (["build", "pi9"], ["push", "pi9", "nowhere.invalid"]):
        told = deploy(*words)
        assert told.status == 2 and told.err.count("\n") == 1
        assert "there is no target 'pi9': expected one of aarch64" in told.err


def test_without_a_key_nothing_is_built(tmp_path: Path) -> None:
    told = deploy("build", "x86-64", "--output", tmp_path / "out", HOME=str(tmp_path))
    assert told.status == 2 and "id_ed25519 does not exist: expected an OpenSSH key" in told.err
    assert not (tmp_path / "out").exists()


def test_a_full_standard_output_is_a_sentence() -> None:
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-m", "firmware_bridge", "targets"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, env=environment())
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1 and b"No space left" in done.stderr


def test_python_3_10_is_told_to_go_to_the_host() -> None:
    python = interpreter("3.10")
    if python is None:
        pytest.skip("no Python 3.10 on this machine")
    told = deploy("targets", python=python)
    assert told.status == 2 and "expected 3.11 or later" in told.err
