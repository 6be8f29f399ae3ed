"""What every test shares: where CIFAR-10 is; Hypothesis's examples, the same at every run and as slow as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("same-every-time", derandomize=True, deadline=None)
settings.load_profile("same-every-time")


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The published files of CIFAR-10, in `EDGE_DATA` or written by a program there from images without loss."""
    data = Path(os.environ.get("EDGE_DATA", ""))
    if (data / "unpack-cifar10").is_file():
        unpacked = tmp_path_factory.mktemp("cifar10")
        subprocess.run([sys.executable, data / "unpack-cifar10", unpacked], check=True, capture_output=True)
        data = unpacked
    if not (data / "cifar-10-batches-bin").is_dir():
        pytest.skip("EDGE_DATA names no folder with cifar-10-batches-bin/ in it")
    return data / "cifar-10-batches-bin"
