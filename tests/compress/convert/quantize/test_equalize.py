"""Cross-layer equalization: nothing changes in float, and int8 gains where channels differ."""

from __future__ import annotations

import numpy as np
import pytest

from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.equalize import equalize
from compress.convert.quantize.model import read, write
from compress.convert.quantize.ranges import observe
from tests.compress.convert.quantize.graphs import Net, images, run

RELU, RELU6 = 1, 3


def uneven(net: Net, constants: int) -> None:
    """Give the output channels of a convolution sizes from 1/30 to 30: its weights are tensor `constants`."""
    tensor = net.graph.tensors[constants]
    values = np.frombuffer(net.model.buffers[tensor.buffer].data.tobytes(), np.float32).reshape(tensor.shape)
    sizes = np.float32(30) ** np.linspace(-1, 1, tensor.shape[0], dtype=np.float32)
    changed = values * sizes.reshape(-1, *[1] * (values.ndim - 1))
    net.model.buffers[tensor.buffer].data = np.frombuffer(changed.tobytes(), np.uint8)


def chain(between: str, activation: int = RELU) -> tuple[Net, bytes]:
    net = Net(3)
    x = net.input(1, 8, 8, 4)
    weights = len(net.graph.tensors)
    y = net.conv(x, 16, activation=activation)
    uneven(net, weights)
    if between == "pad":
        y = net.pad(y)
    elif between == "relu":
        y = net.one("RELU", y)
    elif between == "pool":
        y = net.pool(y)
    if between == "depthwise":
        y = net.depthwise(y, activation=RELU)
    return net, net.flatbuffer(net.conv(y, 6))


def equalized(flatbuffer: bytes, calibration: list[np.ndarray]) -> bytes:
    model = read(flatbuffer, "a network")
    equalize(model, observe(model, write(read(flatbuffer, "a network"), "a network"), calibration, "a network"))
    return write(model, "a network")


@pytest.mark.parametrize("between", ["", "pad", "relu", "pool", "depthwise"])
def test_in_float_nothing_changes(between: str) -> None:
    net, flatbuffer = chain(between, RELU if between != "relu" else 0)
    changed = equalized(flatbuffer, images(net))
    fresh = images(net, 4, seed=9)
    (before,), (after,) = run(flatbuffer, fresh), run(changed, fresh)
    assert changed != write(read(flatbuffer, "a network"), "a network")
    assert np.abs(after - before).max() <= 2e-6 * np.abs(before).max()


def test_relu6_and_a_tensor_that_others_read_are_left_alone() -> None:
    net, flatbuffer = chain("", RELU6)
    assert equalized(flatbuffer, images(net)) == write(read(flatbuffer, "a network"), "a network")
    net = Net(3)
    y = net.conv(net.input(1, 8, 8, 4), 4, activation=RELU)
    flatbuffer = net.flatbuffer(net.two("ADD", net.conv(y, 4), y))
    assert equalized(flatbuffer, images(net)) == write(read(flatbuffer, "a network"), "a network")


def test_what_was_observed_changes_with_the_network() -> None:
    net, flatbuffer = chain("pool")
    model, calibration = read(flatbuffer, "a network"), images(net)
    flatbuffer = write(model, "a network")
    predicted = equalize(model, observe(model, flatbuffer, calibration, "a network"))
    seen = observe(model, write(model, "a network"), calibration, "a network")
    for tensor, one in seen.items():
        for found, wanted in zip(predicted[tensor], one, strict=True):
            assert np.allclose(found, wanted, rtol=1e-4, atol=1e-5)


def test_it_is_taken_where_it_helps() -> None:
    net, flatbuffer = chain("depthwise")
    made = quantize(flatbuffer, images(net, 16), Choices("min-max", True, False))
    (gain,) = made.gains
    assert gain.choice == "equalize" and gain.taken and gain.snr_db_with > gain.snr_db_without + 2
    fresh = images(net, 4, seed=9)
    plain = quantize(flatbuffer, images(net, 16), Choices("min-max", False, False))
    errors = [np.abs(run(one.flatbuffer, fresh)[0] - run(flatbuffer, fresh)[0]).mean() for one in (made, plain)]
    assert errors[0] < errors[1]
