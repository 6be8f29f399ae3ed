"""A TFLite flatbuffer as a model that can be changed: all weights taken in, equal vectors stored once."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edge import flatbuffer as checked
from edge.errors import EdgeError

_OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if isinstance(value, int)}
_CODES = {name: value for value, name in _OPERATORS.items()}
_KINDS: dict[int, np.dtype[Any]] = {
    schema.TensorType.FLOAT32: np.dtype("<f4"),
    schema.TensorType.INT8: np.dtype("i1"),
    schema.TensorType.UINT8: np.dtype("u1"),
    schema.TensorType.INT16: np.dtype("<i2"),
    schema.TensorType.INT32: np.dtype("<i4"),
    schema.TensorType.INT64: np.dtype("<i8"),
    schema.TensorType.BOOL: np.dtype("?"),
}
_TYPES = {kind: number for number, kind in _KINDS.items()}
_WEIGHTS_ALIGNED = 16  # bytes: the schema asks for it


class Model:
    """A network of one graph, over the schema's own objects.

    Attributes:
        raw: the schema's ModelT. graph: its one SubGraphT.
        tensors, operators: the graph's, as lists that may grow.
        types: what a computed float32 tensor becomes when the network is quantized, a schema's type: int8 unless said.
    """

    def __init__(self, raw: Any) -> None:
        self.raw, self.graph = raw, raw.subgraphs[0]
        self.tensors: list[Any] = self.graph.tensors
        self.operators: list[Any] = self.graph.operators
        self.inputs: list[int] = list(self.graph.inputs)
        self.outputs: list[int] = list(self.graph.outputs)
        self.types: dict[int, int] = {}

    def kind(self, operator: Any) -> str:
        """Return the schema's name of an operator, "CONV_2D"; of a custom one its own."""
        code = self.raw.operatorCodes[operator.opcodeIndex]
        name = _OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
        return (code.customCode or b"CUSTOM").decode(errors="replace") if name == "CUSTOM" else name

    def name(self, tensor: int) -> str:
        return (self.tensors[tensor].name or b"").decode(errors="replace")

    def shape(self, tensor: int) -> tuple[int, ...]:
        shape = self.tensors[tensor].shape
        return () if shape is None else tuple(int(size) for size in shape)

    def is_float(self, tensor: int) -> bool:
        return tensor >= 0 and self.tensors[tensor].type == schema.TensorType.FLOAT32

    def becomes(self, tensor: int) -> int:
        """Return the type that a computed float32 tensor gets."""
        return self.types.get(tensor, int(schema.TensorType.INT8))

    def is_constant(self, tensor: int) -> bool:
        data = self.raw.buffers[self.tensors[tensor].buffer].data if tensor >= 0 else None
        return data is not None and len(data) > 0

    def values(self, tensor: int) -> np.ndarray:
        """Return a constant's values, in its type and shape; read only."""
        found = self.tensors[tensor]
        data = np.asarray(self.raw.buffers[found.buffer].data, np.uint8)
        return np.frombuffer(data.tobytes(), _KINDS[found.type]).reshape(self.shape(tensor))

    def set_values(self, tensor: int, values: np.ndarray) -> None:
        """Give a constant other values, of any type that a network may have; its shape and type follow.

        Its buffer becomes its own: equal constants share one.
        """
        buffer = schema.BufferT()
        values = np.ascontiguousarray(values)
        buffer.data = np.frombuffer(values.tobytes(), np.uint8)
        self.raw.buffers.append(buffer)
        found = self.tensors[tensor]
        found.buffer = len(self.raw.buffers) - 1
        found.type = _TYPES[values.dtype.newbyteorder("<") if values.dtype.itemsize > 1 else values.dtype]
        found.shape = np.array(values.shape, np.int32)

    def add_tensor(self, like: int) -> int:
        """Add a copy of a tensor, and return its number."""
        self.tensors.append(copy.copy(self.tensors[like]))
        return len(self.tensors) - 1

    def add_operator(self, at: int, kind: str, inputs: Sequence[int], outputs: Sequence[int], version: int) -> Any:
        """Insert an operator without options before number `at`, and return it."""
        operator = schema.OperatorT()
        operator.opcodeIndex = self.code(kind, version)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        self.operators.insert(at, operator)
        return operator

    def code(self, kind: str, version: int) -> int:
        """Return the index of the code of a builtin operator in a version; it is added where there is none."""
        for index, code in enumerate(self.raw.operatorCodes):
            if max(code.builtinCode, code.deprecatedBuiltinCode) == _CODES[kind] and code.version == version:
                return index
        code = schema.OperatorCodeT()
        code.builtinCode, code.deprecatedBuiltinCode, code.version = _CODES[kind], min(_CODES[kind], 127), version
        self.raw.operatorCodes.append(code)
        return len(self.raw.operatorCodes) - 1

    def writers(self) -> dict[int, int]:
        """Return which operator, by its number, writes a tensor."""
        return {int(tensor): number for number, op in enumerate(self.operators) for tensor in op.outputs}

    def readers(self) -> dict[int, list[int]]:
        """Return which operators, by number and in order, read a tensor; one that reads it twice stands twice."""
        found: dict[int, list[int]] = {}
        for number, operator in enumerate(self.operators):
            for tensor in reads(operator):
                found.setdefault(tensor, []).append(number)
        return found


