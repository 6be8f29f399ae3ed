"""The tests' networks, changed: another end, other types, other shapes. Made by the schema that comes with LiteRT."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.edge.conftest import HERE


def changed(name: str, change: Callable[[Any, Any], None]) -> bytes:
    """Return the network `name` after `change` got its model and its graph, as objects of the schema."""
    flatbuffers = pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")
    data = (HERE / f"data/{name}.tflite").read_bytes()
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    change(model, model.subgraphs[0])
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def ended(name: str, *operators: str) -> bytes:
    """Return the network `name` with operators appended, each of one input and with its output's shape and type."""
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

    def change(model: Any, graph: Any) -> None:
        for operator in operators:
            before = graph.outputs[0]
            after = schema.TensorT()
            source = graph.tensors[before]
            after.shape, after.type, after.quantization = source.shape, source.type, source.quantization
            after.name, after.buffer = operator.lower(), 0
            graph.tensors.append(after)
            step, code = schema.OperatorT(), schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, operator)
            code.version = 1
            step.opcodeIndex = len(model.operatorCodes)
            model.operatorCodes.append(code)
            step.inputs, step.outputs = [before], [len(graph.tensors) - 1]
            if operator == "RESHAPE":
                step.builtinOptionsType, step.builtinOptions = (
                    schema.BuiltinOptions.ReshapeOptions,
                    schema.ReshapeOptionsT(),
                )
                step.builtinOptions.newShape = np.array(source.shape, np.int32)
            elif operator == "SOFTMAX":
                step.builtinOptionsType, step.builtinOptions = (
                    schema.BuiltinOptions.SoftmaxOptions,
                    schema.SoftmaxOptionsT(),
                )
                step.builtinOptions.beta = 1.0
            graph.operators.append(step)
            graph.outputs = [len(graph.tensors) - 1]
            for signature in model.signatureDefs or []:
                signature.outputs[0].tensorIndex = graph.outputs[0]

    return changed(name, change)
