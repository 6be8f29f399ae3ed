"""A whole run, from a user's folder, of a network the project has never seen; and one that is killed on its way."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from PIL import Image

from compress.convert.layout import in_order
from compress.convert.proof import LEAST_COSINE, MOST
from compress.convert.quantize import quantize
from compress.convert.routes import ROUTES
from compress.data.phantom import colon
from compress.recipe_parser import load
from compress.report import tensors
from compress.report.ledger import Row, header, line
from compress.state.checkpoint import load_tensors
from compress.steps.step import samples
from compress.tasks.registry import task_named
from edge.model import read
from tests.compress.conftest import HERE, RECIPE, command, edge_compress, environment, refused

pytestmark = [pytest.mark.train, pytest.mark.timeout(600)]

FILES = {
    "own.tflite",
    "own.float32.tflite",
    "own.baseline.float32.tflite",
    "own.ledger.json",
    "own.ledger.png",
    "own.tensors.png",
    "own.md",
    "own.report.json",
    "checkpoints",
}


RUN = ("run", "recipe.toml", "--output", "out", "--data")


class Finished(NamedTuple):
    """A user's folder in which a run has ended, what it said, and its ledger."""

    folder: Path
    said: str
    complaints: str
    ledger: list[dict[str, Any]]


def start(folder: Path, data: Path, *options: str) -> Finished:
    done = edge_compress("run", "recipe.toml", "--data", data, "--output", "out", *options, cwd=folder)
    assert done.returncode == 0, done.stderr
    return Finished(folder, done.stdout, done.stderr, json.loads((folder / "out/own.ledger.json").read_text()))


def users_folder(folder: Path, recipe: str = RECIPE) -> Path:
    folder.mkdir()
    (folder / "own_network.py").write_text((HERE / "own_network.py").read_text())
    (folder / "recipe.toml").write_text(recipe)
    return folder


@pytest.fixture(scope="module")
def finished(phantoms: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """An unbroken run."""
    return start(users_folder(tmp_path_factory.mktemp("unbroken") / "user"), phantoms)


def without_seconds(ledger: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != "seconds"} for row in ledger]


