"""The same trained network in other forms: what they answer is what the shipped file answers."""

from __future__ import annotations

import platform
from pathlib import Path

import numpy as np
import pytest

from benchmarks.peers import graph, network
from benchmarks.peers.measuring import LEAST_COSINE, cosine
from benchmarks.peers.runtimes import litert, onnxruntime
from edge.errors import EdgeError
from edge.model import find


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return network.make(find("bpcp"), tmp_path_factory.mktemp("peers"))


@pytest.fixture(scope="module")
def expected(folder: Path) -> np.ndarray:
    return answers(litert, folder, "int8")


def answers(runtime: object, folder: Path, kind: str) -> np.ndarray:
    runner = runtime.load(folder / runtime.convert(folder, kind, platform.machine()), 1)  # type: ignore[attr-defined]
    images = np.load(folder / network.INPUTS)
    return np.concatenate([runner.real(runner.run(runner.prepare(image[None]))).copy() for image in images])


@pytest.mark.parametrize(("runtime", "kind"), [(litert, "float"), (onnxruntime, "float")])
def test_each_form_answers_as_the_shipped_file(folder: Path, expected: np.ndarray, runtime: object, kind: str) -> None:
    found = answers(runtime, folder, kind)
    assert found.shape == expected.shape == (4, 10)
    assert cosine(expected, found) >= LEAST_COSINE
    assert (found.argmax(1) == expected.argmax(1)).all()


def test_the_float_form_is_another_one(folder: Path, expected: np.ndarray) -> None:
    """Or it would be the same file under another name."""
    assert not np.array_equal(answers(litert, folder, "float"), expected)


def test_a_folder_is_made_once(folder: Path) -> None:
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert network.make(find("bpcp"), folder.parent) == folder
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_what_is_written_is_read_again(folder: Path) -> None:
    found = graph.read(folder)
    again = folder.parent / "again"
    again.mkdir()
    graph.write(found, again)
    same = graph.read(again)
    assert same._replace(weights={}) == found._replace(weights={})
    for place, weights in found.weights.items():
        for one, other in zip(weights, same.weights[place], strict=True):
            assert np.array_equal(one, other)


def test_a_network_of_another_form_is_refused(tmp_path: Path, model: Path) -> None:
    """The tests' own tiny network is none of the shipped ones' form."""
    with pytest.raises(EdgeError) as raised:
        network.make(str(model), tmp_path)
    assert raised.value.code == "peers.network"
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and not path.name.endswith(".part")]


def test_cosine() -> None:
    assert cosine(np.array([[1.0, 0.0]]), np.array([[2.0, 0.0]])) == pytest.approx(1)
    assert cosine(np.array([[1.0, 0.0]]), np.array([[0.0, 2.0]])) == pytest.approx(0)
    assert np.isnan(cosine(np.zeros((1, 2)), np.ones((1, 2)))) and np.isnan(cosine(np.ones(2), np.ones(3)))
