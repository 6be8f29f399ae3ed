"""What LiteRT's kernels take for granted of an operator: each of these ended a process, or read what is not there."""

from __future__ import annotations

import struct

import pytest

from edge import tflite_schema
from edge.network import Operator, Tensor
from edge.operator_rules import fault

CONVOLUTION = {
    "padding": 0, "stride_w": 1, "stride_h": 1, "fused_activation_function": 0, "dilation_w_factor": 1,
    "dilation_h_factor": 1,
}  # fmt: skip
POOL = {"padding": 0, "stride_w": 1, "stride_h": 1, "filter_width": 2, "filter_height": 2}


class Graph:
    """One operator and its tensors; constants of whole numbers are given by their values."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self.data = b""

    def tensor(self, *shape: int, type: str = "INT8", scales: int = 1, axis: int = 0, **more: object) -> int:
        is_open = more.get("is_open", (False,) * len(shape))
        steps = (0.5,) * (scales if type != "FLOAT32" else 0)
        content = 1 if more.get("constant") else 0
        self.tensors.append(Tensor("", shape, is_open, type, steps, (0,) * len(steps), axis, 0, content, False))
        return len(self.tensors) - 1

    def integers(self, *values: int) -> int:
        begin = len(self.data)
        self.data += struct.pack(f"<{len(values)}i", *values)
        size = (len(values),)
        self.tensors.append(Tensor("", size, (False,), "INT32", (), (), 0, begin, 4 * len(values), False))
        return len(self.tensors) - 1

    def fault(self, name: str, reads: list[int], gives: list[int], options: str = "", **values: int) -> str:
        operator = Operator(name, "", 1, tuple(reads), tuple(gives), values, options)
        return fault(operator, tuple(self.tensors), self.data)


def convolution(image=(1, 8, 8, 4), weights=(6, 3, 3, 4), bias=6, output=(1, 8, 8, 6), types="INT8", **options):
    g = Graph()
    axis = 0
    reads = [g.tensor(*image, type=types), g.tensor(*weights, type=options.pop("weighs", types), axis=axis)]
    reads.append(g.tensor(bias, type="INT32" if types == "INT8" else types))
    return g.fault("CONV_2D", reads, [g.tensor(*output, type=types)], "Conv2DOptions", **{**CONVOLUTION, **options})


def test_every_operator_of_the_schema_has_its_arguments():
    lines = [line.split(" ") for line in tflite_schema.ARGUMENTS.strip().split("\n")]
    names = {line[0] for line in lines}
    assert all(len(line) == 4 for line in lines) and len(names) == len(lines)
    # What no runtime has: a place holder, what delegates put in, and three that were never made.
    missing = {"CALL", "CONCAT_EMBEDDINGS", "DELEGATE", "PLACEHOLDER_FOR_GREATER_OP_CODES"}
    assert names == set(tflite_schema.OPERATORS) - missing
    tables = {*tflite_schema.OPTIONS, *tflite_schema.OPTIONS_2, "-"}
    assert {line[1].rstrip("?") for line in lines} <= tables
    assert "none that a runtime has" in Graph().fault("DELEGATE", [], [])


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"types": "FLOAT32"},
        {"types": "FLOAT32", "weighs": "INT8"},
        {"stride_w": 2, "output": (1, 8, 4, 6)},
        {"padding": 1, "output": (1, 6, 6, 6)},
        {"padding": 1, "dilation_h_factor": 3, "output": (1, 2, 6, 6)},
        {"dilation_w_factor": 18},
        {"weights": (6, 3, 3, 2)},  # two groups
        {"weights": (6, 1, 1, 4), "dilation_w_factor": 10_000},  # of one pixel there are no gaps
    ],
    ids=str,
)
def test_convolutions_that_run_are_taken(changes):
    assert convolution(**changes) == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"stride_w": 0},
        {"stride_h": -1},
        {"stride_h": 2**31 - 1},
        {"dilation_w_factor": 0},
        {"dilation_h_factor": 65_535},
        {"padding": 1, "dilation_h_factor": 4},  # a filter of 9 over 8
        {"padding": 1, "weights": (6, 9, 3, 4)},
        {"weights": (6, 3, 3, 3)},
        {"weights": (6, 3, 3, 0)},
        {"weights": (0, 3, 3, 4)},
        {"weights": (6, 0, 3, 4)},
        {"weights": (6, 36)},
        {"image": (8, 8, 4)},
        {"bias": 5},
        {"output": (1, 8, 8, 7)},
        {"output": (1, 8, 9, 6)},
        {"output": (1, 8, 48)},
        {"weighs": "FLOAT32"},
        {"types": "FLOAT32", "weighs": "FLOAT16"},
        {"types": "INT32"},
    ],
    ids=str,
)
def test_convolutions_that_end_a_process_are_not(changes):
    assert convolution(**changes) != ""


def test_sizes_that_were_left_open_follow_from_nothing():
    g = Graph()
    image = g.tensor(1, 1, 1, 4, is_open=(True, True, True, False))
    weights, output = g.tensor(6, 3, 3, 4), g.tensor(1, 1, 1, 6, is_open=(True, True, True, False))
    options = {**CONVOLUTION, "padding": 1}
    assert g.fault("CONV_2D", [image, weights], [output], "Conv2DOptions", **options) == ""


AXES = [
    ((1, 2), True),
    ((-1,), True),
    ((0, 1, 2, 3), True),
    ((4,), False),
    ((-5,), False),
    ((1, 2, 1, 2, 1), False),
    ((1,) * 127, False),
]


@pytest.mark.parametrize(("axes", "good"), AXES)
def test_a_mean_is_over_dimensions_that_there_are(axes, good):
    g = Graph()
    image, indices = g.tensor(1, 8, 8, 4), g.integers(*axes)
    left = [size for index, size in enumerate((1, 8, 8, 4)) if index not in axes and index - 4 not in axes]
    assert (g.fault("MEAN", [image, indices], [g.tensor(*left)], "ReducerOptions", keep_dims=0) == "") == good


@pytest.mark.parametrize("splits", [0, 1, 3, 255])
def test_a_split_gives_as_many_as_it_says(splits):
    g = Graph()
    reads = [g.integers(3), g.tensor(1, 8, 8, 4)]
    gives = [g.tensor(1, 8, 8, 2), g.tensor(1, 8, 8, 2)]
    assert g.fault("SPLIT", reads, gives, "SplitOptions", num_splits=2) == ""
    assert "num_splits" in g.fault("SPLIT", reads, gives, "SplitOptions", num_splits=splits)


def test_arithmetic_has_quantization_steps():
    g = Graph()
    one, other, none, result = g.tensor(1, 4), g.tensor(1, 4), g.tensor(1, 4, scales=0), g.tensor(1, 4)
    two, small = g.tensor(1, 4, scales=4, axis=1), g.tensor(1, 4)
    g.tensors[small] = g.tensors[small]._replace(scales=(1e-30,))
    assert g.fault("ADD", [one, other], [result]) == ""
    for bad in (none, two, small):
        assert "step" in g.fault("ADD", [one, bad], [result])
        assert "step" in g.fault("LESS", [one, bad], [g.tensor(1, 4, type="BOOL")])
    assert "makes BOOL of INT8" in g.fault("ADD", [one, other], [g.tensor(1, 4, type="BOOL")])
    assert "makes INT8" in g.fault("LESS", [one, other], [result])
    # Raw whole numbers may be moved about.
    assert g.fault("RESHAPE", [none, g.integers(1, 4)], [g.tensor(1, 4, scales=0)]) == ""


def test_lists_of_sizes_are_no_longer_than_a_tensor_has_dimensions():
    g = Graph()
    image, result = g.tensor(1, 8), g.tensor(1, 8)
    assert g.fault("RESHAPE", [image, g.integers(1, 8)], [result]) == ""
    assert "sizes" in g.fault("RESHAPE", [image, g.integers(*[1] * 128)], [result])
    assert g.fault("PAD", [image, g.integers(*[0] * 4)], [result]) == ""
    assert "sizes" in g.fault("PAD", [image, g.integers(*[0] * 18)], [result])


@pytest.mark.parametrize(
    ("shape", "output", "good"),
    [
        ((1, 16, 16, 4), (1, 16, 16, 4), True),
        ((1, 16, 16, 4), (1, 16, 15, 4), False),
        ((1, 0, 16, 4), (1, 0, 16, 4), False),
        ((1, 20, 16, 4), (1, 20, 16, 4), False),
    ],
)
def test_a_transposed_convolution_gives_what_it_is_to_give(shape, output, good):
    g = Graph()
    reads = [g.integers(*shape), g.tensor(4, 2, 2, 6), g.tensor(1, 8, 8, 6)]
    options = {"padding": 0, "stride_w": 2, "stride_h": 2}
    assert (g.fault("TRANSPOSE_CONV", reads, [g.tensor(*output)], "TransposeConvOptions", **options) == "") == good


def test_pools_and_dense_layers():
    g = Graph()
    image, pooled = g.tensor(1, 8, 8, 4), g.tensor(1, 8, 8, 4)
    assert g.fault("MAX_POOL_2D", [image], [pooled], "Pool2DOptions", **POOL) == ""
    for bad in ({"filter_width": 0}, {"stride_h": 0}, {"filter_height": -3}, {"padding": 1, "filter_height": 9}):
        assert g.fault("MAX_POOL_2D", [image], [pooled], "Pool2DOptions", **{**POOL, **bad}) != ""
    vector, weights, result = g.tensor(2, 12), g.tensor(5, 6), g.tensor(4, 5)
    dense = "FULLY_CONNECTED", [vector, weights, -1]
    assert g.fault(*dense, [result], "FullyConnectedOptions") == ""
    assert "does not follow" in g.fault(*dense, [g.tensor(1, 5)], "FullyConnectedOptions")
    assert "lacks an input" in g.fault("FULLY_CONNECTED", [vector, -1, -1], [result], "FullyConnectedOptions")
    assert "has 1 inputs" in g.fault("FULLY_CONNECTED", [vector], [result], "FullyConnectedOptions")
    assert "has no options" in g.fault(*dense, [result])


@pytest.mark.parametrize(("multiplier", "good"), [(0, True), (2, True), (1, False), (3, False)])
def test_a_depthwise_convolution_multiplies_channels(multiplier, good):
    g = Graph()
    reads = [g.tensor(1, 8, 8, 4), g.tensor(1, 3, 3, 8, scales=8, axis=3), -1]
    options = {**CONVOLUTION, "depth_multiplier": multiplier}
    found = g.fault("DEPTHWISE_CONV_2D", reads, [g.tensor(1, 8, 8, 8)], "DepthwiseConv2DOptions", **options)
    assert (found == "") == good
    reads[1] = g.tensor(1, 3, 3, 8, scales=8, axis=0)
    assert "along another dimension" in g.fault(
        "DEPTHWISE_CONV_2D",
        reads,
        [g.tensor(1, 8, 8, 8)],
        "DepthwiseConv2DOptions",
        **{**options, "depth_multiplier": 2},
    )


def test_a_depthwise_convolution_says_that_it_has_no_bias():
    """LiteRT reads a third input where there are two, and crashes."""
    g = Graph()
    reads, outputs = [g.tensor(1, 8, 8, 4), g.tensor(1, 3, 3, 4)], [g.tensor(1, 8, 8, 4)]
    name, kind, options = "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", {**CONVOLUTION, "depth_multiplier": 1}
    assert g.fault(name, [*reads, -1], outputs, kind, **options) == ""
    assert "has 2 inputs" in g.fault(name, reads, outputs, kind, **options)


def test_weights_are_not_far_from_what_comes_out():
    """XNNPACK refuses a multiplier of 256, and LiteRT 2.2 and 2.3 free some memory twice then."""
    g = Graph()
    reads, output = [g.tensor(1, 8, 8, 4), g.tensor(6, 3, 3, 4)], g.tensor(1, 8, 8, 6)
    assert g.fault("CONV_2D", reads, [output], "Conv2DOptions", **CONVOLUTION) == ""
    g.tensors[reads[1]] = g.tensors[reads[1]]._replace(scales=(256.0,))
    assert "too far" in g.fault("CONV_2D", reads, [output], "Conv2DOptions", **CONVOLUTION)
    g.tensors[reads[1]] = g.tensors[reads[1]]._replace(scales=(0.0,))  # all weights are 0
    assert g.fault("CONV_2D", reads, [output], "Conv2DOptions", **CONVOLUTION) == ""


@pytest.mark.parametrize(("dilation", "good"), [(1, True), (2, False)])
def test_volumes_have_no_gaps(dilation, good):
    g = Graph()
    reads = [g.tensor(1, 4, 8, 8, 2, type="FLOAT32"), g.tensor(3, 3, 3, 2, 5, type="FLOAT32")]
    options = {**CONVOLUTION, "stride_d": 1, "dilation_d_factor": 1, "dilation_w_factor": dilation}
    output = g.tensor(1, 4, 8, 8, 5, type="FLOAT32")
    assert (g.fault("CONV_3D", reads, [output], "Conv3DOptions", **options) == "") == good


def sized(name: str, reads: list[tuple[int, ...]], output: tuple[int, ...], options: str = "", **values: int) -> str:
    g = Graph()
    inputs = [g.tensor(*shape, type="FLOAT32") for shape in reads]
    return g.fault(name, inputs, [g.tensor(*output, type="FLOAT32")], options, **values)


@pytest.mark.parametrize(
    ("name", "reads", "output", "more"),
    [
        ("ADD", [(1, 8, 8, 4), (4,)], (1, 8, 8, 4), ()),
        ("MUL", [(1, 1, 1, 4), (1, 8, 8, 1)], (1, 8, 8, 4), ()),
        ("SOFTMAX", [(1, 5)], (1, 5), ("SoftmaxOptions",)),
        ("LOGISTIC", [(1, 8, 8, 1)], (1, 8, 8, 1), ()),
        ("RESHAPE", [(1, 8, 8, 1)], (1, 64), ()),
        ("CAST", [(1, 5)], (1, 5), ()),
        ("CONCATENATION", [(1, 2), (1, 3)], (1, 5), ("ConcatenationOptions",)),
    ],
)
def test_as_many_elements_come_out_as_follow_from_what_goes_in(name, reads, output, more):
    """The native program's buffer for the output has the size that the file says."""
    assert sized(name, reads, output, *more) == ""
    assert "does not follow" in sized(name, reads, (*output[:-1], output[-1] + 1), *more)
    assert "does not follow" in sized(name, reads, (0, *output[1:]), *more)


