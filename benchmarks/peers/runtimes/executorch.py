"""ExecuTorch with its XNNPACK backend."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import graph
from benchmarks.peers.graph import ADD, CONCAT, CONV, DENSE, DEPTHWISE, MAX_POOL, MEAN, Graph
from benchmarks.peers.runner import Runner, to_channels_first, to_channels_last

TITLE = "ExecuTorch"
REQUIREMENTS = ("executorch==1.5.1", "torch==2.13.0+cpu", "torchao==0.18.0", "numpy==2.4.6")
KINDS = ("int8", "float")
NOTE = "int8: its own quantizer for XNNPACK, calibrated on the golden images; input and output in float"
NOT_ON_ARM = "its library for Python needs PyTorch, whose wheel for Arm needs CUDA"


def convert(folder: Path, kind: str, machine: str) -> str:
    """Export the network, quantize it in int8, and lower it to XNNPACK."""
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    network, images = _module(graph.read(folder)), np.load(folder / "inputs.npy", allow_pickle=False)
    tensors = [torch.from_numpy(to_channels_first(images[number : number + 1])) for number in range(len(images))]
    example = (tensors[0],)
    exported = torch.export.export(network, example)
    if kind == "int8":
        exported = torch.export.export(_quantized(exported.module(), tensors), example)
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    name = f"executorch-{kind}.pte"
    (folder / name).write_bytes(lowered.to_executorch().buffer)
    return name


def _quantized(module: Any, tensors: list[Any]) -> Any:
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    quantizer = XNNPACKQuantizer().set_global(get_symmetric_quantization_config(is_per_channel=True))
    prepared = prepare_pt2e(module, quantizer)
    for tensor in tensors:
        prepared(tensor)
    return convert_pt2e(prepared)


def _module(network: Graph) -> Any:
    """Return the graph as a torch module that takes (1, channels, height, width)."""
    import torch
    from torch.nn import functional

    class Module(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            for place, weights in network.weights.items():
                axes = (0, 1) if network.layers[place].kind == DENSE else (0, 3, 1, 2)
                real = np.ascontiguousarray(weights.real.transpose(axes))
                for name, value in (("w", real), ("b", weights.real_bias)):
                    setattr(self, f"{name}{place}", torch.nn.Parameter(torch.from_numpy(value), requires_grad=False))

        def forward(self, image: Any) -> Any:
            found = {network.input: image}
            for place, layer in enumerate(network.layers):
                inputs = [found[number] for number in layer.inputs]
                result = self._layer(place, layer, inputs)
                found[layer.output] = functional.relu(result) if layer.relu else result
            return found[network.output]

        def _layer(self, place: int, layer: graph.Layer, inputs: list[Any]) -> Any:
            image = inputs[0]
            if layer.kind in (CONV, DEPTHWISE):
                top, left, bottom, right = layer.pad
                padding = (top, left)
                if (top, left) != (bottom, right):
                    image, padding = functional.pad(image, (left, right, top, bottom)), (0, 0)
                weight, bias = getattr(self, f"w{place}"), getattr(self, f"b{place}")
                group = len(weight) if layer.kind == DEPTHWISE else 1
                return functional.conv2d(image, weight, bias, layer.stride, padding, (1, 1), group)
            if layer.kind == DENSE:
                return functional.linear(image.flatten(1), getattr(self, f"w{place}"), getattr(self, f"b{place}"))
            if layer.kind == ADD:
                return inputs[0] + inputs[1]
            if layer.kind == CONCAT:
                return torch.cat(inputs, 1)
            if layer.kind == MEAN:
                return image.mean((2, 3), keepdim=True)
            if layer.kind == MAX_POOL:
                return functional.max_pool2d(image, layer.kernel, layer.stride)
            size = network.tensors[layer.output].shape[1:3]
            return functional.interpolate(image, size=size, mode="bilinear", align_corners=False)

    return Module().eval()


def load(path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    import torch
    from executorch.extension.pybindings import portable_lib as library

    library._unsafe_reset_threadpool(threads)
    method = library._load_for_executorch(str(path))

    def prepare(real: np.ndarray) -> Any:
        return (torch.from_numpy(to_channels_first(real)),)

    def run(tensors: Any) -> Any:
        return method.forward(tensors)[0]

    def real(raw: Any) -> np.ndarray:
        return to_channels_last(raw.numpy())

    return Runner(version("executorch"), prepare, run, real)
