"""Whole runs of a user's residual network: blocks, then channels, then ghosts, then int8; and soft pruning."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from compress.convert.tflite import to_tflite
from compress.cost import cost
from compress.inputs import inputs_of
from compress.pruning.blocks import close, residual_blocks
from compress.pruning.channels import Pruning, prune
from compress.state.checkpoint import load_tensors
from compress.steps.ghost import Ghosting, ghost
from compress.tasks.metrics import cosine
from edge.model import read
from edge.runtime import open_runtime
from tests.compress.conftest import HEAD as HEAD_OF_OWN
from tests.compress.conftest import HERE, edge_compress, refused
from tests.compress.pruning.residual_networks import SHAPE, user

pytestmark = [pytest.mark.train, pytest.mark.timeout(600)]

HEAD = HEAD_OF_OWN.replace("own_network", "residual_networks")
BLOCKS_FIRST = """
[[steps]]
kind = "train"
epochs = 2
batch = 8

[[steps]]
kind = "prune-blocks"
epochs = 2
batch = 8
penalty = 0.3
distill = { share = 0.3 }

[[steps]]
kind = "prune"
macs = 0.3

[[steps]]
kind = "prune"
parameters = 0.985
overall = true
round_to = 4

[[steps]]
kind = "prune"
parameters = 0.5
overall = true

[[steps]]
kind = "train"
epochs = 2
batch = 8

[[steps]]
kind = "ghost"
layers = ["begin.0"]
samples = 8

[[steps]]
kind = "fold-norms"

[[steps]]
kind = "train"
epochs = 2
batch = 8
"""
SOFTLY = """
[[steps]]
kind = "train"
epochs = 1
batch = 8

[[steps]]
kind = "soft-prune"
epochs = 3
batch = 8
distill = { share = 0.5 }
round_to = 4
ratios = { "*" = 0.5 }
"""

TAUGHT = """
[[steps]]
kind = "prune"
macs = 0.3

