"""A trained network's weights, as others saved them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress import cifar
from compress.checkpoint import load_tensors, load_weights
from compress.classification import Classification
from compress.networks.cifar import resnet56
from compress.networks.resnet import resnet_mini
from compress.training import logits
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from tests.compress.conftest import edge_compress, refused
from tests.compress.own_network import build

DATA = Path(os.environ.get("EDGE_DATA", "/nowhere"))


def same(network: nn.Module, other: nn.Module) -> bool:
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("under", ["", "state_dict"])
def test_a_state_dict_is_read_as_it_was_saved(prefix: str, under: str, tmp_path: Path) -> None:
    torch.manual_seed(1)
    trained = resnet_mini(2)
    state = {prefix + name: tensor for name, tensor in trained.state_dict().items()}
    torch.save({"epoch": 3, under: state} if under else state, tmp_path / "x.th")
    network = load_weights(tmp_path / "x.th").into(resnet_mini(2))
    assert same(network, trained)


def test_the_digest_is_the_files(tmp_path: Path) -> None:
    torch.save(resnet_mini(2).state_dict(), tmp_path / "x.pt")
    said = subprocess.run(["sha256sum", tmp_path / "x.pt"], capture_output=True, text=True, check=True).stdout
    assert said.startswith(load_weights(tmp_path / "x.pt").sha256)


class Trap:
    """Runs a command where it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def test_code_in_the_file_is_not_run(tmp_path: Path) -> None:
    torch.save({"state_dict": {"a": Trap(tmp_path / "ran")}}, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match=r"x\.pt can't be read .*expected a state_dict"):
        load_weights(tmp_path / "x.pt")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "content", [{}, [torch.zeros(1)], {"state_dict": {}}, {"epoch": 3}, {"state_dict": [1]}, {0: torch.zeros(1)}]
)
def test_what_is_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match=r"x\.pt hold no state_dict: expected tensors by their names"):
        load_weights(tmp_path / "x.pt")


@pytest.mark.parametrize("content", [b"", b"no weights", b"PK\3\4"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(EdgeError, match=r"x\.pt can't be read"):
        load_weights(tmp_path / "x.pt")


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    torch.save(resnet_mini(2).state_dict(), tmp_path / "x.pt")
    content = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(EdgeError, match=r"x\.pt can't be read"):
        load_weights(tmp_path / "x.pt")


def test_names_and_shapes_that_differ_are_named(tmp_path: Path) -> None:
    state = resnet_mini(2).state_dict()
    changes = {
        r"it lacks fc\.bias\): expected its state_dict": {n: t for n, t in state.items() if n != "fc.bias"},
        r"it has head\.bias\)": state | {"head.bias": torch.zeros(2)},
        r"it lacks fc\.bias; it has fc\.offset\)": {n.replace("fc.bias", "fc.offset"): t for n, t in state.items()},
        r"fc\.weight is \(3, 256\) and not \(2, 256\), fc\.bias is \(3,\) and not \(2,\)\)": resnet_mini(
            3
        ).state_dict(),
        r"it lacks stem\.bn\.weight, stem\.bn\.bias, .* and \d+ more\)": {
            n: t for n, t in state.items() if "bn" not in n
        },
    }
    for message, tensors in changes.items():
        torch.save(tensors, tmp_path / "x.pt")
        with pytest.raises(EdgeError, match=message):
            load_weights(tmp_path / "x.pt").into(resnet_mini(2))


def test_tensors_that_can_not_be_copied_are_refused(tmp_path: Path) -> None:
    state = resnet_mini(2).state_dict()
    torch.save(state | {"fc.weight": state["fc.weight"].to_sparse()}, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match=r"x\.pt are not this network's \(.*fc\.weight.*\): expected its state_dict"):
        load_weights(tmp_path / "x.pt").into(resnet_mini(2))


@pytest.fixture
def weights(own: Path) -> Path:
    torch.manual_seed(9)
    torch.save({"state_dict": build(2, 3).state_dict()}, own / "trained.pt")
    return own / "trained.pt"


def first_checkpoint(output: Path) -> dict[str, torch.Tensor]:
    """The tensors that a run began with."""
    paths = sorted((output / "checkpoints").glob("*.pt"), key=lambda path: path.stat().st_mtime)
    return load_tensors(next(path for path in paths if ".epochs" not in path.name))


@pytest.mark.slow
def test_a_run_begins_with_the_weights_and_says_so(own: Path, phantoms: Path, weights: Path, tmp_path: Path) -> None:
    recipe = own / "recipe.toml"
    text = recipe.read_text()
    recipe.write_text(text.replace("calibration", 'weights = "trained.pt"\ncalibration'))
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", "out", cwd=own)
    assert done.returncode == 0, done.stderr
    begun = first_checkpoint(own / "out")
    for name, tensor in load_weights(weights).tensors.items():
        assert torch.equal(begun[name], tensor)
    shown = edge_compress("show", own / "out/own.tflite", "--json")
    provenance = json.loads(shown.stdout)["provenance"]
    assert provenance["weights"] == {"file": "trained.pt", "sha256": load_weights(weights).sha256}
    recipe.write_text(text)
    again = edge_compress(
        "run", "recipe.toml", "--data", phantoms, "--output", "out", "--weights", "trained.pt", cwd=own
    )
    assert again.returncode == 0, again.stderr
    assert "epoch" not in again.stderr  # the same weights, however they were named


def test_weights_that_are_not_there_are_named(own: Path, phantoms: Path) -> None:
    words = ("run", "recipe.toml", "--data", phantoms, "--output", "out", "--weights", "nothing.pt")
    refused(edge_compress(*words, cwd=own), f"{own / 'nothing.pt'} don't exist", "--weights FILE")
    assert not (own / "out").exists()


def test_weights_of_another_network_are_named(own: Path, phantoms: Path) -> None:
    torch.save(resnet_mini(2).state_dict(), own / "trained.pt")
    words = ("run", "recipe.toml", "--data", phantoms, "--output", "out", "--weights", "trained.pt")
    refused(edge_compress(*words, cwd=own), "trained.pt are not this network's", "it lacks features.0.weight")


@pytest.mark.slow
def test_the_public_resnet56_is_as_good_here_as_its_author_says(cifar10: Path) -> None:
    path = next((DATA / "weights").glob("*resnet56*4bfd9763.th"), None)
    if path is None:
        pytest.skip("EDGE_DATA has no weights/resnet56-4bfd9763.th, the public ones that docs/bpcp.md names")
    how = Preprocessing(32, 32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    data = cifar.load_cifar(Classification(), cifar10, how)
    found = logits(load_weights(path).into(resnet56(10)), data.test, how)
    assert np.mean(found.argmax(1) == data.test.truth) == 0.9339
