"""Accuracy on a labelled folder that lies on the device; the truth masks come from there."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge
from benchmarks.devices.device import Ran
from benchmarks.measurement import MODEL, Cell
from benchmarks.measuring.answers import Answer, read
from benchmarks.measuring.labelled import decode
from benchmarks.measuring.measure import Effort, accuracy, measure
from compress.data.phantom import colon, phantom
from compress.tasks import metrics
from edge.errors import EdgeError
from edge.model import find
from tests.benchmarks.measuring.stand_in import Again, Here

PNEUMONIA, POLYP = Path(find("pneumonia")), Path(find("polyp"))
LUNGS, COLON = Cell("here", "pneumonia", "litert", 1), Cell("here", "polyp", "litert", 1)


@pytest.fixture
def lungs(tmp_path: Path) -> Path:
    """Eight phantoms, four of each label of the model, two in the other label's folder."""
    names = edge.load(str(PNEUMONIA)).file.manifest.labels
    for number in range(8):
        sick = number % 2
        folder = tmp_path / "lungs" / names[sick if number < 6 else 1 - sick]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(phantom(number, opacity=bool(sick), size=96)).save(folder / f"{number}.png")
    return tmp_path / "lungs"


@pytest.fixture
def polyps(tmp_path: Path) -> Path:
    for kind in ("images", "masks"):
        (tmp_path / "colon" / kind / "a").mkdir(parents=True)
    for number in range(3):
        image, mask = colon(number, polyp=True, size=96)
        Image.fromarray(image).save(tmp_path / f"colon/images/a/{number}.jpg", quality=95)
        Image.fromarray((np.asarray(mask) > 0).astype(np.uint8) * 255).save(tmp_path / f"colon/masks/a/{number}.png")
    return tmp_path / "colon"


def test_a_classification_is_judged_by_its_folders(lungs: Path) -> None:
    engine = edge.load(str(PNEUMONIA), threads=1)
    labels = engine.file.manifest.labels
    answers = {path: engine(path).decision for path in sorted(lungs.rglob("*.png"))}
    right = [decision == path.parent.name for path, decision in answers.items()]
    found = accuracy(Here(), LUNGS, PNEUMONIA, f"{lungs}/", 60)
    assert (found["kind"], found["count"], found["unanswered"]) == ("folder", 8, 0)
    assert found["metrics"]["accuracy"] == pytest.approx(np.mean(right))
    recalls = [
        np.mean([ok for ok, path in zip(right, answers, strict=True) if path.parent.name == label]) for label in labels
    ]
    assert found["metrics"]["balanced_accuracy"] == pytest.approx(np.mean(recalls))
    assert 0 <= found["metrics"]["auc"] <= 1


def test_an_image_that_is_not_answered_is_a_wrong_one(lungs: Path) -> None:
    whole = sum(map(_is_right, lungs.rglob("*.png"))) / 8
    right = next(path for path in sorted(lungs.rglob("*.png")) if _is_right(path))
    right.write_bytes(right.read_bytes()[:200])
    found = accuracy(Here(), LUNGS, PNEUMONIA, str(lungs), 60)
    assert (found["count"], found["unanswered"]) == (8, 1)
    assert found["metrics"]["accuracy"] == pytest.approx(whole - 1 / 8)


def _is_right(path: Path) -> bool:
    return bool(edge.load(str(PNEUMONIA))(path).decision == path.parent.name)


def test_the_timed_run_and_the_accuracy_run_give_one_answer(lungs: Path) -> None:
    timed = measure(Again(), LUNGS, PNEUMONIA, MODEL, 0, Effort(5, 1, 60))
    accuracy(Here(), LUNGS, PNEUMONIA, str(lungs), 60, answer=timed.answer)
    with pytest.raises(EdgeError) as raised:
        accuracy(Here(), LUNGS, PNEUMONIA, str(lungs), 60, answer="0" * 64)
    assert raised.value.code == "measure.unsteady"


