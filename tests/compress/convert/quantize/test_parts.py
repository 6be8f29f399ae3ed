"""Parts that stay float32 or have 16 bits: where they begin and end, and that they are what they should."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize import Choices, Quantized, quantize
from compress.convert.quantize.model import read
from compress.convert.quantize.operators import VERSIONS
from edge.errors import EdgeError
from tests.compress.convert.quantize.graphs import Net, images, run

PLAIN = Choices("min-max", False, False)
FULL = Choices("min-max", False, False, full=True)
INT8, FLOAT32 = schema.TensorType.INT8, schema.TensorType.FLOAT32


def types(flatbuffer: bytes) -> list[tuple[str, int]]:
    """Each operator, and the type of what it writes."""
    model = read(flatbuffer, "a network")
    return [(model.kind(op), model.tensors[int(op.outputs[0])].type) for op in model.operators]


def normalized() -> tuple[Net, bytes]:
    """A convolution, a LayerNorm in parts, and a convolution behind it."""
    net = Net(2)
    x = net.conv(net.input(1, 8, 8, 16), 32)
    mean = net.reduce(x, axes=(3,), keep=True)
    variance = net.reduce(net.two("SQUARED_DIFFERENCE", x, mean), axes=(3,), keep=True)
    root = net.one("RSQRT", net.two("ADD", variance, net.constant(np.array([1e-3], np.float32))))
    return net, net.flatbuffer(net.conv(net.two("MUL", net.two("SUB", x, mean), root), 32))


def test_a_normalization_stays_float_and_convolutions_do_not() -> None:
    net, flatbuffer = normalized()
    made = quantize(flatbuffer, images(net), PLAIN)
    found = types(made.flatbuffer)
    assert [kind for kind, _ in found if kind == "DEQUANTIZE"] == ["DEQUANTIZE"]
    assert {kind for kind, become in found if become == FLOAT32} == {
        "DEQUANTIZE",
        "MEAN",
        "SQUARED_DIFFERENCE",
        "ADD",
        "RSQRT",
        "SUB",
        "MUL",
    }
    assert [become for kind, become in found if kind == "CONV_2D"] == [INT8, INT8]
    model = read(made.flatbuffer, "a network")
    assert {model.tensors[end].type for end in [*model.inputs, *model.outputs]} == {INT8}
    assert {one.type for one in made.tensors} == {"int8", "float32"}
    fresh = images(net, 4, seed=9)
    (wanted,) = run(flatbuffer, fresh)
    errors = [
        np.abs(run(one.flatbuffer, fresh)[0] - wanted).max() for one in (made, quantize(flatbuffer, images(net), FULL))
    ]
    assert errors[0] < 0.9 * errors[1] and errors[0] < 0.1 * np.abs(wanted).max()


def test_full_is_int8_throughout() -> None:
    net, flatbuffer = normalized()
    assert {become for _, become in types(quantize(flatbuffer, images(net), FULL).flatbuffer)} == {INT8}


def test_full_refuses_what_has_no_int8_kernel_and_names_it() -> None:
    net = Net()
    x = net.conv(net.input(1, 4, 4, 8), 32)
    flatbuffer = net.flatbuffer(net.conv(net.one("SIN", x), 32))
    with pytest.raises(EdgeError, match=r"SIN.*no int8 kernel") as error:
        quantize(flatbuffer, images(net), FULL)
    assert error.value.code == "conversion.operator"
    found = types(quantize(flatbuffer, images(net), PLAIN).flatbuffer)
    assert ("SIN", FLOAT32) in found and ("CONV_2D", INT8) in found


def test_a_network_that_is_float_to_the_end_has_int8_ends() -> None:
    net = Net()
    x = net.input(1, 6)
    flatbuffer = net.flatbuffer(net.one("SIN", x), net.softmax(x))
    made = quantize(flatbuffer, images(net), PLAIN)
    model, was = read(made.flatbuffer, "a network"), read(flatbuffer, "a network")
    assert [model.name(end) for end in model.outputs] == [was.name(end) for end in was.outputs]
    assert all(model.tensors[end].type == INT8 for end in [*model.inputs, *model.outputs])
    for found, wanted in zip(run(made.flatbuffer, images(net)), run(flatbuffer, images(net)), strict=True):
        assert np.abs(found - wanted).max() < 0.03


@pytest.mark.parametrize(("taps", "becomes"), [(5, INT8), (7, FLOAT32)])
def test_a_large_depthwise_window_stays_float(taps: int, becomes: int) -> None:
    net = Net()
    x = net.conv(net.input(1, 9, 9, 8), 8)
    found = types(quantize(net.flatbuffer(net.conv(net.depthwise(x, taps), 8)), images(net), PLAIN).flatbuffer)
    assert ("DEPTHWISE_CONV_2D", becomes) in found


def test_a_small_matrix_between_float_parts_stays_float_and_a_large_one_does_not() -> None:
    for units, becomes in ((16, FLOAT32), (256, INT8)):
        net = Net()
        x = net.softmax(net.conv(net.input(1, 4, 4, 8), units, size=1))
        flatbuffer = net.flatbuffer(net.conv(net.softmax(net.dense(x, units)), 8))
        assert ("FULLY_CONNECTED", becomes) in types(quantize(flatbuffer, images(net), PLAIN).flatbuffer)


def test_a_transposed_convolution_stays_float_between_float_parts_only() -> None:
    for between, becomes in ((True, FLOAT32), (False, INT8)):
        net = Net()
        x = net.conv(net.input(1, 4, 4, 8), 64)
        x = net.transposed(net.softmax(x) if between else x, 64)
        flatbuffer = net.flatbuffer(net.conv(net.softmax(x), 8))
        assert ("TRANSPOSE_CONV", becomes) in types(quantize(flatbuffer, images(net), PLAIN).flatbuffer)


@pytest.mark.parametrize("pattern", ["t3", "head.*", "head.first", "head"])
def test_parts_are_named_by_tensors_or_modules(pattern: str) -> None:
    net = Net()
    flatbuffer = net.flatbuffer(net.conv(net.conv(net.input(1, 4, 4, 8), 8), 8))
    model = read(flatbuffer, "a network")
    first = int(model.operators[0].outputs[0])
    model.tensors[first].name = b"t3"
    made = quantize(
        flatbuffer.replace(b"t" + str(first).encode(), b"t3") if first != 3 else flatbuffer,
        images(net),
        Choices("min-max", False, False, float32=(pattern,)),
        modules={first: "head.first"},
    )
    assert [become for kind, become in types(made.flatbuffer) if kind == "CONV_2D"] == [FLOAT32, INT8]


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_a_relu_that_stands_alone_ends_an_addition_of_nothing(kind: str) -> None:
    net = Net()
    x = net.input(1, 4, 4, 8)
    flatbuffer = net.flatbuffer(net.one(kind, x), net.conv(x, 3))
    fresh = [4 * one for one in images(net)]
    made, full = (quantize(flatbuffer, fresh, one) for one in (PLAIN, FULL))
    assert [one for one, _ in types(made.flatbuffer)] == ["ADD", "CONV_2D"]
    assert [one for one, _ in types(full.flatbuffer)] == [kind, "CONV_2D"]
    assert made.tensors[1].operator == kind
    wanted = run(flatbuffer, fresh)[0]
    errors = [np.abs(run(one.flatbuffer, fresh)[0] - wanted).max() for one in (made, full)]
    assert errors[0] <= errors[1] + made.tensors[1].scale + 1e-6 and errors[0] < 0.05 * np.abs(fresh[0]).max()


def test_a_part_that_is_not_there_is_refused() -> None:
    net = Net()
    flatbuffer = net.flatbuffer(net.conv(net.input(1, 4, 4, 8), 8))
    with pytest.raises(EdgeError, match=r"no tensor or module .* 'neck.*'.*expected.*correct") as error:
        quantize(flatbuffer, images(net), Choices(int16=("neck.*",)))
    assert error.value.code == "conversion.part"


UNARY: dict[str, Callable[[Net, int], int]] = {
    "CONV_2D": lambda net, x: net.conv(x, 6),
    "DEPTHWISE_CONV_2D": lambda net, x: net.depthwise(x),
    "TRANSPOSE_CONV": lambda net, x: net.transposed(x, 4),
    "FULLY_CONNECTED": lambda net, x: net.dense(x, 6),
    "SOFTMAX": lambda net, x: net.softmax(x),
    "LOGISTIC": lambda net, x: net.one("LOGISTIC", x),
    "TANH": lambda net, x: net.one("TANH", x),
    "RELU": lambda net, x: net.one("RELU", x),
    "LEAKY_RELU": lambda net, x: net.one("LEAKY_RELU", x, "LeakyRelu", alpha=0.1),
    "ADD": lambda net, x: net.two("ADD", x, net.random(1, 1, 1, 8)),
    "SUB": lambda net, x: net.two("SUB", x, net.random(1, 1, 1, 8)),
    "MUL": lambda net, x: net.two("MUL", x, net.random(1, 1, 1, 8)),
    "MAX_POOL_2D": lambda net, x: net.pool(x),
    "AVERAGE_POOL_2D": lambda net, x: net.pool(x, "AVERAGE"),
    "PAD": lambda net, x: net.pad(x),
    "MEAN": lambda net, x: net.reduce(x, keep=True),
    "CONCATENATION": lambda net, x: net.concat(x, x),
    "RESHAPE": lambda net, x: net.reshape(x, 1, 64, 8),
    "TRANSPOSE": lambda net, x: net.transpose(x, 0, 2, 1, 3),
    "RESIZE_BILINEAR": lambda net, x: net.resize(x),
    "SLICE": lambda net, x: net.cut(x),
}


@pytest.mark.parametrize("kind", UNARY)
def test_sixteen_bits_are_nearer_than_eight(kind: str) -> None:
    assert kind in VERSIONS
    net = Net(4)
    x = net.input(1, 8, 8, 8)
    flatbuffer = net.flatbuffer(UNARY[kind](net, x))
    made: list[Quantized] = [
        quantize(flatbuffer, images(net), one)
        for one in (FULL, Choices("min-max", False, False, int16=("*",), full=True))
    ]
    found = types(made[1].flatbuffer)
    assert (kind, schema.TensorType.INT16) in found
    (wanted,) = run(flatbuffer, images(net))
    errors = [np.abs(run(one.flatbuffer, images(net), xnnpack=False)[0] - wanted).mean() for one in made]
    # Inputs and outputs have 8 bits in both; what only moves values loses nothing else with 8 bits.
    assert (
        errors[1] <= (2.1 if kind in ("MAX_POOL_2D", "SLICE") else 1.05) * errors[0]
        and errors[1] < 0.03 * np.abs(wanted).max() + 1e-6
    )


def test_sixteen_bits_are_refused_where_there_is_no_kernel() -> None:
    net = Net()
    flatbuffer = net.flatbuffer(net.one("GELU", net.conv(net.input(1, 4, 4, 8), 8), "Gelu"))
    with pytest.raises(EdgeError, match=r"GELU.*no int16 kernel"):
        quantize(flatbuffer, images(net), Choices(int16=("*",)))
