"""Counting instructions: what was counted is kept, and what a board's processor lacks is hidden."""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.lab import debian
from benchmarks.papers import instructions
from tests.edge.processes import environment

VECTOR = '{"verdict": "bit-exact"}\n'


class StandIn:
    """A virtual Pi that says the same to everything, and fails where it has nothing to say."""

    def __init__(self, says: str) -> None:
        self.says, self.asked = says, 0

    def ssh(self, command: str, timeout: float = 60) -> str:
        self.asked += 1
        if not self.says:
            raise subprocess.CalledProcessError(255, command, "", "Connection closed")
        return self.says


@pytest.fixture(autouse=True)
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(instructions, "KEPT", tmp_path / "kept.json")
    return tmp_path / "kept.json"


def counter(pi: StandIn, folder: Path, core: str = "cortex-a76", digest: str = "one") -> instructions.Counter:
    made = instructions.Counter(folder, core, folder, digest, 2)
    made.pi = pi  # type: ignore[assignment]
    return made


def test_the_next_run_does_not_ask_again(tmp_path: Path) -> None:
    pi = StandIn(VECTOR * 3)
    assert [counter(pi, tmp_path).check("m") for _ in range(3)] == [3, 3, 3]
    assert pi.asked == 1


@pytest.mark.parametrize("other", [{"core": "cortex-a72"}, {"digest": "two"}])
def test_other_files_and_processors_are_counted_anew(tmp_path: Path, other: dict[str, str]) -> None:
    pi = StandIn(VECTOR)
    counter(pi, tmp_path).check("m")
    counter(pi, tmp_path, **other).check("m")
    counter(pi, tmp_path).check("n")
    assert pi.asked == 3


def test_a_lost_connection_keeps_what_was_counted(tmp_path: Path, kept: Path) -> None:
    counter(StandIn(VECTOR), tmp_path).check("m")
    before = kept.read_bytes()
    with pytest.raises(SystemExit, match="Connection closed"):
        counter(StandIn(""), tmp_path).check("n")
    assert kept.read_bytes() == before
    assert counter(StandIn(""), tmp_path).check("m") == 1


def test_a_vector_that_is_not_bit_exact_ends_it(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="near: expected bit-exact"):
        counter(StandIn('{"verdict": "near"}\n'), tmp_path).check("m")


def test_budgets_come_from_the_clock_and_from_the_answers(tmp_path: Path) -> None:
    answers = [{"latency_ms": {"first_invoke": 10, "invoke": 6}}, {"latency_ms": {"first_invoke": 12, "invoke": 8}}]
    said = "".join(f"{time}\n{json.dumps(answer)}\n" for time, answer in zip((40_000, 42_000), answers, strict=True))
    found = counter(StandIn(said), tmp_path).start("program", "m", "p")
    assert found.whole == ([20, 21],) and found.first_invoke == ([5, 6],) and found.invoke.median == 3.5
    assert found.whole.spread == 1 / 20.5


def test_a_digest_is_of_names_and_bytes_and_links_and_not_of_what_is_compiled(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "b").symlink_to("a")
    before = instructions.digest_of(tmp_path)
    (tmp_path / "c.pyc").write_bytes(b"dated")
    assert instructions.digest_of(tmp_path) == before
    (tmp_path / "a").write_bytes(b"2")
    changed = instructions.digest_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "d")
    assert len({before, changed, instructions.digest_of(tmp_path)}) == 3


def test_instructions_for_cryptography_are_hidden(tmp_path: Path) -> None:
    """On any processor: four bits of the capabilities that the kernel tells a process of."""
    try:
        debian.need(debian.COMPILER)
    except debian.Unavailable as error:
        pytest.skip(str(error))
    hidden = tmp_path / "hidden.so"
    subprocess.run(["cc", "-shared", "-fPIC", instructions.HIDING, "-o", hidden], check=True)
    asking = "import ctypes; ask = ctypes.CDLL(None).getauxval; ask.restype = ctypes.c_ulong; print(ask(16), ask(6))"
    done = subprocess.run(
        [sys.executable, "-c", asking],
        env=environment(LD_PRELOAD=str(hidden)),
        capture_output=True,
        text=True,
        check=True,
    )
    ask = ctypes.CDLL(None).getauxval
    ask.restype = ctypes.c_ulong
    assert [int(word) for word in done.stdout.split()] == [ask(16) & ~0b1111000, ask(6)]
    assert ask(6) == os.sysconf("SC_PAGESIZE")
