"""Scales and zero points: of a range, of tensors that share one, and those that an operator fixes."""

from __future__ import annotations

import math
from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.model import Model, read
from compress.convert.quantize.parameters import BIAS, asymmetric, in_steps, of_weights, symmetric
from tests.compress.convert.quantize.graphs import Net, images, run

FULL = Choices(range="min-max", equalize=False, correct_bias=False, full=True)
ENDS = st.floats(-1e6, 1e6, width=32)


def made(net: Net, *outputs: int) -> tuple[Model, list[np.ndarray]]:
    """Return the int8 network, and what the float one gives for the calibration images."""
    flatbuffer, calibration = net.flatbuffer(*outputs), images(net)
    return read(quantize(flatbuffer, calibration, FULL).flatbuffer, "made"), run(flatbuffer, calibration)


def kinds(model: Model) -> list[str]:
    return [model.kind(operator) for operator in model.operators]


def scale(model: Model, tensor: int) -> tuple[float, int]:
    steps = model.tensors[tensor].quantization
    return float(steps.scale[0]), int(steps.zeroPoint[0])


def of_last(model: Model) -> tuple[list[tuple[float, int]], tuple[float, int]]:
    """Return scale and zero point of what the last operator reads, and of what it gives."""
    last = model.operators[-1]
    inputs = [tensor for tensor in last.inputs if model.tensors[tensor].quantization is not None]
    return [scale(model, tensor) for tensor in inputs], scale(model, last.outputs[0])


@given(ENDS, ENDS)
def test_range_is_covered_and_zero_is_exact(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)

    step, zero_point = asymmetric(low, high)

    assert -128 <= zero_point <= 127
    least, most = (-128 - zero_point) * step, (127 - zero_point) * step
    slack = 0.5 * step + 1e-6 * (high - low)
    assert least - slack <= min(low, 0) and max(high, 0) <= most + slack
    assert (
        most - least <= (max(high, 0) - min(low, 0)) * (1 + 1e-5) or low == high == 0 or step < 1e-30 or step == 1 / 256
    )


@given(ENDS, ENDS)
def test_symmetric_range_is_covered_around_zero(one: float, other: float) -> None:
    step, zero_point = symmetric(min(one, other), max(one, other))

    assert zero_point == 0
    assert 127 * step >= max(-min(one, other), max(one, other), 0) * (1 - 1e-6)


@given(st.integers(-(2**20), 2**20), st.integers(-8, 8))
def test_halves_are_rounded_away_from_zero(halves: int, power: int) -> None:
    step = 2.0**power

    found = in_steps(np.float32([halves * step / 2]), step)

    assert found[0] == int((Decimal(halves) / 2).quantize(Decimal(1), ROUND_HALF_UP))


@given(
    st.lists(st.floats(-100, 100, width=32), min_size=2, max_size=2),
    st.floats(-1e6, 1e6, width=32),
    st.floats(2.0**-20, 1.0),
)
def test_weights_and_bias_of_a_channel_fit(weights: list[float], bias: float, step: float) -> None:
    of_weight, of_bias = of_weights(np.float32([weights]), 0, np.float32([bias]), step)

    assert max(map(abs, weights)) <= 127 * of_weight[0] * (1 + 1e-6)
    assert abs(bias) <= BIAS * of_bias[0] * (1 + 1e-9)
    assert math.isclose(of_bias[0], step * of_weight[0], rel_tol=1e-9)


@pytest.mark.parametrize(
    "kind, options, wanted",
    [
        ("SOFTMAX", "Softmax", (1 / 256, -128)),
        ("LOGISTIC", "", (1 / 256, -128)),
        ("TANH", "", (1 / 128, 0)),
        ("L2_NORMALIZATION", "L2Norm", (1 / 128, 0)),
        ("LOG_SOFTMAX", "LogSoftmax", (1 / 16, 127)),
    ],
)
def test_operator_fixes_the_scale_also_of_what_only_moves_it(
    kind: str, options: str, wanted: tuple[float, int]
) -> None:
    net = Net()
    fields = {"beta": 1.0} if kind == "SOFTMAX" else {}
    fixed = net.one(kind, net.input(1, 4, 4, 3), options, **fields)

    model, _ = made(net, net.reshape(fixed, 1, 48))

    assert of_last(model)[1] == scale(model, model.operators[0].outputs[0]) == wanted


def test_joined_tensors_share_the_range_of_all() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)

    model, (values,) = made(net, net.concat(net.conv(x, 2), net.pad(net.conv(x, 3), 0), net.conv(x, 1)))

    inputs, output = of_last(model)
    assert set(inputs) == {output}
    assert np.isclose(output[0], np.ptp(values) / 255, rtol=1e-4)


def test_sigmoids_alone_are_joined_as_they_are() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)

    model, _ = made(net, net.concat(net.one("LOGISTIC", x), net.one("LOGISTIC", net.conv(x, 2))))

    assert "QUANTIZE" not in kinds(model)
    assert of_last(model)[1] == (1 / 256, -128)


def test_sigmoid_is_requantized_once_where_it_is_joined_with_others() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    sigmoid = net.one("LOGISTIC", x)

    model, (values,) = made(net, net.concat(sigmoid, x, sigmoid))

    assert kinds(model) == ["LOGISTIC", "QUANTIZE", "CONCATENATION"]
    inputs, output = of_last(model)
    assert set(inputs) == {output} and np.isclose(output[0], np.ptp(values) / 255, rtol=1e-4)


@pytest.mark.parametrize("kind", ["MAXIMUM", "MINIMUM"])
def test_what_a_maximum_leaves_out_is_no_range(kind: str) -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)

    model, (values,) = made(net, net.two(kind, net.conv(x, 3), net.random(3)))

    inputs, output = of_last(model)
    assert set(inputs) == {output}
    assert np.isclose(output[0], (max(values.max(), 0) - min(values.min(), 0)) / 255, rtol=1e-4)


def test_what_another_operator_reads_counts_beside_a_maximum() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    both = net.conv(x, 3)

    model, (_, values) = made(net, net.two("MAXIMUM", both, net.random(3)), net.reshape(both, 1, 48))

    assert scale(model, model.outputs[0])[0] >= np.ptp(values) / 255 * 0.999


def test_second_factor_of_a_matrix_product_has_zero_point_zero() -> None:
    net = Net()
    x = net.input(1, 4, 3)
    sigmoid = net.one("LOGISTIC", net.input(1, 3, 4))

    model, _ = made(net, net.matmul(net.matmul(x, sigmoid), net.constant(np.float32([[[1], [2], [3], [4]]]))))

    products = [operator for operator in model.operators if model.kind(operator) == "BATCH_MATMUL"]
    assert [scale(model, operator.inputs[1])[1] for operator in products] == [0, 0]
    assert kinds(model) == ["LOGISTIC", "QUANTIZE", "BATCH_MATMUL", "BATCH_MATMUL"]


def test_padding_below_all_numbers_is_the_least_integer() -> None:
    net = Net()
    x = net.input(1, 5, 5, 2)

    model, _ = made(net, net.pool(net.pad(x, value=-math.inf), "MAX", 3, 2))

    padded = next(operator for operator in model.operators if model.kind(operator) == "PADV2")
    assert model.values(padded.inputs[2]) == -128
    assert scale(model, padded.inputs[2]) == scale(model, padded.inputs[0])
