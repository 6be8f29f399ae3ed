"""The shipped models: what their manifests say is what they do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge import model as models

ROOT = Path(__file__).parents[1]
SHIPPED = ["cpgresnet50", "pneumonia"]
LIMITS = {"cpgresnet50": 4 * 2**20, "pneumonia": 2_000_000}  # bytes


def edge_infer(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def test_these_are_shipped() -> None:
    assert [path.stem for path in models.shipped()] == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_golden_vectors_are_bit_exact(name: str) -> None:
    done = edge_infer("--model", name, "--check")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("bit-exact") == 4


@pytest.mark.parametrize("name", SHIPPED)
def test_size_and_targets(name: str) -> None:
    file = models.read(models.find(name))
    measured = file.manifest.measured
    assert Path(file.path).stat().st_size == measured["file_bytes"] <= LIMITS[name]
    assert measured["parameters"] <= 3_455_000
    assert measured["macs"] <= 523_090_000
    assert measured["cosine"] >= 0.99
    card = Path(models.MODELS, f"{name}.md").read_text()
    assert f"{measured['accuracy']:.3f}" in card and f"{measured['auc']:.3f}" in card


@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED)
def test_the_manifest_tells_the_truth_about_the_test_images(name: str) -> None:
    data = Path(os.environ.get("EDGE_DATA", "")) / "chest_xray"
    if not data.is_dir():
        pytest.skip("EDGE_DATA names no folder with chest_xray/ in it")
    measured = models.read(models.find(name)).manifest.measured
    right, counts = {}, {}
    for label in ("NORMAL", "PNEUMONIA"):
        done = edge_infer("--model", name, "--json", data / "test" / label)
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line)["decision"] for line in done.stdout.splitlines()]
        counts[label] = len(answers)
        right[label] = sum(_label(answer) == label for answer in answers)
    assert counts == {"NORMAL": 119, "PNEUMONIA": 217}
    assert right["NORMAL"] / counts["NORMAL"] == pytest.approx(measured["specificity"], abs=1e-4)
    assert right["PNEUMONIA"] / counts["PNEUMONIA"] == pytest.approx(measured["sensitivity"], abs=1e-4)
    assert sum(right.values()) / sum(counts.values()) == pytest.approx(measured["accuracy"], abs=1e-4)


def _label(decision: object) -> object:
    return decision["label"] if isinstance(decision, dict) else decision
