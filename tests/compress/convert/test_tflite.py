"""Conversion to TFLite: what becomes of a network's layers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from compress.convert import graph, tflite
from compress.convert.tflite import Request, convert, to_tflite
from edge.errors import EdgeError
from edge.runtime import open_runtime
from tests.compress.own_network import build
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
    flatbuffer = to_tflite(network, torch.from_numpy(images).permute(0, 3, 1, 2), quantize=False)
    with torch.no_grad():
        expected = network.eval()(torch.from_numpy(images[:1]).permute(0, 3, 1, 2)).numpy()
    answer = open_runtime(flatbuffer, "litert", 1).run(images[:1])
    np.testing.assert_allclose(answer, expected, atol=1e-5)
    big = [operator for operator in graph.read(flatbuffer, "network").operators if operator.outputs[0].elements > 8]
    names = [operator.name for operator in big]
    assert "MUL" not in names
    assert names.count("ADD") == 2
    assert "RELU" not in names  # the norms' operators have taken them in


def test_one_process_makes_the_same_bytes_as_one_for_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two networks, the second of them float32 and int8 from one SavedModel; then all of it from the cache."""
    torch.manual_seed(0)
    first, second = build(2, 1), PreActivation()
    grey, rgb = torch.randn(4, 1, 16, 16), torch.randn(4, 3, 16, 16)
    requests = [Request(first, grey, ["float32"]), Request(second, rgb, ["float32", "int8"])]
    monkeypatch.setenv("EDGE_CONVERSION_CACHE", str(tmp_path))
    made = list(convert(requests))
    assert [(one.request, one.kind) for one in made] == [(0, "float32"), (1, "float32"), (1, "int8")]
    assert all(one.seconds > 0 for one in made)
    assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == sorted(one.flatbuffer for one in made)
    monkeypatch.setattr(tflite, "_converted", lambda *_: pytest.fail("it was converted again"))
    again = {(one.request, one.kind): one.flatbuffer for one in convert(requests)}
    assert again == {(one.request, one.kind): one.flatbuffer for one in made}
    monkeypatch.undo()
    assert to_tflite(second, rgb, quantize=True) == made[2].flatbuffer
    assert to_tflite(first, grey, quantize=False) == made[0].flatbuffer


def test_what_can_not_be_converted_is_said_with_the_converters_last_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tflite.onnx, "export", lambda network, inputs, path: path.write_bytes(b"no ONNX"))
    with pytest.raises(EdgeError, match=r"could not be converted to TFLite \(exit status 1\): .*rror"):
        to_tflite(build(2, 1), torch.zeros(1, 1, 16, 16), quantize=False)


def test_several_inputs_and_outputs_are_converted() -> None:
    """In the order of the network's arguments and outputs, by their names."""
    torch.manual_seed(0)
    network = Several().eval()
    made = graph.read(to_tflite(network, inputs(4), quantize=True), "network")
    assert {x.shape for x in made.inputs} == {(1, 16, 16, 3), (1, 6)}
    assert {y.shape for y in made.outputs} == {(1, 5), (1, 16, 16, 2)}
    assert {x.type for x in (*made.inputs, *made.outputs)} == {"INT8"}
