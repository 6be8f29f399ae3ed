"""What every route's flatbuffer has in common: names, the order of inputs and outputs, weights inside."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from compress.convert.layout import names
from compress.convert.quantize import model
from compress.convert.quantize.model import Model


def tidied(flatbuffer: bytes, where: str) -> bytes:
    """Return the same network with inputs and outputs in the order of the user's, called as on every route.

    That order is the one of the numbers at the ends of the names in the one signature of `flatbuffer`.
    A tensor's name becomes its number: converters write whole stacks of calls there, up to 200 kB. Weights behind the
    flatbuffer are taken in. A bias of another shape than (channels), as litert-torch makes of a normalization behind a
    transposed convolution, gets that one: LiteRT takes no other.

    Raises EdgeError where the flatbuffer is damaged; `where` names it.
    """
    made = model.read(flatbuffer, where)
    (signature,) = made.raw.signatureDefs
    for number, tensor in enumerate(made.tensors):
        tensor.name = str(number).encode()
    made.outputs = _named(made, signature.outputs, "logits")
    made.inputs = _named(made, signature.inputs, "image")  # the name that an input which is given back keeps
    for operator in made.operators:
        _flatten_bias(made, operator)
    return model.write(made, where)


def _named(made: Model, ends: list[Any], name: str) -> list[int]:
    """Give the ends of a signature their names; return their tensors in order."""
    ends.sort(key=lambda end: int((re.findall(rb"\d+$", end.name) or [b"0"])[0]))
    for end, called in zip(ends, names(name, len(ends)), strict=True):
        end.name = made.tensors[end.tensorIndex].name = called.encode()
    return [int(end.tensorIndex) for end in ends]


def _flatten_bias(made: Model, operator: Any) -> None:
    place = {"TRANSPOSE_CONV": 3, "CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2}.get(made.kind(operator))
    if place is None or len(operator.inputs) <= place or operator.inputs[place] < 0:
        return
    bias = int(operator.inputs[place])
    if len(made.shape(bias)) != 1 and made.is_constant(bias):
        flat = made.add_tensor(bias)
        made.tensors[flat].shape = np.array([made.values(bias).size], np.int32)
        operator.inputs = [*operator.inputs[:place], flat, *operator.inputs[place + 1 :]]
