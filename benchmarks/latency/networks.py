"""Model files of single operators: what `edge-infer` runs on a device to time them.

    image -> 1x1 convolution to the channels that go in -> OPERATOR (four of them)
          -> the first two values of each -> their sums

and the same without the operators, whose time is taken off; the rest is four times the operator's. So neither the
call nor copying nor the image count, the input lies in the caches as it does behind another layer, and of the outputs
no more is read than the two values that a classification needs. An addition and a concatenation have two such
convolutions before them. Networks' first convolutions read the image itself. A "call" is a network that computes
nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.latency.builder import RELU, SAME, VALID, Builder
from benchmarks.latency.operators import (
    ADDITION,
    CALL,
    CONCATENATION,
    CONVOLUTION,
    DEPTHWISE,
    FULLY_CONNECTED,
    MEAN,
    POOLING,
    RESAMPLING,
    Operator,
)
from compress.convert import model_file
from edge.files import write_beside

IMAGES = (1, 3)  # channels that an image has
# Of an operator: so many times less weighs what is taken off. They share their weights in the file alone, as kernels
# pack each their own.
COPIES = 4


class Baseline(NamedTuple):
    """What stands before an operator: the same network without it.

    Attributes:
        type: "int8" or "float32".
        side: of the image.
        channels: behind each first convolution; of the image where there is none.
        heads: how many first convolutions there are; 0 where the operator reads the image.
    """

    type: str
    side: int
    channels: int
    heads: int


def baseline(operator: Operator) -> Baseline:
    """Return what stands before an operator."""
    direct = operator.inputs in IMAGES
    heads = 0 if direct else 2 if operator.kind in (ADDITION, CONCATENATION) else 1
    return Baseline(operator.type, operator.side, operator.inputs, heads)


def name(what: Operator | Baseline) -> str:
    """Return a name for files and tables: "convolution-int8-3-1-16-32-64"."""
    return "-".join(map(str, what if isinstance(what, Operator) else ("baseline", *what)))


def version() -> str:
    """Return a digest of what writes the files: those of another version are others'."""
    sources = (Path(__file__), Path(__file__).with_name("builder.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]


def operator(name: str) -> Operator:
    """Return the operator of a name; ValueError or TypeError for what is none's."""
    kind, type_, *numbers = name.rsplit("-", 6)
    return Operator(kind, type_, *map(int, numbers))


def write(path: Path, what: Operator | Baseline) -> None:
    """Write the model file of an operator, or of what stands before it; the same one always has the same bytes."""
    chosen, before = (what, baseline(what)) if isinstance(what, Operator) else (None, what)
    builder = Builder(before.type, shares=True)
    image = before.channels if before.channels in IMAGES else 1
    start = builder.tensor((1, before.side, before.side, image))
    heads = [builder.convolution(start, before.channels, 1, 1) for _ in range(before.heads)] or [start]
    if chosen is not None and chosen.kind == CALL:
        ends = [builder.end(start)]
    else:
        made = [heads[0] if chosen is None else _ADD[chosen.kind](builder, chosen, heads) for _ in range(COPIES)]
        # All outputs live to the end: each is written to memory of its own, as in a network.
        ends = [builder.end(tensor) for tensor in (*made, *heads[1:])]
    last = ends[0]
    for end in ends[1:]:
        last = builder.add("ADD", [last, end], builder.shape(last), "AddOptions")
    if builder.shape(last) != (1, 2):
        last = builder.add("RESHAPE", [last, builder.list((1, 2))], (1, 2), "ReshapeOptions")
    flatbuffer = builder.finish(start, last)
    write_beside(path, model_file.pack(path, flatbuffer, _manifest(name(what), before, image, flatbuffer), {}))


def _manifest(called: str, before: Baseline, channels: int, flatbuffer: bytes) -> dict[str, Any]:
    image = {
        "height": before.side,
        "width": before.side,
        "color": "rgb" if channels == 3 else "grey",
        "channels": channels,
        "fit": "stretch",
        "mean": [0.5],
        "std": [0.25],
    }
    return {
        "format": "edge-infer",
        "version": 1,
        "name": called,
        "title": "An operator that is timed; its answers mean nothing",
        "task": "classification",
        "inputs": [image],
        "outputs": [{"labels": ["first", "second"], "activation": "softmax", "decision": None}],
        "targets": [],
        "measured": {},
        "provenance": {"data": "none: random weights"},
        "runtime": {"type": before.type, "operators": model_file.operators(flatbuffer)},
        "golden": [],
    }


def _convolution(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    return builder.convolution(heads[0], operator.outputs, operator.kernel, operator.stride)


def _depthwise(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    weights = builder.weights((1, operator.kernel, operator.kernel, operator.outputs), 3)
    fields = {
        "padding": SAME,
        "strideH": operator.stride,
        "strideW": operator.stride,
        "depthMultiplier": 1,
        "fusedActivationFunction": RELU,
    }
    return builder.add("DEPTHWISE_CONV_2D", [heads[0], *weights], _shape(operator), "DepthwiseConv2DOptions", **fields)


def _addition(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    return builder.add("ADD", heads, _shape(operator), "AddOptions", fusedActivationFunction=RELU)


def _concatenation(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    return builder.add("CONCATENATION", heads, _shape(operator), "ConcatenationOptions", axis=3)


def _resampling(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    sizes = builder.list((operator.size, operator.size))
    fields = {"halfPixelCenters": True}
    return builder.add("RESIZE_BILINEAR", [heads[0], sizes], _shape(operator), "ResizeBilinearOptions", **fields)


def _pooling(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    fields = {
        "padding": VALID,
        "strideH": operator.stride,
        "strideW": operator.stride,
        "filterHeight": operator.kernel,
        "filterWidth": operator.kernel,
    }
    return builder.add("MAX_POOL_2D", heads, _shape(operator), "Pool2DOptions", **fields)


def _mean(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    shape = (1, 1, 1, operator.outputs)
    return builder.add("MEAN", [heads[0], builder.list((1, 2))], shape, "ReducerOptions", keepDims=True)


def _fully_connected(builder: Builder, operator: Operator, heads: Sequence[int]) -> int:
    weights = builder.weights((operator.outputs, operator.inputs), 0)
    return builder.add("FULLY_CONNECTED", [heads[0], *weights], (1, operator.outputs), "FullyConnectedOptions")


def _shape(operator: Operator) -> tuple[int, ...]:
    return (1, operator.size, operator.size, operator.outputs)


_ADD: Mapping[str, Any] = {
    CONVOLUTION: _convolution,
    DEPTHWISE: _depthwise,
    ADDITION: _addition,
    CONCATENATION: _concatenation,
    RESAMPLING: _resampling,
    POOLING: _pooling,
    MEAN: _mean,
    FULLY_CONNECTED: _fully_connected,
}
