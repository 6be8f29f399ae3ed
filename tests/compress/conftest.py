"""Small data sets, small recipes, and `edge-compress` as a real process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from compress.data.phantom import write_folder

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder of phantoms, 24 training and 8 test images of each class, 48x48."""
    root = tmp_path_factory.mktemp("phantoms")
    write_folder(root, train=24, test=8, size=48)
    return root


HEAD = """
name = "own"
title = "A network that the project has never seen"
network = "own_network:build"
calibration = 16

[input]
height = 48
width = 48
color = "grey"
channels = 3
mean = [0.5]
std = [0.25]

[data]
positive = "opacity"
validation = 0.25
"""
RECIPE = (
    HEAD
    + """
[[steps]]
kind = "train"
epochs = 3
batch = 8

[[steps]]
kind = "prune"
criterion = "l2-norm"
ratios = { "features.[02]*" = 0.5 }

[[steps]]
kind = "train"
epochs = 2
batch = 8

[[steps]]
kind = "ghost"
layers = ["last"]
samples = 8

[[steps]]
kind = "train"
epochs = 2
batch = 8

[[targets]]
name = "parameters"
target = 100000
better = "lower"
source = "test"
"""
)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A user's working folder: a network of their own and a recipe for it."""
    (tmp_path / "own_network.py").write_text((HERE / "own_network.py").read_text())
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def command(*arguments: object) -> list[str]:
    """The command line of `edge-compress`."""
    return [sys.executable, "-m", "compress", *map(str, arguments)]


def environment() -> dict[str, str]:
    """The environment of a process that finds the project from any working folder."""
    kept = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return {"OMP_NUM_THREADS": "2"} | kept | {"PYTHONPATH": str(HERE.parents[1])}


def edge_compress(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run `edge-compress` to its end."""
    return subprocess.run(
        command(*arguments), cwd=cwd, env=environment(), text=True, capture_output=True, timeout=900, check=False
    )


def refused(done: subprocess.CompletedProcess[str], *words: str) -> str:
    """Check that a run ended as a user's errors must: one sentence, status 2, no traceback; return the sentence."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    sentences = [line for line in done.stderr.splitlines() if line.startswith("edge-compress: ")]
    assert len(sentences) == 1, done.stderr
    for word in words:
        assert word in sentences[0]
    return sentences[0]