def test_a_segmentation_is_judged_by_the_masks_on_the_device(polyps: Path) -> None:
    engine = edge.load(str(POLYP), threads=1)
    images = sorted((polyps / "images").rglob("*.jpg"))
    found = [engine(path).mask for path in images]
    truth = [np.asarray(Image.open(polyps / f"masks/a/{path.stem}.png")) > 127 for path in images]
    measured = accuracy(Here(), COLON, POLYP, str(polyps), 60)
    assert measured["count"] == 3
    assert measured["metrics"]["dice"] == pytest.approx(metrics.dices(found, truth).mean())
    assert measured["metrics"]["iou"] == pytest.approx(metrics.unions(found, truth).mean())
    assert truth[0].any()


def test_a_folder_without_labels_is_refused(lungs: Path) -> None:
    (lungs / "1.png").write_bytes(next(lungs.rglob("*.png")).read_bytes())
    with pytest.raises(EdgeError, match="expected a folder for each label") as raised:
        accuracy(Here(), LUNGS, PNEUMONIA, str(lungs), 60)
    assert raised.value.code == "measure.labels"


def test_a_folder_that_is_not_there_is_said_in_the_device_s_words(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="does not exist") as raised:
        accuracy(Here(), LUNGS, PNEUMONIA, str(tmp_path / "none"), 60)
    assert raised.value.code == "image.missing"


@pytest.mark.parametrize("what", ["none", "small", "grey", "damaged"])
def test_a_mask_that_does_not_fit_is_refused(polyps: Path, what: str) -> None:
    mask = polyps / "masks/a/1.png"
    if what == "none":
        mask.unlink()
    elif what == "small":
        Image.open(mask).resize((48, 48), Image.Resampling.NEAREST).save(mask)
    elif what == "grey":
        Image.fromarray(np.full((96, 96), 100, np.uint8)).save(mask)
    else:
        mask.write_bytes(mask.read_bytes()[:60])
    with pytest.raises(EdgeError) as raised:
        accuracy(Here(), COLON, POLYP, str(polyps), 60)
    assert raised.value.code == ("image.damaged" if what == "damaged" else "measure.masks")


def _answered(mask: object) -> Answer:
    ran = Here().infer("litert", ["--json", "--model", "polyp", "docs/colon.jpg"], None, 60)
    row = json.loads(ran.output)
    row["mask"] = mask
    found = read(json.dumps(row).encode(), "here")[0]
    assert isinstance(found, Answer)
    return found


def test_masks_of_runs_are_read_strictly() -> None:
    answer = _answered({"size": [2, 3], "counts": [0, 1, 4, 1]})
    assert decode(answer, "here").tolist() == [[True, False, False], [False, False, True]]
    for mask in (
        None, {"size": [2, 3], "counts": [7]}, {"size": [2, 3], "counts": [-1, 7]}, {"size": [2], "counts": [2]},
        {"size": [2, 3], "counts": [True, 5]}, {"size": [10**6, 10**6], "counts": [10**12]},
        {"size": [2, 3], "counts": "6"},
    ):  # fmt: skip
        with pytest.raises(EdgeError):
            decode(dataclasses.replace(answer, said={"mask": mask}), "here")


def test_a_device_that_drops_the_measuring_image_is_a_fault(lungs: Path) -> None:
    def shorter(ran: Ran) -> Ran:
        return dataclasses.replace(ran, output=b"\n".join(ran.output.splitlines()[:-1]))

    with pytest.raises(EdgeError) as raised:
        accuracy(Here(shorter), LUNGS, PNEUMONIA, str(lungs), 60)
    assert raised.value.code == "measure.failed"


def test_a_program_that_ends_in_the_midst_is_a_fault_of_the_whole_run(lungs: Path) -> None:
    def full(ran: Ran) -> Ran:
        lines = ran.output.splitlines()
        error = json.dumps({"error": {"code": "memory", "message": "the memory is full"}}).encode()
        return dataclasses.replace(ran, status=2, output=b"\n".join([*lines[:3], error, lines[-1]]))

    with pytest.raises(EdgeError, match="the memory is full") as raised:
        accuracy(Here(full), LUNGS, PNEUMONIA, str(lungs), 60)
    assert raised.value.code == "memory"
