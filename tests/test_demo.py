"""The demonstration, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]


@pytest.mark.train
@pytest.mark.timeout(1200)
def test_make_demo_does_the_whole_job(tmp_path: Path) -> None:
    if not (ROOT / ".venv/ready").exists():
        pytest.skip("the environment was not made by make, so make demo would make another one of 4 GB")
    ours = tmp_path / "clone"
    shutil.copytree(ROOT, ours, ignore=shutil.ignore_patterns(".venv", "build", ".git", "*.egg-info", "__pycache__"))
    (ours / ".venv").symlink_to(ROOT / ".venv")
    environment = os.environ | {"PYTHONPATH": str(ours)}  # the copy's code, not the one that .venv points to
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", "--old-file=.venv/ready", "demo"],
        cwd=ours,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "decision: opacity" in done.stdout
    assert "4 of 4 golden vectors passed" in done.stdout
    steps = [row["step"] for row in json.loads((ours / "build/demo/phantom.ledger.json").read_text())]
    assert steps[0] == "network" and steps[-1] == "int8"
    assert {"train", "prune", "ghost", "fold-grey"} <= set(steps)
    assert Image.open(ours / "build/demo/phantom.ledger.png").size[0] > 600
    report = json.loads((ours / "build/demo/phantom.report.json").read_text())
    assert report["test"]["int8"]["accuracy"]["value"] >= 0.85
    assert report["cosine"] >= 0.99
