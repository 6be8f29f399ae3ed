"""The table of routes: written from what was measured, and measuring what is not there yet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from benchmarks import table
from benchmarks.conversion import networks, routes
from compress.convert.routes import ROUTES

SMALL = [name for name, network in networks.NETWORKS.items() if not network.package and network.shape[1] < 100]


def measured(**others: object) -> str:
    return json.dumps({"seconds": 20.4, "cpu seconds": 9.5, "megabytes": 800, "largest": 3e-7, **others})


def test_what_was_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(networks, "is_installed", lambda name: name in ("GroupNorm", "bilinear"))
    for name, route in [("GroupNorm", "litert"), ("GroupNorm", "onnx2tf"), ("bilinear", "litert")]:
        text = measured(**{"ours": 0.99, "int8 seconds": 1.25, "int8 megabytes": 801, "tensorflow refused": "it"})
        (tmp_path / f"{name}.{route}.json").write_text(text)
    (tmp_path / "bilinear.onnx2tf.json").write_text(measured(refused="it differs | here"))
    monkeypatch.setattr(routes.subprocess, "run", lambda *_, **__: pytest.fail("it was measured again"))
    monkeypatch.setattr("sys.argv", ["routes", "--folder", str(tmp_path)])
    routes.main()
    rows = table.kept("routes").rows
    assert [(row["network"], row["route"]) for row in rows] == [
        (name, route) for name in ("GroupNorm", "bilinear") for route in ROUTES
    ]
    assert rows[0] == {
        **{"network": "GroupNorm", "route": "litert", "float32": "3.0e-07", "time": "20 s", "CPU": "10 s"},
        **{"int8 in": "1.2 s", "memory": "801 MB", "int8": "0.9900", "by TensorFlow": "-", "refused": ""},
    }
    assert rows[3]["memory"] == "800 MB" and rows[3]["int8"] == "-" and rows[3]["refused"] == "it differs / here"
    page = (tmp_path / "results/routes.md").read_text()
    assert "Left out, as their package is not installed: pruned ResNet-50, timm resnet18" in page


def test_what_was_interrupted_is_measured_and_what_fails_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "sys.argv", ["routes", "--network", "GroupNorm", "--route", "litert", "--folder", str(tmp_path)]
    )
    monkeypatch.setattr(routes.sys, "executable", "/bin/false")
    routes.main()
    assert json.loads((tmp_path / "GroupNorm.litert.json").read_text())["refused"] == "ended with status 1"


@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_the_same_one_every_time(name: str) -> None:
    network, images = networks.built(name, 10)
    again, other = networks.built(name, 10)
    assert not network.training and images.shape == (10, *networks.NETWORKS[name].shape)
    with torch.no_grad():
        assert torch.equal(network(images[:2]), again(other[:2]))
        assert network(images[:2]).std() > 0
