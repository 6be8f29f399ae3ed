"""A recipe: network, data, steps and targets. `compress.recipe_parser` reads it from TOML."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from compress.convert.float32 import AUTO
from compress.convert.quantize.choices import Choices
from compress.convert.routes import ROUTES
from compress.data.independence import Allowed
from compress.data.mask_values import Values
from compress.steps.step import Fault, Step
from edge.fields import MAX_ITEMS, MAX_LETTERS, is_line
from edge.preprocess import Preprocessing

LINE = f"one line of printable text, at most {MAX_LETTERS} characters"


@dataclass(frozen=True)
class Data:
    """Labels, division and origin of the images.

    Attributes:
        positive: the label whose score is compared with the threshold (two-class tasks); none: the highest score
            decides. Segmentation: what the masks show.
        validation: share of `train` that is set aside where the data has no folder `val`.
        test: segmentation: share of all images that is set aside where the data has no folder `test`.
        minimum_area: segmentation: regions that cover a smaller share of the image are no finding.
        group: regular expression that finds the patient in a file's path below its class folder; a patient's images
            are never divided.
        foreground, ignore: segmentation: see `compress.data.mask_values.Values`.
        shared_patients, duplicates: "allow", with the reason, or nothing: see `compress.data.independence.Allowed`.
        group_within: "folder", with the reason, or nothing: see there.
        source, licence: for the manifest.
    """

    positive: str = ""
    validation: float = 0.1
    test: float = 0.1
    minimum_area: float = 0.0
    group: str = ""
    foreground: tuple[int | str, ...] = ()
    ignore: tuple[int | str, ...] = ()
    shared_patients: str = ""
    shared_patients_reason: str = ""
    duplicates: str = ""
    duplicates_reason: str = ""
    group_within: str = ""
    group_within_reason: str = ""
    source: str = ""
    licence: str = ""

    @property
    def values(self) -> Values:
        """What the masks' pixels mean."""
        return Values(self.foreground, self.ignore)

    @property
    def allowed(self) -> Allowed:
        """Exceptions from the rules of independence, with their reasons."""
        return Allowed(self.shared_patients_reason, self.duplicates_reason, self.group_within_reason)

    def faults(self) -> Iterator[Fault]:
        """Yield (field, what it is, what was expected) for what is wrong whatever the task is."""
        for name in ("validation", "test"):
            if not 0 < getattr(self, name) < 1:
                yield name, getattr(self, name), "a share between 0 and 1"
        if not 0 <= self.minimum_area < 1:
            yield "minimum_area", self.minimum_area, "a share from 0 to below 1"
        try:
            re.compile(self.group)
        except (re.error, OverflowError, RecursionError) as error:
            yield "group", self.group, f"a regular expression ({error})"
        yield from self._exceptions()
        yield from self.values.faults()

    def _exceptions(self) -> Iterator[Fault]:
        for name, word in (("shared_patients", "allow"), ("duplicates", "allow"), ("group_within", "folder")):
            found, reason = getattr(self, name), getattr(self, f"{name}_reason")
            if found not in ("", word):
                yield name, found, f"{word!r}, with {name}_reason"
            if bool(found) != bool(reason) or (reason and not (is_line(reason) and reason.strip())):
                yield f"{name}_reason", reason, f"{LINE}, that says why, where {name} = {word!r}, and else none"
            if found and name != "duplicates" and not self.group:
                yield name, found, "a group with it"
        if self.shared_patients and self.group_within:
            yield "shared_patients", self.shared_patients, "nothing where group_within says that there are none"


@dataclass(frozen=True)
class Target:
    """A number to reach; names and units are those of docs/model-file.md."""

    name: str
    target: float
    better: str
    source: str = ""

    def faults(self) -> Iterator[Fault]:
        """Yield (field, what it is, what was expected) for what is wrong."""
        for key in ("name", "source"):
            if not is_line(getattr(self, key)):
                yield key, getattr(self, key), LINE
        if self.better not in ("lower", "higher"):
            yield "better", self.better, "'lower' or 'higher'"