def test_a_mean_and_a_resized_image_have_their_sizes():
    g = Graph()
    image, axes, sizes = g.tensor(1, 8, 8, 4), g.integers(1, -2), g.integers(16, 24)
    for good, output in ((True, (1, 4)), (True, (1, 1, 1, 4)), (False, (1, 5)), (False, (1, 8, 8, 4))):
        assert (g.fault("MEAN", [image, axes], [g.tensor(*output)], "ReducerOptions", keep_dims=0) == "") == good
    for good, output in ((True, (1, 16, 24, 4)), (False, (1, 16, 16, 4))):
        assert (g.fault("RESIZE_BILINEAR", [image, sizes], [g.tensor(*output)]) == "") == good
    for bad in (g.integers(0, 24), g.integers(16), g.integers(-1, -1)):
        assert "resizes" in g.fault("RESIZE_BILINEAR", [image, bad], [g.tensor(1, 16, 24, 4)])


def test_padded_images_have_their_sizes():
    g = Graph()
    image, margins = g.tensor(1, 8, 8, 4), g.integers(0, 0, 1, 2, 3, 0, 0, 0)
    assert g.fault("PAD", [image, margins], [g.tensor(1, 11, 11, 4)]) == ""
    assert "does not follow" in g.fault("PAD", [image, margins], [g.tensor(1, 11, 10, 4)])
    for bad in (g.integers(0, 0, -1, 2, 3, 0, 0, 0), g.integers(0, 0, 1, 2)):
        assert "margins" in g.fault("PAD", [image, bad], [g.tensor(1, 11, 11, 4)])