[[steps]]
kind = "train"
epochs = 1
batch = 8
distill = { share = 0.5 }
"""


def folder(tmp_path: Path, steps: str) -> Path:
    (tmp_path / "residual_networks.py").write_text((HERE / "pruning/residual_networks.py").read_text())
    (tmp_path / "recipe.toml").write_text(HEAD + steps)
    return tmp_path


def run(where: Path, data: Path) -> tuple[list[dict[str, Any]], str]:
    done = edge_compress("run", "recipe.toml", "--data", data, "--output", "out", cwd=where)
    assert done.returncode == 0, done.stderr
    return json.loads((where / "out/own.ledger.json").read_text()), done.stderr


def test_blocks_then_channels_then_ghosts_then_int8(phantoms: Path, tmp_path: Path) -> None:
    where = folder(tmp_path, BLOCKS_FIRST)
    rows, said = run(where, phantoms)
    assert [row["step"] for row in rows] == [
        "network",
        "train",
        "prune-blocks",
        "prune",
        "prune",
        "prune",
        "train",
        "ghost",
        "fold-norms",
        "train",
        "int8",
    ]
    closed = re.fullmatch(r"(\d) of 6 closed: (.+), distilled", rows[2]["detail"])
    assert closed and len(closed[2].split(", ")) == int(closed[1]) > 0
    parameters, macs = [row["parameters"] for row in rows], [row["macs"] for row in rows]
    assert parameters[1] > parameters[2] > parameters[3] > parameters[4] == parameters[5] > parameters[7]
    assert macs[1] > macs[2] > macs[3] / 0.7 - 1 and macs[5] > macs[7]
    assert parameters[4] <= 0.015 * parameters[1] < parameters[3]  # overall
    assert "nothing is left to remove" in said  # of a half: it has gone already
    measured = read(where / "out/own.tflite").manifest.measured
    assert measured["macs_removed"] == pytest.approx(
        1 - macs[-1] / macs[1], abs=1e-4
    )  # of the network before its blocks
    last = max((where / "out/checkpoints").glob("*.pt"), key=lambda path: path.stat().st_mtime)
    fresh = user()
    branches = {block.name: block.tensors for block in residual_blocks(fresh, inputs_of(SHAPE))}
    names, known = set(load_tensors(last)), set(fresh.state_dict())
    for block in closed[2].split(", "):
        assert branches[block] and not names & set(branches[block])
    # of the layer that became ghosts and the norms that were folded others stay: no gate among them
    assert [name for name in names - known if not name.startswith("begin.")] == []
    model = (where / "out/own.tflite").read_bytes()
    again, said = run(where, phantoms)
    assert again == rows and "epoch" not in said
    assert (where / "out/own.tflite").read_bytes() == model
    (where / "recipe.toml").write_text(HEAD + BLOCKS_FIRST.replace("penalty = 0.3", "penalty = 0.2"))
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", "out", cwd=where)
    refused(done, "steps[2].penalty was 0.3 and is 0.2", "--changed")


def test_a_recipe_that_can_not_be_done_is_refused_before_any_training(phantoms: Path, tmp_path: Path) -> None:
    where = folder(tmp_path, BLOCKS_FIRST.replace("macs = 0.3", 'macs = 0.3\nlayers = ["nothing"]'))
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", "out", cwd=where)
    refused(done, "step 3, prune: pruning pattern 'nothing' matches no convolution")
    assert "epoch" not in done.stderr
    assert list(where.glob("out/checkpoints/*.recipe.json")) == []  # the corrected one is no changed one


@pytest.mark.parametrize("number, steps", [(1, SOFTLY[SOFTLY.index("[[", 3) :]), (2, TAUGHT)])
def test_an_untrained_network_teaches_nothing(number: int, steps: str, phantoms: Path, tmp_path: Path) -> None:
    where = folder(tmp_path, steps)
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", "out", cwd=where)
    refused(done, f"recipe.toml: steps[{number}].distill has an untrained teacher: expected weights, or a step that")
    assert not (where / "out").exists()


def test_a_network_without_residual_blocks_is_refused(own: Path, phantoms: Path) -> None:
    recipe = own / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('kind = "train"\nepochs = 3', 'kind = "prune-blocks"\nepochs = 3', 1))
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", "out", cwd=own)
    refused(done, "the network Own has no residual blocks: looked for modules that return F(x) + shortcut(x)")


def test_training_and_soft_pruning_are_one_run(phantoms: Path, tmp_path: Path) -> None:
    where = folder(tmp_path, SOFTLY)
    rows, said = run(where, phantoms)
    assert [row["step"] for row in rows] == ["network", "train", "soft-prune", "int8"]
    assert rows[2]["detail"] == "l2-norm, 50%, 3 epochs, distilled"
    assert rows[2]["macs"] < 0.3 * rows[0]["macs"]
    again, said = run(where, phantoms)
    assert again == rows and "epoch" not in said


def test_what_is_left_of_a_users_network_is_converted_whole() -> None:
    network = user()
    close(
        network,
        [block for block in residual_blocks(network, inputs_of(SHAPE)) if block.name in ("one.1", "two.0", "two.2")],
    )
    prune(network, Pruning(macs=0.4), inputs_of(SHAPE))
    ghost(network, Ghosting(("one.0.conv1", "three.first"), init="random"), torch.randn(8, *SHAPE))
    assert cost(network, inputs_of(SHAPE)).macs < 0.4 * cost(user(), inputs_of(SHAPE)).macs
    images = np.random.default_rng(0).standard_normal((16, *SHAPE[1:], 3)).astype(np.float32)
    runner = open_runtime(to_tflite(network, torch.from_numpy(images).permute(0, 3, 1, 2)), "litert", 1)
    scale, zero = runner.inputs[0].scale, runner.inputs[0].zero_point
    steps = np.clip(np.rint(images / scale) + zero, -128, 127).astype(np.int8)
    found = np.stack([runner.run(step[None])[0][0].astype(np.float32) for step in steps]) - runner.outputs[0].zero_point
    with torch.no_grad():
        expected = network(torch.from_numpy(images).permute(0, 3, 1, 2)).numpy()
    assert cosine(found * runner.outputs[0].scale, expected) > 0.98
