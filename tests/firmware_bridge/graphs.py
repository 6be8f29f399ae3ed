"""Flatbuffers of a few operators, made by TensorFlow's own schema: another one than the program reads by."""

from __future__ import annotations

from typing import Any, NamedTuple

import flatbuffers
import numpy as np
from tensorflow.lite.python import schema_py_generated as schema

TYPES = {np.dtype(np.int8): 9, np.dtype(np.uint8): 3, np.dtype(np.int32): 2, np.dtype(np.float32): 0}


class Data(NamedTuple):
    """A tensor that is computed."""

    shape: tuple[int, ...]
    type: Any = np.int8
    quantized: bool = True
    signature: tuple[int, ...] | None = None


class Step(NamedTuple):
    """An operator: its name, the numbers of its tensors, and its options as fields of the schema's class."""

    name: str
    inputs: list[int]
    outputs: list[int]
    options: str = ""
    fields: dict[str, Any] = {}  # noqa: RUF012
    custom: str = ""


def build(tensors: list[Data | np.ndarray], steps: list[Step]) -> bytes:
    """Return a flatbuffer; arrays are constants, the first tensor is the input, the last step gives the output."""
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers, model.operatorCodes = 3, [graph], [schema.BufferT()], []
    graph.tensors, graph.operators = [], []
    for number, made in enumerate(tensors):
        tensor = schema.TensorT()
        tensor.name, tensor.buffer = f"t{number}", 0
        if isinstance(made, np.ndarray):
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(made.tobytes(), np.uint8)
            tensor.buffer = len(model.buffers)
            model.buffers.append(buffer)
            made = Data(made.shape, made.dtype, made.dtype in (np.int8, np.uint8))
        tensor.shape, tensor.type = list(made.shape), TYPES[np.dtype(made.type)]
        if made.signature is not None:
            tensor.shapeSignature = list(made.signature)
        if made.quantized:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale, tensor.quantization.zeroPoint = [0.5], [0]
        graph.tensors.append(tensor)
    for step in steps:
        code, operator = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = getattr(schema.BuiltinOperator, step.name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 1
        code.customCode = step.custom or None
        operator.opcodeIndex = len(model.operatorCodes)
        operator.inputs, operator.outputs = step.inputs, step.outputs
        if step.options:
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, step.options)
            operator.builtinOptions = getattr(schema, f"{step.options}T")()
            for field, value in step.fields.items():
                assert hasattr(operator.builtinOptions, field), field
                setattr(operator.builtinOptions, field, value)
        model.operatorCodes.append(code)
        graph.operators.append(operator)
    graph.inputs, graph.outputs = [0], steps[-1].outputs
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())
