"""What every route's flatbuffer has in common: names, the order of inputs and outputs, weights inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from compress.convert.quantize import model
from compress.convert.quantize.model import Model


def names(name: str, count: int) -> list[str]:
    """Return what `count` inputs or outputs are called."""
    return [name] if count == 1 else [f"{name}_{number:02}" for number in range(count)]


def tidied(flatbuffer: bytes, inputs: Sequence[str], outputs: Sequence[str], where: str) -> bytes:
    """Return the same network with inputs and outputs in the order of the user's, called as on every route.

    A tensor's name becomes its number: converters write whole stacks of calls there, up to 200 kB. Weights behind the
    flatbuffer are taken in. A bias of another shape than (channels), as litert-torch makes of a normalization behind a
    transposed convolution, gets that one: LiteRT takes no other.

    Args:
        inputs, outputs: what the one signature of `flatbuffer` calls them, in the user's order.

    Raises EdgeError where the flatbuffer is damaged; `where` names it.
    """
    made = model.read(flatbuffer, where)
    (signature,) = made.raw.signatureDefs
    made.inputs = _ordered(signature.inputs, inputs)
    made.outputs = _ordered(signature.outputs, outputs)
    signature.signatureKey = b"serving_default"
    for number, tensor in enumerate(made.tensors):
        tensor.name = str(number).encode()
    _name(made, signature.inputs, made.inputs, "image")
    _name(made, signature.outputs, made.outputs, "logits")
    for operator in made.operators:
        _flatten_bias(made, operator)
    return model.write(made, where)


def _ordered(ends: Sequence[Any], wanted: Sequence[str]) -> list[int]:
    found = {end.name.decode(): int(end.tensorIndex) for end in ends}
    return [found[name] for name in wanted]


def _name(made: Model, ends: list[Any], tensors: Sequence[int], name: str) -> None:
    order = {tensor: number for number, tensor in enumerate(tensors)}
    ends.sort(key=lambda end: order[end.tensorIndex])
    for end, tensor, called in zip(ends, tensors, names(name, len(tensors)), strict=True):
        end.name = made.tensors[tensor].name = called.encode()


def _flatten_bias(made: Model, operator: Any) -> None:
    place = {"TRANSPOSE_CONV": 3, "CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2}.get(made.kind(operator))
    if place is None or len(operator.inputs) <= place or operator.inputs[place] < 0:
        return
    bias = int(operator.inputs[place])
    if len(made.shape(bias)) != 1 and made.is_constant(bias):
        flat = made.add_tensor(bias)
        made.tensors[flat].shape = np.array([made.values(bias).size], np.int32)
        operator.inputs[place] = flat
