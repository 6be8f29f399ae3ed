"""The manifest inside a model file: what the network answers, how an image reaches it, what it was built to achieve.

docs/model-file.md is the specification. `parse` is the only way to a `Manifest`; the host's writer uses it as well.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from edge.window import MOST, MOST_BITS, is_bits, is_window, of_bits

FORMAT = "edge-infer"
VERSION = 1

MAX_LETTERS = 200  # of a name, a title, a label: what a person reads
MAX_LABELS = 32768
MAX_ITEMS = 256  # of any other list, and of an object whose names are chosen freely

_NAME = re.compile(r"[a-z0-9_-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
# "none": the outputs are scores already.
_ACTIVATION = {"classification": ("softmax", "none"), "segmentation": ("sigmoid", "none")}
_REBUILD = "build the model file again with edge-compress"
_CODE = "model.manifest"


class Decision(NamedTuple):
    """`label` is the decision where its score is at least `threshold` (0..1).

    A segmentation decides so for each pixel, and drops regions under `minimum_area` (0..1, share of the image).
    """

    label: str
    threshold: float
    minimum_area: float = 0.0


class Target(NamedTuple):
    """What the network was built to achieve: `better` is "lower" or "higher", `source` says who set it."""

    name: str
    target: float
    better: str
    source: str


class Golden(NamedTuple):
    """An image in the file and the outputs that it must give.

    Attributes:
        image: the image's member name.
        input_sha256: of the bytes of the network's input tensor for it.
        outputs: kernel path ("xnnpack", "builtin") -> member name of the output tensor's bytes.
        tolerance: by how many steps an output may differ from another kernel path's (float32 network: by how much).
    """

    image: str
    input_sha256: str
    outputs: Mapping[str, str]
    tolerance: float


class Unmapped(NamedTuple):
    """Operators that the Edge TPU's compiler left to the processor, and why in its words."""

    operator: str
    times: int
    reason: str


class Compiled(NamedTuple):
    """What the Edge TPU's compiler made of the network, and what it said of it.

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
    """A checked manifest. `raw` is the object that it was read from; the fields are docs/model-file.md's."""

    name: str
    title: str
    task: str
    labels: tuple[str, ...]
    activation: str
    decision: Decision | None
    input: Preprocessing
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


def parse(raw: object, where: str) -> Manifest:
    """Return the manifest that `raw` (parsed JSON) holds; fields that are not in the specification are ignored.

    `where` names it in messages, for example "the manifest of pneumonia.tflite".

    Raises EdgeError at the first field that is missing or isn't what the specification says, and where the version is
    higher than this program knows.
    """
    top = _Object(raw, where, "")
    top.one_of("format", (FORMAT,))
    version = top.integer("version", 1)
    if version > VERSION:
        raise EdgeError(
            f"{where} has version {version}, this program reads version {VERSION}: upgrade edge-infer on this device",
            "model.version",
        )
    task = top.one_of("task", tuple(_ACTIVATION))
    labels = tuple(top.texts("labels", MAX_LABELS))
    if task == "segmentation" and len(labels) != 1:
        raise top.wrong("labels", list(labels), "exactly 1 string, what the mask of a segmentation shows")
    if task == "classification" and (len(labels) < 2 or len(set(labels)) < len(labels)):
        raise top.wrong("labels", list(labels), "2 or more different strings")
    name = top.text("name")
    if not _NAME.fullmatch(name):
        raise top.wrong("name", name, "lower-case letters, digits, - and _")
    model, runtime = top.object("model"), top.object("runtime")
    return Manifest(
        name=name,
        title=top.text("title"),
        task=task,
        labels=labels,
        activation=top.one_of("activation", _ACTIVATION[task]),
        decision=_decision(top, task, labels),
        input=_input(top.object("input")),
        targets=_targets(top),
        measured=top.numbers("measured"),
        provenance=top.object("provenance").raw,
        model_bytes=model.integer("bytes", 1),
        model_sha256=model.sha256("sha256"),
        type=runtime.one_of("type", ("int8", "float32")),
        operators=_operators(runtime.object("operators")),
        golden=_vectors(top),
        edgetpu=_compiled(top.object("edgetpu")) if "edgetpu" in top.raw else None,
        raw=top.raw,
    )


def _decision(top: _Object, task: str, labels: tuple[str, ...]) -> Decision | None:
    if top.get("decision") is None:
        if task == "segmentation":
            raise top.wrong("decision", None, "an object of label, threshold and minimum_area, for a segmentation")
        return None
    item = top.object("decision")
    label, threshold = item.one_of("label", labels), item.number("threshold", 0, 1)
    return Decision(label, threshold, item.number("minimum_area", 0, 1) if task == "segmentation" else 0.0)


def _input(item: _Object) -> Preprocessing:
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


def _window(item: _Object) -> tuple[int, int] | None:
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


def _target(item: _Object) -> Target:
    better = item.one_of("better", ("lower", "higher"))
    return Target(item.text("name"), item.number("target"), better, item.text("source"))


