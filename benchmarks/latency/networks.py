"""Model files of single operators: what `edge-infer` runs on a device to time them.

    image -> 1x1 convolution to the channels that go in -> OPERATOR (four of them)
          -> the first two values of each -> their sums

and the same without the operators, whose time is taken off; the rest is four times the operator's. So neither the
call nor copying nor the image count, the input lies in the caches as it does behind another layer, and of the outputs
no more is read than the two values that a classification needs. An addition and a concatenation have two such
convolutions before them. Networks' first convolutions read the image itself. A "call" is a network that computes
nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from benchmarks.latency.operators import (
    ADDITION,
    CALL,
    CONCATENATION,
    CONVOLUTION,
    DEPTHWISE,
    FULLY_CONNECTED,
    MEAN,
    POOLING,
    RESAMPLING,
    Operator,
)
from compress.convert import model_file
from edge.files import write_beside

SCALE, ZERO, WEIGHT_SCALE = 0.05, -128, 0.01  # one of all that is computed, as concatenations and resampling want it
SAME, VALID, NONE, RELU = 0, 1, 0, 1
IMAGES = (1, 3)  # channels that an image has
# Of an operator: so many times less weighs what is taken off. They share their weights in the file alone, as kernels
# pack each their own.
COPIES = 4
# Of the operators in int8; in float they have version 1.
VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESIZE_BILINEAR": 3, "RESHAPE": 1}
_CODES = {np.dtype(np.int8): "INT8", np.dtype(np.float32): "FLOAT32", np.dtype(np.int32): "INT32"}


class Baseline(NamedTuple):
    """What stands before an operator: the same network without it.

    Attributes:
        type: "int8" or "float32".
        side: of the image.
        channels: behind each first convolution; of the image where there is none.
        heads: how many first convolutions there are; 0 where the operator reads the image.
    """

    type: str
    side: int
    channels: int
    heads: int


def baseline(operator: Operator) -> Baseline:
    """Return what stands before an operator."""
    direct = operator.inputs in IMAGES
    heads = 0 if direct else 2 if operator.kind in (ADDITION, CONCATENATION) else 1
    return Baseline(operator.type, operator.side, operator.inputs, heads)


def name(what: Operator | Baseline) -> str:
    """Return a name for files and tables: "convolution-int8-3-1-16-32-64"."""
    return "-".join(map(str, what if isinstance(what, Operator) else ("baseline", *what)))


def write(path: Path, what: Operator | Baseline) -> None:
    """Write the model file of an operator, or of what stands before it; the same one always has the same bytes."""
    operator, before = (what, baseline(what)) if isinstance(what, Operator) else (None, what)
    builder = _Builder(before.type)
    image = before.channels if before.channels in IMAGES else 1
    start = builder.tensor((1, before.side, before.side, image))
    heads = [builder.convolution(start, before.channels, 1, 1) for _ in range(before.heads)] or [start]
    if operator is not None and operator.kind == CALL:
        ends = [builder.end(start)]
    else:
        made = [heads[0] if operator is None else _ADD[operator.kind](builder, operator, heads) for _ in range(COPIES)]
        # All outputs live to the end: each is written to memory of its own, as in a network.
        ends = [builder.end(tensor) for tensor in (*made, *heads[1:])]
    last = ends[0]
    for end in ends[1:]:
        last = builder.add("ADD", [last, end], builder.shape(last), "AddOptions")
    if builder.shape(last) != (1, 2):
        last = builder.add("RESHAPE", [last, builder.list((1, 2))], (1, 2), "ReshapeOptions")
    flatbuffer = builder.finish(start, last)
    write_beside(path, model_file.pack(path, flatbuffer, _manifest(name(what), before, image, flatbuffer), {}))


def _manifest(called: str, before: Baseline, channels: int, flatbuffer: bytes) -> dict[str, Any]:
    image = {
        "height": before.side,
        "width": before.side,
        "color": "rgb" if channels == 3 else "grey",
        "channels": channels,
        "fit": "stretch",
        "mean": [0.5],
        "std": [0.25],
    }
    return {
        "format": "edge-infer",
        "version": 1,
        "name": called,
        "title": "An operator that is timed; its answers mean nothing",
        "task": "classification",
        "inputs": [image],
        "outputs": [{"labels": ["first", "second"], "activation": "softmax", "decision": None}],
        "targets": [],
        "measured": {},
        "provenance": {"data": "none: random weights"},
        "runtime": {"type": before.type, "operators": model_file.operators(flatbuffer)},
        "golden": [],
    }


class _Builder:
    """A flatbuffer in the making; tensors are numbers, their shapes NHWC."""

    def __init__(self, kind: str) -> None:
        self.type = np.dtype(kind)
        self.whole = kind == "int8"
        self.random = np.random.default_rng(0)
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [self.graph], []
        self.model.buffers = [schema.BufferT()]
        self.graph.tensors, self.graph.operators = [], []
        self.known: dict[tuple[int, ...], list[int]] = {}

    def tensor(self, shape: Sequence[int]) -> int:
        """Add a tensor that is computed."""
        return self._tensor(shape, self.type, [SCALE], [ZERO])

    def constant(self, values: np.ndarray, scales: Sequence[float] = (), axis: int = 0) -> int:
        """Add a constant; `scales` of its int8 values, one for each index of the dimension `axis`."""
        number = self._tensor(values.shape, values.dtype, scales, [0] * len(scales), axis)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.graph.tensors[number].buffer = len(self.model.buffers)
        self.model.buffers.append(buffer)
        return number

    def weights(self, shape: tuple[int, ...], axis: int) -> list[int]:
        """Return random weights whose outputs lie along the dimension `axis`, and biases of 0."""
        if shape not in self.known:
            count = shape[axis]
            if self.whole:
                values = self.random.integers(-127, 128, shape, np.int8)
                biases = self.constant(np.zeros(count, np.int32), [SCALE * WEIGHT_SCALE] * count)
                self.known[shape] = [self.constant(values, [WEIGHT_SCALE] * count, axis), biases]
            else:
                small = self.random.standard_normal(shape, np.float32) / np.float32(max(shape) ** 0.5)
                self.known[shape] = [self.constant(small), self.constant(np.zeros(count, np.float32))]
        return self.known[shape]

    def add(self, code: str, inputs: Sequence[int], shape: Sequence[int], options: str, **fields: object) -> int:
        """Add an operator with one output of this shape; return that."""
        output = self.tensor(shape)
        kind, operator = schema.OperatorCodeT(), schema.OperatorT()
        kind.builtinCode = getattr(schema.BuiltinOperator, code)
        kind.deprecatedBuiltinCode = kind.builtinCode
        kind.version = VERSIONS.get(code, 2) if self.whole else 1
        operator.opcodeIndex = len(self.model.operatorCodes)
        operator.inputs, operator.outputs = list(inputs), [output]
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options)
        operator.builtinOptions = getattr(schema, f"{options}T")()
        for field, value in fields.items():
            setattr(operator.builtinOptions, field, value)
        self.model.operatorCodes.append(kind)
        self.graph.operators.append(operator)
        return output

    def convolution(self, tensor: int, outputs: int, kernel: int, stride: int) -> int:
        """Add a convolution with a ReLU, padded to keep the size."""
        _, height, width, inputs = self.shape(tensor)
        weights = self.weights((outputs, kernel, kernel, inputs), 0)
        shape = (1, height // stride, width // stride, outputs)
        fields = {"padding": SAME, "strideH": stride, "strideW": stride, "fusedActivationFunction": RELU}
        return self.add("CONV_2D", [tensor, *weights], shape, "Conv2DOptions", **fields)

    def end(self, tensor: int) -> int:
        """Add what takes two values of a tensor."""
        shape = self.shape(tensor)
        two = (1, 2) if len(shape) == 2 else (1, 1, 1, 2) if shape[3] > 1 else (1, 1, 2, 1)
        places = [self.list((0,) * len(two)), self.list(two)]
        return self.add("SLICE", [tensor, *places], two, "SliceOptions")

    def list(self, values: Sequence[int]) -> int:
        """Add a constant list of numbers, as sizes and axes are."""
        return self.constant(np.array(values, np.int32))

    def shape(self, tensor: int) -> tuple[int, ...]:
        """Return a tensor's shape."""
        return tuple(self.graph.tensors[tensor].shape)

    def finish(self, first: int, last: int) -> bytes:
        """Return the flatbuffer of the graph from one tensor to the other."""
        self.graph.inputs, self.graph.outputs = [first], [last]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())

    def _tensor(
        self, shape: Sequence[int], kind: np.dtype[Any], scales: Sequence[float], zeros: Sequence[int], axis: int = 0
    ) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.buffer = f"t{len(self.graph.tensors)}", 0
        tensor.shape, tensor.type = list(shape), getattr(schema.TensorType, _CODES[kind])
        if self.whole and len(scales):
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = list(scales), list(zeros)
            tensor.quantization.quantizedDimension = axis
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1


