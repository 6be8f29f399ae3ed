"""A route without a converter: it writes a small network's file itself, so that proof and choice of routes are fast."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import nn

from compress.convert.routes import Float32, Source
from edge.errors import EdgeError
from tests.compress.convert.quantize.graphs import Net


class Small(nn.Module):
    """Two convolutions, a mean and a linear layer; `at` is added to the first bias of the named layer of its file."""

    def __init__(self, seed: int = 0, inputs: int = 2) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.first, self.second = nn.Conv2d(inputs, 4, 3, padding=1), nn.Conv2d(4, 6, 1)
        self.head = nn.Linear(6, 3)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.second(torch.relu(self.first(x)))).mean((2, 3)))


def file_of(network: Small, wrong: str = "", by: float = 1.0, outputs: int = 3) -> bytes:
    """Return the network's float32 file; the bias of the layer `wrong` is another there."""
    net = Net()
    x = net.input(1, 8, 8, network.first.in_channels)

    def constants(name: str) -> list[int]:
        layer = network.get_submodule(name)
        weights, bias = (getattr(layer, each).detach().numpy() for each in ("weight", "bias"))
        weights = np.moveaxis(weights, 1, -1) if weights.ndim == 4 else weights
        return [net.constant(np.ascontiguousarray(weights)), net.constant(bias + by if name == wrong else bias)]

    fields = {"strideH": 1, "strideW": 1, "dilationHFactor": 1, "dilationWFactor": 1, "fusedActivationFunction": 1}
    for name in ("first", "second"):
        channels = network.get_submodule(name).out_channels
        x = net.add("CONV_2D", [x, *constants(name)], (1, 8, 8, int(channels)), "Conv2D", padding=0, **fields)
    pooled = net.reduce(x)
    logits = net.add("FULLY_CONNECTED", [pooled, *constants("head")], (1, 3), "FullyConnected")
    if outputs < 3:
        logits = net.add(
            "SLICE",
            [logits, net.constant(np.zeros(2, np.int32)), net.constant(np.array([1, outputs], np.int32))],
            (1, outputs),
            "Slice",
        )
    return net.flatbuffer(logits)


class OwnRoute:
    """A route that changes the layer `wrong` in its files, or refuses the networks of `refused` by their number."""

    install = "a command of its own"

    def __init__(self, name: str, wrong: str = "", refused: Sequence[nn.Module] = (), missing: bool = False) -> None:
        self.name, self._wrong, self._refused, self._missing = name, wrong, refused, missing
        self.calls: list[int] = []

    def is_installed(self) -> bool:
        return not self._missing

    def tools(self) -> Mapping[str, str]:
        return {"own": "1"}

    def convert(self, sources: Sequence[Source]) -> Iterator[Float32]:
        self.calls.append(len(sources))
        for source in sources:
            if source.network in self._refused:
                raise EdgeError(f"{self.name} can't: write it otherwise", "conversion.operator")
            assert isinstance(source.network, Small)
            yield Float32(file_of(source.network, self._wrong), 0.5)
