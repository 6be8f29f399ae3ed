"""The made-up history has what the page and its tests need, and is the same every time."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.history.care import faults
from benchmarks.history.example import Shape, make
from benchmarks.history.store import open_store
from benchmarks.measurement import Word
from edge.errors import EdgeError
from tests.edge.processes import Ended, environment

SHAPE = Shape(nights=40, devices=3, models=4, missing=0.1)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("example") / "example.sqlite"
    make(path, SHAPE)
    return path


def test_it_is_a_sound_history_with_every_verdict(example: Path) -> None:
    with open_store(example) as store:
        assert faults(store) == []
        found = store.all_series()
        assert len(found) == len(store.cells()) == 12
        words = {sample.verdict.word for samples in found.values() for sample in samples if sample.verdict}
        assert words == set(Word)
        assert 25 < len(store.nights()) < 40, "some nights are missing"
        assert all(len(sample.canary_before) == 3 for each in found.values() for sample in each if sample.p50_ms)
        assert any(sample.confirmation_ms for each in found.values() for sample in each)


def test_nothing_in_it_passes_for_measured(example: Path) -> None:
    with open_store(example) as store:
        identities = [each.identity for each in store.measurements(store.nights()[-1]) if each.identity]
    assert identities
    assert all(identity.board["model"].startswith("example ") for identity in identities)


def test_the_same_seed_gives_the_same_history(tmp_path: Path) -> None:
    found = []
    for number, seed in enumerate((1, 1, 2)):
        make(tmp_path / f"{number}.sqlite", Shape(nights=6, devices=2, models=2, seed=seed))
        with open_store(tmp_path / f"{number}.sqlite") as store:
            found.append(store.all_series())
    assert found[0] == found[1] != found[2]


def test_the_command_makes_a_new_file_and_replaces_none(tmp_path: Path) -> None:
    path = tmp_path / "example.sqlite"
    words = [
        sys.executable,
        "-m",
        "benchmarks.history.example",
        path,
        "--nights",
        "3",
        "--devices",
        "1",
        "--models",
        "1",
    ]
    assert Ended(subprocess.run(words, capture_output=True, env=environment())).status == 0
    with open_store(path) as store:
        assert len(store.cells()) == 1
    before = path.read_bytes()
    with pytest.raises(EdgeError, match="exists already"):
        make(path, SHAPE)
    assert path.read_bytes() == before
    done = Ended(subprocess.run(words, capture_output=True, env=environment()))
    assert done.status == 2
    assert "exists already" in done.err
