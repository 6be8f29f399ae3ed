"""A graph as ONNX: in float, and in int8 with QuantizeLinear and DequantizeLinear at the shipped file's own scales."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from benchmarks.peers.graph import ADD, CONCAT, DENSE, DEPTHWISE, MAX_POOL, MEAN, RESIZE, Graph, Layer, Tensor

OPSET, IR = 17, 9
INPUT, OUTPUT = "image", "logits"


def write(graph: Graph, path: Path, activations: str | None) -> None:
    """Write it to `path`.

    Args:
        activations: None for float32; "int8" or "uint8" for what is computed in an int8 network. Both are the same
            numbers, a zero point 128 higher in the second; weights are int8, one scale for each output, biases int32.
    """
    writer = _Writer(graph, activations)
    for place, layer in enumerate(graph.layers):
        writer.add(place, layer)
    onnx.save(writer.model(), str(path))


def shape(tensor: Tensor) -> tuple[int, ...]:
    """Return ONNX's shape: channels before rows and columns."""
    size = tensor.shape
    return (size[0], size[3], size[1], size[2]) if len(size) == 4 else size


class _Writer:
    def __init__(self, graph: Graph, activations: str | None) -> None:
        self.graph, self.activations = graph, activations
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.real: dict[int, str] = {}  # of each tensor that is computed the name of its real numbers
        if activations is None:
            self.real[graph.input] = INPUT
        else:
            self.real[graph.input] = self._dequantized(INPUT, graph.tensors[graph.input])

    def model(self) -> onnx.ModelProto:
        kind = {None: TensorProto.FLOAT, "int8": TensorProto.INT8, "uint8": TensorProto.UINT8}[self.activations]
        tensors = self.graph.tensors
        ends = [
            helper.make_tensor_value_info(name, kind, shape(tensors[number]))
            for name, number in ((INPUT, self.graph.input), (OUTPUT, self.graph.output))
        ]
        body = helper.make_graph(self.nodes, self.graph.name, ends[:1], ends[1:], self.constants)
        return helper.make_model(body, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)

    def add(self, place: int, layer: Layer) -> None:
        inputs = [self.real[number] for number in layer.inputs]
        name = f"layer{place}"
        if place in self.graph.weights:
            found = self._weighted(name, place, layer, inputs[0])
        elif layer.kind == ADD:
            found = self._node("Add", inputs, name)
        elif layer.kind == CONCAT:
            found = self._node("Concat", inputs, name, axis=1)
        elif layer.kind == MEAN:
            found = self._node("GlobalAveragePool", inputs, name)
        elif layer.kind == MAX_POOL:
            found = self._node("MaxPool", inputs, name, **self._window(layer))
        else:
            assert layer.kind == RESIZE
            sizes = np.array(shape(self.graph.tensors[layer.output]), np.int64)
            words = [inputs[0], "", "", self._constant(f"{name}_sizes", sizes)]
            mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
            found = self._node("Resize", words, name, **mode)
        if layer.relu:
            found = self._node("Relu", [found], f"{name}_relu")
        self._end(layer.output, found)

    def _end(self, number: int, found: str) -> None:
        """Let the real numbers `found` be a tensor's; in int8 they are rounded to its steps."""
        tensor, last = self.graph.tensors[number], number == self.graph.output
        if self.activations is None:
            if last:
                self.nodes[-1].output[0] = OUTPUT
            self.real[number] = found
            return
        name = OUTPUT if last else f"{found}_q"
        self.nodes.append(helper.make_node("QuantizeLinear", [found, *self._steps(name, tensor)], [name], name))
        if not last:
            self.real[number] = self._dequantized(name, tensor)

    def _weighted(self, name: str, place: int, layer: Layer, image: str) -> str:
        weights = self.graph.weights[place]
        axes = (0, 3, 1, 2) if layer.kind != DENSE else (0, 1)
        if self.activations is None:
            value = self._constant(f"{name}_w", np.ascontiguousarray(weights.real.transpose(axes)))
            bias = self._constant(f"{name}_b", weights.real_bias)
        else:
            value = self._scaled(f"{name}_w", weights.values.transpose(axes), weights.scales)
            bias = self._scaled(f"{name}_b", weights.bias, weights.steps)
        if layer.kind == DENSE:
            if len(self.graph.tensors[layer.inputs[0]].shape) == 4:
                image = self._node("Flatten", [image], f"{name}_flat")
            return self._node("Gemm", [image, value, bias], name, transB=1)
        group = len(weights.values) if layer.kind == DEPTHWISE else 1
        return self._node("Conv", [image, value, bias], name, group=group, **self._window(layer))

    @staticmethod
    def _window(layer: Layer) -> dict[str, list[int]]:
        return {"kernel_shape": list(layer.kernel), "strides": list(layer.stride), "pads": list(layer.pad)}

    def _node(self, kind: str, inputs: list[str], name: str, **options: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **options))
        return name

    def _constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _scaled(self, name: str, value: np.ndarray, scales: np.ndarray) -> str:
        zero = np.zeros(len(scales), value.dtype)
        words = [self._constant(f"{name}_i", value), self._constant(f"{name}_s", scales.astype(np.float32))]
        words.append(self._constant(f"{name}_z", zero))
        return self._node("DequantizeLinear", words, name, axis=0)

    def _steps(self, name: str, tensor: Tensor) -> list[str]:
        kind, more = (np.int8, 0) if self.activations == "int8" else (np.uint8, 128)
        scale = self._constant(f"{name}_scale", np.array(tensor.scale, np.float32))
        return [scale, self._constant(f"{name}_zero", np.array(tensor.zero_point + more, kind))]

    def _dequantized(self, name: str, tensor: Tensor) -> str:
        return self._node("DequantizeLinear", [name, *self._steps(f"{name}_d", tensor)], f"{name}_real")
