"""Which operators have an int8 kernel, and since which version of theirs.

Source: TensorFlow's tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc, of the builtin int8 kernels.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

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


# Operators without a kernel for int16, of those that have one for int8.
_NOT_16 = frozenset(["GELU"])
_LATER = {"TRANSPOSE_CONV": 3, "LEAKY_RELU": 2, "QUANTIZE": 2}


def has(model: Model, operator: Any, becomes: int) -> bool:
    """Return whether an operator has a kernel for activations of a type, or has no float32 tensors."""
    kind = model.kind(operator)
    tensors = [*map(int, operator.inputs), *map(int, operator.outputs)]
    known = kind in VERSIONS and not (becomes == schema.TensorType.INT16 and kind in _NOT_16)
    return known or not any(map(model.is_float, tensors))


def check(model: Model, operator: Any, becomes: int, where: str) -> None:
    """Raise EdgeError ("conversion.operator") where an operator on float32 has no kernel for int8 or int16."""
    if has(model, operator, becomes):
        return
    kinds = VERSIONS.keys() - (_NOT_16 if becomes == schema.TensorType.INT16 else ())
    bits = 16 if becomes == schema.TensorType.INT16 else 8
    raise EdgeError(
        f"{where} has the operator {model.kind(operator)} (it writes {model.name(int(operator.outputs[0]))[:200]!r}), "
        f"which has no int{bits} kernel: expected one of {', '.join(sorted(kinds))}; write the layer with these, or "
        "let it stay float",
        "conversion.operator",
    )


def set_version(model: Model, operator: Any) -> None:
    """Give an operator the version that its tensors ask for, or leave it a later one."""
    kind = model.kind(operator)
    becomes = model.becomes(int(operator.outputs[0]))
    if becomes == schema.TensorType.FLOAT32:
        return
    needed = VERSIONS.get(kind, 0)
    if becomes == schema.TensorType.INT16:
        needed = _LATER.get(kind, needed)
    if needed > model.raw.operatorCodes[operator.opcodeIndex].version:
        operator.opcodeIndex = model.code(kind, needed)
