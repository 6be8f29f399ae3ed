"""What CONTRIBUTING.md shows of a step, a criterion, a target and a reader does what it says.

Tasks: the files that it links are those of tests/edge/tasks, tests/compress/tasks and tests/firmware_bridge/native.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

import compress
from compress import recipe_parser
from edge.errors import EdgeError
from firmware_bridge import target
from tests.documents import ROOT, code

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
STEP, CRITERION, READER = code("CONTRIBUTING.md", "python")
IN_A_RECIPE, TARGET = code("CONTRIBUTING.md", "toml")
RECIPE = """
name = "mine"
title = "Mine"
network = "my_networks:net"

[input]
height = 32
width = 32

"""
NETWORK = """
from torch import nn


def net(classes: int, channels: int) -> nn.Module:
    layers = [nn.Conv2d(channels, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 16, 3, 1, 1), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, classes))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder outside of the repository with the page's files; its modules are forgotten behind the test."""
    for text in (STEP, CRITERION):
        name = text.removeprefix('"""').split(":")[0]
        (tmp_path / name).write_text(text)
    (tmp_path / "my_networks.py").write_text(NETWORK)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in [name for name in sys.modules if name.startswith("my_")]:
        del sys.modules[name]


def test_a_step(folder: Path) -> None:
    file = folder / "mine.toml"
    file.write_text(RECIPE + IN_A_RECIPE)
    loaded = recipe_parser.load(str(file))
    (step,) = loaded.steps
    assert (step.kind, step.detail) == ("clip", "3 standard deviations")
    file.write_text(RECIPE + IN_A_RECIPE.replace("3.0", "-3.0"))
    with pytest.raises(EdgeError, match=r"limit.* -3.*expected a number above 0"):
        recipe_parser.load(str(file))


def test_a_step_that_is_applied(folder: Path) -> None:
    step = importlib.import_module("my_steps").Clip(limit=1.0)
    network = nn.Sequential(nn.Conv2d(3, 8, 3))
    before = network[0].weight.detach().clone()
    context = type("Context", (), {"network": network})()
    after = step.apply(context)[0].weight
    assert after.abs().max() <= before.std() + 1e-6 < before.abs().max()


def test_a_criterion(folder: Path) -> None:
    l1_norm = importlib.import_module("my_criteria").l1_norm
    network = importlib.import_module("my_networks").net(2, 3)
    with torch.no_grad():
        network[0].weight[:8] *= 0.01
    smaller = compress.prune(network, torch.zeros(1, 3, 32, 32), ratios={"0": 0.5}, criterion=l1_norm)
    assert torch.equal(smaller[0].weight, network[0].weight[8:])


def test_a_target(tmp_path: Path) -> None:
    (tmp_path / "odroid-c4.toml").write_text(TARGET)
    assert target.load(str(tmp_path / "odroid-c4.toml")).memory_mb == 4096
    assert "`edge-deploy push ./odroid-c4.toml HOST`" in PAGE


def test_a_reader_is_the_one_that_the_tests_add() -> None:
    """tests/edge/test_readers.py reads images with it, in Python and by edge-infer."""
    example = (ROOT / "tests/edge/data/tmx.py").read_text()
    assert example == READER
