"""Which operators have an int8 kernel, and since which version of theirs.

Source: TensorFlow's tensorflow/compiler/mlir/lite/tools/versioning/op_version.cc, of the builtin int8 kernels.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize.model import Model
from edge.errors import EdgeError

# The operators of each version from which on they take int8.
_SINCE = {
    1: """BROADCAST_TO ELU EXPAND_DIMS HARD_SWISH LEAKY_RELU PRELU QUANTIZE RELU_0_TO_1 RELU_N1_TO_1 RESHAPE SELECT_V2
    SQUEEZE""",
    2: """ABS ADD ARG_MAX ARG_MIN AVERAGE_POOL_2D BATCH_MATMUL BATCH_TO_SPACE_ND CONCATENATION DEPTH_TO_SPACE EQUAL EXP
    GATHER GELU GREATER GREATER_EQUAL L2_NORMALIZATION LESS LESS_EQUAL LOG LOGISTIC LOG_SOFTMAX MAXIMUM MAX_POOL_2D MEAN
    MINIMUM MIRROR_PAD MUL NOT_EQUAL PACK PAD PADV2 REDUCE_MAX REDUCE_MIN RELU RELU6 RESIZE_BILINEAR
    RESIZE_NEAREST_NEIGHBOR RSQRT SLICE SOFTMAX SPACE_TO_BATCH_ND SPACE_TO_DEPTH SPLIT SPLIT_V SQUARED_DIFFERENCE
    STRIDED_SLICE SUB SUM TANH TRANSPOSE TRANSPOSE_CONV UNPACK""",
    3: "CONV_2D DEPTHWISE_CONV_2D REVERSE_V2 TILE",
    4: "FULLY_CONNECTED",
}
# Of what is computed with, and of sizes, indices and masks.
_TYPES = (schema.TensorType.FLOAT32, schema.TensorType.INT32, schema.TensorType.INT64, schema.TensorType.BOOL)
VERSIONS = {kind: version for version, kinds in _SINCE.items() for kind in kinds.split()}


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


def check_types(model: Model, where: str) -> None:
    """Raise EdgeError ("conversion.quantized") where a network has quantized tensors already, or float16."""
    for number, tensor in enumerate(model.tensors):
        if tensor.type not in _TYPES:
            name = next((name for name, kind in vars(schema.TensorType).items() if kind == tensor.type), "")
            raise EdgeError(
                f"{where} has tensors of {name} ({model.name(number)[:200]!r}): expected float32; convert the network "
                "without quantization or float16",
                "conversion.quantized",
            )


def check_ends(model: Model, where: str) -> None:
    """Raise EdgeError ("conversion.ends") where an input is not float32, or an output is a constant."""
    for tensor in model.inputs:
        if not model.is_float(tensor):
            raise EdgeError(
                f"{where} has an input that is not float32 ({model.name(tensor)[:200]!r}): expected images; write the "
                "network so that its inputs are float32",
                "conversion.ends",
            )
    for tensor in model.outputs:
        if model.is_constant(tensor):
            raise EdgeError(
                f"{where} has an output that is a constant ({model.name(tensor)[:200]!r}): expected what is computed "
                "from its input; leave the output out",
                "conversion.ends",
            )


def set_version(model: Model, operator: Any) -> None:
    """Give an operator the version that its tensors ask for, or leave it a later one."""
    kind, options = model.kind(operator), operator.builtinOptions
    becomes = model.becomes(int(operator.outputs[0]))
    if becomes == schema.TensorType.FLOAT32:
        return
    needed = VERSIONS.get(kind, 0)
    if becomes == schema.TensorType.INT16 and kind in _LATER:
        needed = _LATER[kind]
    elif kind == "FULLY_CONNECTED":
        needed = 6 if len(operator.inputs) == 2 else 5 if options.keepNumDims else needed
    elif kind == "TRANSPOSE_CONV" and len(operator.inputs) == 4:
        needed = 3
    elif kind == "CONV_2D" and model.shape(operator.inputs[0])[-1] != model.shape(operator.inputs[1])[-1]:
        needed = 6  # in groups
    if needed > model.raw.operatorCodes[operator.opcodeIndex].version:
        operator.opcodeIndex = model.code(kind, needed)
