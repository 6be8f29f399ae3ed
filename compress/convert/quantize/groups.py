"""Which tensors share a scale, and which have a fixed one: TFLite's int8 kernels ask for it.

Source: TensorFlow Lite's 8-bit quantization specification.
"""

from __future__ import annotations

from typing import Any

from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize.model import Model

# Operators that move values: the output has the first input's scale.
MOVES = frozenset(
    [
        "AVERAGE_POOL_2D",
        "BATCH_TO_SPACE_ND",
        "BROADCAST_TO",
        "DEPTH_TO_SPACE",
        "EXPAND_DIMS",
        "GATHER",
        "GATHER_ND",
        "MAX_POOL_2D",
        "MIRROR_PAD",
        "PAD",
        "PADV2",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "RESHAPE",
        "RESIZE_BILINEAR",
        "RESIZE_NEAREST_NEIGHBOR",
        "REVERSE_V2",
        "SLICE",
        "SPACE_TO_BATCH_ND",
        "SPACE_TO_DEPTH",
        "SPLIT",
        "SPLIT_V",
        "SQUEEZE",
        "STRIDED_SLICE",
        "TILE",
        "TOPK_V2",
        "TRANSPOSE",
        "UNPACK",
    ]
)
# Operators that choose among several inputs' values: all of these and the output share a scale.
JOINS = frozenset(["CONCATENATION", "MAXIMUM", "MINIMUM", "PACK", "SELECT", "SELECT_V2"])
# Of these the ones that can't tell a value outside of their output's range from the range's end: what their inputs hold
# beyond it is of no account.
CLIPS = frozenset(["MAXIMUM", "MAX_POOL_2D", "MINIMUM", "REDUCE_MAX", "REDUCE_MIN"])
# The output's scale and zero point, whatever its values are.
FIXED = {
    "SOFTMAX": (1 / 256, -128),
    "LOGISTIC": (1 / 256, -128),
    "TANH": (1 / 128, 0),
    "L2_NORMALIZATION": (1 / 128, 0),
    "LOG_SOFTMAX": (16 / 256, 127),
}
_FIXED_16 = dict.fromkeys(["SOFTMAX", "LOGISTIC", "TANH"], (1 / 2**15, 0))


class Groups:
    """Tensors that share one scale.

    Attributes:
        fixed: group -> its scale and zero point, where an operator says so.
        symmetric: groups whose zero point is 0.
        clipped: tensors whose range is of no account beside that of the others in their group.
    """

    def __init__(self, model: Model) -> None:
        self._parents = list(range(len(model.tensors)))
        self.fixed: dict[int, tuple[float, int]] = {}
        self.symmetric: set[int] = set()
        for operator in model.operators:
            for first, second in _ties(model, operator):
                self._parents[self.of(first)] = self.of(second)
        for operator in model.operators:
            if fixed := of_fixed(model, operator):
                self.fixed[self.of(int(operator.outputs[0]))] = fixed
            elif model.kind(operator) == "BATCH_MATMUL":
                # XNNPACK's kernel takes the second factor's zero point for 0, whatever it is.
                self.symmetric.add(self.of(int(operator.inputs[1])))
        self.clipped = _clipped(model)

    def of(self, tensor: int) -> int:
        """Return the number of a tensor's group."""
        while self._parents[tensor] != tensor:
            self._parents[tensor] = self._parents[self._parents[tensor]]
            tensor = self._parents[tensor]
        return tensor


def _clipped(model: Model) -> set[int]:
    readers = model.readers()
    return {
        tensor
        for tensor, numbers in readers.items()
        if tensor not in model.outputs and all(model.kind(model.operators[number]) in CLIPS for number in numbers)
    }


def _ties(model: Model, operator: Any) -> list[tuple[int, int]]:
    kind = model.kind(operator)
    if (kind not in MOVES and kind not in JOINS) or _stays_float(model, operator):
        return []
    inputs, outputs = ends(model, operator)
    return [(source, output) for source in (inputs if kind in JOINS else inputs[:1]) for output in outputs]


def of_fixed(model: Model, operator: Any) -> tuple[float, int] | None:
    """Return scale and zero point of an operator's output where they are fixed."""
    becomes = model.becomes(int(operator.outputs[0]))
    table = {schema.TensorType.INT8: FIXED, schema.TensorType.INT16: _FIXED_16}.get(becomes, {})
    return table.get(model.kind(operator))


def _stays_float(model: Model, operator: Any) -> bool:
    return model.becomes(int(operator.outputs[0])) == schema.TensorType.FLOAT32


def ends(model: Model, operator: Any) -> tuple[list[int], list[int]]:
    """Return an operator's computed float32 inputs, and its float32 outputs."""
    inputs = [int(t) for t in operator.inputs if model.is_float(t) and not model.is_constant(t)]
    outputs = [int(t) for t in operator.outputs if model.is_float(t)]
    return inputs, outputs


def part_fixed(model: Model) -> dict[int, int]:
    """Put a QUANTIZE behind each tensor of fixed scale that would have to have another one.

    In a concatenation of a sigmoid's output with another tensor, say: its scale may be neither's. Returns each new
    tensor, and the one that it is a copy of.
    """
    copies = {}
    for number in reversed(range(len(model.operators))):
        operator = model.operators[number]
        places = _to_be_parted(model, operator)
        parted: dict[int, int] = {}
        for place in places:
            tensor = int(operator.inputs[place])
            if tensor not in parted:
                copied = parted[tensor] = model.add_tensor(tensor)
                model.tensors[copied].name = (model.tensors[tensor].name or b"") + b".requantized"
                model.types[copied] = model.becomes(tensor)
                copies[copied] = tensor
            operator.inputs[place] = parted[tensor]
        for tensor, copied in parted.items():
            model.add_operator(
                number, "QUANTIZE", [tensor], [copied], 2 if model.becomes(copied) == schema.TensorType.INT16 else 1
            )
    return copies


def _to_be_parted(model: Model, operator: Any) -> list[int]:
    """Return the places of the inputs that can't share the scale which the operator asks for."""
    kind, inputs = model.kind(operator), list(map(int, operator.inputs))
    if _stays_float(model, operator):
        return []
    if kind == "BATCH_MATMUL":
        scale = _fixed(model, inputs[1])
        return [1] if scale and scale[1] else []
    if kind not in JOINS:
        return []
    scales = {place: _fixed(model, tensor) for place, tensor in enumerate(inputs) if model.is_float(tensor)}
    if None not in scales.values() and len(set(scales.values())) == 1:
        return []  # sigmoids alone: the output has their scale
    return [place for place, scale in scales.items() if scale is not None]


def _fixed(model: Model, tensor: int) -> tuple[float, int] | None:
    """Return the fixed scale and zero point that what a tensor holds comes with, moved only; None where it has none."""
    writers = model.writers()
    while tensor in writers:
        operator = model.operators[writers[tensor]]
        kind = model.kind(operator)
        if fixed := of_fixed(model, operator):
            return fixed
        if kind in JOINS and not _to_be_parted(model, operator):
            return _fixed(model, ends(model, operator)[0][0])
        if kind not in MOVES:
            return None
        tensor = ends(model, operator)[0][0]
    return None
