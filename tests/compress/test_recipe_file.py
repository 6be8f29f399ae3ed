"""What a recipe names is looked for before anything that takes long: PyTorch's import, images that are read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from compress.networks.load import network_function
from compress.recipe_file import check, folders, imported, named, read, shipped
from compress.recipe_parser import load, parse
from compress.run import Run
from compress.tasks.classification import Classification
from edge.errors import EdgeError
from tests.compress.conftest import RECIPE, environment, refused

# The command in a process that can't import what takes seconds.
WITHOUT_TORCH = """
import sys
for name in ("numpy", "torch", "torch_pruning", "onnx", "tensorflow"):
    sys.modules[name] = None
from compress.cli import main
sys.exit(main(sys.argv[1:]))
"""


def without_torch(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_TORCH, "run", *map(str, words)]
    return subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True, check=False)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Two folders, `recipes` with a recipe and `here`, which one works in; what they import is forgotten afterwards."""
    for name in ("recipes", "here", "data"):
        (tmp_path / name).mkdir()
    (tmp_path / "recipes/recipe.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(sys, "path", list(sys.path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if name.partition(".")[0] in ("own_network", "kit"):
            del sys.modules[name]


def recipe(place: Path, text: str = RECIPE) -> str:
    (place / "recipes/recipe.toml").write_text(text)
    return str(place / "recipes/recipe.toml")


def checked(place: Path, weights: Path | None = None) -> None:
    raw, where = read(str(place / "recipes/recipe.toml"))
    check(raw, where, place / "data", place / "out", weights)


@pytest.mark.parametrize(
    "words, said",
    [
        (["phantm"], "no recipe 'phantm'.*did you mean 'phantom'"),
        (["nothing.toml"], r"nothing\.toml does not exist"),
        (["broken.toml"], r"broken\.toml can't be read"),
        (["recipe.toml"], "'own_network:build' can't be imported .there is no module 'own_network'"),
        (["phantom"], "data folder nowhere does not exist"),
        (["phantom", "--weights", "none.pt"], r"none\.pt don't exist"),
        (["phantom", "--threads", "0"], "0 threads"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_it_is_said_before_pytorch_is_imported(words: list[str], said: str, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE)
    (tmp_path / "broken.toml").write_text("name = ")
    assert re.search(said, refused(without_torch(tmp_path, *words, "--data", "nowhere", "--output", "out")))
    assert not (tmp_path / "out").exists()


def test_a_name_like_no_other_gets_no_guess() -> None:
    with pytest.raises(EdgeError) as error:
        read("xyzzy")
    assert "did you mean" not in str(error.value) and "polyp60" in str(error.value)


@pytest.mark.parametrize("name", shipped())
def test_what_a_shipped_recipe_names_is_there(name: str, tmp_path: Path) -> None:
    raw, where = read(name)
    check(raw | {"weights": ""}, where, tmp_path, tmp_path / "out", None)  # some begin with public weights


@pytest.mark.parametrize("beside", ["recipes", "here"])
def test_network_and_weights_are_found_from_the_same_two_folders(beside: str, place: Path) -> None:
    where = recipe(place, RECIPE.replace("calibration", 'weights = "own.pt"\ncalibration'))
    (place / beside / "own_network.py").write_text(f"def build(classes, channels):\n    return {beside!r}\n")
    (place / beside / "own.pt").write_bytes(b"weights")
    checked(place)
    assert network_function(load(where))(classes=2, channels=3) == beside
    assert named("own.pt", where) == place / beside / "own.pt"


def test_the_recipes_folder_comes_first(place: Path) -> None:
    for folder in ("recipes", "here"):
        (place / folder / "own_network.py").write_text(f"def build(classes, channels):\n    return {folder!r}\n")
        (place / folder / "own.pt").write_bytes(folder.encode())
    where = recipe(place)
    assert folders(where) == [place / "recipes", place / "here"]
    assert network_function(load(where))(classes=2, channels=3) == "recipes"
    assert named("own.pt", where).read_bytes() == b"recipes"


def test_a_shipped_recipe_has_no_folder_of_its_own(place: Path) -> None:
    assert folders(read("phantom")[1]) == [place / "here"]


def test_a_network_in_a_package_is_found_without_running_it(place: Path) -> None:
    kit = place / "recipes/kit/parts"
    kit.mkdir(parents=True)
    (place / "recipes/kit/__init__.py").write_text("raise RuntimeError('it was run')")
    (kit / "nets.py").write_text("")
    recipe(place, RECIPE.replace("own_network:build", "kit.parts.nets:build"))
    checked(place)
    recipe(place, RECIPE.replace("own_network:build", "kit.parts.other:build"))
    with pytest.raises(EdgeError, match=r"there is no module 'kit\.parts\.other'"):
        checked(place)
    recipe(place, RECIPE.replace("own_network:build", "kit.parts.nets.deeper:build"))
    with pytest.raises(EdgeError, match=r"there is no module 'kit\.parts\.nets\.deeper'"):
        checked(place)


@pytest.mark.parametrize("network", ["torch.nn:Linear", "compress.networks.unet:unet_mini", "builtins:len"])
def test_an_installed_network_is_found(network: str, place: Path) -> None:
    recipe(place, RECIPE.replace("own_network:build", network))
    checked(place)


@pytest.mark.parametrize("network", ["3", "[]", '""', '":"', '"..:x"', '"no colon"', '".a:b"'])
def test_what_is_no_name_of_a_network_is_left_to_those_who_know(network: str, place: Path) -> None:
    recipe(place, RECIPE.replace('"own_network:build"', network))
    try:
        checked(place)
    except EdgeError as error:
        assert "there is no module" in str(error)


def test_weights_that_are_nowhere_are_named_with_both_places(place: Path) -> None:
    (place / "here/own_network.py").write_text("")
    recipe(place, RECIPE.replace("calibration", 'weights = "own.pt"\ncalibration'))
    with pytest.raises(EdgeError) as error:
        checked(place)
    for folder in ("recipes", "here"):
        assert str(place / folder / "own.pt") in str(error.value)
    (place / "here/given.pt").write_bytes(b"")
    checked(place, place / "here/given.pt")  # those of the recipe don't matter then


def test_a_file_is_no_data_folder_and_no_output(place: Path) -> None:
    (place / "here/own_network.py").write_text("")
    (place / "file").write_bytes(b"")
    raw, where = read(recipe(place))
    with pytest.raises(EdgeError, match=r"data folder .*file is no folder"):
        check(raw, where, place / "file", place / "out", None)
    os.symlink("nowhere", place / "link")
    for output in ("file", "file/below/it", "link"):
        with pytest.raises(EdgeError, match=r"(file|link) is no folder: expected one for the model"):
            check(raw, where, place / "data", place / output, None)
    with pytest.raises(EdgeError, match=r"weights .*data are a folder: expected a file"):
        check(raw, where, place / "data", place / "out", place / "data")


def test_an_output_that_can_not_be_written_is_said_at_once(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (place / "here/own_network.py").write_text("")
    raw, where = read(recipe(place))
    monkeypatch.setattr(os, "access", lambda path, mode: path != place)  # root may write everywhere
    with pytest.raises(EdgeError, match=f"{place} can't be written: expected a folder for the model"):
        check(raw, where, place / "data", place / "out/of/it", None)


def test_a_network_that_can_not_be_imported_is_said_before_images_are_read(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Classification, "load", lambda *_: pytest.fail("images were read"))
    for label in ("clear", "opacity"):
        (place / "data/train" / label).mkdir(parents=True)
    for text, said in (
        ("import nothing_like_it", "nothing_like_it"),
        ("x = 1", "has no 'build'"),
        ("raise SystemExit(3)", r"can't be imported \(SystemExit: 3\)"),
        ("def build(classes, channels):\n    raise ValueError('no such width')", "for 2 classes.*no such width"),
    ):
        (place / "recipes/own_network.py").write_text(text)
        sys.modules.pop("own_network", None)
        with pytest.raises(EdgeError, match=said):
            Run(load(recipe(place)), place / "data", place / "out", print, print)


def test_weights_beside_the_working_directory_are_loaded(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Run, "_network", lambda *_: None)
    monkeypatch.setattr(Classification, "labels", lambda *_: ())
    (place / "here/own_network.py").write_text("")
    torch.save({"a": torch.ones(1)}, place / "here/own.pt")
    raw, where = read(recipe(place, RECIPE.replace("calibration", 'weights = "own.pt"\ncalibration')))
    monkeypatch.setattr(Classification, "load", lambda *_: None)
    monkeypatch.setattr(Classification, "metric", lambda *_: "AUC")
    run = Run(parse(raw, where), place / "data", place / "out", print, print)
    assert run.weights is not None and run.weights.path == place / "here/own.pt"


def test_modules_of_one_name_in_two_folders_are_two(place: Path) -> None:
    """As where one process runs two recipes, each with its own network beside it."""
    for name in ("recipes", "here"):
        (place / name / "kit").mkdir()
        (place / name / "kit/__init__.py").write_text("")
        (place / name / "kit/layers.py").write_text(f"WHERE = {name!r}\n")
        (place / name / "own_network.py").write_text("from kit.layers import WHERE\ndef build(): return WHERE\n")
    first, second = str(place / "recipes/recipe.toml"), str(place / "here/recipe.toml")
    found = [imported("own_network:build", where, "network")() for where in (first, second, first)]
    assert found == ["recipes", "here", "recipes"]
