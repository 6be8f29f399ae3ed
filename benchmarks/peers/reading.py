"""From a shipped int8 flatbuffer to the graph that all peers are given."""

from __future__ import annotations

import numpy as np

from benchmarks.peers.graph import (
    ADD,
    CONCAT,
    CONV,
    DENSE,
    DEPTHWISE,
    MAX_POOL,
    MEAN,
    RESIZE,
    Graph,
    Layer,
    Tensor,
    Weights,
)
from edge import network
from edge.errors import EdgeError
from edge.model import ModelFile

_KINDS = {
    "CONV_2D": CONV,
    "DEPTHWISE_CONV_2D": DEPTHWISE,
    "FULLY_CONNECTED": DENSE,
    "ADD": ADD,
    "CONCATENATION": CONCAT,
    "MEAN": MEAN,
    "MAX_POOL_2D": MAX_POOL,
    "RESIZE_BILINEAR": RESIZE,
}
_ACTIVATIONS = (0, 1)  # none, ReLU
_TYPES = {"INT8": "i1", "INT32": "<i4"}


def graph(file: ModelFile) -> Graph:
    """Return a model file's network as layers and plain numbers.

    Raises EdgeError ("peers.network") where it isn't int8 throughout, or has an operator that isn't in the shipped
    networks.
    """
    source = file.network().graphs[0]
    if len(source.inputs) != 1 or len(source.outputs) != 1:
        raise _refused(file, f"has {len(source.inputs)} inputs and {len(source.outputs)} outputs")
    numbers: dict[int, int] = {}
    tensors: list[Tensor] = []

    def number(index: int) -> int:
        if index not in numbers:
            tensor = source.tensors[index]
            if tensor.type != "INT8" or len(tensor.scales) != 1:
                raise _refused(file, f"computes a tensor of {tensor.type}")
            numbers[index] = len(tensors)
            tensors.append(Tensor(tensor.shape, tensor.scales[0], tensor.zero_points[0]))
        return numbers[index]

    begin = number(source.inputs[0])
    layers, weights = [], {}
    for place, operator in enumerate(source.operators):
        kind = _KINDS.get(operator.name)
        if kind == CONV and _is_grouped(operator, source):
            kind = DEPTHWISE
        options = operator.options
        relu = options.get("fused_activation_function", 0)
        if kind is None or relu not in _ACTIVATIONS or _is_other(kind, operator, source):
            raise _refused(file, f"has an operator {operator.name} of a form that isn't in the shipped networks")
        taken = operator.inputs if kind in (ADD, CONCAT) else operator.inputs[:1]
        layer = Layer(kind, tuple(map(number, taken)), number(operator.outputs[0]), bool(relu))
        if kind in (CONV, DEPTHWISE, MAX_POOL):
            layer = _window(layer, operator, source)
        if kind in (CONV, DEPTHWISE, DENSE):
            weights[place] = _weights(file, kind, operator, source)
        layers.append(layer)
    name = str(file.manifest.raw["name"])
    return Graph(name, tuple(tensors), tuple(layers), weights, begin, number(source.outputs[0]))


def _refused(file: ModelFile, what: str) -> EdgeError:
    return EdgeError(
        f"{file.path} {what}: expected an int8 network of the shipped models' operators; compare one of those",
        "peers.network",
    )


def _is_grouped(operator: network.Operator, source: network.Graph) -> bool:
    """Whether a CONV_2D has a group for each channel: a depthwise convolution in another operator's name."""
    image, weights = (source.tensors[index].shape for index in operator.inputs[:2])
    return image[3] == weights[0] and weights[3] == 1 < image[3]


def _is_other(kind: str, operator: network.Operator, source: network.Graph) -> bool:
    """Whether it is a form of its kind that the peers' files are not written for."""
    options = operator.options
    shape = source.tensors[operator.inputs[0]].shape
    return (
        options.get("dilation_h_factor", 1) * options.get("dilation_w_factor", 1) != 1
        or (kind == DEPTHWISE and options.get("depth_multiplier", 1) != 1)
        or (kind == CONV and shape[3] != source.tensors[operator.inputs[1]].shape[3])
        or (kind == CONCAT and options["axis"] not in (3, -1))
        or (kind == RESIZE and not options["half_pixel_centers"])
        or (kind == MEAN and not options["keep_dims"])
        or (kind != DENSE and len(shape) != 4)
    )


def _window(layer: Layer, operator: network.Operator, source: network.Graph) -> Layer:
    """Return the layer with its window: "same" pads so that outputs are inputs / stride, more at the end."""
    options = operator.options
    image, result = (source.tensors[index].shape for index in (operator.inputs[0], operator.outputs[0]))
    stride = options["stride_h"], options["stride_w"]
    if layer.kind == MAX_POOL:
        kernel = options["filter_height"], options["filter_width"]
    else:
        shape = source.tensors[operator.inputs[1]].shape
        kernel = shape[1], shape[2]
    pad = (0, 0, 0, 0)
    if options["padding"] == 0:
        whole = [max((result[1 + i] - 1) * stride[i] + kernel[i] - image[1 + i], 0) for i in (0, 1)]
        pad = (whole[0] // 2, whole[1] // 2, whole[0] - whole[0] // 2, whole[1] - whole[1] // 2)
    return layer._replace(kernel=kernel, stride=stride, pad=pad)


def _weights(file: ModelFile, kind: str, operator: network.Operator, source: network.Graph) -> Weights:
    value, bias = (source.tensors[index] for index in operator.inputs[1:3])
    values = _constant(file, value)
    if operator.name == "DEPTHWISE_CONV_2D":  # (1, height, width, channels)
        values = values.transpose(3, 1, 2, 0)
    scales = np.broadcast_to(np.array(value.scales, np.float32), len(values)).copy()
    if any(value.zero_points):
        raise _refused(file, "has weights with a zero point")
    steps = scales * np.float32(source.tensors[operator.inputs[0]].scales[0])
    return Weights(np.ascontiguousarray(values), scales, _constant(file, bias), steps)


def _constant(file: ModelFile, tensor: network.Tensor) -> np.ndarray:
    if tensor.type not in _TYPES or not tensor.bytes:
        raise _refused(file, f"has weights of {tensor.type}")
    data = file.flatbuffer[tensor.begin : tensor.begin + tensor.bytes]
    return np.frombuffer(data, _TYPES[tensor.type]).reshape(tensor.shape)