def reads(operator: Any) -> Iterator[int]:
    """Yield the tensors that an operator reads, without optional ones that are left out."""
    return (int(tensor) for tensor in operator.inputs if tensor >= 0)


def quantization(scale: float | np.ndarray, zero_point: int | np.ndarray, axis: int = 0) -> Any:
    """Return the schema's quantization: real = (q - zero_point) * scale, of a whole tensor or along `axis`."""
    made = schema.QuantizationParametersT()
    made.scale = np.atleast_1d(np.asarray(scale, np.float32))
    made.zeroPoint = np.atleast_1d(np.asarray(zero_point, np.int64))
    made.quantizedDimension = axis
    return made


def read(flatbuffer: bytes, where: str) -> Model:
    """Return the model in `flatbuffer`; `where` names it in messages. Weights behind the flatbuffer are taken in.

    Raises EdgeError: "model.network" where the flatbuffer is damaged, newer than the schema, sparse or has weights in
    another file; "conversion.graphs" where it has more than one graph.
    """
    network = checked.read(flatbuffer, where, far_weights=True)
    if len(network.graphs) != 1:
        raise EdgeError(
            f"{where} has {len(network.graphs)} graphs: expected 1; convert it without control flow",
            "conversion.graphs",
        )
    raw = schema.ModelT.InitFromPackedBuf(flatbuffer, 0)
    for buffer in raw.buffers:
        if buffer.offset > 1:
            buffer.data = np.frombuffer(flatbuffer, np.uint8, buffer.size, buffer.offset)
        buffer.offset = buffer.size = 0
    for operator in raw.subgraphs[0].operators:
        operator.inputs, operator.outputs = list(map(int, operator.inputs)), list(map(int, operator.outputs))
    return Model(raw)


def write(model: Model, where: str) -> bytes:
    """Return the flatbuffer of a model, equal ones for equal models; what nothing refers to is left out.

    Notes of converters go: they speak of another file. Raises EdgeError where what was written can't be read back.
    """
    model.graph.inputs, model.graph.outputs = model.inputs, model.outputs
    _drop_unused(model)
    builder = _Builder(1 << 20)
    builder.Finish(model.raw.Pack(builder), file_identifier=b"TFL3")
    flatbuffer = bytes(builder.Output())
    checked.read(flatbuffer, where)
    return flatbuffer


def _drop_unused(model: Model) -> None:
    raw, graph = model.raw, model.graph
    raw.metadata = raw.metadataBuffer = None
    used = {tensor for op in graph.operators for tensor in [*reads(op), *map(int, op.outputs)]}
    used |= {*model.inputs, *model.outputs}
    kept = {old: new for new, old in enumerate(sorted(used))}
    graph.tensors = model.tensors = [model.tensors[old] for old in kept]
    for operator in graph.operators:
        operator.inputs = [kept[int(tensor)] if tensor >= 0 else -1 for tensor in operator.inputs]
        operator.outputs = [kept[int(tensor)] for tensor in operator.outputs]
        operator.intermediates = None
    graph.inputs = model.inputs = [kept[tensor] for tensor in model.inputs]
    graph.outputs = model.outputs = [kept[tensor] for tensor in model.outputs]
    for signature in raw.signatureDefs or ():
        for end in [*(signature.inputs or ()), *(signature.outputs or ())]:
            end.tensorIndex = kept[end.tensorIndex]
    codes = {old: new for new, old in enumerate(sorted({op.opcodeIndex for op in graph.operators}))}
    raw.operatorCodes = [raw.operatorCodes[old] for old in codes]
    for operator in graph.operators:
        operator.opcodeIndex = codes[operator.opcodeIndex]
    _share_buffers(model)


def _share_buffers(model: Model) -> None:
    """Store each constant once; buffer 0 is the empty one, of all that is computed."""
    numbers: dict[bytes, int] = {b"": 0}
    buffers = [schema.BufferT()]
    for tensor in model.tensors:
        data = model.raw.buffers[tensor.buffer].data
        content = b"" if data is None else np.asarray(data, np.uint8).tobytes()
        if content not in numbers:
            numbers[content] = len(buffers)
            buffers.append(schema.BufferT())
            buffers[-1].data = np.frombuffer(content, np.uint8)
        tensor.buffer = numbers[content]
    model.raw.buffers = buffers


class _Builder(flatbuffers.Builder):
    """A builder that stores vectors of equal content once.

    Quantization by channel gives every convolution a zero point for each channel, 8 bytes that are always 0: without
    this they are a twelfth of a ghost network's file.
    """

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.made: dict[tuple[str, bytes], int] = {}

    def CreateNumpyVector(self, x: np.ndarray) -> int:
        key = x.dtype.str, x.tobytes()
        if key not in self.made:
            if x.dtype == np.uint8:
                self.StartVector(1, x.size, _WEIGHTS_ALIGNED)
                self.head -= x.size
                self.Bytes[self.head : self.head + x.size] = key[1]
                self.made[key] = self.EndVector()
            else:
                self.made[key] = super().CreateNumpyVector(x)
        return self.made[key]