@pytest.mark.parametrize(
    ("masks", "output", "good"),
    [
        ({}, (1, 4, 4, 3), True),
        ({}, (1, 4, 4), False),
        ({"shrink_axis_mask": 9}, (4, 4), True),
        ({"shrink_axis_mask": 9}, (1, 4, 4, 3), False),
        ({"new_axis_mask": 4}, (1, 4, 4, 3), False),  # LiteRT ends the process in what reads five dimensions next
        ({"new_axis_mask": 4}, (1, 4, 1, 8, 3), True),
        ({"new_axis_mask": 6, "shrink_axis_mask": 4}, (1, 1, 1, 8, 8, 3), True),
        ({"ellipsis_mask": 2, "shrink_axis_mask": 2}, (1, 8, 4, 3), True),
        ({"shrink_axis_mask": 255}, (), True),  # 16 and more are of no dimension
        ({"new_axis_mask": 4}, (), True),
    ],
)
def test_slices_have_the_dimensions_that_their_options_say(masks, output, good):
    g = Graph()
    reads = [g.tensor(1, 8, 8, 3), g.integers(0, 0, 0, 0), g.integers(1, 4, 4, 3), g.integers(1, 1, 1, 1)]
    found = g.fault("STRIDED_SLICE", reads, [g.tensor(*output)], "StridedSliceOptions", **masks)
    assert (found == "") == good


