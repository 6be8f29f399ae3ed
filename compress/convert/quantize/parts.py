"""Parts of a network that are not int8: operators that stay float32, or have activations of 16 bits.

Where a tensor goes from one part into another stands a QUANTIZE or a DEQUANTIZE. Inputs and outputs of the network are
int8 whatever its parts are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from compress.convert.quantize import operators
from compress.convert.quantize.choices import Choices
from compress.convert.quantize.constants import WEIGHTED
from compress.convert.quantize.model import Model, reads
from compress.convert.quantize.parameters import FLOAT32, INT8, INT16, NAMES
from edge.errors import EdgeError

# Operators whose int8 kernel takes longer than the float one and the way there and back, and those of normalizations,
# whose reciprocal roots 8 bits are too few for; measured in docs/conversion.md.
SLOW = frozenset(
    [
        "ABS",
        "GELU",
        "HARD_SWISH",
        "PRELU",
        "RSQRT",
        "SOFTMAX",
        "SQUARED_DIFFERENCE",
    ]
)
_TAPS = 25  # of a depthwise convolution: XNNPACK's int8 kernels end there, and others take six times float's time
_FEW = 4  # channels of an image: XNNPACK's int8 kernels take 8 at a time, and fill up with zeros
_WORTH = 64  # multiplications for each value that would have to go to int8 or come back

_CLAMPS = {
    "RELU": schema.ActivationFunctionType.RELU,
    "RELU6": schema.ActivationFunctionType.RELU6,
    "RELU_N1_TO_1": schema.ActivationFunctionType.RELU_N1_TO_1,
}
# The input of an operator that has no value at zero.
_DIVISORS = {"DIV": 1, "LOG": 0, "RSQRT": 0}


def of_operators(model: Model, choices: Choices, modules: Mapping[int, str], where: str) -> list[int]:
    """Return for each operator what its activations become, a schema's type.

    Args:
        modules: which of the user's modules a tensor is the output of, where that is known.

    Raises EdgeError: "conversion.part" for a pattern that fits nothing, "conversion.operator" for an operator that has
    no kernel for what it shall become.
    """
    types = [INT8] * len(model.operators)
    if not choices.full:
        for number in _stay(model):
            types[number] = FLOAT32
    for patterns, becomes in ((choices.int16, INT16), (choices.float32, FLOAT32)):
        for pattern in patterns:
            for number in _fitting(model, pattern, modules, where):
                types[number] = becomes
    for operator, becomes in zip(model.operators, types, strict=True):
        if becomes != FLOAT32:
            operators.check(model, operator, becomes, where)
    return types


def _fitting(model: Model, pattern: str, modules: Mapping[int, str], where: str) -> list[int]:
    """Return the operators that write a tensor that a pattern fits: by its name, its module or one around that."""
    found = []
    for number, operator in enumerate(model.operators):
        for tensor in map(int, operator.outputs):
            module = modules.get(tensor, "")
            around = [module[:end] for end, letter in enumerate(module + ".") if letter == "."] if module else []
            if any(fnmatchcase(name, pattern) for name in [model.name(tensor), *around]):
                found.append(number)
    if not found:
        some = ", ".join(sorted({name for name in modules.values() if name})[:5]) or "those of `show --tensors`"
        raise EdgeError(
            f"no tensor or module of {where} has a name like {pattern!r}: expected a pattern such as 'head.*' that "
            f"fits one ({some}); correct the recipe's [conversion]",
            "conversion.part",
        )
    return found


def _stay(model: Model) -> set[int]:
    """Return the operators that stay float by themselves: slow ones, those without an int8 kernel, and what is between.

    What is connected to one of them without a convolution or a matrix of weights between stays too: crossing to int8
    and back within a normalization costs more than it saves. So does a matrix between two such parts that is too small
    to be worth the way.
    """
    slow = [
        number
        for number, operator in enumerate(model.operators)
        if _is_slow(model, operator) or not operators.has(model, operator, INT8)
    ]
    writers, readers = model.writers(), model.readers()
    found: set[int] = set()
    while slow:
        _spread(model, slow, found, writers, readers)
        slow = [
            number
            for number, operator in enumerate(model.operators)
            if number not in found and _is_little(model, operator, found, writers, readers)
        ]
    return found | _divisors(model, found)


def _divisors(model: Model, float32: set[int]) -> set[int]:
    """Return what gives the divisors of operators that stay float: near zero, a divisor in int8 would be zero."""
    writers = model.writers()
    divisors = [
        int(model.operators[number].inputs[_DIVISORS[model.kind(model.operators[number])]])
        for number in float32
        if model.kind(model.operators[number]) in _DIVISORS
    ]
    return {writers[tensor] for tensor in divisors if tensor in writers}


def _is_slow(model: Model, operator: Any) -> bool:
    kind = model.kind(operator)
    return kind in SLOW or (
        kind == "DEPTHWISE_CONV_2D" and math.prod(model.shape(int(operator.inputs[1]))[1:3]) > _TAPS
    )


def _spread(
    model: Model,
    starts: Iterable[int],
    found: set[int],
    writers: Mapping[int, int],
    readers: Mapping[int, Sequence[int]],
) -> None:
    """Add to `found` the operators `starts` and what is connected to them without weights between."""
    left = list(starts)
    while left:
        number = left.pop()
        if number in found:
            continue
        found.add(number)
        operator = model.operators[number]
        beside = [writers[tensor] for tensor in reads(operator) if tensor in writers and model.is_float(tensor)]
        beside += [reader for tensor in map(int, operator.outputs) for reader in readers.get(tensor, ())]
        left += [other for other in beside if model.kind(model.operators[other]) not in WEIGHTED]


def _is_little(
    model: Model,
    operator: Any,
    found: set[int],
    writers: Mapping[int, int],
    readers: Mapping[int, Sequence[int]],
) -> bool:
    """Return whether an operator with weights stands before operators that stay, and int8 gains nothing there.

    It has too little to do, between such operators; or reads the image, of so few channels that int8 is no faster.
    """
    weighted = WEIGHTED.get(model.kind(operator))
    if not weighted:
        return False
    source, output = int(operator.inputs[weighted.source]), int(operator.outputs[0])
    if not found.issuperset(readers.get(output, ())):
        return False
    if source in model.inputs:
        return model.shape(source)[-1] <= _FEW
    if writers.get(source) not in found:
        return False
    if model.kind(operator) == "TRANSPOSE_CONV":
        return True  # int8 is no faster there
    weights = model.shape(int(operator.inputs[weighted.weights]))
    values = [math.prod(model.shape(tensor)) for tensor in (source, output)]
    return values[1] / weights[weighted.axis] * math.prod(weights) < _WORTH * sum(values)


def part(model: Model, types: Sequence[int]) -> dict[int, int]:
    """Say what each computed tensor becomes (`Model.types`); put an operator in where one crosses into another part.

    Returns each tensor that is new, and the one that it has the values of.
    """
    for tensor in model.inputs:
        model.types[tensor] = INT8
    for operator, becomes in zip(model.operators, types, strict=True):
        model.types |= dict.fromkeys(map(int, operator.outputs), becomes)
    copies: dict[tuple[int, int], int] = {}
    old = list(model.operators)
    model.operators.clear()
    for operator, becomes in zip(old, types, strict=True):
        operator.inputs = [
            _crossed(model, tensor, becomes, copies)
            if model.is_float(tensor) and model.types.get(tensor, becomes) != becomes
            else tensor
            for tensor in map(int, operator.inputs)
        ]
        model.operators.append(operator)
    for place, tensor in enumerate(model.outputs):
        if model.is_float(tensor) and model.becomes(tensor) != INT8:
            _leave(model, place, _crossed(model, tensor, INT8, copies))
    return {copied: source for (source, _), copied in copies.items()}


def _crossed(model: Model, tensor: int, becomes: int, copies: dict[tuple[int, int], int]) -> int:
    """Return a tensor in another type; the operator that makes it is put in where there is none yet."""
    if (tensor, becomes) not in copies:
        if becomes == INT16 and model.becomes(tensor) == INT8:  # which has no kernel but by way of float
            given = _crossed(model, tensor, FLOAT32, copies)
        else:
            given = tensor
        copied = copies[tensor, becomes] = model.add_tensor(tensor)
        model.tensors[copied].name = (model.tensors[tensor].name or b"") + f".{NAMES[becomes]}".encode()
        model.types[copied] = becomes
        kind = "DEQUANTIZE" if becomes == FLOAT32 else "QUANTIZE"
        model.add_operator(len(model.operators), kind, [given], [copied], 2)
    return copies[tensor, becomes]


def _leave(model: Model, place: int, copied: int) -> None:
    """Make a copy the network's output; it has the output's name from now on."""
    tensor = model.outputs[place]
    model.tensors[copied].name, model.tensors[tensor].name = model.tensors[tensor].name, model.tensors[copied].name
    model.outputs[place] = copied
    for signature in model.raw.signatureDefs or ():
        for end in signature.outputs or ():
            if end.tensorIndex == tensor:
                end.tensorIndex = copied


def fuse(model: Model) -> None:
    """Make each int8 ReLU that stands alone an addition of zero that ends with it.

    It gives the same integers, or nearer ones: XNNPACK has that, and no ReLU in int8, which takes 30 times as long.
    """
    for operator in model.operators:
        kind = model.kind(operator)
        if kind not in _CLAMPS or model.becomes(int(operator.outputs[0])) != INT8:
            continue
        zero = model.add_tensor(int(operator.inputs[0]))
        model.tensors[zero].name = b"zero"
        model.set_values(zero, np.zeros((1,), np.float32))
        operator.inputs = [int(operator.inputs[0]), zero]
        operator.opcodeIndex = model.code("ADD", 1)
        operator.builtinOptionsType = schema.BuiltinOptions.AddOptions
        operator.builtinOptions = schema.AddOptionsT()
        operator.builtinOptions.fusedActivationFunction = _CLAMPS[kind]
