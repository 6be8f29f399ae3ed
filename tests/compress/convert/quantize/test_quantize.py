"""What is special: few or odd images, networks that are hardly any, and those that can't become int8."""

from __future__ import annotations

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.model import Model, read, write
from edge.errors import EdgeError
from tests.compress.convert.quantize.graphs import Net, errors_of_operators, images, run

FULL = Choices(range="min-max", equalize=False, correct_bias=False, full=True)


def small(seed: int = 0) -> Net:
    net = Net(seed)
    x = net.conv(net.input(1, 8, 8, 3), 4, activation=1)
    net.output = net.dense(net.reduce(net.depthwise(x)), 3)  # type: ignore[attr-defined]
    return net


def refused(flatbuffer: bytes, calibration: list[np.ndarray], choices: Choices = FULL) -> EdgeError:
    with pytest.raises(EdgeError) as error:
        quantize(flatbuffer, calibration, choices, "mine")
    assert "mine" in str(error.value)
    return error.value


def computed(model: Model) -> set[int]:
    return {t.type for k, t in enumerate(model.tensors) if not model.is_constant(k)}


def test_all_is_int8_with_inputs_and_outputs() -> None:
    net = small()

    made = read(quantize(net.flatbuffer(net.output), images(net), FULL).flatbuffer, "made")

    assert computed(made) == {schema.TensorType.INT8}
    weights = [
        made.tensors[operator.inputs[1]].quantization for operator in made.operators if len(operator.inputs) == 3
    ]
    assert [(len(one.scale), one.quantizedDimension) for one in weights] == [(4, 0), (4, 3), (3, 0)]
    assert all(not np.any(one.zeroPoint) for one in weights)


@pytest.mark.parametrize("choices", [FULL, Choices()], ids=["plain", "default"])
def test_one_image_is_enough(choices: Choices) -> None:
    net = small()
    calibration = images(net, 1)

    quantized = quantize(net.flatbuffer(net.output), calibration, choices)

    assert max(errors_of_operators(quantized.flatbuffer, calibration).values()) <= 1


@pytest.mark.parametrize("value", [0.0, 1.0, -3.0, 1e-30])
@pytest.mark.parametrize("choices", [FULL, Choices()], ids=["plain", "default"])
def test_constant_images_give_a_file_that_runs(value: float, choices: Choices) -> None:
    net = small()
    calibration = [np.full((4, 8, 8, 3), value, np.float32)]
    flatbuffer = net.flatbuffer(net.output)

    made = quantize(flatbuffer, calibration, choices).flatbuffer

    (wanted,), (found,) = run(flatbuffer, calibration), run(made, calibration)
    assert np.allclose(wanted, found, atol=0.05 * np.abs(wanted).max())


def test_image_beyond_the_calibration_is_clipped_and_finite() -> None:
    net = small()
    made = quantize(net.flatbuffer(net.output), images(net), FULL).flatbuffer

    (found,) = run(made, [np.full((1, 8, 8, 3), 1e20, np.float32)])

    assert np.isfinite(found).all()


@pytest.mark.parametrize("bias", [0.0, 0.25])
@pytest.mark.parametrize("choices", [FULL, Choices()], ids=["plain", "default"])
def test_network_with_a_constant_output_gives_it(bias: float, choices: Choices) -> None:
    net = small()
    last = net.graph.operators[-1]
    for tensor, value in zip(last.inputs[1:], (0, bias), strict=True):
        net.set(tensor, value)

    made = quantize(net.flatbuffer(net.output), images(net), choices).flatbuffer

    (found,) = run(made, images(net))
    assert np.allclose(found, bias, atol=1e-3)


@pytest.mark.parametrize("number", range(8))
def test_nearly_dead_layers_give_files_that_load(number: int) -> None:
    net = Net(number)
    x = net.conv(net.input(1, 6, 6, 3), 4)
    tiny = net.conv(x, 4)
    for tensor in net.graph.operators[1].inputs[1:]:
        net.set(tensor, net.values(tensor) * 10.0 ** (-4 * number))
    nothing = net.two("SUB", net.two("ADD", x, tiny), x)
    output = net.concat(net.two("SQUARED_DIFFERENCE", tiny, x), net.two("SUB", tiny, tiny))
    flatbuffer, calibration = net.flatbuffer(nothing, output), images(net)

    made = quantize(flatbuffer, calibration, FULL).flatbuffer

    for found in (run(made, calibration), run(made, calibration, xnnpack=False)):
        wanted = run(flatbuffer, calibration)
        assert np.abs(wanted[0] - found[0]).max() <= 0.1  # a difference of equals: a few steps of what they are
        assert np.abs(wanted[1] - found[1]).max() <= 0.05 * np.abs(wanted[1]).max()