@dataclass(frozen=True)
class Conversion(Choices):
    """How the network becomes a TFLite file; the fields of `Choices` say how it becomes int8.

    Attributes:
        route: a name of `compress.convert.routes.ROUTES`; "auto": the installed ones in that order, until one's float32
            file is proved to be the network.
    """

    route: str = AUTO

    def faults(self) -> Iterator[Fault]:
        """Yield (field, what it is, what was expected) for what is wrong."""
        if self.route not in (AUTO, *ROUTES):
            yield "route", self.route, " or ".join(map(repr, (AUTO, *ROUTES)))
        yield from super().faults()


@dataclass(frozen=True)
class Recipe:
    """A whole recipe.

    Attributes:
        name: of the model and its files: lower-case letters, digits, `-`, `_`.
        title: one line for people.
        task: a task's name, or "package.module:Class" of one's own, found as `network` is.
        network: "package.module:function", found from the recipe's folder, then from the working directory; called as
            function(classes=N, channels=C), it returns an nn.Module that maps float32 (N, C, H, W) to logits: (N, N
            classes), or (N, 1, h, w) for segmentation.
        input: preprocessing, on the device as in training.
        steps: what is done to the network, in order.
        seed: of the network's initial weights.
        calibration: training images whose activations' ranges set the int8 steps.
        conversion: how the network becomes a TFLite file.
        weights: file of a trained network's state_dict to begin with, relative to the recipe's folder, or else to the
            working directory; none: random weights.
    """

    name: str
    title: str
    network: str
    input: Preprocessing
    steps: tuple[Step, ...]
    data: Data = Data()
    targets: tuple[Target, ...] = ()
    notes: str = ""
    task: str = "classification"
    seed: int = 1
    calibration: int = 128
    conversion: Conversion = Conversion()
    weights: str = ""
    origin: str = field(default="", metadata={"internal": True})

    def faults(self) -> Iterator[Fault]:
        """Yield (place, what it is, what was expected) for what is wrong with all but the task and the steps."""
        if not re.fullmatch(r"[a-z0-9_-]+", self.name):
            yield "name", self.name, "lower-case letters, digits, - and _"
        if not is_line(self.title):
            yield "title", self.title, LINE
        if not re.fullmatch(r"\w+(\.\w+)*:\w+", self.network):
            yield "network", self.network, "'package.module:function'"
        yield from input_faults(self.input)
        for name, found, expected in self.data.faults():
            yield f"data.{name}", found, expected
        if not 1 <= self.calibration <= 10_000:
            yield "calibration", self.calibration, "1 to 10000 images"
        for name, found, expected in self.conversion.faults():
            yield f"conversion.{name}", found, expected
        if not 0 <= self.seed < 2**32:
            yield "seed", self.seed, "0 to 4294967295"
        names = [target.name for target in self.targets]
        if len(set(names)) < len(names) or len(names) > MAX_ITEMS:
            yield "targets", names, f"targets of different names, at most {MAX_ITEMS}"
        for target in self.targets:
            for name, found, expected in target.faults():
                yield f"{name} of target {target.name[:MAX_LETTERS]!r}", found, expected


def input_faults(spec: Preprocessing) -> Iterator[Fault]:
    """Yield (place, what it is, what was expected) for what is wrong with a recipe's input."""
    if not 8 <= spec.height <= 4096 or not 8 <= spec.width <= 4096:
        yield "input height and width", (spec.height, spec.width), "8 to 4096 pixels"
    if spec.color not in ("grey", "rgb"):
        yield "input.color", spec.color, "'grey' or 'rgb'"
    if spec.channels not in ((1, 3) if spec.color == "grey" else (3,)):
        yield "input.channels", spec.channels, "3 for rgb, 1 or 3 for grey"
    if spec.fit not in ("stretch", "crop", "pad"):
        yield "input.fit", spec.fit, "'stretch', 'crop' or 'pad'"
    for key, values in (("mean", spec.mean), ("std", spec.std)):
        if len(values) not in (1, spec.channels):
            yield f"input.{key}", list(values), f"1 or {spec.channels} numbers"
    if min(spec.std, default=0) <= 0:
        yield "input.std", list(spec.std), "numbers above 0"