@pytest.mark.parametrize(
    ("begin", "size", "wrong"),
    [
        ((0, 0, 0, 0), (1, 8, 8, 6), ""),
        ((0, 2, 2, 3), (1, 6, -1, 3), ""),
        ((0, 8, 0, 0), (1, 0, 8, 6), ""),
        ((0, 0, 0, 0), (248, 8, 8, 3), "takes a part that reaches beyond its input"),
        ((0, 0, 5, 0), (1, 8, 4, 6), "takes a part that reaches beyond its input"),
        ((0, 9, 0, 0), (1, -1, 8, 6), "takes a part that reaches beyond its input"),
        ((0, -1, 0, 0), (1, 8, 8, 6), "takes a part that reaches beyond its input"),
        ((0, 0, 0, 0), (1, 8, 8, -2), "takes a part that reaches beyond its input"),
        ((0, 0, 0), (1, 8, 8), "takes a part with other dimensions than its input's"),
    ],
)
def test_a_slice_lies_within_its_input(begin, size, wrong):
    g = Graph()
    reads = [g.tensor(1, 8, 8, 6), g.integers(*begin), g.integers(*size)]
    out = tuple(8 if n < 0 else n for n in size)
    assert g.fault("SLICE", reads, [g.tensor(*out)], "SliceOptions") == wrong
