"""A trained network's weights, as others saved them."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.data import cifar
from compress.networks.cifar import resnet56
from compress.networks.resnet import resnet_mini
from compress.state.checkpoint import load_tensors, load_weights
from compress.steps.train import logits
from compress.tasks.classification import Classification
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


NAMES = ("model", "state_dict", "model_state_dict", "net", "network", "module", "params", "ema", "model.state_dict")


def wrapped(state: object, names: str) -> dict[str, object]:
    """Put a state under "name", or under "one.another"."""
    for name in reversed(names.split(".")):
        state = {name: state, "epoch": 3}
    return state  # type: ignore[return-value]


@pytest.fixture(scope="module")
def trained() -> nn.Module:
    torch.manual_seed(1)
    return resnet_mini(2)


def loaded(content: object, path: Path, **spec: bool) -> tuple[nn.Module, list[str]]:
    said: list[str] = []
    torch.save(content, path, **spec)
    return load_weights(path).into(resnet_mini(2), said.append), said


@pytest.mark.parametrize("names", NAMES)
def test_a_state_is_found_under_the_names_that_scripts_give_it(names: str, trained: nn.Module, tmp_path: Path) -> None:
    content = wrapped(trained.state_dict(), names)
    network, said = loaded(content, tmp_path / "x.pt")
    assert same(network, trained)
    assert said == (["weights x.pt: those under 'ema' are taken"] if names == "ema" else [])


def test_a_state_under_a_name_of_its_own_is_taken_where_it_is_the_only_one(trained: nn.Module, tmp_path: Path) -> None:
    optimizer = torch.optim.SGD(trained.parameters(), momentum=0.9)
    network, said = loaded({"encoder": trained.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "x.pt")
    assert same(network, trained) and said == ["weights x.pt: those under 'encoder' are taken"]
    torch.save({"one": trained.state_dict(), "other": trained.state_dict()}, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match=r"hold no state_dict: .*, but 'one', 'other'; save"):
        load_weights(tmp_path / "x.pt")


def test_of_two_states_the_trained_one_is_taken_and_it_is_said(trained: nn.Module, tmp_path: Path) -> None:
    other = resnet_mini(2)
    network, said = loaded({"ema": other.state_dict(), "model": trained.state_dict()}, tmp_path / "x.pt")
    assert same(network, trained)
    assert said == ["weights x.pt: those under 'model' are taken, and not those under ema"]


def test_where_the_first_state_does_not_fit_the_next_is_taken(trained: nn.Module, tmp_path: Path) -> None:
    content = {"model": resnet_mini(5).state_dict(), "ema": trained.state_dict()}
    network, said = loaded(content, tmp_path / "x.pt")
    assert same(network, trained)
    assert said == ["weights x.pt: those under 'ema' are taken, and not those under model"]


BEGINNINGS = (
    "model.",
    "net.",
    "backbone.",
    "_orig_mod.",
    "module._orig_mod.",
    "_orig_mod.module.",
    "a.b.c.",
    "model.module.",
)


@pytest.mark.parametrize("beginning", BEGINNINGS)
def test_names_with_a_beginning_of_their_own_are_read_without_it(
    beginning: str, trained: nn.Module, tmp_path: Path
) -> None:
    state = {beginning + name: tensor for name, tensor in trained.state_dict().items()}
    network, said = loaded({"state_dict": state}, tmp_path / "x.pt")
    assert same(network, trained)
    assert said[0].startswith("weights x.pt: names are read without ")
    assert set(said[0].split()[-1].split(".")) <= set(beginning.split("."))


@pytest.mark.parametrize("wrapper", ["_orig_mod", "module", "_fsdp_wrapped_module"])
def test_a_part_that_was_wrapped_alone_is_read_without_it(wrapper: str, trained: nn.Module, tmp_path: Path) -> None:
    state = {n.replace("stem.", f"stem.{wrapper}."): t for n, t in trained.state_dict().items()}
    assert same(loaded(state, tmp_path / "x.pt")[0], trained)


class Wrapping(nn.Module):
    """Its own names have what others are read without."""

    def __init__(self) -> None:
        super().__init__()
        self.module, self.model = nn.Linear(2, 2), nn.ModuleDict({"module": nn.Linear(2, 2)})


def test_names_that_fit_as_they_are_stay(tmp_path: Path) -> None:
    network, said = Wrapping(), list[str]()
    torch.save(network.state_dict(), tmp_path / "x.pt")
    assert same(load_weights(tmp_path / "x.pt").into(Wrapping(), said.append), network) and not said


@pytest.mark.parametrize(
    "extra, said",
    [
        ("model.head.weight", "it has head.weight"),
        ("criterion.weight", "it has criterion.weight"),
        ("fc.bias", "it has"),
    ],
)
def test_what_is_left_over_is_named(extra: str, said: str, trained: nn.Module, tmp_path: Path) -> None:
    state = {f"model.{name}": tensor for name, tensor in trained.state_dict().items()} | {extra: torch.zeros(2)}
    with pytest.raises(EdgeError, match=rf"are not this network's \(.*{said}"):
        loaded(state, tmp_path / "x.pt")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_point_numbers_are_taken_and_it_is_said(
    dtype: torch.dtype, trained: nn.Module, tmp_path: Path
) -> None:
    state = {n: t.to(dtype) if t.is_floating_point() else t for n, t in trained.state_dict().items()}
    network, said = loaded(state, tmp_path / "x.pt")
    assert said == [f"weights x.pt: tensors of {str(dtype)[6:]} become float32"]
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[name].to(tensor.dtype))


def test_whole_numbers_are_no_weights(trained: nn.Module, tmp_path: Path) -> None:
    state = trained.state_dict()
    with pytest.raises(EdgeError, match=r"\(fc\.weight is int8 and not float32\)"):
        loaded(state | {"fc.weight": torch.zeros(2, 256, dtype=torch.int8)}, tmp_path / "x.pt")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("under", ["", "model"])
def test_what_is_not_finite_is_refused_by_its_name(
    value: float, under: str, trained: nn.Module, tmp_path: Path
) -> None:
    state = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
    state["fc.weight"][1, 7] = value
    torch.save({under: state, "ema": trained.state_dict()} if under else state, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match=r"x\.pt are not all finite \(fc\.weight has 1 values of 512 that are not\)"):
        load_weights(tmp_path / "x.pt")


def test_what_float32_can_not_hold_is_refused(trained: nn.Module, tmp_path: Path) -> None:
    state = trained.state_dict() | {"fc.bias": torch.tensor([1e300, 0], dtype=torch.float64)}
    with pytest.raises(EdgeError, match=r"\(fc\.bias would not be finite any more\)"):
        loaded(state, tmp_path / "x.pt")


def test_what_counts_batches_is_not_needed(trained: nn.Module, tmp_path: Path) -> None:
    state = trained.state_dict()
    left = OrderedDict((n, t) for n, t in state.items() if "num_batches" not in n)
    left._metadata = state._metadata  # type: ignore[attr-defined]
    assert len(left) < len(state)
    assert same(loaded(left, tmp_path / "x.pt")[0], trained)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False)
        self.second.weight = self.first.weight


def test_a_tensor_with_two_names_may_be_saved_under_one(tmp_path: Path) -> None:
    torch.save({"second.weight": torch.ones(3, 3)}, tmp_path / "x.pt")
    network = load_weights(tmp_path / "x.pt").into(Tied())
    assert isinstance(network, Tied) and network.first.weight.eq(1).all()


def test_settings_and_numbers_beside_the_state_are_read_over(trained: nn.Module, tmp_path: Path) -> None:
    content = {
        "state_dict": trained.state_dict(),
        "args": argparse.Namespace(lr=0.1, data=Path("images")),
        "best": np.float64(0.9),
        "epoch": np.int64(3),
    }
    assert same(loaded(content, tmp_path / "x.pt")[0], trained)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("under", ["", "model"])
def test_a_whole_network_is_not_run_and_the_way_out_is_a_command_that_runs(
    zipped: bool, under: str, tmp_path: Path
) -> None:
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    content = {under: network, "epoch": 3} if under else network
    torch.save(content, tmp_path / "whole.pt", _use_new_zipfile_serialization=zipped)
    with pytest.raises(
        EdgeError, match=r"whole\.pt can't be read \(it is a whole pickled network, .*\): .*state_dict"
    ) as e:
        load_weights(tmp_path / "whole.pt")
    words = shlex.split(str(e.value).partition("its state_dict: ")[2])
    assert words[:2] == ["python", "-c"] and len(words) == 3
    exec(words[2], {})
    assert same(
        load_weights(tmp_path / "whole.state.pt").into(nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))), network
    )


def test_a_program_is_not_run_and_the_way_out_is_a_command_that_runs(tmp_path: Path) -> None:
    network = nn.Linear(2, 2)
    torch.jit.script(network).save(tmp_path / "script.pt")
    with pytest.raises(EdgeError, match=r"script\.pt can't be read \(it is a TorchScript program, .*\): ") as e:
        load_weights(tmp_path / "script.pt")
    exec(shlex.split(str(e.value).partition("its state_dict: ")[2])[2], {})
    assert same(load_weights(tmp_path / "script.state.pt").into(nn.Linear(2, 2)), network)


def test_objects_in_the_file_are_named(tmp_path: Path) -> None:
    torch.save({"state_dict": {}, "x": Trap(tmp_path / "ran")}, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match=r"it holds objects of posix\.system, and to read them is to run them"):
        load_weights(tmp_path / "x.pt")


def test_dictionaries_in_a_circle_are_refused(tmp_path: Path) -> None:
    circle: dict[str, object] = {}
    circle["model"] = circle
    torch.save(circle, tmp_path / "x.pt")
    with pytest.raises(EdgeError, match="hold no state_dict"):
        load_weights(tmp_path / "x.pt")


@pytest.mark.parametrize("content", [b"", b"no weights", b"hello", b"PK\3\4", b"\x1f\x8b\x08\0\0"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.pt").write_bytes(content)
    said = "another kind of file" if content else "it is empty"
    with pytest.raises(EdgeError, match=rf"x\.pt can't be read \(.*{said}\)"):
        load_weights(tmp_path / "x.pt")


def test_a_file_that_was_cut_short_is_refused(tmp_path: Path) -> None:
    torch.save(resnet_mini(2).state_dict(), tmp_path / "x.pt")
    content = (tmp_path / "x.pt").read_bytes()
    (tmp_path / "x.pt").write_bytes(content[: len(content) // 2])
    with pytest.raises(EdgeError, match=r"x\.pt can't be read \(it was cut short, is damaged"):
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


@pytest.mark.train
@pytest.mark.timeout(600)
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


def test_what_layers_fill_in_themselves_is_not_missing(tmp_path: Path) -> None:
    trained = resnet56(10)
    state = {name: tensor for name, tensor in trained.state_dict().items() if "shortcut" not in name}
    torch.save({"state_dict": {f"module.{name}": tensor for name, tensor in state.items()}}, tmp_path / "x.th")
    assert same(load_weights(tmp_path / "x.th").into(resnet56(10)), trained)
    del state["layer2.0.conv1.weight"]
    torch.save(state, tmp_path / "x.th")
    with pytest.raises(EdgeError, match=r"it lacks layer2\.0\.conv1\.weight\)"):
        load_weights(tmp_path / "x.th").into(resnet56(10))


@pytest.mark.data
@pytest.mark.timeout(300)
def test_the_public_resnet56_is_as_good_here_as_its_author_says(cifar10: Path) -> None:
    path = next((DATA / "weights").glob("*resnet56*4bfd9763.th"), None)
    if path is None:
        pytest.skip("EDGE_DATA has no weights/resnet56-4bfd9763.th, the public ones that docs/bpcp.md names")
    spec = Preprocessing(32, 32, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
    data = cifar.load_cifar(Classification(), cifar10, spec)
    found = logits(load_weights(path).into(resnet56(10)), data.test, spec)
    assert np.mean(found.argmax(1) == data.test.truth) == 0.9339
