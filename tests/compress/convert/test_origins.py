"""Which module a tensor comes from: networks in PyTorch, and graphs as converters make of them, with equal weights."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.convert.origins import Origins, origins
from tests.compress.convert.quantize.graphs import Net

RELU, RELU6 = 1, 3


def values(net: Net, place: int, operator: int = -1) -> np.ndarray:
    """A constant that an operator reads."""
    tensor = net.graph.tensors[net.graph.operators[operator].inputs[place]]
    data = np.asarray(net.model.buffers[tensor.buffer].data, np.uint8).tobytes()
    return np.frombuffer(data, np.float32).reshape(tensor.shape)


def as_conv(net: Net, operator: int = -1) -> nn.Conv2d:
    """The convolution that a graph's operator is."""
    weights, bias = values(net, 1, operator), values(net, 2, operator)
    layer = nn.Conv2d(weights.shape[3], weights.shape[0], weights.shape[1], padding=weights.shape[1] // 2)
    layer.weight.data = torch.tensor(np.ascontiguousarray(weights.transpose(0, 3, 1, 2)))
    layer.bias.data = torch.tensor(bias)
    return layer


def behind(layer: nn.Conv2d, seed: int = 0) -> nn.BatchNorm2d:
    """A normalization with which another convolution, which `layer` becomes, gives what `layer` gave."""
    norm = nn.BatchNorm2d(layer.out_channels)
    generator = torch.Generator().manual_seed(seed)
    for part in (norm.weight.data, norm.running_var):
        part.copy_(torch.rand(part.shape, generator=generator) + 0.5)
    norm.bias.data.copy_(torch.randn(norm.bias.shape, generator=generator))
    factor = norm.weight.data / torch.sqrt(norm.running_var + norm.eps)
    layer.weight.data /= factor[:, None, None, None]
    norm.running_mean.fill_(0.25)
    layer.bias.data = (layer.bias.data - norm.bias.data) / factor + norm.running_mean
    return norm


def as_linear(net: Net) -> nn.Linear:
    weights = values(net, 1)
    layer = nn.Linear(weights.shape[1], weights.shape[0])
    layer.weight.data, layer.bias.data = torch.tensor(weights), torch.tensor(values(net, 2))
    return layer


def found(network: nn.Module, net: Net, *outputs: int) -> Origins:
    """Origins for one random image, by the numbers that tensors have once the file is read and written again."""
    shapes = [net.shape(number) for number in net.graph.inputs]
    generator = torch.Generator().manual_seed(1)
    images = tuple(torch.randn((1, shape[3], *shape[1:3]), generator=generator) for shape in shapes)
    return origins(network.eval(), net.flatbuffer(*outputs), images)


class Residual(nn.Module):
    """As torchvision's: what changes its input in place, one activation called twice, a shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.relu = nn.ReLU(inplace=True)
        self.pool, self.drop = nn.AdaptiveAvgPool2d(1), nn.Dropout()

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        y += x
        return self.fc(self.drop(torch.flatten(self.pool(self.relu(y)), 1)))


def residual() -> tuple[Residual, Net, dict[str, int]]:
    net, network = Net(3), Residual()
    x = net.input(1, 9, 7, 4)
    at = {"conv1": net.conv(x, 4, activation=RELU)}
    network.conv1 = as_conv(net)
    network.bn1 = behind(network.conv1)
    at["conv2"] = net.conv(at["conv1"], 4)
    network.conv2 = as_conv(net)
    network.bn2 = behind(network.conv2, 1)
    at["relu"] = net.add("ADD", [at["conv2"], x], net.shape(x), "Add", fusedActivationFunction=RELU)
    at["pool"] = net.reduce(at["relu"])
    at["fc"] = net.dense(at["pool"], 3)
    network.fc = as_linear(net)
    return network, net, at


def test_what_is_fused_has_the_name_of_the_first() -> None:
    network, net, at = residual()
    modules, unmatched = found(network, net, at["fc"])
    assert {modules[tensor]: tensor for tensor in at.values()} == at
    assert unmatched == ()


@pytest.mark.parametrize(("layer", "first"), [(0, "conv1"), (1, "conv2"), (-1, "fc")])
def test_a_wrong_file_names_the_module_where_it_begins(layer: int, first: str) -> None:
    network, net, at = residual()
    buffer = net.model.buffers[net.graph.tensors[net.graph.operators[layer].inputs[1]].buffer]
    buffer.data = np.roll(buffer.data, 16)
    modules, unmatched = found(network, net, at["fc"])
    assert unmatched[0] == first
    names = list(at)
    assert all(modules[at[name]] == name for name in names[: names.index(first)])
    assert first not in modules.values()


class Norm(nn.Module):
    def __init__(self, parts: nn.Module) -> None:
        super().__init__()
        self.parts = parts

    def forward(self, x: Tensor) -> Tensor:
        return self.parts(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def test_the_parts_of_a_normalization_are_its() -> None:
    net = Net(4)
    x = net.input(1, 5, 7, 6)
    mean = net.reduce(x, axes=(3,), keep=True)
    apart = net.two("SUB", x, mean)
    square = net.two("MUL", apart, apart)
    spread = net.two("ADD", net.reduce(square, axes=(3,), keep=True), net.constant(np.float32([1e-5])))
    scale = net.one("RSQRT", spread)
    last = net.two("MUL", apart, scale)
    modules, unmatched = found(Norm(nn.LayerNorm(6, elementwise_affine=False)), net, last)
    assert [modules.get(tensor) for tensor in (mean, apart, square, spread, scale, last)] == ["parts"] * 6
    assert unmatched == ()


class Block(nn.Module):
    def __init__(self, conv: nn.Module, share: float) -> None:
        super().__init__()
        self.conv, self.share, self.keep = conv, share, nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return self.keep(x) + self.keep(self.share * self.conv(x))


def test_tensors_that_are_equal_are_told_apart() -> None:
    """Layers as they are before training, whose share in a sum is almost nothing."""
    net, blocks = Net(5), []
    x = first = net.conv(net.input(1, 6, 8, 4), 4)
    stem, at = as_conv(net), {"0": first}
    for number in (1, 2):
        share = net.conv(x, 4, size=1)
        blocks.append(Block(as_conv(net), 1e-6))
        at[f"{number}.conv"] = share
        small = net.two("MUL", share, net.constant(np.float32([1e-6])))
        x = at[f"{number}"] = net.two("ADD", x, small)
    modules, unmatched = found(nn.Sequential(stem, *blocks), net, x)
    assert {name: modules[tensor] for name, tensor in at.items()} == {name: name for name in at}
    assert unmatched == ()


class Halves(nn.Module):
    """Gives a tuple."""

    def forward(self, x: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return x[:, :2], {"second": x[:, 2:] * 3}


class Split(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.halves, self.act = Halves(), nn.Hardtanh(0, 6)

    def forward(self, x: Tensor, *, unused: Tensor | None = None) -> Tensor:
        first, second = self.halves(x)
        return self.act(first + second["second"])


def test_outputs_may_be_tuples_and_layouts_may_change() -> None:
    net = Net(6)
    x = net.input(1, 5, 6, 4)
    first = net.cut(x)
    turned = net.transpose(first, 0, 3, 1, 2)
    begin, size = net.constant(np.int32([0, 0, 0, 2])), net.constant(np.int32([1, 5, 6, 2]))
    rest = net.add("SLICE", [x, begin, size], (1, 5, 6, 2), "Slice")
    second = net.two("MUL", rest, net.constant(np.float32([3])))
    total = net.add(
        "ADD", [net.transpose(turned, 0, 2, 3, 1), second], (1, 5, 6, 2), "Add", fusedActivationFunction=RELU6
    )
    modules, unmatched = found(Split(), net, total)
    assert [modules.get(tensor) for tensor in (first, turned, rest, second, total)] == ["halves"] * 4 + ["act"]
    assert unmatched == ()


class Sum(nn.Module):
    def __init__(self, one: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.one, self.other = one, other

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        return self.one(a) + self.other(b)


def test_several_inputs() -> None:
    net = Net(7)
    a, b = net.input(1, 6, 5, 3), net.input(1, 6, 5, 2)
    one, other = net.conv(a, 4), net.conv(b, 4)
    network = Sum(as_conv(net, 0), as_conv(net, 1))
    modules, unmatched = found(network, net, net.two("ADD", one, other))
    assert (modules[one], modules[other], unmatched) == ("one", "other", ())


@pytest.mark.parametrize("make", [lambda x: x * 0, lambda x: x * float("nan"), lambda x: x * float("inf")])
def test_a_network_that_dies_ends_in_no_error(make: Callable[[Tensor], Tensor]) -> None:
    network, net, at = residual()
    network.bn1.weight.data = make(network.bn1.weight.data)
    modules, unmatched = found(network, net, at["fc"])
    assert unmatched[0] == "conv1" and "conv1" not in modules.values()
