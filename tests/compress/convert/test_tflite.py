"""Conversion to TFLite: what becomes of a network's layers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from compress.convert import graph
from compress.convert.tflite import to_tflite
from edge.runtime import open_runtime
from tests.compress.pruning.several import Several, inputs

pytestmark = [pytest.mark.train, pytest.mark.timeout(300)]


class PreActivation(nn.Module):
    """Normalizations of a sum, of a vector, and of what is read elsewhere: none can be part of a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)
        self.same = nn.BatchNorm2d(8)  # with the first norm's mean and variance
        self.first = nn.BatchNorm2d(8)
        self.norm, self.linear, self.last = nn.BatchNorm2d(8), nn.Linear(8, 4), nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = torch.relu(self.norm(x + self.conv(torch.relu(self.first(x)))))
        x = self.same(x + 1)
        return self.last(torch.relu(self.linear(x.mean((2, 3)))))


def test_a_normalization_that_stands_alone_is_one_operator() -> None:
    torch.manual_seed(0)
    network = PreActivation()
    with torch.no_grad():
        for norm in (network.first, network.norm, network.last, network.same):
            for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
                assert isinstance(tensor, torch.Tensor)
                tensor.uniform_(0.5, 2)
        network.same.load_state_dict({**network.norm.state_dict(), "bias": network.same.bias})
    images = np.random.default_rng(0).normal(size=(4, 16, 16, 3)).astype(np.float32)
    flatbuffer = to_tflite(network, torch.from_numpy(images).permute(0, 3, 1, 2), "float32", "onnx2tf")
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(images[:1]).permute(0, 3, 1, 2)).numpy()
    (answer,) = open_runtime(flatbuffer, "litert", 1).run(images[:1])
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    big = [operator for operator in graph.read(flatbuffer, "network").operators if operator.outputs[0].elements > 8]
    names = [operator.name for operator in big]
    assert "MUL" not in names
    assert names.count("ADD") == 2
    assert "RELU" not in names  # the norms' operators have taken them in


def test_several_inputs_and_outputs_are_converted() -> None:
    """All of them are there; TFLite may order them otherwise than the network does."""
    torch.manual_seed(0)
    network = Several().eval()
    made = graph.read(to_tflite(network, inputs(4), route="onnx2tf"), "network")
    assert {x.shape for x in made.inputs} == {(1, 16, 16, 3), (1, 6)}
    assert {y.shape for y in made.outputs} == {(1, 5), (1, 16, 16, 2)}
    assert {x.type for x in (*made.inputs, *made.outputs)} == {"INT8"}