def test_large_bias_widens_the_weights_of_its_channel_alone() -> None:
    net = Net()
    output = net.dense(net.reduce(net.input(1, 4, 4, 3)), 2)
    weights, bias = net.graph.operators[-1].inputs[1:]
    for tensor, values in ((weights, [[1e-8, 0, 0], [1, 2, 3]]), (bias, [100, 1])):
        net.set(tensor, values)

    made = read(quantize(net.flatbuffer(output), images(net), FULL).flatbuffer, "made")

    weights, bias = made.operators[-1].inputs[1:]
    assert made.values(weights).tolist() == [[0, 0, 0], [42, 85, 127]]
    steps = made.tensors[bias].quantization.scale
    assert np.allclose(made.values(bias) * steps, [100, 1], rtol=1e-4)
    assert made.values(bias)[0] == 2**30


def test_constants_that_several_read_get_the_steps_of_each() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    shared = net.random(3)
    output = net.concat(net.two("MUL", x, shared), net.pad(net.two("ADD", net.conv(x, 3), shared), 0))
    other = net.two("MAXIMUM", net.conv(x, 3), shared)
    flatbuffer, calibration = net.flatbuffer(output, other), images(net)

    made = quantize(flatbuffer, calibration, FULL).flatbuffer

    assert max(errors_of_operators(made, [values[:1] for values in calibration]).values()) <= 1


def test_several_inputs_have_steps_of_their_own() -> None:
    net = Net()
    x, y = net.input(1, 4, 4, 3), net.input(1, 3)
    output = net.two("MUL", net.conv(x, 3), y)
    calibration = images(net)
    calibration[1] *= 100

    made = quantize(net.flatbuffer(output), calibration, FULL).flatbuffer

    model = read(made, "made")
    scales = [model.tensors[tensor].quantization.scale[0] for tensor in model.inputs]
    assert 30 < scales[1] / scales[0] < 300
    assert max(errors_of_operators(made, [values[:1] for values in calibration]).values()) <= 1


