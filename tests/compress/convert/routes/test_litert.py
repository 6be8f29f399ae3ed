"""The route litert: its environment, exported programs, and what litert-torch makes of them.

The environment is made where it is missing (1.9 GB, minutes); all tests share it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn

from compress.convert import graph
from compress.convert.proof import noise, prove
from compress.convert.routes.litert import Litert
from compress.convert.routes.process import CACHE
from compress.convert.routes.route import Source
from compress.inputs import Inputs
from edge.errors import EdgeError
from tests.compress.convert import networks
from tests.compress.convert.routes.parents import ends_with_its_parent
from tests.compress.pruning.several import Several, inputs


class Layers(nn.Module):
    """What the other route gets wrong or can't convert: equal axes, GELU, normalizations of a pixel's channels."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.PReLU(16))
        self.up = nn.Sequential(nn.ConvTranspose2d(16, 16, 2, 2), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
        self.norm, self.linear = nn.LayerNorm(16), nn.Linear(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        x = self.up(self.stem(x))
        y = self.norm(x.permute(0, 2, 3, 1))
        return x + nn.functional.gelu(self.linear(y)).permute(0, 3, 1, 2)


def layers() -> Source:
    torch.manual_seed(0)
    network = Layers()
    network(torch.randn(4, 3, 16, 16))  # the normalization's mean and variance
    return Source(network.eval(), (torch.zeros(1, 3, 16, 16),))


class Branches(nn.Module):
    """Does another thing for bright images."""

    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if float(x.mean()) > 0 else x


class Bessel(nn.Module):
    """A function that TFLite has no operators for."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.special.bessel_j0(x)


@pytest.fixture(scope="module")
def route() -> Litert:
    litert = Litert()
    litert.set_up(print)
    return litert


class Made(NamedTuple):
    network: nn.Module
    examples: Inputs
    flatbuffer: bytes


@pytest.fixture(scope="module")
def made(route: Litert) -> list[Made]:
    """Networks with several inputs and outputs, and with one."""
    before = os.environ.pop(CACHE, None)
    try:
        sources = [Source(Several().eval(), inputs(1)), layers()]
        files = route.convert(sources)
        return [Made(*source, file.flatbuffer) for source, file in zip(sources, files, strict=True)]
    finally:
        if before is not None:
            os.environ[CACHE] = before


def test_without_its_environment_the_command_that_makes_it_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert not Litert().is_installed()
    with pytest.raises(EdgeError, match=r"not installed: .*; install it with `edge-compress route litert`") as raised:
        list(Litert().convert([layers()]))
    assert raised.value.code == "conversion.missing"


@pytest.mark.network
@pytest.mark.timeout(900)
def test_networks_are_the_same_as_in_pytorch_and_the_same_bytes_every_time(
    route: Litert, made: list[Made], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two in one process; the second again in a process of its own, with another hash seed and on two threads."""
    monkeypatch.delenv(CACHE, raising=False)
    several, one = made
    assert prove(one.network, one.flatbuffer, noise(one.examples), "the file").largest < 1e-5
    assert prove(several.network, several.flatbuffer, noise(several.examples), "the file").largest < 1e-5
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    (again,) = route.convert([Source(one.network, one.examples)])
    assert again.flatbuffer == one.flatbuffer


@pytest.mark.network
@pytest.mark.timeout(900)
def test_inputs_and_outputs_are_called_as_on_the_other_route_and_stand_in_the_users_order(made: list[Made]) -> None:
    several, one = (graph.read(network.flatbuffer, "network") for network in made)
    assert [(x.name, x.shape) for x in one.inputs] == [("image", (1, 16, 16, 3))]
    assert [(y.name, y.shape) for y in one.outputs] == [("logits", (1, 16, 16, 16))]
    assert [(x.name, x.shape) for x in several.inputs] == [
        (f"image_{number:02}", tuple(x.permute(0, 2, 3, 1).shape if x.ndim == 4 else x.shape))
        for number, x in enumerate(inputs(1))
    ]
    assert [y.name for y in several.outputs] == ["logits_00", "logits_01"]
    assert all(len(tensor.name) < 10 for operator in one.operators for tensor in operator.outputs)


@pytest.mark.network
@pytest.mark.timeout(900)
def test_what_litert_torch_refuses_or_gets_wrong_is_written_otherwise(route: Litert) -> None:
    names = ("transposed-3-norm", "transposed-3-odd", "nearest-size", "adaptive-max-uneven")
    built = [networks.build(name, networks.UNEQUAL) for name in names]
    files = route.convert([Source(network, examples) for network, examples in built])
    for name, (network, examples), file in zip(names, built, files, strict=True):
        assert prove(network, file.flatbuffer, examples, name).largest < 1e-5


@pytest.mark.network
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("network", "said"),
    [
        (Branches(), "torch.export can't follow the network"),
        (Bessel(), r"could not be converted to TFLite by the route litert \(exit status 1\): "),
    ],
)
def test_what_can_not_be_converted(route: Litert, network: nn.Module, said: str) -> None:
    with pytest.raises(EdgeError, match=said) as raised:
        list(route.convert([Source(network, (torch.zeros(1, 3, 4, 4),))]))
    assert raised.value.code == "conversion.operator"


@pytest.mark.network
@pytest.mark.timeout(900)
def test_the_converter_ends_with_the_process_that_wanted_it_and_its_folder_goes(route: Litert, tmp_path: Path) -> None:
    ends_with_its_parent("compress.convert.routes.litert", "Litert", "litert_worker", tmp_path, 60)
