"""Each operator in int8 against itself in float, and random graphs of them, with XNNPACK's kernels and without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.model import read
from tests.compress.convert.quantize.graphs import Net, errors_of_operators, images, run

PLAIN = Choices(range="min-max", equalize=False, correct_bias=False, full=True)
LOWEST = float(np.finfo(np.float32).min)

Build = Callable[[Net, int], int]
CASES: dict[str, Build] = {
    "CONV_2D": lambda n, x: n.conv(x, 4, activation=1),
    "CONV_2D, stride": lambda n, x: n.conv(x, 4, stride=2),
    "DEPTHWISE_CONV_2D": lambda n, x: n.depthwise(n.conv(x, 4), activation=3),
    "TRANSPOSE_CONV": lambda n, x: n.transposed(x, 3),
    "TRANSPOSE_CONV, no bias": lambda n, x: n.transposed(x, 3, bias=False),
    "FULLY_CONNECTED": lambda n, x: n.dense(n.reshape(x, 1, 64, 3), 5),
    "FULLY_CONNECTED, no bias": lambda n, x: n.dense(n.reduce(x), 5, bias=False),
    "PAD": lambda n, x: n.pad(n.conv(x, 2)),
    "PADV2": lambda n, x: n.pad(n.conv(x, 2), value=0.7),
    "PADV2, minus infinity": lambda n, x: n.pool(n.pad(n.conv(x, 2), value=LOWEST), "MAX", 3, 2),
    "MIRROR_PAD": lambda n, x: n.mirror_pad(x),
    "MAX_POOL_2D": lambda n, x: n.pool(n.conv(x, 2)),
    "AVERAGE_POOL_2D": lambda n, x: n.pool(n.conv(x, 2), "AVERAGE"),
    "RESIZE_BILINEAR": lambda n, x: n.resize(x),
    "RESIZE_NEAREST_NEIGHBOR": lambda n, x: n.resize(x, "NEAREST_NEIGHBOR"),
    "MEAN": lambda n, x: n.reduce(x, keep=True),
    "MEAN, channels": lambda n, x: n.reduce(x, axes=(3,), keep=True),
    "SUM": lambda n, x: n.reduce(x, "SUM"),
    "REDUCE_MAX": lambda n, x: n.reduce(n.conv(x, 2), "REDUCE_MAX"),
    "DEPTH_TO_SPACE": lambda n, x: n.depth_to_space(n.conv(x, 8)),
    "SLICE": lambda n, x: n.cut(n.conv(x, 6)),
    "TRANSPOSE": lambda n, x: n.transpose(x, 0, 3, 1, 2),
    "CONCATENATION": lambda n, x: n.concat(n.conv(x, 2), x, n.random(1, 8, 8, 2)),
    "CONCATENATION, sigmoid": lambda n, x: n.concat(x, n.one("LOGISTIC", x)),
    "CONCATENATION, padded sigmoid": lambda n, x: n.concat(n.conv(n.pad(x), 2), n.pad(n.one("LOGISTIC", x))),
    "CONCATENATION, sigmoids": lambda n, x: n.concat(n.one("LOGISTIC", n.conv(x, 2)), n.one("LOGISTIC", x)),
    "MAXIMUM": lambda n, x: n.two("MAXIMUM", n.conv(x, 4), n.conv(x, 4)),
    "MINIMUM": lambda n, x: n.two("MINIMUM", n.conv(x, 4), n.random(4)),
    "SQUARED_DIFFERENCE": lambda n, x: n.two("SQUARED_DIFFERENCE", n.conv(x, 4), n.random(4)),
    "ADD": lambda n, x: n.two("ADD", n.conv(x, 4), n.conv(x, 1)),
    "ADD, itself": lambda n, x: n.two("ADD", x, x),
    "SUB": lambda n, x: n.two("SUB", n.conv(x, 4), n.random(4)),
    "SUB, itself": lambda n, x: n.two("SUB", x, x),
    "MUL": lambda n, x: n.two("MUL", n.conv(x, 4), n.one("LOGISTIC", n.reduce(n.conv(x, 4), keep=True))),
    "BATCH_MATMUL": lambda n, x: n.matmul(n.reshape(x, 1, 64, 3), n.reshape(n.conv(x, 3), 1, 3, 64)),
    "BATCH_MATMUL, constant": lambda n, x: n.matmul(n.reshape(x, 1, 64, 3), n.constant(np.float32([[[3], [4], [5]]]))),
    "BATCH_MATMUL, sigmoid": lambda n, x: n.matmul(n.reshape(x, 1, 64, 3), n.reshape(n.one("LOGISTIC", x), 1, 3, 64)),
    "SOFTMAX": lambda n, x: n.softmax(n.dense(n.reduce(x), 5)),
    "PRELU": lambda n, x: n.add("PRELU", [x, n.constant(np.float32([[[0.1, -0.2, 0.3]]]))], n.shape(x)),
    "LEAKY_RELU": lambda n, x: n.one("LEAKY_RELU", x, "LeakyRelu", alpha=0.1),
    "GELU": lambda n, x: n.one("GELU", x, "Gelu", approximate=False),
    "RSQRT": lambda n, x: n.one("RSQRT", n.two("ADD", n.one("ABS", x, "Abs"), n.constant(np.float32([0.5])))),
    **{
        kind: lambda n, x, kind=kind, options=options: n.one(kind, x, options)
        for kind, options in {
            "ABS": "Abs", "ELU": "", "EXP": "Exp", "HARD_SWISH": "HardSwish", "L2_NORMALIZATION": "L2Norm",
            "LOGISTIC": "", "LOG_SOFTMAX": "LogSoftmax", "RELU": "", "RELU6": "", "RELU_0_TO_1": "",
            "RELU_N1_TO_1": "", "TANH": "",
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_operator_is_right_to_a_step(case: str) -> None:
    net = Net()
    output = CASES[case](net, net.input(1, 8, 8, 3))
    flatbuffer, calibration = net.flatbuffer(output), images(net)

    made = quantize(flatbuffer, calibration, PLAIN).flatbuffer

    assert max(errors_of_operators(made, [values[:1] for values in calibration]).values()) <= 1
    model = read(made, "int8")
    step = model.tensors[model.outputs[0]].quantization.scale[0]
    (portable,), (xnnpack,) = run(made, calibration, xnnpack=False), run(made, calibration)
    # Kernels round differently, by a step each, and what lies before may make several of one.
    assert np.abs(portable - xnnpack).max() <= 6.5 * step, case
    (wanted,) = run(flatbuffer, calibration)
    assert ((wanted - xnnpack) ** 2).sum() <= 2e-3 * (wanted**2).sum(), case


def _gated(net: Net, x: int) -> int:
    gate = net.one("LOGISTIC", net.conv(net.reduce(x, keep=True), net.shape(x)[3], 1))
    return net.two("MUL", x, gate)


GROWN: dict[str, Build] = {
    "convolution": lambda n, x: n.conv(x, 5),
    "rectified": lambda n, x: n.conv(x, 4, activation=1),
    "strided": lambda n, x: n.conv(x, 6, stride=2, activation=3),
    "depthwise": lambda n, x: n.depthwise(x, activation=1),
    "residual": lambda n, x: n.two("ADD", x, n.conv(n.conv(x, 3, activation=1), n.shape(x)[3])),
    "dense": lambda n, x: n.concat(x, n.conv(x, 2, activation=1)),
    "gated": _gated,
    "padded": lambda n, x: n.pad(x),
    "pooled": lambda n, x: n.pool(n.pad(x, value=LOWEST), "MAX", 3, 2),
    "averaged": lambda n, x: n.pool(n.pad(x), "AVERAGE", 3, 1),
    "larger": lambda n, x: n.resize(x),
    "transposed": lambda n, x: n.transposed(x, 3),
    "swish": lambda n, x: n.one("HARD_SWISH", x, "HardSwish"),
    "maximum": lambda n, x: n.two("MAXIMUM", x, n.conv(x, n.shape(x)[3])),
}
ENDS: dict[str, Build] = {
    "image": lambda n, x: n.conv(x, 1, 1),
    "mask": lambda n, x: n.one("LOGISTIC", n.conv(x, 2, 1)),
    "logits": lambda n, x: n.dense(n.reduce(x), 3),
    "scores": lambda n, x: n.softmax(n.dense(n.reduce(x), 3)),
}


@settings(max_examples=10)
@given(
    st.lists(st.sampled_from(sorted(GROWN)), min_size=1, max_size=6),
    st.sampled_from(sorted(ENDS)),
    st.integers(4, 9),
    st.integers(1, 4),
    st.integers(0, 1000),
    st.booleans(),
)
def test_random_graph_runs_with_and_without_xnnpack_near_to_float(
    names: list[str], end: str, size: int, channels: int, seed: int, full: bool
) -> None:
    net = Net(seed)
    x = net.input(1, size, size + 1, channels)
    for name in names:
        if max(net.shape(x)) < 40:
            x = GROWN[name](net, x)
    flatbuffer, calibration = net.flatbuffer(ENDS[end](net, x)), images(net, 4, seed)

    choices = replace(PLAIN, full=full)
    made = quantize(flatbuffer, calibration, choices).flatbuffer

    assert quantize(flatbuffer, calibration, choices).flatbuffer == made
    assert max(errors_of_operators(made, [values[:1] for values in calibration]).values()) <= 1
    (wanted,), (portable,), (xnnpack,) = (
        run(flatbuffer, calibration),
        run(made, calibration, False),
        run(made, calibration),
    )
    scale = np.abs(wanted).max()
    assert np.abs(portable - xnnpack).max() <= 0.1 * scale
    assert ((wanted - xnnpack) ** 2).mean() <= 0.05 * (wanted**2).mean()