def parts(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.part"))


def test_a_run_leaves_every_file(finished: Finished) -> None:
    assert {path.name for path in (finished.folder / "out").iterdir()} == FILES
    assert not parts(finished.folder)
    assert not list((finished.folder / "out/checkpoints").glob("*.epochs.pt"))


def test_the_network_shrinks_step_by_step(finished: Finished) -> None:
    rows = finished.ledger
    assert [row["step"] for row in rows] == ["network", "train", "prune", "train", "ghost", "train", "int8"]
    parameters = [row["parameters"] for row in rows]
    assert parameters[0] == parameters[1] > parameters[2] == parameters[3] > parameters[4] == parameters[6]
    assert rows[1]["macs"] > rows[2]["macs"] > rows[4]["macs"]
    assert rows[6]["bytes"] == (finished.folder / "out/own.tflite").stat().st_size
    took = [int(seconds) for seconds in re.findall(r"^converted .* in (\d+) s\b", finished.said, re.MULTILINE)]
    assert len(took) == 3 and rows[6]["seconds"] == pytest.approx(sum(took), abs=1.5)


def test_the_printed_table_is_the_ledgers(finished: Finished) -> None:
    lines = finished.said.splitlines()
    assert lines[0] == header("AUC")
    rows = [line(Row(**row)) for row in finished.ledger]
    printed = [text for text in lines if re.search(r" \d+ s$", text) and not text.startswith("converted")]
    assert printed == rows + rows  # as it grew, and whole at the end


def test_the_report_says_which_targets_were_met(finished: Finished) -> None:
    file = read(finished.folder / "out/own.tflite")
    report = json.loads((finished.folder / "out/own.report.json").read_text())
    assert file.manifest.measured == report["measured"]
    assert file.manifest.measured["parameters"] == finished.ledger[-1]["parameters"]
    assert file.manifest.measured["file_bytes"] == file.size
    assert f"measured {finished.ledger[-1]['parameters']:,}, met" in finished.said


def infer(*words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "edge", *map(str, words)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_int8_is_reported_tensor_by_tensor(finished: Finished) -> None:
    folder = finished.folder / "out"
    table = tensors.read(read(folder / "own.tflite"))
    assert all(row.module for row in table if row.operator in ("CONV_2D", "FULLY_CONNECTED"))
    assert table[-1].snr_db > 10
    worst = tensors.named(table)
    assert json.loads((folder / "own.report.json").read_text())["worst_tensors"] == worst
    assert worst in (folder / "own.md").read_text() and f"worst tensors: {worst}" in finished.said
    assert Image.open(folder / "own.tensors.png").size[0] > 600


def test_the_float_weights_are_kept_and_give_the_same_int8_file(finished: Finished, phantoms: Path) -> None:
    """What a better quantizer needs is beside the model file, by its digest: no network, no checkpoint, no training."""
    file, out = read(finished.folder / "out/own.tflite"), finished.folder / "out"
    provenance = file.manifest.provenance
    kept = (out / provenance["float32"]["file"]).read_bytes()
    assert provenance["float32"] == {
        "file": "own.float32.tflite",
        "bytes": len(kept),
        "sha256": hashlib.sha256(kept).hexdigest(),
    }
    recipe = load(str(finished.folder / "recipe.toml"))
    images = samples(task_named(recipe.task, "").load(phantoms, recipe, print), recipe.input, recipe.calibration)
    made = quantize(kept, in_order(kept, (images,)), recipe.conversion)
    assert made.flatbuffer == file.flatbuffer
    assert [gain._asdict() for gain in made.gains] == provenance["conversion"]["gains"]


def test_the_ledger_and_the_provenance_say_how_it_was_converted(finished: Finished) -> None:
    conversion = read(finished.folder / "out/own.tflite").manifest.provenance["conversion"]
    assert conversion["route"] in ROUTES and conversion["tools"] == ROUTES[conversion["route"]].tools()
    assert 0 <= conversion["proof"]["largest"] <= MOST and LEAST_COSINE <= conversion["proof"]["cosine"] < 1.0001
    assert (conversion["range"], conversion["equalize"], conversion["full"]) == ("measured", True, False)
    assert finished.ledger[6]["detail"].removeprefix("by ").startswith(conversion["route"])
    order = [finished.said.index(word) for word in ("rehearsal: TFLite float32 by", "train  ", "converted to TFLite")]
    assert order == sorted(order)


def test_edge_infer_runs_what_came_out(finished: Finished, phantoms: Path) -> None:
    model = finished.folder / "out/own.tflite"
    pictures = sorted((phantoms / "test/opacity").iterdir())[:2]
    answers = [json.loads(text) for text in infer("--model", model, "--json", *pictures).splitlines()]
    assert [answer["model"]["name"] for answer in answers] == ["own", "own"]
    verdicts = [json.loads(text)["verdict"] for text in infer("--model", model, "--json", "--check").splitlines()]
    assert verdicts == ["bit-exact"] * 4


def test_a_finished_run_is_repeated_from_what_it_left(finished: Finished, phantoms: Path) -> None:
    model = finished.folder / "out/own.tflite"
    before = model.read_bytes()
    again = start(finished.folder, phantoms)
    assert model.read_bytes() == before
    assert again.ledger == finished.ledger
    assert "epoch" not in again.complaints
    assert "converted" not in again.said


@pytest.fixture
def mine(finished: Finished, tmp_path: Path) -> Finished:
    """The finished run in a folder of one's own, to change it."""
    return finished._replace(folder=shutil.copytree(finished.folder, tmp_path / "user"))


def test_a_changed_last_step_repeats_only_itself(finished: Finished, mine: Finished, phantoms: Path) -> None:
    head, tail = RECIPE.rsplit("epochs = 2", 1)
    (mine.folder / "recipe.toml").write_text(f"{head}epochs = 3{tail}")
    before = (mine.folder / "out/own.tflite").read_bytes()
    refusal = refused(edge_compress(*RUN, phantoms, cwd=mine.folder), "'own' has changed since out was begun")
    assert "(steps[5].epochs was 2 and is 3): expected the same; give --changed" in refusal
    assert (mine.folder / "out/own.tflite").read_bytes() == before
    again = start(mine.folder, phantoms, "--changed")
    start(mine.folder, phantoms)  # what was agreed to once is not asked again
    assert again.ledger[:5] == finished.ledger[:5]
    assert again.ledger[5]["detail"] == "3 epochs"
    assert set(re.findall(r"epoch \d/\d", again.complaints)) == {"epoch 1/3", "epoch 2/3", "epoch 3/3"}
    assert len(re.findall("converted to TFLite", again.said)) == 2


def test_another_positive_label_makes_another_decision(mine: Finished, phantoms: Path) -> None:
    (mine.folder / "recipe.toml").write_text(RECIPE.replace('positive = "opacity"', 'positive = "clear"'))
    start(mine.folder, phantoms)
    decision = read(mine.folder / "out/own.tflite").manifest.task.decision
    assert decision is not None
    assert decision.label == "clear"


# What a run has said last when it is killed, and for how long it goes on, at least and at most.
MOMENTS = (
    ("^rehearsal: ", 0.0, 0.2),
    ("epoch 1/3", 0.0, 0.2),
    ("^prune ", 0.0, 0.4),
    ("^ghost ", 0.0, 0.4),
    ("(^train .*){3}", 1.0, 3.0),  # while the converter starts
    ("^converted", 0.0, 0.2),  # the baseline is there
    ("^converted", 0.0, 0.2),  # the compressed network is there, too
)


def killed(folder: Path, data: Path, moment: str, seconds: float) -> None:
    """Start a run and kill it and its children, without a chance to tidy up, `seconds` after it has said `moment`."""
    words = command("run", "recipe.toml", "--data", data, "--output", "out")
    settings = environment() | {"TMPDIR": str(folder)}
    with subprocess.Popen(
        words,
        cwd=folder,
        env=settings,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        said = ""
        while not re.search(moment, said, re.DOTALL | re.MULTILINE):
            text = process.stdout.readline()
            assert text, said
            said += text
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


def test_a_run_that_was_killed_again_and_again_ends_as_an_unbroken_one(
    finished: Finished, phantoms: Path, tmp_path: Path
) -> None:
    folder = users_folder(tmp_path / "user")
    chance = random.Random(11)
    for moment, least, most in MOMENTS:
        killed(folder, phantoms, moment, chance.uniform(least, most))
    ended_alike(start(folder, phantoms), finished, FILES, checkpoints=6)


def ended_alike(ended: Finished, finished: Finished, files: set[str], checkpoints: int) -> None:
    """Check that a run that was taken up again left what the unbroken one did."""
    expected, found = without_seconds(finished.ledger), without_seconds(ended.ledger)
    for row in (expected[-1], found[-1]):
        del row["bytes"]  # the file holds how fast the model was
    assert found == expected
    out = ended.folder / "out"
    assert {path.name for path in out.iterdir()} == files
    assert not parts(out)
    weights = sorted((out / "checkpoints").glob("*.pt"))
    assert len(weights) == checkpoints
    for path in weights:
        expected_tensors = load_tensors(finished.folder / "out/checkpoints" / path.name)
        for name, tensor in load_tensors(path).items():
            assert torch.equal(expected_tensors[name], tensor), f"{path.name}: {name}"


OUTLINED = FILES | {"own.worst.png"}
OUTLINE = """
name = "own"
title = "Polyps in phantoms of a colon"
task = "segmentation"
network = "compress.networks.unet:unet_mini"
calibration = 16

[input]
height = 64
width = 64
mean = [0.5]
std = [0.25]

[data]
positive = "polyp"
test = 0.2
validation = 0.25
minimum_area = 0.004

[[steps]]
kind = "train"
epochs = 20
lr = 0.03
batch = 4
optimizer = "adamw"
augment = { flip = true, tint = 0.1 }

[[steps]]
kind = "prune"
criterion = "taylor-abs"
macs = 0.4
samples = 8

[[steps]]
kind = "train"
epochs = 8
lr = 0.01
batch = 4
optimizer = "adamw"

[[targets]]
name = "dice"
target = 0.1
better = "higher"
source = "test"
"""


@pytest.fixture(scope="module")
def colons(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """40 phantoms of a colon, every fifth one without a polyp, 96x72: JPEG images, PNG masks."""
    root = tmp_path_factory.mktemp("colons")
    for kind in ("images", "masks"):
        (root / kind).mkdir()
    for seed in range(40):
        picture, mask = colon(seed, polyp=seed % 5 > 0, size=96)
        Image.fromarray(picture[12:84]).save(root / f"images/{seed:02d}.jpg", quality=95)
        Image.fromarray(np.uint8(255) * mask[12:84]).save(root / f"masks/{seed:02d}.png")
    return root


@pytest.fixture(scope="module")
def outlined(colons: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """An unbroken run of a segmentation."""
    return start(users_folder(tmp_path_factory.mktemp("outlined") / "user", OUTLINE), colons)


def report_of(finished: Finished) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((finished.folder / "out/own.report.json").read_text())
    return content


def test_a_run_of_a_segmentation_leaves_every_file(outlined: Finished) -> None:
    assert {path.name for path in (outlined.folder / "out").iterdir()} == OUTLINED
    assert not parts(outlined.folder)


def test_its_ledger_says_what_its_masks_are_worth(outlined: Finished) -> None:
    rows = outlined.ledger
    assert outlined.said.splitlines()[0] == header("Dice")
    assert [row["step"] for row in rows] == ["network", "train", "prune", "train", "int8"]
    assert rows[2]["macs"] <= 0.6 * rows[1]["macs"]
    assert rows[2]["parameters"] < rows[1]["parameters"]
    assert all(0 <= row["metric"] <= 1 for row in rows)
    assert min(rows[3]["metric"], rows[4]["metric"]) > 0.6
    assert rows[4]["metric"] == report_of(outlined)["validation"]
    kept = read(outlined.folder / "out/own.tflite").manifest.raw["provenance"]["ledger"]
    assert kept == rows[:4]  # judged by the file's own decision, in the file as well
    assert "validation Dice" in outlined.complaints


def test_its_report_has_overlaps_with_intervals(outlined: Finished) -> None:
    report, file = report_of(outlined), read(outlined.folder / "out/own.tflite")
    assert list(report["test"]) == ["baseline", "float", "int8"]
    for figures in report["test"].values():
        assert list(figures) == ["dice", "iou"]
        for figure in figures.values():
            assert 0 <= figure["low"] <= figure["value"] <= figure["high"] <= 1
    assert len(report["images"]) == 8
    assert report["data"]["counts"] == {"train": [24], "val": [8], "test": [8]}
    assert sum(report["data"]["empty_masks"].values()) == 8
    decision = file.manifest.task.decision
    assert decision == (report["decision"]["label"], report["decision"]["threshold"], 0.004)
    assert (file.manifest.task.name, list(file.manifest.labels), decision.label) == ("segmentation", ["polyp"], "polyp")
    assert file.manifest.measured == report["measured"]
    assert {"dice", "iou", "agreement", "dice_drop"} <= file.manifest.measured.keys()
    measured = f"{report['measured']['dice']:.10g}"
    assert f"target dice >= 0.1: measured {measured}, {'met' if float(measured) >= 0.1 else 'MISSED'}" in outlined.said
    card = (outlined.folder / "out/own.md").read_text()
    assert "Dice lost from float to int8" in card and "minimum region area 0.40% of the image" in card


def test_edge_infer_draws_the_masks_that_the_report_judged(outlined: Finished, colons: Path, tmp_path: Path) -> None:
    rows = report_of(outlined)["images"]
    pictures = [colons / row["image"] for row in rows]
    model = outlined.folder / "out/own.tflite"
    said = infer("--model", model, "--json", "--output", tmp_path, *pictures)
    for row, picture, text in zip(rows, pictures, said.splitlines(), strict=True):
        answer = json.loads(text)
        drawn = np.asarray(Image.open(tmp_path / f"{picture.stem}.mask.png")) > 0
        assert drawn.shape == (72, 96)
        assert answer["mask"]["size"] == [72, 96]
        assert answer["area"] == pytest.approx(drawn.mean())
        assert all(region["label"] == "polyp" for region in answer["results"])
        truth = np.asarray(Image.open(colons / "masks" / f"{picture.stem}.png")) > 0
        dice = 2 * (drawn & truth).sum() / max(drawn.sum() + truth.sum(), 1) if drawn.any() or truth.any() else 1
        assert row["int8"] == pytest.approx(dice, abs=1e-5)


def test_a_segmentations_golden_vectors_are_met(outlined: Finished) -> None:
    said = infer("--model", outlined.folder / "out/own.tflite", "--json", "--check")
    assert [json.loads(text)["verdict"] for text in said.splitlines()] == ["bit-exact"] * 4


def test_another_minimum_area_makes_another_decision_and_no_other_network(outlined: Finished, colons: Path) -> None:
    recipe, worst = outlined.folder / "recipe.toml", outlined.folder / "out/own.worst.png"
    before = worst.read_bytes()
    recipe.write_text(OUTLINE.replace("minimum_area = 0.004", "minimum_area = 0.9"))
    try:
        again = start(outlined.folder, colons)
        everything_dropped = report_of(again)
        decision = read(outlined.folder / "out/own.tflite").manifest.task.decision
        drawn = worst.read_bytes()
    finally:
        recipe.write_text(OUTLINE)
        start(outlined.folder, colons)
    assert drawn != before
    assert worst.read_bytes() == before
    assert "epoch" not in again.complaints and "converted" not in again.said
    assert decision is not None and decision.minimum_area == 0.9
    empty = np.mean([not (np.asarray(Image.open(path)) > 0).any() for path in masks_of(everything_dropped, colons)])
    assert everything_dropped["test"]["int8"]["dice"]["value"] == pytest.approx(empty)


def masks_of(report: dict[str, Any], data: Path) -> list[Path]:
    return [data / "masks" / f"{Path(row['image']).stem}.png" for row in report["images"]]


def test_a_segmentation_that_was_killed_ends_as_an_unbroken_one(
    outlined: Finished, colons: Path, tmp_path: Path
) -> None:
    folder = users_folder(tmp_path / "user", OUTLINE)
    killed(folder, colons, "epoch 3/8", 0.0)  # in the second training
    assert list((folder / "out/checkpoints").glob("*.epochs.pt"))
    ended = start(folder, colons)
    assert not re.search("epoch [12]/8", ended.complaints)
    ended_alike(ended, outlined, OUTLINED, checkpoints=4)
    models = [read(run.folder / "out/own.tflite").manifest.raw["model"] for run in (outlined, ended)]
    assert models[0] == models[1]
