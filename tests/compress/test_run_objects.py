"""A run of objects: a network, a data set, a task; and its ledger's rows as they come."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.data.split import DataSet, Split, digest
from compress.recipe import Recipe
from compress.report.ledger import Row
from compress.run import Run
from compress.steps.prune import ChannelPruning
from compress.steps.train import Training
from compress.tasks.classification import Classification
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

SPEC = Preprocessing(16, 16, "grey", 1, (0.5,), (0.25,))
STEPS = (Training(epochs=1, batch=8), ChannelPruning({"0": 0.5}, "l2-norm"))
RECIPE = Recipe("objects", "Objects", "no_such_module:build", SPEC, STEPS)


class Enough(Exception):
    pass


def network(seed: int = 1, width: int = 16) -> nn.Module:
    torch.manual_seed(seed)
    layers = nn.Conv2d(1, width, 3), nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    return nn.Sequential(*layers, nn.Linear(width, 2))


@pytest.fixture(scope="module")
def data() -> DataSet:
    random = np.random.default_rng(3)
    truth = np.arange(24) % 2
    pixels = (random.integers(0, 100, (24, 16, 16, 1)) + 80 * truth[:, None, None, None]).astype(np.uint8)
    split = Split(pixels, truth, tuple(f"image {n}" for n in range(24)))
    parts = {"train": split, "val": split, "test": split}
    return DataSet(Classification(), SPEC, ("dark", "light"), split, split, split, {"digest": digest(parts)})


def run_of(folder: Path, data: DataSet, given: nn.Module, recipe: Recipe = RECIPE, **more: object) -> Run:
    return Run(recipe, data, folder, lambda text: None, lambda text: None, network=given, **more)  # type: ignore[arg-type]


def test_a_network_object_begins_and_stays_as_it_was(data: DataSet, tmp_path: Path) -> None:
    given, rows = network(), list[Row]()
    before = copy.deepcopy(given.state_dict())
    run = run_of(tmp_path, data, given, on_row=rows.append)
    baseline, state = run.compress()
    assert (baseline.network[0].out_channels, state.network[0].out_channels) == (16, 8)
    assert all(torch.equal(tensor, before[name]) for name, tensor in given.state_dict().items()) and given.training
    assert rows == run.ledger.rows and [row.step for row in rows] == ["network", "train", "prune"]
    assert rows[0].detail == "Sequential"
    assert run._begun()["network"] == "torch.nn.modules.container:Sequential"
    assert run._finished().network == "torch.nn.modules.container:Sequential"


def test_rows_come_when_they_are_there(data: DataSet, tmp_path: Path) -> None:
    def stop(row: Row) -> None:
        if row.step == "train":
            raise Enough

    with pytest.raises(Enough):
        run_of(tmp_path, data, network(), on_row=stop).compress()
    assert len(list((tmp_path / "checkpoints").glob("*.pt"))) == 2  # nothing was pruned yet


def test_its_tensors_decide_what_is_taken_up_again(data: DataSet, tmp_path: Path) -> None:
    def keys() -> set[str]:
        return {path.stem for path in (tmp_path / "checkpoints").glob("*.pt")}

    run_of(tmp_path, data, network()).compress()
    first = keys()
    run_of(tmp_path, data, network()).compress()
    assert keys() == first and len(first) == 3
    other = network()
    other[1].num_batches_tracked += 1  # a buffer of whole numbers
    run_of(tmp_path, data, other).compress()
    assert len(keys()) == 6
    run_of(tmp_path, data, network(seed=2)).compress()
    assert len(keys()) == 9


def test_another_network_in_the_same_folder_is_a_change(
    data: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise Enough

    monkeypatch.setattr(Run, "_converted", stop)
    with pytest.raises(Enough):
        run_of(tmp_path, data, network())()
    begun = json.loads((tmp_path / "checkpoints/objects.recipe.json").read_text())
    assert len(begun["tensors"]) == 64
    with pytest.raises(EdgeError, match=r"'objects' has changed since .*tensors was '.* and is '.*: expected the same"):
        run_of(tmp_path, data, network(seed=2))()


def test_a_network_that_does_not_fit_is_named_by_its_class(data: DataSet, tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"network torch\.nn.*:Sequential gives \(2, 3\).*logits of shape \(2, 2\)"):
        run_of(tmp_path, data, nn.Sequential(nn.Flatten(), nn.Linear(256, 3)))


def test_a_given_network_is_a_teacher_though_no_step_trains_it(data: DataSet, tmp_path: Path) -> None:
    taught = Training(epochs=1, batch=8, distill=type(STEPS[0].distill)(0.5))
    recipe = Recipe("objects", "Objects", "no_such_module:build", SPEC, (STEPS[1], taught))
    run_of(tmp_path, data, network(), recipe).compress()
    with pytest.raises(EdgeError, match=r"steps\[2\]\.distill has an untrained teacher"):
        Run(recipe, data, tmp_path, lambda text: None, lambda text: None)


def test_a_task_of_ones_own_evaluates(data: DataSet, tmp_path: Path) -> None:
    class Halved(Classification):
        def evaluate(self, *_: object) -> float:
            return 0.25

    run = run_of(tmp_path, data, network(), task=Halved())
    run.compress()
    assert [row.metric for row in run.ledger.rows] == [0.25] * 3
