"""The networks that the papers began with, in float32, and what a network's file says of its size.

Weights are random: they do not change how long an invoke takes, and no test of accuracy is made with them. Structures
are those of `compress.networks` after conversion, where a normalization behind a convolution is part of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from benchmarks.latency.builder import NONE, RELU, SAME, VALID, Builder
from compress.convert import graph
from compress.networks.cifar import STAGE_CHANNELS
from compress.networks.resnet import EXPANSION


class Size(NamedTuple):
    """Parameters (weights and biases) and multiply-accumulates of one image."""

    parameters: int
    macs: int


def size(flatbuffer: bytes, where: str) -> Size:
    """Count what a flatbuffer holds, as papers do: normalizations that stand alone have parameters and no MACs.

    Args:
        where: its name for messages.

    Raises EdgeError where it is damaged.
    """
    found = graph.read(flatbuffer, where)
    weighted = [operator for operator in found.operators if operator.macs]
    # By object: one tensor that two operators read counts once.
    constants = {id(tensor): tensor for operator in weighted for tensor in operator.inputs[1:] if tensor is not None}
    macs = sum(operator.macs for operator in weighted if not _is_normalization(operator))
    return Size(sum(tensor.elements for tensor in constants.values()), macs)


def _is_normalization(operator: graph.Operator) -> bool:
    """Whether each value is multiplied once, as a convolution of 1x1 pixels does that looks at one channel of many."""
    image = operator.inputs[0]
    return operator.macs == operator.outputs[0].elements and image is not None and image.shape[-1] > 1


def resnet50() -> bytes:
    """Return ResNet-50 with two classes, 224x224 rgb, as a flatbuffer."""
    builder = Builder("float32")
    start = builder.tensor((1, 224, 224, 3))
    x = _pool(builder, builder.convolution(start, 64, 7, 2))
    for stage, (count, channels) in enumerate(((3, 64), (4, 128), (6, 256), (3, 512))):
        for number in range(count):
            stride = 2 if stage and not number else 1
            y = builder.convolution(builder.convolution(x, channels, 1, 1), channels, 3, stride)
            y = builder.convolution(y, channels * EXPANSION, 1, 1, NONE)
            around = x if number else builder.convolution(x, channels * EXPANSION, 1, stride, NONE)
            x = builder.add("ADD", [y, around], builder.shape(y), "AddOptions", fusedActivationFunction=RELU)
    return _classified(builder, start, x, 2)


def bottleneck56() -> bytes:
    """Return BPCP's ResNet-56 with bottlenecks and pre-activation, 32x32 rgb, ten classes, as a flatbuffer."""
    builder = Builder("float32")
    start = builder.tensor((1, 32, 32, 3))
    x = builder.convolution(start, STAGE_CHANNELS[0], 3, 1, NONE)
    for stage, channels in enumerate(STAGE_CHANNELS):
        for number in range(6):
            stride = 2 if stage and not number else 1
            y = builder.convolution(_normalized(builder, x), channels, 1, 1)
            y = builder.convolution(builder.convolution(y, channels, 3, stride), channels * EXPANSION, 1, 1, NONE)
            around = x if number else builder.convolution(x, channels * EXPANSION, 1, stride, NONE)
            x = builder.add("ADD", [y, around], builder.shape(y), "AddOptions")
    return _classified(builder, start, _normalized(builder, x), 10)


# Model -> what it was pruned from.
UNPRUNED: Mapping[str, Callable[[], bytes]] = {"cpgresnet50": resnet50, "bpcp": bottleneck56}


def _pool(builder: Builder, x: int) -> int:
    _, height, width, channels = builder.shape(x)
    fields = {"padding": VALID, "strideH": 2, "strideW": 2, "filterHeight": 2, "filterWidth": 2}
    return builder.add("MAX_POOL_2D", [x], (1, height // 2, width // 2, channels), "Pool2DOptions", **fields)


def _normalized(builder: Builder, x: int) -> int:
    """Add a normalization that stands alone, and its ReLU: a scale and a shift for each channel."""
    weights = builder.weights((1, 1, 1, builder.shape(x)[3]), 3)
    fields = {"padding": SAME, "strideH": 1, "strideW": 1, "depthMultiplier": 1, "fusedActivationFunction": RELU}
    return builder.add("DEPTHWISE_CONV_2D", [x, *weights], builder.shape(x), "DepthwiseConv2DOptions", **fields)


def _classified(builder: Builder, start: int, x: int, classes: int) -> bytes:
    channels = builder.shape(x)[3]
    axes = builder.list((1, 2))
    mean = builder.add("MEAN", [x, axes], (1, 1, 1, channels), "ReducerOptions", keepDims=True)
    weights = builder.weights((classes, channels), 0)
    return builder.finish(
        start, builder.add("FULLY_CONNECTED", [mean, *weights], (1, classes), "FullyConnectedOptions")
    )
