"""What a TFLite network says of its manifest, and whether `edge-infer` can run it at all."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod
from typing import NamedTuple

from edge import activation
from edge.errors import EdgeError
from edge.network import Network, Tensor

TYPES = {"INT8": "int8", "FLOAT32": "float32"}


class Facts(NamedTuple):
    """What a network's graph says of the manifest.

    Attributes:
        task: "classification" or "segmentation". labels: how many.
        height, width, channels: of the input.
        type: "int8" or "float32".
        outputs: `edge.activation.SCORES`, `LOGARITHMS`, `LOGITS` or `UNKNOWN`, and `end`, the operator behind that.
        operators: name -> how often.
    """

    task: str
    labels: int
    height: int
    width: int
    channels: int
    type: str
    outputs: str
    end: str
    operators: dict[str, int]

    @property
    def usual(self) -> str:
        """The activation for logits."""
        return "softmax" if self.task == "classification" else "sigmoid"

    @property
    def activation(self) -> str:
        """The one that fits; "" where the graph does not tell."""
        if self.outputs == activation.SCORES:
            return "none"
        return "" if self.outputs == activation.UNKNOWN else self.usual


def examine(network: Network, where: str) -> Facts:
    """Return what the network's graph says; EdgeError ("model.tensors") with all that keeps `edge-infer` from it."""
    graph, (inputs, outputs) = network.graphs[0], (network.inputs, network.outputs)
    used: dict[str, int] = {}
    for operator in graph.operators:
        name = operator.custom or operator.name
        used[name] = used.get(name, 0) + 1
    wrong = [*_custom(operator.custom for operator in graph.operators), *_ends(inputs, outputs)]
    if not wrong:
        wrong = [*_types(inputs[0], outputs[0]), *_input_shape(inputs[0]), *_output_shape(outputs[0].shape)]
    if not wrong and len(outputs[0].shape) == 4:
        larger = any(out > most for out, most in zip(outputs[0].shape[1:3], inputs[0].shape[1:3], strict=True))
        wrong = ["its output is larger than its input: expected a mask of at most the input's size"] if larger else []
    if wrong:
        raise EdgeError(f"{where} can't be packed, as edge-infer would not run it: {'; '.join(wrong)}", "model.tensors")
    outputs_are, end = activation.ending(network)
    (_, height, width, channels), shape = inputs[0].shape, outputs[0].shape
    task = "classification" if len(shape) == 2 else "segmentation"
    labels = shape[1] if task == "classification" else 1
    kind = TYPES[inputs[0].type]
    return Facts(task, labels, height, width, channels, kind, outputs_are, end, dict(sorted(used.items())))


def _custom(names: Iterable[str]) -> list[str]:
    found = sorted({name for name in names if name})
    if "edgetpu-custom-op" in found:
        return [
            "it is compiled for an Edge TPU already: pack the network before that, then `edge-deploy coral --compile`"
        ]
    return (
        [f"it has operators that are no part of TFLite ({', '.join(found)}): convert it without them"] if found else []
    )


def _ends(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> list[str]:
    if len(inputs) == len(outputs) == 1:
        return []

    def named(tensors: tuple[Tensor, ...]) -> str:
        return ", ".join(f"{tensor.name} {tensor.shape}" for tensor in tensors[:4]) + (" ..." if tensors[4:] else "")

    return [
        f"it has {len(inputs)} inputs ({named(inputs)}) and {len(outputs)} outputs ({named(outputs)}): expected one of "
        "each; convert the part of it that gives the answer"
    ]


def _types(entry: Tensor, end: Tensor) -> list[str]:
    types = (entry.type, end.type)
    if "UINT8" in types:
        return [
            f"its input is {entry.type.lower()} and its output {end.type.lower()}: expected int8 or float32 of both; "
            "convert it again with inference_input_type = inference_output_type = tf.int8"
        ]
    if types[0] != types[1] or types[0] not in TYPES:
        return [
            f"its input is {entry.type.lower()} and its output {end.type.lower()}: expected int8 or float32 of both; "
            "convert it again"
        ]
    if types[0] == "INT8" and not all(len(t.scales) == 1 and t.scales[0] > 0 for t in (entry, end)):
        return ["its int8 input or output has no quantization: convert it again"]
    return []


def _input_shape(entry: Tensor) -> list[str]:
    shape = entry.shape
    if any(entry.is_open[1:]):
        sizes = tuple("?" if is_open else str(size) for size, is_open in zip(shape, entry.is_open, strict=True))
        return [f"its input is ({', '.join(sizes)}): expected images of a fixed size; convert it with all sizes given"]
    if len(shape) == 4 and shape[0] == 1 and shape[3] in (1, 3):
        return []
    if len(shape) == 4 and shape[1] in (1, 3):
        return [f"its input is {shape}, channels first: expected (1, height, width, 1 or 3); convert it to NHWC"]
    if len(shape) == 4 and shape[3] in (1, 3):
        return [f"its input is {shape}: expected a batch of 1; convert it with that"]
    return [f"its input is {shape}: expected (1, height, width, 1 or 3)"]


def _output_shape(shape: tuple[int, ...]) -> list[str]:
    if len(shape) == 2 and shape[0] == 1 and shape[1] >= 2:
        return []
    if len(shape) == 4 and shape[0] == shape[3] == 1 and min(shape) >= 1:
        return []
    expected = "expected (1, labels) with 2 labels or more, or (1, h, w, 1) of a segmentation"
    if shape in ((1, 1), (1,)):
        return [f"its output is {shape}, one score for two classes: expected one for each; give it two outputs"]
    if shape and max(shape) == prod(shape) > 1:
        return [f"its output is {shape}: {expected}; flatten it in the network"]
    return [f"its output is {shape}: {expected}"]
