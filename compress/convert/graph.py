"""The graph in a TFLite flatbuffer: operators in the order of execution, their tensors, what they cost.

Read by the schema alone, so that what a device's runtime would refuse can be looked at, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import tflite

from edge.errors import EdgeError

_TYPES = {value: name for name, value in vars(tflite.TensorType).items() if isinstance(value, int)}
_NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
_OPTIONS = {value: name for name, value in vars(tflite.BuiltinOptions).items() if isinstance(value, int)}
_NUMBERS = {"INT8": np.int8, "UINT8": np.uint8, "INT32": np.int32, "INT64": np.int64, "FLOAT32": np.float32}


class Tensor(NamedTuple):
    """A tensor of the graph.

    Attributes:
        shape: sizes, NHWC where there are four.
        fixed: whether every size is known before the network runs.
        type: the schema's name: "INT8", "FLOAT32", ...
        quantized: whether it has a quantization step.
        content: the bytes of a constant; b"" of what is computed.
    """

    name: str
    shape: tuple[int, ...]
    fixed: bool
    type: str
    quantized: bool
    content: bytes

    @property
    def constant(self) -> bool:
        return bool(self.content)

    @property
    def elements(self) -> int:
        return math.prod(self.shape)

    def values(self) -> list[Any]:
        """Return a constant's values, as they are stored."""
        return np.frombuffer(self.content, _NUMBERS[self.type]).tolist() if self.type in _NUMBERS else []


class Operator(NamedTuple):
    """One operator.

    Attributes:
        name: the schema's name, "CONV_2D"; a custom operator's own.
        inputs: the tensors that it reads; None for one that is left out.
        options: the fields of its options that are numbers.
    """

    name: str
    version: int
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, int]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of a convolution, a linear layer or attention's matrix products, batch 1; 0 of all else.

        A convolution's are its output's elements times the weights that make one of them; a transposed one's are its
        input's elements times the weights that each of them goes through; a linear layer's its output's elements times
        the weights of one; a matrix product's its output's elements times what is summed for one.
        """
        weights = self.inputs[1] if len(self.inputs) > 1 else None
        if weights is None:
            return 0
        if self.name == "BATCH_MATMUL" and self.inputs[0] is not None:
            return self.outputs[0].elements * self.inputs[0].shape[-2 if self.options.get("AdjX") else -1]
        if self.name in ("CONV_2D", "FULLY_CONNECTED"):
            return self.outputs[0].elements * math.prod(weights.shape[1:])
        if self.name == "DEPTHWISE_CONV_2D":
            return self.outputs[0].elements * math.prod(weights.shape[1:3])
        if self.name == "TRANSPOSE_CONV" and self.inputs[2] is not None:
            return self.inputs[2].elements * math.prod(weights.shape[:3])
        return 0


class Graph(NamedTuple):
    """The one graph of a network."""

    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def macs(self) -> int:
        return sum(operator.macs for operator in self.operators)


def read(flatbuffer: bytes, where: str) -> Graph:
    """Return the graph in `flatbuffer`; `where` names it in messages.

    Raises EdgeError where it can't be read by the schema, or holds more than one graph.
    """
    try:
        return _Reader(flatbuffer).graph(where)
    except EdgeError:
        raise
    except Exception as error:  # a damaged flatbuffer leads anywhere: struct, index, type and Unicode errors
        raise EdgeError(
            f"{where} has a flatbuffer that can't be read ({type(error).__name__}: {str(error)[:80]}): "
            "convert the network again with edge-compress"
        ) from None


def replaced(flatbuffer: bytes, name: str, by: str) -> bytes:
    """Return the flatbuffer with the code of one operator written over with another's; its tensors stay as they are.

    Args:
        name, by: the schema's names, "CONV_2D". A network without `name` is returned as it is.
    """
    kinds = {known: kind for kind, known in _NAMES.items()}
    changed, model = bytearray(flatbuffer), tflite.Model.GetRootAsModel(flatbuffer, 0)
    for code in (model.OperatorCodes(i) for i in range(model.OperatorCodesLength())):
        if _kind(code) != kinds.get(name):
            continue
        for slot, size in ((4, 1), (10, 4)):  # the code as one byte and as four, where it is there
            if offset := code._tab.Offset(slot):
                place = code._tab.Pos + offset
                changed[place : place + size] = kinds[by].to_bytes(size, "little")
    return bytes(changed)


def _kind(code: Any) -> int:
    """Return which operator an operator code is: old files have it in the field of one byte, new ones in both as far as
    it fits there."""
    return max(int(code.BuiltinCode()), int(code.DeprecatedBuiltinCode()))


class _Reader:
    def __init__(self, flatbuffer: bytes) -> None:
        self._model = tflite.Model.GetRootAsModel(flatbuffer, 0)

    @cached_property
    def _tensors(self) -> list[Tensor]:
        graph = self._model.Subgraphs(0)
        return [self._tensor(graph.Tensors(i)) for i in range(graph.TensorsLength())]

    def graph(self, where: str) -> Graph:
        if self._model.SubgraphsLength() != 1:
            raise EdgeError(
                f"{where} has {self._model.SubgraphsLength()} graphs: expected 1; convert it without control flow"
            )
        graph = self._model.Subgraphs(0)
        return Graph(
            tuple(self._operator(graph.Operators(i)) for i in range(graph.OperatorsLength())),
            tuple(self._tensors[graph.Inputs(i)] for i in range(graph.InputsLength())),
            tuple(self._tensors[graph.Outputs(i)] for i in range(graph.OutputsLength())),
        )

    def _tensor(self, raw: Any) -> Tensor:
        shape = tuple(raw.Shape(i) for i in range(raw.ShapeLength()))
        signature = [raw.ShapeSignature(i) for i in range(raw.ShapeSignatureLength())]
        quantization = raw.Quantization()
        content = self._model.Buffers(raw.Buffer()).DataAsNumpy()  # the integer 0 where there is none
        return Tensor(
            name=(raw.Name() or b"").decode(errors="replace"),
            shape=shape,
            fixed=all(size >= 0 for size in (*shape, *signature)),
            type=_TYPES.get(raw.Type(), f"type {raw.Type()}"),
            quantized=quantization is not None and quantization.ScaleLength() > 0,
            content=b"" if isinstance(content, int) else content.tobytes(),
        )

    def _operator(self, raw: Any) -> Operator:
        code = self._model.OperatorCodes(raw.OpcodeIndex())
        kind = _kind(code)
        name = _NAMES.get(kind, f"operator {kind}")
        if name == "CUSTOM":
            name = (code.CustomCode() or b"CUSTOM").decode(errors="replace")
        indices = [raw.Inputs(i) for i in range(raw.InputsLength())]
        return Operator(
            name,
            code.Version(),
            tuple(self._tensors[index] if index >= 0 else None for index in indices),
            tuple(self._tensors[raw.Outputs(i)] for i in range(raw.OutputsLength())),
            _options(raw),
        )


def _options(raw: Any) -> dict[str, int]:
    table = raw.BuiltinOptions()
    kind = getattr(tflite, _OPTIONS.get(raw.BuiltinOptionsType(), "NONE"), None)
    if table is None or kind is None:
        return {}
    options = kind()
    options.Init(table.Bytes, table.Pos)
    found: dict[str, int] = {}
    for field in vars(kind):
        method = getattr(options, field)
        # A field's reader takes nothing but itself; vectors take an index, and what begins otherwise is no field.
        if field[0].isupper() and getattr(method, "__self__", None) is options and method.__code__.co_argcount == 1:
            value = method()
            if isinstance(value, (bool, int)):
                found[field] = int(value)
    return found
