"""What CONTRIBUTING.md shows of a step, a criterion, a target and a reader is what these take."""

from __future__ import annotations

import importlib
import re
import shutil
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from edge.errors import EdgeError
from firmware_bridge import target
from tests.documents import ROOT, code

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
STEP, CRITERION, READER = code("CONTRIBUTING.md", "python")
IN_A_RECIPE, TARGET = code("CONTRIBUTING.md", "toml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python finds modules in, until the test ends."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("my_"):
            del sys.modules[name]


def test_a_target(tmp_path: Path) -> None:
    (tmp_path / "odroid-c4.toml").write_text(TARGET)
    assert target.load(str(tmp_path / "odroid-c4.toml")).memory_mb == 4096
    assert "`edge-deploy push ./odroid-c4.toml HOST`" in PAGE


def test_a_reader_is_the_one_that_the_tests_add() -> None:
    """tests/edge/test_readers.py reads images with it, in Python and by edge-infer."""
    assert READER == (ROOT / "tests/edge/data/tmx.py").read_text()
