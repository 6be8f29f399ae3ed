"""The manifest inside a model file: what the network answers, how an image reaches it, what it was built to achieve.

docs/model-file.md is the specification. `parse` is the only way to a `Manifest`; the host's writer uses it as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from edge.errors import EdgeError
from edge.fields import MAX_LABELS, Fields
from edge.preprocess import Preprocessing
from edge.tasks import Task, find, names
from edge.window import MOST, MOST_BITS, is_bits, is_window, of_bits

FORMAT = "edge-infer"
VERSION = 1

MAX_ENDS = 16  # inputs, and outputs, of a network

_NAME = re.compile(r"[a-z0-9_-]+")
_REBUILD = "build the model file again with edge-compress"
_CODE = "model.manifest"


class Output(NamedTuple):
    """What the format itself says of a network's output; the rest of the entry is the task's.

    Attributes:
        labels: in the order of the output's values; none where it has no labels.
        activation: what makes scores of its values, "none" where they are scores; "" where the task alone knows.
    """

    labels: tuple[str, ...]
    activation: str


class Target(NamedTuple):
    """What the network was built to achieve: `better` is "lower" or "higher", `source` says who set it."""

    name: str
    target: float
    better: str
    source: str


class GoldenInput(NamedTuple):
    """One input of a golden vector: the image's member name, and the SHA-256 of the input tensor's bytes for it."""

    image: str
    sha256: str


class Golden(NamedTuple):
    """Images in the file and the outputs that they must give.

    Attributes:
        inputs: one for each input of the network.
        outputs: kernel path ("xnnpack", "builtin") -> member names of the output tensors' bytes, one for each output.
        tolerance: by how many steps an output may differ from another kernel path's (float32 network: by how much).
    """

    inputs: tuple[GoldenInput, ...]
    outputs: Mapping[str, tuple[str, ...]]
    tolerance: float

    @property
    def image(self) -> str:
        """The first input's image, by which the vector is called."""
        return self.inputs[0].image

    def members(self) -> Iterator[str]:
        """Yield the names of all its members."""
        yield from (entry.image for entry in self.inputs)
        for members in self.outputs.values():
            yield from members


class Unmapped(NamedTuple):
    """Operators that the Edge TPU's compiler left to the processor, and why in its words."""

    operator: str
    times: int
    reason: str


class Compiled(NamedTuple):
    """What the Edge TPU's compiler made of the network, and its report.

    Attributes:
        bytes, sha256: of the compiled flatbuffer.
        compiler: its version.
        operators, mapped: how many operators the network has, and how many of them run on the Edge TPU.
        on_chip_bytes, on_chip_free_bytes: parameters in the chip's memory, and what is left of that.
        off_chip_bytes: parameters that are sent again for every image.
    """

    bytes: int
    sha256: str
    compiler: str
    operators: int
    mapped: int
    on_chip_bytes: int
    on_chip_free_bytes: int
    off_chip_bytes: int
    unmapped: tuple[Unmapped, ...]


class Manifest(NamedTuple):
    """A checked manifest. `raw` is the object that it was read from; the fields are docs/model-file.md's.

    `task` is what the outputs are made into answers by: its settings are those of the manifest.
    """

    name: str
    title: str
    task: Task
    inputs: tuple[Preprocessing, ...]
    outputs: tuple[Output, ...]
    targets: tuple[Target, ...]
    measured: Mapping[str, float]
    provenance: Mapping[str, Any]
    model_bytes: int
    model_sha256: str
    type: str
    operators: Mapping[str, int]
    golden: tuple[Golden, ...]
    edgetpu: Compiled | None
    raw: Mapping[str, Any]

    @property
    def labels(self) -> tuple[str, ...]:
        """The first output's labels, as labels.txt has them."""
        return self.outputs[0].labels


def parse(raw: object, where: str) -> Manifest:
    """Return the manifest in `raw` (parsed JSON); fields that are not in the specification are ignored.

    `where` names it in messages, for example "the manifest of pneumonia.tflite".

    Raises EdgeError at the first field that is missing or isn't what the specification says, and where the version is
    higher than this program knows.
    """
    top = Fields(raw, where, "")
    top.one_of("format", (FORMAT,))
    version = top.integer("version", 1)
    if version > VERSION:
        raise EdgeError(
            f"{where} has version {version}, this program reads version {VERSION}: upgrade edge-infer on this device",
            "model.version",
        )
    task = _task(top)
    name = top.text("name")
    if not _NAME.fullmatch(name):
        raise top.wrong("name", name, "lower-case letters, digits, - and _")
    check_lists(top.raw, where)
    inputs = tuple(_input(item) for item in _ends(top, "inputs"))
    entries = _ends(top, "outputs")
    settings = task.parse(inputs, entries)
    model, runtime = top.object("model"), top.object("runtime")
    return Manifest(
        name=name,
        title=top.text("title"),
        task=settings,
        inputs=inputs,
        outputs=tuple(_output(item) for item in entries),
        targets=_targets(top),
        measured=top.numbers("measured"),
        provenance=top.object("provenance").raw,
        model_bytes=model.integer("bytes", 1),
        model_sha256=model.sha256("sha256"),
        type=runtime.one_of("type", ("int8", "float32")),
        operators=_operators(runtime.object("operators")),
        golden=_vectors(top, len(inputs), len(entries)),
        edgetpu=_compiled(top.object("edgetpu")) if "edgetpu" in top.raw else None,
        raw=top.raw,
    )


