"""A trained int8 network as plain numbers: what each peer's file is made of.

Two files cross between environments: `graph.json`, layers and tensors, and `weights.npz`, plain arrays. A float
network is the same one with its weights multiplied by their scales: what the shipped file computes, without rounding
in between.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

GRAPH, WEIGHTS = "graph.json", "weights.npz"
CONV, DEPTHWISE, DENSE = "conv", "depthwise", "dense"
ADD, CONCAT, MEAN, MAX_POOL, RESIZE = "add", "concat", "mean", "max_pool", "resize"
WEIGHTED = (CONV, DEPTHWISE, DENSE)


class Tensor(NamedTuple):
    """What is computed: shape (1, height, width, channels) or (1, channels); real = (q - zero_point) * scale."""

    shape: tuple[int, ...]
    scale: float
    zero_point: int


class Layer(NamedTuple):
    """One layer.

    Attributes:
        kind: CONV, DEPTHWISE, ...
        inputs, output: numbers of tensors.
        relu: whether negative numbers become 0 at its end.
        kernel, stride: height and width; of convolutions and pooling.
        pad: rows and columns of zeros: top, left, bottom, right.
    """

    kind: str
    inputs: tuple[int, ...]
    output: int
    relu: bool = False
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    pad: tuple[int, int, int, int] = (0, 0, 0, 0)


class Weights(NamedTuple):
    """Of a layer.

    Attributes:
        values: int8 (outputs, height, width, inputs); of DEPTHWISE (channels, height, width, 1); of DENSE
            (outputs, inputs).
        scales: float32, one for each output.
        bias: int32, in steps of the input's scale times `scales`.
        steps: those.
    """

    values: np.ndarray
    scales: np.ndarray
    bias: np.ndarray
    steps: np.ndarray

    @property
    def real(self) -> np.ndarray:
        """The float32 weights."""
        return self.values.astype(np.float32) * self.scales.reshape(-1, *[1] * (self.values.ndim - 1))

    @property
    def real_bias(self) -> np.ndarray:
        """The float32 bias."""
        return (self.bias * self.steps.astype(np.float64)).astype(np.float32)


class Graph(NamedTuple):
    """A network; layers in the order of execution, `weights` by the layer's place."""

    name: str
    tensors: tuple[Tensor, ...]
    layers: tuple[Layer, ...]
    weights: dict[int, Weights]
    input: int
    output: int


def write(graph: Graph, folder: Path) -> None:
    """Write its two files."""
    record = graph._replace(weights={})._asdict()
    record["tensors"] = [tensor._asdict() for tensor in graph.tensors]
    record["layers"] = [layer._asdict() for layer in graph.layers]
    arrays = {
        f"{place}.{name}": value for place, all_ in graph.weights.items() for name, value in all_._asdict().items()
    }
    np.savez(folder / WEIGHTS, **arrays)
    (folder / GRAPH).write_text(json.dumps(record))


def read(folder: Path) -> Graph:
    """Return the graph of a folder that `write` filled."""
    record: dict[str, Any] = json.loads((folder / GRAPH).read_text())
    tensors = tuple(Tensor(tuple(raw["shape"]), raw["scale"], raw["zero_point"]) for raw in record["tensors"])
    listed = ("inputs", "kernel", "stride", "pad")
    layers = tuple(Layer(**{**raw, **{name: tuple(raw[name]) for name in listed}}) for raw in record["layers"])
    with np.load(folder / WEIGHTS, allow_pickle=False) as arrays:
        weights = {
            place: Weights(*(arrays[f"{place}.{name}"] for name in Weights._fields))
            for place, layer in enumerate(layers)
            if layer.kind in WEIGHTED
        }
    return Graph(record["name"], tensors, layers, weights, record["input"], record["output"])
