"""Bias correction: the mean error of a layer goes, as the equation says."""

from __future__ import annotations

import numpy as np
import pytest

from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.bias import correct
from compress.convert.quantize.model import read, write
from compress.convert.quantize.parameters import Scaled
from compress.convert.quantize.ranges import observe
from tests.compress.convert.quantize.graphs import Net, images, run


def layer(kind: str, stride: int) -> tuple[Net, bytes]:
    net = Net(5)
    if kind == "dense":
        return net, net.flatbuffer(net.dense(net.input(1, 32), 8))
    x = net.input(1, 9, 9, 8)
    return net, net.flatbuffer(net.conv(x, 6, stride=stride) if kind == "conv" else net.depthwise(x, stride=stride))


@pytest.mark.parametrize("kind", ["conv", "depthwise", "dense"])
@pytest.mark.parametrize("stride", [1, 2])
def test_the_mean_error_of_a_layer_goes(kind: str, stride: int) -> None:
    net, flatbuffer = layer(kind, stride)
    calibration = [np.abs(one) + 1 for one in images(net, 32)]  # a mean that is not zero
    (wanted,) = run(flatbuffer, calibration)
    axes = tuple(range(wanted.ndim - 1))
    errors = []
    for correction in (False, True):
        made = quantize(flatbuffer, calibration, Choices("min-max", False, correction))
        (found,) = run(made.flatbuffer, calibration)
        errors.append(np.abs((found - wanted).mean(axes)).mean())
        step = made.tensors[-1].scale
    assert errors[1] < 0.3 * errors[0] + 0.05 * step


def test_biases_are_those_of_the_equation() -> None:
    net, flatbuffer = layer("dense", 1)
    calibration = [np.abs(one) for one in images(net, 8)]
    model = read(flatbuffer, "a network")
    flatbuffer = write(model, "a network")
    observed = observe(model, flatbuffer, calibration, "a network")
    _, weights, bias = map(int, model.operators[0].inputs)
    scaled = {0: Scaled(0.05, -128, 0.0, 12.75, "min-max")}
    before, values = model.values(bias).astype(np.float64), model.values(weights).astype(np.float64)
    correct(model, scaled, observed)
    steps = np.abs(values).max(1, keepdims=True) / 127
    rounded = np.round(values / steps) * steps
    x = calibration[0].astype(np.float64)
    reached = np.clip(np.round(x / 0.05), 0, 255) * 0.05
    wanted = before - (reached @ rounded.T - x @ values.T).mean(0)
    assert np.allclose(model.values(int(model.operators[0].inputs[2])), wanted, atol=1e-5)
