"""Whose releases a board takes, and how that is taken back."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.lab.host import new_key
from tests.firmware_bridge.boards import LocalBoard
from tests.firmware_bridge.places import Place, refused


@pytest.fixture
def other(place: Place) -> Path:
    """A second key, with a comment."""
    key = new_key(place.tmp_path / "other")
    subprocess.run(["ssh-keygen", "-q", "-c", "-C", "Ada's laptop", "-f", key], check=True, capture_output=True)
    return key


def fingerprint(key: Path) -> str:
    return subprocess.run(["ssh-keygen", "-lf", key], check=True, capture_output=True, text=True).stdout.split()[1]


@pytest.mark.parametrize("how", ["private", "public", "fingerprint"])
def test_it_is_given_and_taken_back(place: Place, other: Path, how: str) -> None:
    assert "trusted from now on" in place("trust", "board", "--key", other).out
    assert "trusted already" in place("trust", "board", "--key", other).out
    assert f"trusts     {fingerprint(other)} Ada's laptop\n" in place("status", "board").out
    assert place.push(place.archive(key=other)).status == 0
    word = {"private": other, "public": f"{other}.pub", "fingerprint": fingerprint(other)}[how]
    done = place("trust", "board", "--remove", word)
    assert (done.status, done.out) == (0, f"{fingerprint(other)} is not trusted any more\n")
    status = place("status", "board").out
    assert fingerprint(other) not in status and fingerprint(place.board.signer) in status
    refused(place.push(place.archive("0.1.0-2", key=other)), "signature is of no key that the board trusts")
    assert place.push(place.archive("0.1.0-2")).status == 0
    refused(place("trust", "board", "--remove", word), f"does not trust {fingerprint(other)}", "edge-deploy status")


def test_the_last_key(place: Place) -> None:
    done = place("trust", "board", "--remove", place.board.signer)
    assert done.status == 0 and "no key is trusted now" in done.out
    refused(place.push(place.archive()), "trusts no key yet")


def test_one_thing_at_a_time(place: Place, other: Path) -> None:
    refused(place("trust", "board", "--remove", fingerprint(other)[:-1]), "no file and no fingerprint", "status")
    refused(place("trust", "board", "--key", other, "--remove", other), "--key and --remove", "leave out one")


def test_a_build_is_refused_before_it_begins(place: Place, other: Path, local_board: LocalBoard) -> None:
    def build(target: str, key: Path, *words: object) -> None:
        done = place("push", target, "board", "--key", key, "--output", place.tmp_path / "built", *words[:-1])
        refused(done, str(words[-1]))
        assert done.out == "" and not (place.tmp_path / "built").exists()

    build("x86-64", other, "does not trust the key that signs")
    build("pi5", local_board.signer, "is for aarch64")
    assert place.push(place.archive("99.0.0-1")).status == 0
    build("x86-64", local_board.signer, "--release N, or push with --allow-downgrade")
    build("x86-64", local_board.signer, "--model", "no.tflite", "no.tflite does not exist")
    place("trust", "board", "--remove", local_board.signer)
    build("x86-64", local_board.signer, "trusts no key yet")
