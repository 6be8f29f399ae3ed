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
        _to_depthwise(graph, model, weights)
        for number, tensor in enumerate(graph.tensors):
            computed = tensor.type == schema.TensorType.INT8
            if number in weights:
                model.buffers[tensor.buffer].data = np.frombuffer(weights[number].tobytes(), np.uint8)
            if number in weights or computed:
                tensor.type, tensor.quantization = schema.TensorType.FLOAT32, None
    for code in model.operatorCodes:
        code.version = _RESIZE if code.builtinCode == schema.BuiltinOperator.RESIZE_BILINEAR else _VERSION_OF_FLOAT
    model.metadata, model.metadataBuffer = None, None  # notes of the converter about the int8 file
    builder = flatbuffers.Builder(4 * len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _to_depthwise(graph: Any, model: Any, weights: dict[int, np.ndarray]) -> None:
    """Give convolutions with a group for each channel their own operator's name, in place.

    CONV_2D with groups is right in int8 and computes other numbers in float32 (LiteRT 2.3.0, tflite-runtime 2.14.0).
    """
    depthwise = schema.BuiltinOperator.DEPTHWISE_CONV_2D
    for operator in graph.operators:
        if model.operatorCodes[operator.opcodeIndex].builtinCode != schema.BuiltinOperator.CONV_2D:
            continue
        image, kernel = (graph.tensors[number] for number in operator.inputs[:2])
        if not image.shape[3] == kernel.shape[0] > 1 == kernel.shape[3]:
            continue
        codes = [code.builtinCode for code in model.operatorCodes]
        if depthwise not in codes:
            code = schema.OperatorCodeT()
            code.builtinCode, code.deprecatedBuiltinCode = depthwise, depthwise
            model.operatorCodes.append(code)
            codes.append(depthwise)
        old, new = operator.builtinOptions, schema.DepthwiseConv2DOptionsT()
        new.padding, new.strideW, new.strideH, new.depthMultiplier = old.padding, old.strideW, old.strideH, 1
        new.fusedActivationFunction = old.fusedActivationFunction
        operator.opcodeIndex = codes.index(depthwise)
        operator.builtinOptionsType, operator.builtinOptions = schema.BuiltinOptions.DepthwiseConv2DOptions, new
        weights[operator.inputs[1]] = np.ascontiguousarray(weights[operator.inputs[1]].transpose(3, 1, 2, 0))
        kernel.shape = np.array(weights[operator.inputs[1]].shape, np.int32)


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
