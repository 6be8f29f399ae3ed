"""The shipped models: what their manifests say is what they do."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edge import model as models

ROOT = Path(__file__).parents[1]
CHEST, POLYP, CIFAR = ["cpgresnet50", "pneumonia"], "polyp", "bpcp"
SHIPPED = sorted([*CHEST, POLYP, CIFAR])
# bytes, parameters, MACs
LIMITS = {
    "bpcp": (400_000, 124_600, 17_180_000),  # 78.9 and 80.3 % of the unpruned network's are gone
    "cpgresnet50": (4 * 2**20, 3_455_000, 523_090_000),
    "pneumonia": (2_000_000, 3_455_000, 523_090_000),
    "polyp": (500_000, 981_000, 667_000_000),  # a fifth of the unpruned network's
}
METRICS = {
    "bpcp": ("accuracy",),
    "cpgresnet50": ("accuracy", "auc"),
    "pneumonia": ("accuracy", "auc"),
    "polyp": ("dice", "iou"),
}


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
    size, parameters, macs = LIMITS[name]
    assert Path(file.path).stat().st_size == measured["file_bytes"] <= size
    assert measured["parameters"] <= parameters
    assert measured["macs"] <= macs
    assert measured["cosine"] >= 0.99
    card = Path(models.MODELS, f"{name}.md").read_text()
    assert [metric for metric in METRICS[name] if f"{measured[metric]:.3f}" not in card] == []


@pytest.mark.data
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", CHEST)
def test_the_manifest_tells_the_truth_about_the_chest_x_rays(name: str) -> None:
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


@pytest.mark.data
@pytest.mark.timeout(600)
def test_the_manifest_tells_the_truth_about_the_polyps(tmp_path: Path) -> None:
    """Dice and IoU of the masks that the program writes, counted here from the published masks."""
    data = Path(os.environ.get("EDGE_DATA", "")) / "Kvasir-SEG"
    if not data.is_dir():
        pytest.skip("EDGE_DATA names no folder with Kvasir-SEG/ in it")
    names = sorted(path.name for path in (data / "images").iterdir())
    hashed = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    tested = hashed[: round(0.12 * len(names))]
    done = edge_infer("--model", POLYP, "--json", "--output", tmp_path, *(data / "images" / name for name in tested))
    assert done.returncode == 0, done.stderr
    dices, unions = [], []
    for name in tested:
        found = np.asarray(Image.open(tmp_path / f"{Path(name).stem}.mask.png")) > 0
        true = np.asarray(Image.open(next((data / "masks").glob(f"{Path(name).stem}.*"))).convert("L")) >= 128
        both = (found & true).sum()
        dices.append(2 * both / (found.sum() + true.sum()))
        unions.append(both / (found | true).sum())
    measured = models.read(models.find(POLYP)).manifest.measured
    assert len(tested) == 120
    assert np.mean(dices) == pytest.approx(measured["dice"], abs=1e-4)
    assert np.mean(unions) == pytest.approx(measured["iou"], abs=1e-4)


@pytest.mark.data
@pytest.mark.timeout(600)
def test_the_manifest_tells_the_truth_about_cifar_10(cifar10: Path, tmp_path: Path) -> None:
    """The program's answers to all 10,000 test images, each a PNG."""
    file = models.read(models.find(CIFAR))
    labels = file.manifest.labels
    records = np.fromfile(cifar10 / "test_batch.bin", np.uint8).reshape(10_000, 3073)
    for number, record in enumerate(records):
        folder = tmp_path / labels[record[0]]
        folder.mkdir(exist_ok=True)
        Image.fromarray(record[1:].reshape(3, 32, 32).transpose(1, 2, 0)).save(folder / f"{number:05}.png")
    right = 0
    for label in labels:
        done = edge_infer("--model", CIFAR, "--json", tmp_path / label)
        assert done.returncode == 0 and done.stdout.count("\n") == 1000, done.stderr
        right += sum(json.loads(line)["decision"] == label for line in done.stdout.splitlines())
    assert right / 10_000 == pytest.approx(file.manifest.measured["accuracy"], abs=1e-6)


def _label(decision: object) -> object:
    return decision["label"] if isinstance(decision, dict) else decision
