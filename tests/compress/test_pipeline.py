"""A whole run, from a user's folder, of a network the project has never seen; and one that is killed on its way."""

from __future__ import annotations

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from compress.checkpoint import load_tensors
from compress.ledger import HEADER, Row, line
from edge.model import read
from tests.compress.conftest import HERE, RECIPE, command, edge_compress, environment

pytestmark = pytest.mark.slow

FILES = {
    "own.tflite",
    "own.float32.tflite",
    "own.baseline.float32.tflite",
    "own.ledger.json",
    "own.ledger.png",
    "own.md",
    "own.report.json",
    "checkpoints",
}


class Finished(NamedTuple):
    """A user's folder in which a run has ended, what it said, and its ledger."""

    folder: Path
    said: str
    complaints: str
    ledger: list[dict[str, Any]]


def start(folder: Path, data: Path) -> Finished:
    done = edge_compress("run", "recipe.toml", "--data", data, "--output", "out", cwd=folder)
    assert done.returncode == 0, done.stderr
    return Finished(folder, done.stdout, done.stderr, json.loads((folder / "out/own.ledger.json").read_text()))


def users_folder(folder: Path) -> Path:
    folder.mkdir()
    (folder / "own_network.py").write_text((HERE / "own_network.py").read_text())
    (folder / "recipe.toml").write_text(RECIPE)
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


def test_the_printed_table_is_the_ledgers(finished: Finished) -> None:
    lines = finished.said.splitlines()
    assert lines[0] == HEADER
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


def test_edge_infer_runs_what_came_out(finished: Finished, phantoms: Path) -> None:
    model = finished.folder / "out/own.tflite"
    pictures = sorted((phantoms / "test/opacity").iterdir())[:2]
    answers = [json.loads(text) for text in infer("--model", model, "--json", *pictures).splitlines()]
    assert [answer["model"] for answer in answers] == ["own", "own"]
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


def test_a_changed_last_step_repeats_only_itself(finished: Finished, phantoms: Path) -> None:
    recipe = finished.folder / "recipe.toml"
    head, tail = recipe.read_text().rsplit("epochs = 2", 1)
    recipe.write_text(f"{head}epochs = 3{tail}")
    try:
        again = start(finished.folder, phantoms)
    finally:
        recipe.write_text(RECIPE)
    assert again.ledger[:5] == finished.ledger[:5]
    assert again.ledger[5]["detail"] == "3 epochs"
    assert set(re.findall(r"epoch \d/\d", again.complaints)) == {"epoch 1/3", "epoch 2/3", "epoch 3/3"}
    assert len(re.findall("converted to TFLite", again.said)) == 2


def test_another_positive_label_makes_another_decision(finished: Finished, phantoms: Path) -> None:
    recipe = finished.folder / "recipe.toml"
    recipe.write_text(RECIPE.replace('positive = "opacity"', 'positive = "clear"'))
    try:
        start(finished.folder, phantoms)
    finally:
        recipe.write_text(RECIPE)
    decision = read(finished.folder / "out/own.tflite").manifest.decision
    assert decision is not None
    assert decision.label == "clear"


# What a run has said last when it is killed, and for how long it goes on, at least and at most.
MOMENTS = (
    ("epoch 1/3", 0.0, 0.2),
    ("^prune ", 0.0, 0.4),
    ("^ghost ", 0.0, 0.4),
    ("(^train .*){3}", 1.0, 5.0),  # in the first conversion
    ("^converted", 1.0, 5.0),  # in the second
    ("^converted", 1.0, 5.0),  # in the third
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
    ended = start(folder, phantoms)
    expected, found = without_seconds(finished.ledger), without_seconds(ended.ledger)
    for row in (expected[-1], found[-1]):
        del row["bytes"]  # the file holds how fast the model was
    assert found == expected
    assert {path.name for path in (folder / "out").iterdir()} == FILES
    assert not parts(folder / "out")
    checkpoints = sorted((folder / "out/checkpoints").glob("*.pt"))
    assert len(checkpoints) == 6
    for path in checkpoints:
        expected_tensors = load_tensors(finished.folder / "out/checkpoints" / path.name)
        for name, tensor in load_tensors(path).items():
            assert torch.equal(expected_tensors[name], tensor), f"{path.name}: {name}"
