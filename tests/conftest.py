"""What every test shares: how tests are spread over processes; Hypothesis's examples; where CIFAR-10 is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest
from hypothesis import settings

from tests.once import once

EDGE = Path(__file__).with_name("edge")
EACH = 2  # tests of each file of tests/edge that run where the package alone is installed
settings.register_profile("same-every-time", derandomize=True, deadline=None)
settings.load_profile("same-every-time")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the first tests of each file of tests/edge as `device`; in parallel, begin with the longest files.

    So all processes end together. How long a file may take is what the time-outs of its tests say.
    """
    first: dict[Path, set[str]] = defaultdict(set)
    seconds: dict[Path, float] = defaultdict(float)
    for item in items:
        function = getattr(item, "originalname", item.name)
        if item.path.is_relative_to(EDGE) and len(first[item.path]) < EACH and function not in first[item.path]:
            first[item.path].add(function)
            item.add_marker(pytest.mark.device)
        seconds[item.path] += sum(mark.args[0] for mark in item.iter_markers("timeout"))
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: -seconds[item.path])


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files of CIFAR-10, in `EDGE_DATA` or written by a program there from images without loss."""
    data = Path(os.environ.get("EDGE_DATA", ""))
    if (data / "unpack-cifar10").is_file():
        command = [sys.executable, data / "unpack-cifar10"]
        data = once(
            tmp_path_factory,
            "cifar10",
            lambda folder: subprocess.run([*command, folder], check=True, capture_output=True),
        )
    if not (data / "cifar-10-batches-bin").is_dir():
        pytest.skip("EDGE_DATA names no folder with cifar-10-batches-bin/ in it")
    return data / "cifar-10-batches-bin"
