"""Small float32 networks, made by the schema that comes with LiteRT: what the quantizer is tested with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from compress.convert.quantize.model import Model, read, write
from compress.convert.quantize.ranges import Float

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
TYPES = {"float32": 0, "int32": 2, "bool": 6, "int64": 4, "int8": 9}


class Net:
    """A graph that grows: each method adds one operator and returns the number of its output.

    Tensors are numbered as they are added; constants have random values of `rng`.
    """

    def __init__(self, seed: int = 0) -> None:
        self.model, self.graph = schema.ModelT(), schema.SubGraphT()
        self.model.version, self.model.subgraphs = 3, [self.graph]
        self.model.buffers, self.model.operatorCodes = [schema.BufferT()], []
        self.graph.tensors, self.graph.operators, self.graph.inputs = [], [], []
        self.rng = np.random.default_rng(seed)

    def tensor(self, shape: Sequence[int], kind: str = "float32") -> int:
        made = schema.TensorT()
        made.shape, made.type, made.buffer = np.array(shape, np.int32), TYPES[kind], 0
        made.name = f"t{len(self.graph.tensors)}"
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def input(self, *shape: int) -> int:
        self.graph.inputs.append(self.tensor(shape))
        return int(self.graph.inputs[-1])

    def constant(self, values: Any) -> int:
        values = np.asarray(values)
        number = self.tensor(values.shape, values.dtype.name)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.graph.tensors[number].buffer = len(self.model.buffers)
        self.model.buffers.append(buffer)
        return number

    def values(self, number: int) -> np.ndarray:
        """Return a float32 constant's values."""
        data = self.model.buffers[self.graph.tensors[number].buffer].data
        return np.frombuffer(bytes(data), np.float32).reshape(self.shape(number))

    def set(self, number: int, values: Any) -> None:
        """Give a float32 constant other values."""
        data = np.broadcast_to(np.float32(values), self.shape(number)).tobytes()
        self.model.buffers[self.graph.tensors[number].buffer].data = np.frombuffer(data, np.uint8)

    def random(self, *shape: int, scale: float = 1.0) -> int:
        return self.constant((self.rng.standard_normal(shape) * scale).astype(np.float32))

    def shape(self, number: int) -> list[int]:
        return [int(size) for size in self.graph.tensors[number].shape]

    def add(
        self,
        kind: str,
        inputs: Sequence[int],
        shape: Sequence[int],
        options: str = "",
        of: str = "float32",
        **fields: Any,
    ) -> int:
        """Add an operator; `options` is the schema's class without "Options", `fields` are its fields."""
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode, code.version = getattr(schema.BuiltinOperator, kind), 1
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        operator.opcodeIndex, operator.inputs = len(self.model.operatorCodes), list(inputs)
        output = self.tensor(shape, of)
        operator.outputs = [output]
        if options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, f"{options}Options")
            operator.builtinOptions = getattr(schema, f"{options}OptionsT")()
            for field, value in fields.items():
                assert hasattr(operator.builtinOptions, field), field
                setattr(operator.builtinOptions, field, value)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)
        return output

    def conv(
        self, x: int, channels: int, size: int = 3, stride: int = 1, activation: int = 0, bias: bool = True
    ) -> int:
        batch, height, width, depth = self.shape(x)
        weights = self.random(channels, size, size, depth, scale=(size * size * depth) ** -0.5)
        shape = (batch, -(-height // stride), -(-width // stride), channels)
        fields = {"strideH": stride, "strideW": stride, "fusedActivationFunction": activation, "padding": SAME}
        ends = [x, weights, *([self.random(channels, scale=0.1)] if bias else [])]
        return self.add("CONV_2D", ends, shape, "Conv2D", dilationHFactor=1, dilationWFactor=1, **fields)

    def depthwise(self, x: int, size: int = 3, stride: int = 1, activation: int = 0) -> int:
        batch, height, width, depth = self.shape(x)
        shape = (batch, -(-height // stride), -(-width // stride), depth)
        ends = [x, self.random(1, size, size, depth, scale=1 / size), self.random(depth, scale=0.1)]
        fields = {"strideH": stride, "strideW": stride, "fusedActivationFunction": activation, "padding": SAME}
        fields |= {"dilationHFactor": 1, "dilationWFactor": 1, "depthMultiplier": 1}
        return self.add("DEPTHWISE_CONV_2D", ends, shape, "DepthwiseConv2D", **fields)

    def transposed(self, x: int, channels: int, stride: int = 2, bias: bool = True) -> int:
        batch, height, width, depth = self.shape(x)
        shape = (batch, height * stride, width * stride, channels)
        ends = [self.constant(np.array(shape, np.int32)), self.random(channels, stride, stride, depth, scale=0.3), x]
        ends += [self.random(channels, scale=0.1)] if bias else []
        return self.add("TRANSPOSE_CONV", ends, shape, "TransposeConv", strideH=stride, strideW=stride, padding=VALID)

    def dense(self, x: int, units: int, bias: bool = True) -> int:
        *rows, depth = self.shape(x)
        ends = [x, self.random(units, depth, scale=depth**-0.5), *([self.random(units, scale=0.1)] if bias else [-1])]
        return self.add("FULLY_CONNECTED", ends, (*rows, units), "FullyConnected", keepNumDims=len(rows) > 1)

    def two(self, kind: str, x: int, y: int) -> int:
        """An elementwise operator of two tensors, which are broadcast."""
        shape = np.broadcast_shapes(self.shape(x), self.shape(y))
        options = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "SQUARED_DIFFERENCE": "SquaredDifference"}
        return self.add(kind, [x, y], shape, options.get(kind, "MaximumMinimum"))

    def one(self, kind: str, x: int, options: str = "", **fields: Any) -> int:
        """An elementwise operator of one tensor."""
        return self.add(kind, [x], self.shape(x), options, **fields)

    def softmax(self, x: int) -> int:
        return self.one("SOFTMAX", x, "Softmax", beta=1.0)

    def concat(self, *parts: int) -> int:
        *rest, _ = self.shape(parts[0])
        depth = sum(self.shape(part)[-1] for part in parts)
        return self.add("CONCATENATION", parts, (*rest, depth), "Concatenation", axis=len(rest))

    def pool(self, x: int, kind: str = "MAX", size: int = 2, stride: int = 2) -> int:
        batch, height, width, depth = self.shape(x)
        shape = (batch, (height - size) // stride + 1, (width - size) // stride + 1, depth)
        fields = {"strideH": stride, "strideW": stride, "filterHeight": size, "filterWidth": size, "padding": VALID}
        return self.add(f"{kind}_POOL_2D", [x], shape, "Pool2D", **fields)

    def pad(self, x: int, by: int = 1, value: float | None = None) -> int:
        batch, height, width, depth = self.shape(x)
        margins = self.constant(np.array([[0, 0], [by, by], [by, by], [0, 0]], np.int32))
        shape = (batch, height + 2 * by, width + 2 * by, depth)
        if value is None:
            return self.add("PAD", [x, margins], shape, "Pad")
        return self.add("PADV2", [x, margins, self.constant(np.float32(value))], shape, "PadV2")

    def mirror_pad(self, x: int) -> int:
        batch, height, width, depth = self.shape(x)
        margins = self.constant(np.array([[0, 0], [1, 1], [1, 1], [0, 0]], np.int32))
        return self.add("MIRROR_PAD", [x, margins], (batch, height + 2, width + 2, depth), "MirrorPad", mode=0)

    def resize(self, x: int, kind: str = "BILINEAR") -> int:
        batch, height, width, depth = self.shape(x)
        size = self.constant(np.array([2 * height, 2 * width], np.int32))
        options = "ResizeBilinear" if kind == "BILINEAR" else "ResizeNearestNeighbor"
        return self.add(
            f"RESIZE_{kind}", [x, size], (batch, 2 * height, 2 * width, depth), options, halfPixelCenters=True
        )

    def reduce(self, x: int, kind: str = "MEAN", axes: tuple[int, ...] = (1, 2), keep: bool = False) -> int:
        shape = [1 if axis in axes else size for axis, size in enumerate(self.shape(x)) if keep or axis not in axes]
        return self.add(kind, [x, self.constant(np.array(axes, np.int32))], shape, "Reducer", keepDims=keep)

    def reshape(self, x: int, *shape: int) -> int:
        sizes = self.constant(np.array(shape, np.int32))
        return self.add("RESHAPE", [x, sizes], shape, "Reshape", newShape=np.array(shape, np.int32))

    def transpose(self, x: int, *order: int) -> int:
        shape = [self.shape(x)[axis] for axis in order]
        return self.add("TRANSPOSE", [x, self.constant(np.array(order, np.int32))], shape, "Transpose")

    def matmul(self, x: int, y: int) -> int:
        return self.add("BATCH_MATMUL", [x, y], (*self.shape(x)[:-1], self.shape(y)[-1]), "BatchMatMul")

    def depth_to_space(self, x: int) -> int:
        batch, height, width, depth = self.shape(x)
        return self.add("DEPTH_TO_SPACE", [x], (batch, 2 * height, 2 * width, depth // 4), "DepthToSpace", blockSize=2)

    def cut(self, x: int) -> int:
        """The first half of the channels."""
        *rest, depth = self.shape(x)
        begin = self.constant(np.zeros(len(rest) + 1, np.int32))
        size = self.constant(np.array([*rest, depth // 2], np.int32))
        return self.add("SLICE", [x, begin, size], (*rest, depth // 2), "Slice")

    def flatbuffer(self, *outputs: int) -> bytes:
        self.graph.outputs = list(outputs)
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def images(net: Net, count: int = 8, seed: int = 1) -> list[np.ndarray]:
    """Return random calibration images for each input."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((count, *net.shape(number)[1:])).astype(np.float32) for number in net.graph.inputs]


def run(flatbuffer: bytes, inputs: Sequence[np.ndarray], xnnpack: bool = True) -> list[np.ndarray]:
    """Return the real outputs for each image, (N, ...), of a float32 or an int8 file."""
    resolver = OpResolverType.AUTO if xnnpack else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    network = Interpreter(model_content=flatbuffer, num_threads=1, experimental_op_resolver_type=resolver)
    network.allocate_tensors()
    model = read(flatbuffer, "a network")
    found: list[list[np.ndarray]] = [[] for _ in model.outputs]
    for number in range(len(inputs[0])):
        for detail, tensor, values in zip(network.get_input_details(), model.inputs, inputs, strict=True):
            network.set_tensor(detail["index"], steps(values[number : number + 1], model.tensors[tensor]))
        network.invoke()
        for place, detail in enumerate(network.get_output_details()):
            values = network.get_tensor(detail["index"])
            found[place].append(real(values, model.tensors[model.outputs[place]]))
    return [np.concatenate(each) for each in found]


def errors_of_operators(flatbuffer: bytes, image: Sequence[np.ndarray]) -> dict[str, float]:
    """Return how far, in steps, each kind of operator of an int8 file is from the same operator in float.

    Each operator gets what the int8 file's operators before it gave it, as real numbers, and weights as real numbers.
    """
    ours, network = read(flatbuffer, "int8"), Float(flatbuffer, "int8")
    entries = [steps(values, ours.tensors[tensor]) for tensor, values in zip(ours.inputs, image, strict=True)]
    values_of = network.run(entries)
    found: dict[str, float] = {}
    for number, operator in enumerate(ours.operators):
        kind = ours.kind(operator)
        model = in_float(read(flatbuffer, "int8"))
        reads = sorted({t for t in operator.inputs if t >= 0 and not model.is_constant(t)})
        given = [real(values_of(tensor), ours.tensors[tensor]) for tensor in reads]
        if kind in ("QUANTIZE", "DEQUANTIZE"):
            results = given
        else:
            model.graph.operators = model.operators = [model.operators[number]]
            model.inputs, model.outputs = reads, list(operator.outputs)
            results = _answers(write(model, "float"), given)
        for tensor, wanted in zip(operator.outputs, results, strict=True):
            if ours.tensors[tensor].type != schema.TensorType.INT8:
                continue
            off = np.abs(values_of(tensor).astype(float) - steps(wanted, ours.tensors[tensor])).max(initial=0)
            found[kind] = max(found.get(kind, 0.0), float(off))
    return found


def in_float(model: Model) -> Model:
    """Return an int8 model in float32, each integer as the real number that it stands for."""
    for number, tensor in enumerate(model.tensors):
        if tensor.quantization is None or tensor.quantization.scale is None:
            continue
        if model.is_constant(number):
            values = model.values(number)
            along = [-1 if axis == tensor.quantization.quantizedDimension else 1 for axis in range(values.ndim)]
            scale, zero = (np.asarray(each) for each in (tensor.quantization.scale, tensor.quantization.zeroPoint))
            if len(scale) > 1:
                scale, zero = scale.reshape(along), zero.reshape(along)
            model.set_values(
                number, ((values.astype(np.float64) - zero) * scale).astype(np.float32).reshape(values.shape)
            )
        tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    for code in model.raw.operatorCodes:
        code.version = 3 if code.builtinCode == schema.BuiltinOperator.RESIZE_BILINEAR else 1
    return model


def _answers(flatbuffer: bytes, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    network = Float(flatbuffer, "float")
    values_of = network.run(inputs)
    return [values_of(tensor) for tensor in read(flatbuffer, "float").outputs]


def steps(values: np.ndarray, tensor: Any) -> np.ndarray:
    """Return real numbers as the tensor of a file holds them."""
    if tensor.type != schema.TensorType.INT8:
        return values
    return np.clip(np.round(values / tensor.quantization.scale) + tensor.quantization.zeroPoint, -128, 127).astype(
        np.int8
    )


def real(values: np.ndarray, tensor: Any) -> np.ndarray:
    """Return the real numbers that a file's tensor stands for."""
    if tensor.type != schema.TensorType.INT8:
        return values
    return ((values.astype(np.float32) - tensor.quantization.zeroPoint) * tensor.quantization.scale).astype(np.float32)