def check_lists(raw: Mapping[str, Any], where: str) -> None:
    """Raise EdgeError where a manifest has `input`, as it was before there could be several."""
    if "input" in raw and "inputs" not in raw:
        raise EdgeError(
            f"{where} has the field input: expected the lists inputs and outputs, with what was in input, labels, "
            f"activation and decision (docs/model-file.md); {_REBUILD}",
            _CODE,
        )


def _task(top: Fields) -> type[Task]:
    name = top.text("task")
    task = find(name)
    if task is None:
        known = " or ".join(f'"{word}"' for word in names())
        raise top.wrong("task", name, f"{known}, or the name of a task that an installed package adds")
    return task


def _ends(top: Fields, key: str) -> list[Fields]:
    items = top.objects(key, MAX_ENDS)
    if not items:
        raise top.wrong(key, [], "at least one entry")
    return items


def _output(item: Fields) -> Output:
    labels = tuple(item.texts("labels", MAX_LABELS)) if "labels" in item.raw else ()
    return Output(labels, item.text("activation") if "activation" in item.raw else "")


def _input(item: Fields) -> Preprocessing:
    color = item.one_of("color", ("grey", "rgb"))
    channels = item.integer("channels", 1)
    if channels not in ((3,) if color == "rgb" else (1, 3)):
        raise item.wrong("channels", channels, "3" if color == "rgb" else "1 or 3")
    mean, std = item.number_list("mean"), item.number_list("std")
    for key, values in (("mean", mean), ("std", std)):
        if len(values) not in (1, channels):
            raise item.wrong(key, list(values), f"a list of 1 or {channels} numbers")
    if min(std) <= 0:
        raise item.wrong("std", list(std), "numbers greater than 0")
    return Preprocessing(
        height=item.integer("height", 1),
        width=item.integer("width", 1),
        color=color,
        channels=channels,
        fit=item.one_of("fit", ("stretch", "crop", "pad")),
        mean=mean,
        std=std,
        window=_window(item),
    )


def _window(item: Fields) -> tuple[int, int] | None:
    """`bits` = N stands for the window [0, 2^N - 1]."""
    if "bits" in item.raw:
        bits = item.get("bits")
        if not is_bits(bits) or "window" in item.raw:
            raise item.wrong("bits", bits, f"a whole number from 1 to {MOST_BITS}, and no window beside it")
        return of_bits(bits)
    if "window" not in item.raw:
        return None
    values = item.get("window")
    if not is_window(values):
        raise item.wrong("window", values, f"two whole numbers, 0 <= low < high <= {MOST}")
    return values[0], values[1]


def _target(item: Fields) -> Target:
    better = item.one_of("better", ("lower", "higher"))
    return Target(item.text("name"), item.number("target"), better, item.text("source"))


def _targets(top: Fields) -> tuple[Target, ...]:
    targets = tuple(_target(item) for item in top.objects("targets"))
    if len({target.name for target in targets}) < len(targets):  # each would be compared in the other's direction
        raise top.wrong("targets", [target.name for target in targets], "targets of different names")
    return targets


def _operators(item: Fields) -> Mapping[str, int]:
    return {key: item.integer(key, 1) for key in item.names()}


def _vectors(top: Fields, inputs: int, outputs: int) -> tuple[Golden, ...]:
    golden = tuple(_golden(item, inputs, outputs) for item in top.objects("golden"))
    images = [tuple(entry.image for entry in vector.inputs) for vector in golden]
    if len(set(images)) < len(images):
        raise top.wrong("golden", [vector.image for vector in golden], "vectors of different images")
    return golden


def _golden(item: Fields, inputs: int, outputs: int) -> Golden:
    entries = item.objects("inputs", MAX_ENDS)
    if len(entries) != inputs:
        raise item.wrong("inputs", item.get("inputs"), f"a list of {inputs}, one for each input")
    by_path = item.object("outputs")
    if not by_path.raw:
        raise item.wrong("outputs", {}, "members for at least one kernel path")
    members = {path: tuple(by_path.texts(path, MAX_ENDS)) for path in by_path.names()}
    for path, listed in members.items():
        if len(listed) != outputs:
            raise by_path.wrong(path, list(listed), f"a list of {outputs}, one for each output")
    images = tuple(GoldenInput(entry.text("image"), entry.sha256("sha256")) for entry in entries)
    return Golden(images, members, item.number("tolerance", 0))


def _compiled(item: Fields) -> Compiled:
    operators = item.integer("operators", 1)
    mapped = item.integer("mapped", 0)
    if mapped > operators:
        raise item.wrong("mapped", mapped, f"at most the {operators} operators that there are")
    return Compiled(
        bytes=item.integer("bytes", 1),
        sha256=item.sha256("sha256"),
        compiler=item.text("compiler"),
        operators=operators,
        mapped=mapped,
        on_chip_bytes=item.integer("on_chip_bytes", 0),
        on_chip_free_bytes=item.integer("on_chip_free_bytes", 0),
        off_chip_bytes=item.integer("off_chip_bytes", 0),
        unmapped=tuple(
            Unmapped(row.text("operator"), row.integer("times", 1), row.text("reason"))
            for row in item.objects("unmapped")
        ),
    )
