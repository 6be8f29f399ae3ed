"""The operators that the networks are made of, and the grid of them that a device is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

CONVOLUTION, DEPTHWISE, ADDITION, CONCATENATION = "convolution", "depthwise", "addition", "concatenation"
RESAMPLING, POOLING, MEAN, FULLY_CONNECTED, CALL = "resampling", "pooling", "mean", "fully-connected", "call"
TYPES = ("int8", "float32")
MAX_ELEMENTS = 2**20  # of an operator's input and of its output: 128 x 128 x 64
MAX_MACS = 2**26
MAX_WEIGHTS = 2**20
SIZES = (8, 16, 32, 64, 128)
CHANNELS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048)
COARSE = CHANNELS[::2]  # of convolutions that halve the size
STEPS = tuple(range(8, 257, 8))  # what a kernel's tile does to channels between the grid's
STEP_SIZE, STEP_CHANNELS = 16, 32  # where that is looked at
STEMS = ((3, 1), (3, 2), (7, 2))  # kernel, stride of a convolution of the image itself
STEM_SIZES, STEM_CHANNELS = (32, 128), (8, 16, 24, 32, 48, 64)
CALL_SIZES = (32, 64, 128, 256)


class Operator(NamedTuple):
    """One operator of a network, batch 1.

    Attributes:
        kind: one of the names above; "call" is a network that computes nothing: what each invoke costs anyway.
        type: "int8" or "float32", of its tensors and weights.
        kernel: side of a convolution's kernel or a pool's window; 1 where there is none.
        stride: of both directions; 2 of a pool and a resampling (which doubles both sides).
        size: side of the output, in pixels; of a "mean" and a "call" of the input.
        inputs: channels that go in; of an addition and a concatenation, of each of the two.
        outputs: channels that come out.
    """

    kind: str
    type: str
    kernel: int
    stride: int
    size: int
    inputs: int
    outputs: int

    @property
    def side(self) -> int:
        """The input's side in pixels."""
        if self.kind == RESAMPLING:
            return self.size // 2
        return self.size * self.stride

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution or a fully connected layer; else 0."""
        each = {CONVOLUTION: self.inputs * self.outputs, DEPTHWISE: self.inputs}.get(self.kind, 0)
        if self.kind == FULLY_CONNECTED:
            return self.inputs * self.outputs
        return each * self.kernel**2 * self.size**2

    @property
    def elements(self) -> int:
        """Values that it reads and writes, without weights."""
        heads = 2 if self.kind in (ADDITION, CONCATENATION) else 1
        written = 1 if self.kind == MEAN else self.size**2
        return heads * self.side**2 * self.inputs + written * self.outputs


def grid() -> list[Operator]:
    """Return what a table has, each once, cheap ones and dear ones mixed as they come.

    Convolutions stand on powers of two, as far as a small network would go (`MAX_ELEMENTS`, `MAX_MACS`,
    `MAX_WEIGHTS`), and on every step of 8 up to 128 at one place; see `benchmarks.latency.table` for what lies between.
    """
    found: dict[Operator, None] = {}
    for kind in TYPES:
        for operator in (*_convolutions(kind), *_steps(kind), *_stems(kind), *_others(kind)):
            if _fits(operator):
                found[operator] = None
    return list(found)


def _fits(operator: Operator) -> bool:
    weights = operator.macs // operator.size**2
    largest = max(operator.side**2 * operator.inputs, operator.size**2 * operator.outputs)
    return operator.macs <= MAX_MACS and weights <= MAX_WEIGHTS and largest <= MAX_ELEMENTS


def _convolutions(kind: str) -> Iterator[Operator]:
    for size in SIZES:
        for kernel in (1, 3):
            for stride, channels in ((1, CHANNELS), (2, COARSE)):
                for inputs in channels:
                    for outputs in channels:
                        if max(inputs, outputs) <= 128 * min(inputs, outputs):
                            yield Operator(CONVOLUTION, kind, kernel, stride, size, inputs, outputs)


def _steps(kind: str) -> Iterator[Operator]:
    for kernel in (1, 3):
        for channels in STEPS:
            yield Operator(CONVOLUTION, kind, kernel, 1, STEP_SIZE, STEP_CHANNELS, channels)
            yield Operator(CONVOLUTION, kind, kernel, 1, STEP_SIZE, channels, STEP_CHANNELS)


def _stems(kind: str) -> Iterator[Operator]:
    for kernel, stride in STEMS:
        for size in STEM_SIZES:
            for image in (1, 3):
                for outputs in STEM_CHANNELS:
                    yield Operator(CONVOLUTION, kind, kernel, stride, size, image, outputs)


def _others(kind: str) -> Iterator[Operator]:
    for size in SIZES:
        for channels in CHANNELS:
            for kernel, stride in ((1, 1), (3, 1), (3, 2)):
                yield Operator(DEPTHWISE, kind, kernel, stride, size, channels, channels)
            yield Operator(ADDITION, kind, 1, 1, size, channels, channels)
            yield Operator(CONCATENATION, kind, 1, 1, size, channels, 2 * channels)
            yield Operator(RESAMPLING, kind, 1, 2, size, channels, channels)
            yield Operator(POOLING, kind, 2, 2, size, channels, channels)
            yield Operator(MEAN, kind, 1, 1, size, channels, channels)
    for channels in CHANNELS:
        for outputs in (8, 64, 1024):
            yield Operator(FULLY_CONNECTED, kind, 1, 1, 1, channels, outputs)
    for size in CALL_SIZES:
        for image in (1, 3):
            yield Operator(CALL, kind, 1, 1, size, image, image)


def octaves(value: float) -> float:
    """Return the logarithm of base 2, the axis on which a table is interpolated."""
    return math.log2(value)