def test_report_is_in_the_order_of_the_graph_with_modules() -> None:
    net = small()
    flatbuffer, calibration = net.flatbuffer(net.output), images(net)
    (output,) = read(write(read(flatbuffer, "net"), "net"), "net").outputs
    reported = quantize(flatbuffer, calibration, FULL, modules={output: "head"}).tensors

    assert [one.operator for one in reported] == ["", "CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "FULLY_CONNECTED"]
    assert [one.module for one in reported] == ["", "", "", "", "head"]
    assert [one.shape for one in reported] == [(1, 8, 8, 3), (1, 8, 8, 4), (1, 8, 8, 4), (1, 4), (1, 3)]
    assert all(one.type == "int8" and 25 < one.snr_db < 60 for one in reported)
    assert reported[1].low == 0 and np.isclose(reported[0].high, calibration[0].max())


def test_padding_of_a_maximum_does_not_count_in_the_report() -> None:
    net = Net()
    output = net.pool(net.pad(net.input(1, 5, 5, 2), value=float(np.finfo(np.float32).min)), "MAX", 3, 2)

    reported = quantize(net.flatbuffer(output), images(net), FULL).tensors

    assert [one.operator for one in reported] == ["", "PADV2", "MAX_POOL_2D"]
    assert 30 < reported[1].snr_db < 60
    assert abs(reported[1].low) < 10


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite_are_refused(value: float) -> None:
    net = small()
    calibration = images(net)
    calibration[0][2, 0, 0, 0] = value

    error = refused(net.flatbuffer(net.output), calibration)

    assert error.code == "conversion.calibration" and "1 of the 8" in str(error)


@pytest.mark.parametrize(
    "calibration",
    [[], [np.zeros((0, 8, 8, 3), np.float32)], [np.zeros((4, 3, 8, 8), np.float32)], [np.zeros((4, 8, 8, 3))] * 2],
)
def test_images_that_do_not_fit_are_refused(calibration: list[np.ndarray]) -> None:
    net = small()

    error = refused(net.flatbuffer(net.output), calibration)

    assert error.code == "conversion.calibration" and "(8, 8, 3)" in str(error)


@pytest.mark.parametrize(
    "kind, scale, said", [("EXP", 1e3, "EXP"), ("LOG", -1.0, "LOG"), ("CONV_2D", np.nan, "weights")]
)
def test_network_that_overflows_is_refused(kind: str, scale: float, said: str) -> None:
    net = Net()
    x = net.two("MUL", net.input(1, 4, 4, 3), net.constant(np.float32([scale])))
    output = net.one(kind, x, "Exp" if kind == "EXP" else "") if kind != "CONV_2D" else net.conv(x, 2)

    error = refused(net.flatbuffer(output), images(net))

    assert error.code == "conversion.finite"
    assert said in str(error) or "MUL" in str(error)


def test_operator_without_an_int8_kernel_is_refused_where_all_has_to_be_int8() -> None:
    net = Net()
    output = net.one("SIN", net.conv(net.input(1, 4, 4, 3), 2))

    error = refused(net.flatbuffer(output), images(net))

    assert error.code == "conversion.operator" and "SIN" in str(error)


def divided(weight: float, bias: float) -> tuple[bytes, list[np.ndarray]]:
    """A network that divides by what a convolution gives, and multiplies by it."""
    net = Net()
    x = net.input(1, 6, 6, 3)
    sigmoid = net.one("LOGISTIC", net.two("MUL", net.conv(x, 3), net.constant(np.float32([8]))))
    divisor = net.conv(sigmoid, 3, 1)
    for tensor, value in zip(net.graph.operators[-1].inputs[1:], (weight, bias), strict=True):
        net.set(tensor, value)
    return net.flatbuffer(net.two("MUL", net.two("DIV", net.conv(x, 3), divisor), divisor)), images(net)


def test_divisor_that_int8_would_round_to_zero_stays_float() -> None:
    flatbuffer, calibration = divided(0.3, 1e-6)

    made = quantize(flatbuffer, calibration, Choices("min-max", False, False)).flatbuffer

    (wanted,), (found,) = run(flatbuffer, calibration), run(made, calibration)
    assert np.abs(wanted - found).max() < 0.1


@pytest.mark.parametrize("choices", [FULL, Choices()], ids=["plain", "default"])
def test_divisor_that_is_zero_is_refused(choices: Choices) -> None:
    error = refused(*divided(0, 0), choices)

    assert error.code == ("conversion.operator" if choices.full else "conversion.finite") and "DIV" in str(error)


@pytest.mark.parametrize("kind", ["int8", "float16"])
def test_network_that_is_quantized_is_refused(kind: str) -> None:
    net = small()
    flatbuffer = net.flatbuffer(net.output)
    if kind == "int8":
        flatbuffer = quantize(flatbuffer, images(net), FULL).flatbuffer
    else:
        half = net.constant(np.zeros(3, np.float32))
        net.graph.tensors[half].type = schema.TensorType.FLOAT16
        net.model.buffers[net.graph.tensors[half].buffer].data = np.zeros(6, np.uint8)
        flatbuffer = net.flatbuffer(net.add("DEQUANTIZE", [half], [3], "Dequantize"), net.output)

    error = refused(flatbuffer, images(net))

    assert error.code == "conversion.quantized" and kind.upper() in str(error)


@pytest.mark.parametrize("choices", [FULL, Choices()], ids=["plain", "default"])
def test_output_that_is_a_constant_is_refused(choices: Choices) -> None:
    net = Net()
    computed = net.conv(net.input(1, 4, 4, 3), 2)

    error = refused(net.flatbuffer(net.random(1, 3), computed), images(net), choices)

    assert error.code == "conversion.ends"


def test_input_that_is_no_float_is_refused() -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    net.graph.inputs.append(net.tensor((1, 2), "int32"))

    error = refused(net.flatbuffer(net.conv(x, 2)), images(net))

    assert error.code == "conversion.ends"


@pytest.mark.parametrize("choices", [FULL, Choices()], ids=["plain", "default"])
def test_outputs_may_be_whole_numbers_inputs_and_what_others_read(choices: Choices) -> None:
    net = Net()
    x = net.input(1, 4, 4, 3)
    y = net.conv(x, 2)
    best = net.add("ARG_MAX", [y, net.constant(np.int32(3))], (1, 4, 4), "ArgMax", of="int64", outputType=4)
    flatbuffer = net.flatbuffer(best, x, y, net.conv(y, 2), y)

    made = quantize(flatbuffer, images(net), choices).flatbuffer

    wanted, found = run(flatbuffer, images(net)), run(made, images(net))
    assert (wanted[0] == found[0]).mean() > 0.9
    for one, other in zip(wanted[1:], found[1:], strict=True):
        assert np.abs(one - other).max() < 0.05 * np.abs(one).max()
