"""What the Edge TPU would take: each documented limit, on flatbuffers that another schema made."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from compress.convert import graph
from edge.errors import EdgeError
from edge.model import find, read, shipped
from firmware_bridge.coral import rules
from firmware_bridge.coral.mapping import CACHE_BYTES, examine

pytest.importorskip("tensorflow")
from tests.firmware_bridge.graphs import Data, Step, build

DATA = Path(__file__).parents[2] / "edge/data"
IMAGE = Data((1, 8, 8, 4))


def int8(*shape: int) -> np.ndarray:
    return np.ones(shape, np.int8)


def int32(*values: int) -> np.ndarray:
    return np.array(values, np.int32)


def alone(name: str, tensors: list, options: str = "", **fields: int) -> str:
    """Return why an operator from all tensors but the last one to the last one would not be taken."""
    last = len(tensors) - 1
    flatbuffer = build(tensors, [Step(name, list(range(last)), [last], options, fields)])
    (operator,) = graph.read(flatbuffer, "a test").operators
    assert operator.name == name
    return rules.reason(operator)


# Documented operator: a use that is taken, and uses that are not with a part of the reason.
CASES = [
    ("ADD", [IMAGE, IMAGE, IMAGE], "AddOptions", {}, ""),
    ("ADD", [IMAGE, IMAGE, IMAGE], "AddOptions", {"fusedActivationFunction": 1}, ""),
    ("AVERAGE_POOL_2D", [IMAGE, IMAGE], "Pool2DOptions", {}, ""),
    ("AVERAGE_POOL_2D", [IMAGE, IMAGE], "Pool2DOptions", {"fusedActivationFunction": 3}, "activation function (RELU6)"),
    ("MAX_POOL_2D", [IMAGE, IMAGE], "Pool2DOptions", {}, ""),
    ("MAX_POOL_2D", [IMAGE, IMAGE], "Pool2DOptions", {"fusedActivationFunction": 1}, "activation function (RELU)"),
    ("CONCATENATION", [IMAGE, IMAGE, IMAGE, Data((1, 8, 8, 12))], "ConcatenationOptions", {}, ""),
    ("CONCATENATION", [IMAGE, int8(1, 8, 8, 4) * 0, Data((1, 8, 8, 8))], "ConcatenationOptions", {}, ""),
    ("CONCATENATION", [IMAGE, int8(1, 8, 8, 4), Data((1, 8, 8, 8))], "ConcatenationOptions", {}, "not all zeros"),
    (
        "CONCATENATION",
        [IMAGE, IMAGE, int8(1, 8, 8, 4) * 0, Data((1, 8, 8, 12))],
        "ConcatenationOptions",
        {},
        "a constant among 3 inputs",
    ),
    (
        "CONCATENATION",
        [IMAGE, IMAGE, Data((1, 8, 8, 8))],
        "ConcatenationOptions",
        {"fusedActivationFunction": 1},
        "activation function",
    ),
    ("CONV_2D", [IMAGE, int8(4, 3, 3, 4), int32(0, 0, 0, 0), IMAGE], "Conv2DOptions", {}, ""),
    (
        "CONV_2D",
        [IMAGE, int8(4, 3, 3, 4), int32(0, 0, 0, 0), IMAGE],
        "Conv2DOptions",
        {"dilationWFactor": 2, "dilationHFactor": 2},
        "",
    ),
    (
        "CONV_2D",
        [IMAGE, int8(4, 3, 3, 4), int32(0, 0, 0, 0), IMAGE],
        "Conv2DOptions",
        {"dilationWFactor": 2, "dilationHFactor": 1},
        "dilation 2 in x and 1 in y",
    ),
    ("CONV_2D", [IMAGE, Data((4, 3, 3, 4)), IMAGE], "Conv2DOptions", {}, "only the 3 innermost"),
    ("CONV_2D", [IMAGE, Data((1, 3, 3, 4)), Data((1, 8, 8, 1))], "Conv2DOptions", {}, "weights or biases that are"),
    (
        "DEPTHWISE_CONV_2D",
        [IMAGE, int8(1, 3, 3, 4), int32(0, 0, 0, 0), IMAGE],
        "DepthwiseConv2DOptions",
        {"dilationWFactor": 1, "dilationHFactor": 3},
        "dilation 1 in x and 3 in y",
    ),
    ("FULLY_CONNECTED", [Data((1, 4)), int8(2, 4), int32(0, 0), Data((1, 2))], "FullyConnectedOptions", {}, ""),
    (
        "FULLY_CONNECTED",
        [Data((1, 4)), int8(2, 4), int32(0, 0), Data((1, 2))],
        "FullyConnectedOptions",
        {"weightsFormat": 1},
        "another than the default format",
    ),
    ("FULLY_CONNECTED", [Data((3, 4)), int8(2, 4), Data((3, 2))], "FullyConnectedOptions", {}, "output of 3x2"),
    ("MEAN", [IMAGE, int32(1, 2), Data((1, 4))], "ReducerOptions", {}, ""),
    ("MEAN", [IMAGE, int32(0), Data((8, 8, 4))], "ReducerOptions", {}, "reduces the batch dimension"),
    ("MEAN", [IMAGE, int32(-4), Data((8, 8, 4))], "ReducerOptions", {}, "reduces the batch dimension"),
    ("MEAN", [IMAGE, int32(-1), Data((1, 8, 8))], "ReducerOptions", {}, ""),
    ("MEAN", [Data((1, 8, 8, 6)), int32(3), Data((1, 8, 8))], "ReducerOptions", {}, "6 channels: expected a multiple"),
    ("MEAN", [IMAGE, Data((2,)), Data((1, 4))], "ReducerOptions", {}, "axes that are computed"),
    ("REDUCE_MAX", [IMAGE, int32(1), Data((1, 8, 4))], "ReducerOptions", {}, ""),
    ("REDUCE_MAX", [IMAGE, int32(0, 1), Data((8, 4))], "ReducerOptions", {}, "the batch dimension"),
    ("REDUCE_MIN", [IMAGE, int32(0), Data((8, 8, 4))], "ReducerOptions", {}, "the batch dimension"),
    ("SUM", [IMAGE, int32(0), Data((8, 8, 4))], "ReducerOptions", {}, "the batch dimension"),
    ("PACK", [Data((8, 4)), Data((8, 4)), Data((8, 2, 4))], "PackOptions", {"axis": 1}, ""),
    ("PACK", [Data((8, 4)), Data((8, 4)), Data((2, 8, 4))], "PackOptions", {"axis": 0}, "packs in the batch"),
    ("PACK", [Data((8, 4)), Data((8, 4)), Data((2, 8, 4))], "PackOptions", {"axis": -3}, "packs in the batch"),
    ("PAD", [IMAGE, int32(0, 0, 1, 1, 1, 1, 0, 4).reshape(4, 2), Data((1, 10, 10, 8))], "PadOptions", {}, ""),
    ("PAD", [IMAGE, int32(0, 1, 0, 0, 0, 0, 0, 0).reshape(4, 2), IMAGE], "PadOptions", {}, "pads the batch"),
    ("PAD", [IMAGE, Data((4, 2), np.int32), IMAGE], "PadOptions", {}, "tensor of int32"),
    ("PRELU", [IMAGE, int8(1, 1, 4), IMAGE], "", {}, ""),
    ("PRELU", [IMAGE, int8(8, 8, 4), IMAGE], "", {}, "an alpha with more than one dimension"),
    ("SOFTMAX", [Data((1, 16000)), Data((1, 16000))], "SoftmaxOptions", {}, ""),
    ("SOFTMAX", [Data((1, 16001)), Data((1, 16001))], "SoftmaxOptions", {}, "16,001 elements"),
    ("SOFTMAX", [Data((1, 2, 8)), Data((1, 2, 8))], "SoftmaxOptions", {}, "an input of 1x2x8"),
    ("SPLIT", [int32(3), IMAGE, Data((1, 8, 8, 2))], "SplitOptions", {}, ""),
    ("SPLIT", [int32(-4), IMAGE, Data((1, 8, 8, 2))], "SplitOptions", {}, "splits the batch"),
    (
        "STRIDED_SLICE",
        [IMAGE, int32(0, 0, 0, 0), int32(1, 4, 4, 4), int32(1, 1, 1, 1), Data((1, 4, 4, 4))],
        "StridedSliceOptions",
        {},
        "",
    ),
    (
        "STRIDED_SLICE",
        [IMAGE, int32(0, 0, 0, 0), int32(1, 8, 8, 4), int32(1, 2, 2, 1), Data((1, 4, 4, 4))],
        "StridedSliceOptions",
        {},
        "strides that are not all 1",
    ),
    (
        "STRIDED_SLICE",
        [IMAGE, int32(0, 0, 0, 0), int32(1, 8, 8, 4), int32(1, 1, 1, 1), IMAGE],
        "StridedSliceOptions",
        {"newAxisMask": 1},
        "a new axis mask",
    ),
    ("TRANSPOSE_CONV", [int32(1, 16, 16, 4), int8(4, 2, 2, 4), IMAGE, Data((1, 16, 16, 4))], "", {}, ""),
    ("RESHAPE", [IMAGE, int32(1, 256), Data((1, 256))], "ReshapeOptions", {}, ""),
    ("QUANTIZE", [IMAGE, Data((1, 8, 8, 4), np.uint8)], "", {}, ""),
    ("QUANTIZE", [Data((1, 8, 8, 4), np.float32, False), IMAGE], "", {}, "a tensor of float32"),
    ("DEQUANTIZE", [IMAGE, Data((1, 8, 8, 4), np.float32, False)], "", {}, "no such operator"),
    ("HARD_SWISH", [IMAGE, IMAGE], "", {}, "no such operator"),
    ("GATHER", [IMAGE, int32(1), IMAGE], "", {}, "no such operator"),
    ("RELU_0_TO_1", [IMAGE, IMAGE], "", {}, "no such operator"),
    # What holds for every operator.
    ("ADD", [Data((2, 8, 8, 4))] * 3, "AddOptions", {}, "2x8x8x4: only the 3 innermost"),
    ("ADD", [Data((1, 2, 8, 8, 4))] * 3, "AddOptions", {}, "1x2x8x8x4: only the 3 innermost"),
    ("ADD", [Data((1, 1, 8, 8, 4))] * 3, "AddOptions", {}, ""),
    ("ADD", [IMAGE, IMAGE, Data((1, 8, 8, 4), signature=(-1, 8, 8, 4))], "AddOptions", {}, "size is not constant"),
    ("ADD", [IMAGE, IMAGE, Data((1, 8, 8, 4), np.float32)], "AddOptions", {}, "a tensor of float32"),
    ("ADD", [IMAGE, IMAGE, Data((1, 8, 8, 4), quantized=False)], "AddOptions", {}, "int8 without quantization"),
    ("ADD", [IMAGE, np.ones((1, 8, 8, 4), np.float32), IMAGE], "AddOptions", {}, "a tensor of float32"),
]


@pytest.mark.parametrize(("name", "tensors", "options", "fields", "said"), CASES)
def test_documented_limits(name, tensors, options, fields, said):
    reason = alone(name, tensors, options, **fields)
    assert said in reason and bool(said) == bool(reason)


def test_every_name_is_one_of_the_schema():
    from tensorflow.lite.python import schema_py_generated as schema

    assert all(hasattr(schema.BuiltinOperator, name) for name in rules.SUPPORTED)
    assert rules.DOUBTFUL.keys() <= rules.SUPPORTED.keys()
    assert len(rules.SUPPORTED) == 40  # rows of the table


@pytest.mark.parametrize("model", shipped(), ids=lambda path: path.stem)
def test_macs_are_those_that_were_counted_on_the_network(model):
    """`compress.cost` counted them on the PyTorch network.

    Normalizations, which it does not count, are 1x1 convolutions of each channel alone where they could not be folded.
    """
    file = read(model)
    found = graph.read(file.flatbuffer, file.path)
    convolutions = [o for o in found.operators if o.name in ("CONV_2D", "DEPTHWISE_CONV_2D")]
    norms = [o for o in convolutions if o.macs == o.outputs[0].elements]
    assert len(norms) == (12 if model.stem == "bpcp" else 0)
    assert found.macs - sum(norm.macs for norm in norms) == file.manifest.measured["macs"]


@given(st.tuples(*[st.integers(1, 4)] * 4), st.integers(1, 3), st.integers(1, 3))
def test_macs_against_counting(sizes, kernel, stride):
    """Counted one by one: a product for each output element, weight of it, and input channel."""
    height, width, channels, filters = sizes
    out = (-(-height // stride), -(-width // stride))
    image, small = Data((1, height, width, channels)), Data((1, *out, filters))
    weights = int8(filters, kernel, kernel, channels)
    conv = build([image, weights, small], [Step("CONV_2D", [0, 1], [2], "Conv2DOptions")])
    taps = list(itertools.product(range(kernel), range(kernel)))
    counted = sum(1 for _ in itertools.product(range(out[0]), range(out[1]), range(filters), taps, range(channels)))
    assert graph.read(conv, "").macs == counted

    depth = [image, int8(1, kernel, kernel, channels), Data((1, *out, channels))]
    depthwise = build(depth, [Step("DEPTHWISE_CONV_2D", [0, 1, -1], [2], "DepthwiseConv2DOptions")])
    assert graph.read(depthwise, "").macs == sum(
        1 for _ in itertools.product(range(out[0]), range(out[1]), range(channels), taps)
    )
    # A transposed convolution sends every input element through every weight of its channel.
    large = Data((1, height * stride, width * stride, filters))
    transposed = build([image, int32(1, *large.shape[1:]), weights, large], [Step("TRANSPOSE_CONV", [1, 2, 0], [3])])
    assert graph.read(transposed, "").macs == sum(
        1 for _ in itertools.product(range(height), range(width), range(channels), taps, range(filters))
    )
    linear = build(
        [Data((1, channels)), int8(filters, channels), Data((1, filters))], [Step("FULLY_CONNECTED", [0, 1], [2])]
    )
    assert graph.read(linear, "").macs == channels * filters
    for turned, left in ((False, (2, height, channels)), (True, (2, channels, height))):  # n x k by k x m, twice
        tensors = [Data(left), Data((2, channels, filters)), Data((2, height, filters))]
        step = Step("BATCH_MATMUL", [0, 1], [2], "BatchMatMulOptions", {"adjX": turned})
        assert graph.read(build(tensors, [step]), "").macs == 2 * height * channels * filters


def chain(*names: str) -> bytes:
    """Return convolutions of 1x1, 8 to 8 channels on 4x4, with other operators between them."""
    picture = Data((1, 4, 4, 8))
    tensors: list = [picture, int8(8, 1, 1, 8)]
    steps = []
    for number, name in enumerate(names):
        source = 0 if number == 0 else len(tensors) - 1
        tensors.append(picture)
        inputs = [source, 1] if name == "CONV_2D" else [source]
        steps.append(Step(name, inputs, [len(tensors) - 1]))
    return build(tensors, steps)


def test_mapping_stops_at_the_first_that_is_not_taken():
    report = examine(graph.read(chain("CONV_2D", "RELU", "HARD_SWISH", "CONV_2D", "TANH", "CONV_2D"), "a chain"))
    assert (report.mapped_operators, report.operators) == (2, 6)
    assert (report.mapped_macs, report.macs) == (1024, 3072)
    assert report.mac_share == pytest.approx(1 / 3)
    assert [(refusal.place, refusal.operator) for refusal in report.refusals] == [
        (2, "HARD_SWISH"),
        (3, "CONV_2D"),
        (4, "TANH"),
        (5, "CONV_2D"),
    ]
    assert report.refusals[0].reason == "the Edge TPU has no such operator"
    assert {refusal.reason for refusal in report.refusals[1:]} == {"it comes after HARD_SWISH, which is not mapped"}
    assert report.parameter_bytes == 64  # one constant, that two of three convolutions share


def test_what_all_maps_and_what_nothing_does():
    whole = examine(graph.read((DATA / "tiny.tflite").read_bytes(), "tiny"))
    assert whole.mac_share == 1 and not whole.refusals and whole.mapped_operators == whole.operators == 4
    floats = examine(graph.read((DATA / "tiny-float.tflite").read_bytes(), "tiny-float"))
    assert floats.mac_share == 0 and len(floats.refusals) == 4
    assert all("float32" in refusal.reason for refusal in floats.refusals)
    compiled = examine(graph.read((DATA / "tiny-edgetpu.tflite").read_bytes(), "tiny-edgetpu"))
    assert compiled.refusals[0].operator == "edgetpu-custom-op"
    without = examine(graph.read(chain("RELU", "HARD_SWISH"), "no MACs"))
    assert without.macs == 0 and without.mac_share == 0.5


@pytest.mark.parametrize("more", [0, 1, 1000])
def test_parameters_beyond_the_cache_are_streamed(more):
    size = CACHE_BYTES + more
    tensors = [Data((1, size)), int8(1, size), Data((1, 1))]
    report = examine(graph.read(build(tensors, [Step("FULLY_CONNECTED", [0, 1], [2])]), "large"))
    assert (report.parameter_bytes, report.streamed_bytes) == (size, more)


def test_doubts_are_told():
    report = examine(graph.read(build([IMAGE, int32(1, 256), Data((1, 256))], [Step("RESHAPE", [0, 1], [2])]), "one"))
    assert list(report.doubts) == ["RESHAPE"] and not report.refusals


@given(st.binary(max_size=64), st.integers(0, 3000))
def test_damaged_flatbuffers_are_refused_or_read(noise, place):
    whole = (DATA / "tiny.tflite").read_bytes()
    damaged = whole[:place] + noise + whole[place + len(noise) :]
    try:
        graph.read(damaged, "a damaged one")
    except EdgeError as error:
        assert str(error).startswith("a damaged one has ")


def test_shipped_models_would_map_as_a_whole():
    for path in shipped():
        file = read(find(path.stem))
        assert examine(graph.read(file.flatbuffer, file.path)).mac_share == 1
