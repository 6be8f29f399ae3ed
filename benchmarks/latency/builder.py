"""Writing TFLite flatbuffers of networks with random weights, by the schema that LiteRT brings."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

SCALE, ZERO, WEIGHT_SCALE = 0.05, -128, 0.01  # one of all that is computed, as concatenations and resampling want it
SAME, VALID, NONE, RELU = 0, 1, 0, 1
# Of the operators in int8; in float they have version 1.
VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "RESIZE_BILINEAR": 3, "RESHAPE": 1}
_CODES = {np.dtype(np.int8): "INT8", np.dtype(np.float32): "FLOAT32", np.dtype(np.int32): "INT32"}


class Builder:
    """A flatbuffer in the making; tensors are numbers, their shapes NHWC."""

    def __init__(self, kind: str, shares: bool = False) -> None:
        """`kind` is "int8" or "float32"; `shares`: whether weights of one shape are there once, which kernels undo."""
        self.type = np.dtype(kind)
        self.whole = kind == "int8"
        self.random = np.random.default_rng(0)
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs, self.model.operatorCodes = 3, [self.graph], []
        self.model.buffers = [schema.BufferT()]
        self.graph.tensors, self.graph.operators = [], []
        self.shares = shares
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
        if not (self.shares and shape in self.known):
            count = shape[axis]
            if self.whole:
                values = self.random.integers(-127, 128, shape, np.int8)
                biases = self.constant(np.zeros(count, np.int32), [SCALE * WEIGHT_SCALE] * count)
                self.known[shape] = [self.constant(values, [WEIGHT_SCALE] * count, axis), biases]
            else:
                small = self.random.standard_normal(shape, np.float32) * np.float32(
                    (2 * count / math.prod(shape)) ** 0.5
                )
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

    def convolution(self, tensor: int, outputs: int, kernel: int, stride: int, activation: int = RELU) -> int:
        """Add a convolution, padded to keep the size."""
        _, height, width, inputs = self.shape(tensor)
        weights = self.weights((outputs, kernel, kernel, inputs), 0)
        shape = (1, height // stride, width // stride, outputs)
        fields = {"padding": SAME, "strideH": stride, "strideW": stride, "fusedActivationFunction": activation}
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