def _targets(top: _Object) -> tuple[Target, ...]:
    targets = tuple(_target(item) for item in top.objects("targets"))
    if len({target.name for target in targets}) < len(targets):  # each would be judged by the other's direction
        raise top.wrong("targets", [target.name for target in targets], "targets of different names")
    return targets


def _operators(item: _Object) -> Mapping[str, int]:
    return {key: item.integer(key, 1) for key in item.names()}


def _vectors(top: _Object) -> tuple[Golden, ...]:
    golden = tuple(_golden(item) for item in top.objects("golden"))
    if len({vector.image for vector in golden}) < len(golden):
        raise top.wrong("golden", [vector.image for vector in golden], "vectors of different images")
    return golden


def _golden(item: _Object) -> Golden:
    outputs = item.object("outputs")
    if not outputs.raw:
        raise item.wrong("outputs", {}, "a member for at least one kernel path")
    members = {path: outputs.text(path) for path in outputs.names()}
    return Golden(item.text("image"), item.sha256("input_sha256"), members, item.number("tolerance", 0))


def _compiled(item: _Object) -> Compiled:
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


class _Object:
    """A JSON object whose fields are asked for by type; `path` leads to it from the top, for messages."""

    def __init__(self, raw: object, where: str, path: str) -> None:
        self.where, self.path = where, path
        if not isinstance(raw, dict):
            field = f" as {path}" if path else ""
            raise EdgeError(f"{where} holds {_show(raw)}{field}: expected an object; {_REBUILD}", _CODE)
        self.raw: dict[str, Any] = raw

    def wrong(self, key: str, found: object, expected: str) -> EdgeError:
        field = f"{self.path}.{key}" if self.path else key
        return EdgeError(f"{self.where} has {field} = {_show(found)}: expected {expected}; {_REBUILD}", _CODE)

    def get(self, key: str) -> Any:
        if key not in self.raw:
            field = f"{self.path}.{key}" if self.path else key
            raise EdgeError(
                f"{self.where} lacks the field {field}: docs/model-file.md lists what it needs; {_REBUILD}", _CODE
            )
        return self.raw[key]

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        value = self.get(key)
        if not isinstance(value, str) or value not in known:
            raise self.wrong(key, value, " or ".join(f'"{word}"' for word in known))
        return value

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not is_line(value):
            raise self.wrong(key, value, f"one line of printable text, at most {MAX_LETTERS} characters")
        return value

    def texts(self, key: str, most: int) -> list[str]:
        return [_Object({key: value}, self.where, self.path).text(key) for value in self._list(key, most)]

    def names(self) -> list[str]:
        """Return the names of an object's members, which are chosen freely."""
        if len(self.raw) > MAX_ITEMS or not all(is_line(name) for name in self.raw):
            raise EdgeError(
                f"{self.where} has {self.path} = {_show(self.raw)}: expected at most {MAX_ITEMS} names of one line of "
                f"printable text, at most {MAX_LETTERS} characters; {_REBUILD}",
                _CODE,
            )
        return list(self.raw)

    def sha256(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.wrong(key, value, "a SHA-256 of 64 lower-case hexadecimal digits")
        return value

    def integer(self, key: str, least: int) -> int:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
            raise self.wrong(key, value, f"a whole number of at least {least}")
        return value

    def number(self, key: str, least: float = -math.inf, most: float = math.inf) -> float:
        value = self.get(key)
        if not _is_number(value) or not least <= value <= most:
            limits = "" if least == -math.inf else f" from {least}" + ("" if most == math.inf else f" to {most}")
            raise self.wrong(key, value, f"a number{limits}")
        return value

    def number_list(self, key: str) -> tuple[float, ...]:
        values = self._list(key)
        if not values or not all(_is_number(value) for value in values):
            raise self.wrong(key, values, "a list of numbers")
        return tuple(float(value) for value in values)

    def numbers(self, key: str) -> Mapping[str, float]:
        item = self.object(key)
        return {name: item.number(name) for name in item.names()}

    def object(self, key: str) -> _Object:
        return _Object(self.get(key), self.where, f"{self.path}.{key}" if self.path else key)

    def objects(self, key: str) -> list[_Object]:
        path = f"{self.path}.{key}" if self.path else key
        return [_Object(value, self.where, f"{path}[{number}]") for number, value in enumerate(self._list(key))]

    def _list(self, key: str, most: int = MAX_ITEMS) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        if len(value) > most:
            raise self.wrong(key, value, f"a list of at most {most}")
        return value


def is_line(words: str) -> bool:
    """Whether it is one line of text that a terminal can show, of no more characters than anybody would read."""
    # Printable also leaves out lone surrogates, which can't be written at all.
    return 0 < len(words) <= MAX_LETTERS and words.isprintable()


def _is_number(value: object) -> bool:
    """Whether it is a finite number that fits a float."""
    return not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) <= 1e300


def _show(value: object) -> str:
    """Return it for a message: at most 60 characters of ASCII on one line."""
    if value is None:
        return "null"
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, lists in lists in lists
        text = f"a monstrous {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
