"""What a TFLite network says of its manifest, and whether `edge-infer` can run it at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import Any, NamedTuple

from edge import activation, tasks
from edge.errors import EdgeError
from edge.network import Network, Tensor

TYPES = {"INT8": "int8", "FLOAT32": "float32"}


class Facts(NamedTuple):
    """What a network's graph says of the manifest.

    Attributes:
        task: the name of the task that the outputs fit. example: its `outputs` of a manifest, comments included.
        height, width, channels: of the input.
        type: "int8" or "float32".
        shapes: of the outputs.
        ends: of each output what it is, `edge.activation.SCORES`, `LOGARITHMS`, `LOGITS` or `UNKNOWN`, and the operator
            behind that.
        operators: name -> how often.
    """

    task: str
    example: list[dict[str, Any]]
    height: int
    width: int
    channels: int
    type: str
    shapes: tuple[tuple[int, ...], ...]
    ends: tuple[tuple[str, str], ...]
    operators: dict[str, int]

    def usual(self, output: int) -> str:
        """The activation for logits; "" where the task has none."""
        return str(self.example[output].get("activation", ""))

    def activation(self, output: int) -> str:
        """The one that fits; "" where the graph does not tell, or the task has none."""
        if not self.usual(output) or self.ends[output][0] == activation.UNKNOWN:
            return ""
        return "none" if self.ends[output][0] == activation.SCORES else self.usual(output)


def examine(network: Network, where: str, task: object = None) -> Facts:
    """Return what the network's graph says; EdgeError ("model.tensors") with all that keeps `edge-infer` from it.

    Args:
        task: the one that the manifest names: tried before the others.
    """
    graph, (inputs, outputs) = network.graphs[0], (network.inputs, network.outputs)
    used: dict[str, int] = {}
    for operator in graph.operators:
        name = operator.custom or operator.name
        used[name] = used.get(name, 0) + 1
    wrong = [*_custom(operator.custom for operator in graph.operators), *_ends(inputs)]
    if not wrong:
        wrong = [*_types(inputs[0], outputs), *_input_shape(inputs[0])]
    shapes = tuple(output.shape for output in outputs)
    found = _task(shapes, inputs[0].shape, task) if not wrong else None
    if not wrong and found is None:
        wrong = _output_shapes(shapes, inputs[0].shape, _named(outputs))
    if found is None:
        raise EdgeError(f"{where} can't be packed, as edge-infer would not run it: {'; '.join(wrong)}", "model.tensors")
    (_, height, width, channels), (name, example) = inputs[0].shape, found
    ends = tuple(activation.ending(network, number) for number in range(len(outputs)))
    kind = TYPES[inputs[0].type]
    return Facts(name, example, height, width, channels, kind, shapes, ends, dict(sorted(used.items())))


def _task(
    shapes: tuple[tuple[int, ...], ...], entry: tuple[int, ...], wanted: object
) -> tuple[str, list[dict[str, Any]]] | None:
    """Return the task that takes such outputs, and its example; None where none does."""
    names = [name for name in tasks.names() if name != wanted]
    for name in [wanted, *names] if isinstance(wanted, str) else names:
        task = tasks.find(name)
        example = None if task is None else task.example(shapes)
        if example is not None and not _larger(shapes, entry):
            return name, example
    return None


def _larger(shapes: tuple[tuple[int, ...], ...], entry: tuple[int, ...]) -> bool:
    maps = [shape[1:3] for shape in shapes if len(shape) == 4]
    return any(out > most for sides in maps for out, most in zip(sides, entry[1:3], strict=True))


def without_comments(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object without the fields whose names begin with "_", in the objects that it holds, too."""

    def cleaned(value: Any) -> Any:
        if isinstance(value, Mapping):
            return without_comments(value)
        return [cleaned(item) for item in value] if isinstance(value, list) else value

    return {key: cleaned(value) for key, value in raw.items() if not key.startswith("_")}


def _custom(names: Iterable[str]) -> list[str]:
    found = sorted({name for name in names if name})
    if "edgetpu-custom-op" in found:
        return [
            "it is compiled for an Edge TPU already: pack the network before that, then `edge-deploy coral --compile`"
        ]
    return (
        [f"it has operators that are no part of TFLite ({', '.join(found)}): convert it without them"] if found else []
    )


def _named(tensors: tuple[Tensor, ...]) -> str:
    return ", ".join(f"{tensor.name} {tensor.shape}" for tensor in tensors[:4]) + (" ..." if tensors[4:] else "")


def _ends(inputs: tuple[Tensor, ...]) -> list[str]:
    if len(inputs) == 1:
        return []
    return [f"it has {len(inputs)} inputs ({_named(inputs)}): expected one, an image; convert it with that alone"]


def _types(entry: Tensor, outputs: tuple[Tensor, ...]) -> list[str]:
    types = [entry.type, *(output.type for output in outputs)]
    said = f"its input is {types[0].lower()} and its output {', '.join(kind.lower() for kind in types[1:])}"
    if "UINT8" in types:
        return [
            f"{said}: expected int8 or float32 of both; "
            "convert it again with inference_input_type = inference_output_type = tf.int8"
        ]
    if len(set(types)) != 1 or types[0] not in TYPES:
        return [f"{said}: expected int8 or float32 of both; convert it again"]
    if types[0] == "INT8" and not all(len(t.scales) == 1 and t.scales[0] > 0 for t in (entry, *outputs)):
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


def _output_shapes(shapes: tuple[tuple[int, ...], ...], entry: tuple[int, ...], named: str) -> list[str]:
    """Return why no task takes outputs of these shapes."""
    expected = f"expected those of a task that is known here: {', '.join(tasks.names())} (docs/model-file.md)"
    if len(shapes) != 1:
        return [f"it has {len(shapes)} outputs ({named}): {expected}; convert the part of it that gives the answer"]
    shape = shapes[0]
    if _larger(shapes, entry):
        return ["its output is larger than its input: expected a map of at most the input's size"]
    if shape in ((1, 1), (1,)):
        return [f"its output is {shape}, one score for two classes: expected one for each; give it two outputs"]
    if shape and max(shape) == prod(shape) > 1:
        return [f"its output is {shape}: {expected}; flatten it in the network"]
    return [f"its output is {shape}: {expected}"]