def _convolution(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    return builder.convolution(heads[0], operator.outputs, operator.kernel, operator.stride)


def _depthwise(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    weights = builder.weights((1, operator.kernel, operator.kernel, operator.outputs), 3)
    fields = {
        "padding": SAME,
        "strideH": operator.stride,
        "strideW": operator.stride,
        "depthMultiplier": 1,
        "fusedActivationFunction": RELU,
    }
    return builder.add("DEPTHWISE_CONV_2D", [heads[0], *weights], _shape(operator), "DepthwiseConv2DOptions", **fields)


def _addition(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    return builder.add("ADD", heads, _shape(operator), "AddOptions", fusedActivationFunction=RELU)


def _concatenation(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    return builder.add("CONCATENATION", heads, _shape(operator), "ConcatenationOptions", axis=3)


def _resampling(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    sizes = builder.list((operator.size, operator.size))
    fields = {"halfPixelCenters": True}
    return builder.add("RESIZE_BILINEAR", [heads[0], sizes], _shape(operator), "ResizeBilinearOptions", **fields)


def _pooling(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    fields = {
        "padding": VALID,
        "strideH": operator.stride,
        "strideW": operator.stride,
        "filterHeight": operator.kernel,
        "filterWidth": operator.kernel,
    }
    return builder.add("MAX_POOL_2D", heads, _shape(operator), "Pool2DOptions", **fields)


def _mean(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    shape = (1, 1, 1, operator.outputs)
    return builder.add("MEAN", [heads[0], builder.list((1, 2))], shape, "ReducerOptions", keepDims=True)


def _fully_connected(builder: _Builder, operator: Operator, heads: Sequence[int]) -> int:
    weights = builder.weights((operator.outputs, operator.inputs), 0)
    return builder.add("FULLY_CONNECTED", [heads[0], *weights], (1, operator.outputs), "FullyConnectedOptions")


def _shape(operator: Operator) -> tuple[int, ...]:
    return (1, operator.size, operator.size, operator.outputs)


_ADD: Mapping[str, Any] = {
    CONVOLUTION: _convolution,
    DEPTHWISE: _depthwise,
    ADDITION: _addition,
    CONCATENATION: _concatenation,
    RESAMPLING: _resampling,
    POOLING: _pooling,
    MEAN: _mean,
    FULLY_CONNECTED: _fully_connected,
}
