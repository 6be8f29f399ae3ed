"""A shipped int8 flatbuffer as the same network in float32, for LiteRT and tflite-runtime."""

from __future__ import annotations

from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

_VERSION_OF_FLOAT = 1
_RESIZE = 3  # half_pixel_centers came with it


def to_float(data: bytes) -> bytes:
    """Return the flatbuffer with float32 tensors: weights and biases are steps times scales, nothing is rounded.

    Constants that are no weights (axes, sizes) stay as they are.
    """
    model: Any = schema.ModelT.InitFromPackedBuf(bytearray(data), 0)
    for graph in model.subgraphs:
        weights = _weights(graph, model)
        for number, tensor in enumerate(graph.tensors):
            computed = tensor.type == schema.TensorType.INT8
            if number in weights:
                buffer = schema.BufferT()  # of its own: equal steps share one, and may have other scales
                buffer.data = np.frombuffer(weights[number].tobytes(), np.uint8)
                tensor.buffer = len(model.buffers)
                model.buffers.append(buffer)
            if number in weights or computed:
                tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    for code in model.operatorCodes:
        code.version = _RESIZE if code.builtinCode == schema.BuiltinOperator.RESIZE_BILINEAR else _VERSION_OF_FLOAT
    used = {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors}
    for number, buffer in enumerate(model.buffers):
        if number not in used:
            buffer.data = None
    model.metadata, model.metadataBuffer = None, None  # notes of the converter about the int8 file
    builder = flatbuffers.Builder(4 * len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _weights(graph: Any, model: Any) -> dict[int, np.ndarray]:
    """Return real numbers of int8 constants and of the biases behind them, by tensor."""
    found = {}
    for number, tensor in enumerate(graph.tensors):
        data, steps = model.buffers[tensor.buffer].data, tensor.quantization
        kinds = {schema.TensorType.INT8: np.int8, schema.TensorType.INT32: np.int32}
        if data is None or not len(data) or steps is None or steps.scale is None or tensor.type not in kinds:
            continue
        values = np.frombuffer(bytes(data), kinds[tensor.type]).reshape(tensor.shape)
        scales = np.array(steps.scale, np.float64)
        if len(scales) > 1:
            scales = scales.reshape([-1 if axis == steps.quantizedDimension else 1 for axis in range(values.ndim)])
        found[number] = (values * scales).astype(np.float32)
    return found
