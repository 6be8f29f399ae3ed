"""A step that one adds as one file, from rehearsal to model file, through a kill; nothing else knows of it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from compress.recipe_parser import load
from compress.run import Run
from edge.model import read
from tests.compress.conftest import HEAD, HERE, edge_compress, refused
from tests.compress.test_run_steps import killed

STEP = '''
"""Widths of a layer are halved: its output channels with the smallest filters go, and what reads them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import nn

from compress.steps.step import Step


@dataclass(frozen=True)
class Halving(Step):
    kind: ClassVar[str] = "halve"

    first: str
    second: str
    activation: str = "relu6"

    @property
    def detail(self) -> str:
        return f"{self.first}, read by {self.second}"

    def faults(self, spec, earlier) -> Iterator[tuple[str, object, str]]:
        if self.first == self.second:
            yield "second", self.second, "another layer than first"

    def rehearse(self, network, rehearsal):
        return self.halved(network)

    def apply(self, context):
        context.progress(f"{len(context.samples(4))} samples, teacher: {context.teacher is not None}")
        network = self.halved(context.network)
        context.note = f"{network.get_submodule(self.first).out_channels} channels left"
        return network

    def halved(self, network):
        first, second = network.get_submodule(self.first), network.get_submodule(self.second)
        keep = first.weight.flatten(1).norm(dim=1).argsort(descending=True)[: first.out_channels // 2].sort().values
        first.weight, first.bias = nn.Parameter(first.weight[keep].detach()), nn.Parameter(first.bias[keep].detach())
        second.weight = nn.Parameter(second.weight[:, keep].detach())
        first.out_channels = second.in_channels = len(keep)
        return self.bounded(network)

    def restore(self, network, tensors, inputs):
        return self.bounded(network)  # the sizes are read off the tensors

    def bounded(self, network):
        network.features[1] = nn.ReLU6()  # no tensor says so
        return network
'''
RECIPE = (
    HEAD
    + """
[[steps]]
kind = "train"
epochs = 1
batch = 8

[[steps]]
kind = "my_steps:Halving"
first = "features.0"
second = "features.2"

[[steps]]
kind = "train"
epochs = 6
batch = 8
"""
)
KIND = "my_steps:Halving"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own_network.py").write_text((HERE / "own_network.py").read_text())
    (tmp_path / "my_steps.py").write_text(STEP)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


@pytest.mark.train
@pytest.mark.timeout(900)
def test_a_step_in_one_file_goes_through_a_whole_run(
    folder: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ("run", "recipe.toml", "--data", phantoms, "--output", "out")
    recipe = folder / "recipe.toml"
    recipe.write_text(RECIPE.replace('second = "features.2"', 'second = "features.3"'))
    refused(edge_compress(*command, cwd=folder), f"step 2, {KIND}: rehearse fails (IndexError: ")  # a normalization
    assert not list((folder / "out").rglob("own.recipe.json"))  # nothing was begun
    recipe.write_text(RECIPE)

    killed(folder, phantoms, "^train: epoch 3/6", 0.0)
    (before,) = [path for path in (folder / "out/checkpoints").glob("*.json") if '"halve"' in path.read_text()]
    stamp = before.stat().st_mtime_ns
    done = edge_compress(*command, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "halve: " not in done.stderr and before.stat().st_mtime_ns == stamp  # it was not applied again
    assert "epoch 1/6" not in done.stderr and "epoch 6/6" in done.stderr

    ledger = json.loads((folder / "out/own.ledger.json").read_text())
    assert [row["step"] for row in ledger] == ["network", "train", "halve", "train", "int8"]
    assert ledger[2]["detail"] == "8 channels left" and ledger[2]["macs"] < ledger[1]["macs"]
    manifest = read(folder / "out/own.tflite").manifest.raw
    settings = {"kind": KIND, "first": "features.0", "second": "features.2", "activation": "relu6"}
    assert manifest["provenance"]["steps"][1] == settings
    assert [row["step"] for row in manifest["provenance"]["ledger"]] == ["network", "train", "halve", "train"]
    assert manifest["measured"]["parameters_removed"] > 0  # compared with the network before it
    begun = json.loads((folder / "out/checkpoints/own.recipe.json").read_text())
    assert begun["steps"][1] == {key: value for key, value in settings.items() if key != "activation"}

    monkeypatch.setattr(sys, "path", list(sys.path))
    for name in ("my_steps", "own_network"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    unbroken = Run(load(str(recipe)), phantoms, folder / "unbroken", lambda text: None, lambda text: None)
    unbroken.compress()
    rows = [{key: row[key] for key in row if key != "seconds"} for row in ledger[:-1]]
    assert rows == [
        {key: value for key, value in vars(row).items() if key != "seconds"} for row in unbroken.ledger.rows
    ]

    recipe.write_text(RECIPE.replace('second = "features.2"', 'second = "features.2"\nactivation = "relu"'))
    change = "steps[2].activation was not set and is 'relu'"
    refused(edge_compress(*command, cwd=folder), f"has changed since out was begun ({change})")


def test_what_it_needs_is_looked_for_before_pytorch_is_imported(folder: Path, phantoms: Path) -> None:
    (folder / "my_steps.py").unlink()
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", "out", cwd=folder)
    refused(done, f"steps[2].kind '{KIND}' can't be imported (there is no module 'my_steps')")
