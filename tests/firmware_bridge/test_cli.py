"""The command line by itself: what it lists, and what it refuses before it reaches for any board."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lab.host import new_key
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


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: COMMAND; see edge-deploy --help"),
        (["pusch"], "argument COMMAND: invalid choice: 'pusch' "),
        (["build", "pi5", "--release", "x"], "'x'; see edge-deploy build --help"),
        (["push", "pi5"], "are required: HOST; see edge-deploy push --help"),
        (["coral"], "are required: MODEL; see edge-deploy coral --help"),
        (["targets", "--all\n"], "unrecognized arguments: --all\\n; see edge-deploy --help"),
    ],
)
def test_a_wrong_usage_is_one_sentence(words: list[str], said: str) -> None:
    told = deploy(*words)
    assert (told.status, told.out) == (2, "") and told.err.count("\n") == 1
    assert told.err.startswith("edge-deploy: ") and said in told.err and told.err.endswith("--help\n")


def test_every_command_says_what_it_does_and_every_default_that_it_is_one() -> None:
    listed = re.findall(r"^    ([a-z-]+) +(\S.*)$", deploy("--help", COLUMNS="200").out, re.MULTILINE)
    assert len(listed) == 11
    for name, text in listed:
        told = deploy(name, "--help", COLUMNS="200").out
        assert f"\n\n{text[0].upper()}{text[1:]}.\n\n" in told
        assert re.findall(r"\((?!default: )[^)]*\)", told) == []
        assert not re.search(r"^  [a-z]", told.partition("positional arguments:\n")[2].partition("\n\n")[0])


def test_a_board_that_is_too_old_is_told_what_to_do_instead(tmp_path: Path) -> None:
    told = deploy("build", "coral-dev", "--output", tmp_path / "out", HOME=str(tmp_path))
    assert told.status == 2 and told.err.count("\n") == 1
    assert "no release for coral-dev" in told.err and "Python 3.10 and tflite-runtime 2.13.0" in told.err
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_archive_is_one_plain_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").touch()
    for path in (ROOT / "README.md", ROOT / "docs/phantom.png", tmp_path / "empty.tar"):
        told = deploy("push", "x86-64", "nowhere.invalid", "--archive", path)
        assert told.status == 2 and told.err.count("\n") == 1
        assert f"{path} is damaged or no archive (" in told.err and "method" not in told.err and "\\n" not in told.err
        assert told.err.endswith("): expected a release; build it again with edge-deploy build\n")


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


def test_what_was_built_takes_nothing_to_build() -> None:
    told = deploy("push", "x86-64", "nowhere.invalid", "--archive", "no.tar", "--release", "7", "--model", "polyp")
    assert told.status == 2 and "--model and --release and --archive were given" in told.err


def test_what_can_not_be_built_is_told_before_any_board_is_asked(tmp_path: Path) -> None:
    told = deploy("push", "x86-64", "nowhere.invalid", "--model", tmp_path / "no.tflite")
    assert told.status == 2 and "no.tflite does not exist" in told.err
    for number in ("-1", "1000000", "x"):
        told = deploy("push", "x86-64", "nowhere.invalid", "--release", number)
        assert told.status == 2 and f"expected a whole number from 0 to 999999, not '{number}'" in told.err


def test_keys_that_are_not_there_yet(tmp_path: Path) -> None:
    told = deploy("trust", "nowhere.invalid", HOME=str(tmp_path))
    assert told.status == 2 and "id_ed25519.pub does not exist" in told.err and "ssh-keygen -t ed25519" in told.err
    key = new_key(tmp_path / "alone")
    key.with_suffix(".pub").unlink()
    told = deploy("trust", "nowhere.invalid", "--key", key)
    assert told.status == 2 and f"make it with ssh-keygen -y -f {key} > {key}.pub" in told.err


@pytest.mark.parametrize("ending", ["", ".pub"])
def test_a_key_with_a_passphrase(tmp_path: Path, ending: str) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", key], check=True)
    told = deploy("build", "x86-64", "--key", f"{key}{ending}", SSH_AUTH_SOCK="")
    assert told.status == 2 and f"ssh-add {key}, then --key {key}.pub" in told.err
    assert "Enter passphrase" not in told.err
