"""Which operators have an int8 kernel, and since which version of theirs.

Source: TensorFlow's tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc, of the builtin int8 kernels.
"""

from __future__ import annotations

from typing import Any

from compress.convert.quantize.model import Model
from edge.errors import EdgeError

# The operator's version from which on it takes int8.
VERSIONS = {
    **dict.fromkeys(
        [
            "ADD",
            "AVERAGE_POOL_2D",
            "BATCH_TO_SPACE_ND",
            "CONCATENATION",
            "DEPTH_TO_SPACE",
            "EXP",
            "GATHER",
            "GELU",
            "GREATER",
            "L2_NORMALIZATION",
            "LESS",
            "LOGISTIC",
            "LOG_SOFTMAX",
            "MAXIMUM",
            "MAX_POOL_2D",
            "MEAN",
            "MINIMUM",
            "MIRROR_PAD",
            "MUL",
            "PACK",
            "PAD",
            "PADV2",
            "REDUCE_MAX",
            "REDUCE_MIN",
            "RELU",
            "RELU6",
            "RELU_N1_TO_1",
            "RESIZE_BILINEAR",
            "RESIZE_NEAREST_NEIGHBOR",
            "SLICE",
            "SOFTMAX",
            "SPACE_TO_BATCH_ND",
            "SPACE_TO_DEPTH",
            "SPLIT",
            "SPLIT_V",
            "SQUARED_DIFFERENCE",
            "STRIDED_SLICE",
            "SUB",
            "SUM",
            "TANH",
            "TILE",
            "TRANSPOSE",
            "UNPACK",
            "BATCH_MATMUL",
            "ABS",
            "RSQRT",
        ],
        2,
    ),
    **dict.fromkeys(
        ["BROADCAST_TO", "EXPAND_DIMS", "HARD_SWISH", "LEAKY_RELU", "PRELU", "QUANTIZE", "RESHAPE", "SQUEEZE"], 1
    ),
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "FULLY_CONNECTED": 4,
    "TRANSPOSE_CONV": 2,
}


def check(model: Model, where: str) -> None:
    """Raise EdgeError ("conversion.operator") where an operator on float32 has no int8 kernel."""
    for operator in model.operators:
        kind = model.kind(operator)
        outputs = [int(tensor) for tensor in operator.outputs]
        if kind not in VERSIONS and any(map(model.is_float, [*map(int, operator.inputs), *outputs])):
            raise EdgeError(
                f"{where} has the operator {kind} (it writes {model.name(outputs[0])[:200]!r}), which has no int8 "
                f"kernel: expected one of {', '.join(sorted(VERSIONS))}; write the layer with these",
                "conversion.operator",
            )


def set_version(model: Model, operator: Any) -> None:
    """Give an operator the version that its int8 tensors ask for, or leave it a later one."""
    kind = model.kind(operator)
    version = model.raw.operatorCodes[operator.opcodeIndex].version
    if VERSIONS.get(kind, 0) > version:
        operator.opcodeIndex = model.code(kind, VERSIONS[kind])
