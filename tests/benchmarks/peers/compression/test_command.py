"""The networks that tools make of one, and their table."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

import compress
from benchmarks import cli
from benchmarks.peers.compression import command, making
from benchmarks.peers.compression.comparing import Point
from benchmarks.peers.compression.making import FLOAT, INT8, NNCF_INT8, Made
from benchmarks.peers.compression.network import SmallResNet
from compress.data.phantom import write_folder
from edge.errors import EdgeError

EXAMPLE = torch.zeros(1, 1, 64, 64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("data") / "phantoms"
    write_folder(place, train=40, test=12, size=64)
    return place


@pytest.fixture(scope="module")
def data(folder: Path) -> compress.DataSet:
    return making.data_of(str(folder))


@pytest.mark.parametrize("name", making.PRUNERS)
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_each_tool_removes_its_share(data: compress.DataSet, name: str, share: float) -> None:
    torch.manual_seed(1)
    network = SmallResNet().eval()
    whole = compress.cost(network, EXAMPLE).macs
    pruned = making.PRUNERS[name](copy.deepcopy(network), data, EXAMPLE, share, 1)
    assert compress.cost(pruned, EXAMPLE).macs / whole == pytest.approx(1 - share, abs=0.12)
    assert pruned(torch.rand(3, 1, 64, 64)).shape == (3, 2)


def test_two_classes_are_expected(tmp_path: Path, folder: Path) -> None:
    place = tmp_path / "three"
    for part in ("train", "test"):
        for label in ("a", "b", "c"):
            (place / part / label).mkdir(parents=True)
            for number, image in enumerate(sorted((folder / part).rglob("*.png"))[ord(label) - 97 :: 3]):
                (place / part / label / f"{number}.png").write_bytes(image.read_bytes())
    with pytest.raises(EdgeError) as raised:
        making.data_of(str(place))
    assert raised.value.code == "peers.data"


def test_no_data_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["compression", "--data", str(tmp_path / "nothing")]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_table_compares_with_this_project_s_own_networks() -> None:
    truth = np.arange(100) % 2 == 1
    random = np.random.default_rng(1)

    def point(ms: float, signal: float) -> Point:
        return Point(ms, signal * truth + random.normal(size=len(truth)))

    made = [
        Made("", 0.0, 15_000_000, 300_000, Path("start")),
        Made("torch-pruning", 0.5, 7_500_000, 150_000, Path("torch-pruning-50")),
        Made("edge-infer", 0.5, 7_400_000, 140_000, Path("edge-infer-50")),
    ]
    points = {
        ("start", FLOAT): point(2.0, 5.0),
        ("start", INT8): point(1.0, 1.0),
        ("torch-pruning-50", NNCF_INT8): point(0.3, 1.0),
        ("torch-pruning-50", INT8): point(0.6, 0.0),
        ("edge-infer-50", INT8): point(0.5, 1.0),
    }
    found = command.lines(made, points, truth)
    assert all(len(line) == len(command.HEADER) for line in found)
    assert [(line[0], line[1], line[4], line[-1]) for line in found] == [
        ("torch-pruning + NNCF", "50%", "OpenVINO int8", "faster than all of edge-infer's: **ahead** there"),
        ("edge-infer", "50%", "LiteRT int8", "its own"),
        ("torch-pruning + edge-infer", "50%", "LiteRT int8", "behind"),
        ("edge-infer", "0%", "LiteRT int8", "its own"),
        ("nobody", "0%", "onnxruntime float", "**ahead**"),
    ]


@pytest.mark.train
@pytest.mark.network
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("workplace")
def test_a_comparison_and_its_second_call(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["compression", "--data", str(folder), "--epochs", "1", "--tuning", "1", "--removed", "50", "--rounds", "6"]
    assert cli.main(words) == 0
    found = capsys.readouterr().out
    for name in ("nobody", "NNCF", "torch-pruning", "torch-pruning + NNCF", "torch-pruning + edge-infer", "edge-infer"):
        assert f"| {name} | " in found
    before = {path: path.stat().st_mtime_ns for path in Path("build/bench/compression").rglob("*.xml")}
    assert len(before) == 3 and cli.main(words) == 0
    assert before == {path: path.stat().st_mtime_ns for path in Path("build/bench/compression").rglob("*.xml")}
