"""Recipes: TOML files that say which network, which data, which steps and which targets."""

from __future__ import annotations

import copy
import dataclasses
import difflib
import importlib
import re
import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from compress.data.independence import Allowed
from compress.data.mask_values import Values
from compress.data.window import taken
from compress.pruning.channels import Pruning
from compress.recipe_file import folders, read
from compress.recipe_file import shipped as shipped
from compress.steps.folding import Folding, NormFolding
from compress.steps.ghost import INITIALIZATIONS, Ghosting
from compress.steps.prune_blocks import BlockPruning
from compress.steps.soft_prune import SoftPruning
from compress.steps.train import OPTIMIZERS, Training
from compress.tasks.registry import task_named
from edge.errors import EdgeError
from edge.fields import MAX_ITEMS, MAX_LETTERS, is_line
from edge.preprocess import Preprocessing

LINE = f"one line of printable text, at most {MAX_LETTERS} characters"
Step = Training | BlockPruning | SoftPruning | Pruning | Ghosting | NormFolding | Folding
STEPS: dict[str, type[Step]] = {
    "train": Training,
    "prune-blocks": BlockPruning,
    "soft-prune": SoftPruning,
    "prune": Pruning,
    "ghost": Ghosting,
    "fold-norms": NormFolding,
    "fold-grey": Folding,
}


@dataclass(frozen=True)
class Data:
    """Where labels come from, and what must be said of the images.

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
        """What the data may have all the same."""
        return Allowed(self.shared_patients_reason, self.duplicates_reason, self.group_within_reason)

    def faults(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with what is allowed and with masks."""
        for name, word in (("shared_patients", "allow"), ("duplicates", "allow"), ("group_within", "folder")):
            said, reason = getattr(self, name), getattr(self, f"{name}_reason")
            if said not in ("", word):
                yield name, said, f"{word!r}, with {name}_reason"
            if bool(said) != bool(reason) or (reason and not (is_line(reason) and reason.strip())):
                yield f"{name}_reason", reason, f"{LINE}, that says why, where {name} = {word!r}, and else none"
            if said and name != "duplicates" and not self.group:
                yield name, said, "a group with it"
        if self.shared_patients and self.group_within:
            yield "shared_patients", self.shared_patients, "nothing where group_within says that there are none"
        yield from self.values.faults()


@dataclass(frozen=True)
class Target:
    """A number to reach; names and units are those of docs/model-file.md."""

    name: str
    target: float
    better: str
    source: str = ""


@dataclass(frozen=True)
class Recipe:
    """A whole recipe.

    Attributes:
        name: of the model and its files: lower-case letters, digits, `-`, `_`.
        title: one line for people.
        task: "classification", "segmentation", or a class of your own, "package.module:Class".
        network: "package.module:function", found from the recipe's folder, then from the working directory; called as
            function(classes=N, channels=C), it returns an nn.Module that maps float32 (N, C, H, W) to logits: (N, N
            classes), or (N, 1, h, w) for segmentation.
        input: preprocessing, on the device as in training.
        steps: what is done to the network, in order.
        seed: of the network's initial weights.
        calibration: training images whose activations' ranges set the int8 steps.
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
    weights: str = ""
    origin: str = field(default="", metadata={"internal": True})


def load(recipe: str) -> Recipe:
    """Read a recipe by its file or a shipped one's name; EdgeError names what is wrong with it and the way out."""
    return parse(*read(recipe))


def parse(raw: Mapping[str, Any], where: str) -> Recipe:
    """Check `raw` against the fields above and return the recipe."""
    raw = dict(raw)
    raw.pop("origin", None)
    steps = raw.pop("steps", None)
    if not isinstance(steps, list) or not steps:
        raise EdgeError(f"{where}: found no [[steps]]: expected at least one, each with a kind ({', '.join(STEPS)})")
    window = None
    if isinstance(raw.get("input"), dict):
        raw["input"], window = taken(raw["input"], where)
    built = _build(Recipe, raw | {"steps": []}, where, "")
    spec = dataclasses.replace(built.input, window=window)
    steps = tuple(_step(s, where, n) for n, s in enumerate(steps, 1))
    recipe = dataclasses.replace(built, input=spec, steps=steps, origin=where)
    _check(recipe, where)
    return recipe


def _step(raw: Any, where: str, number: int) -> Step:
    place = f"steps[{number}]"
    found = raw.get("kind") if isinstance(raw, dict) else raw
    if not isinstance(raw, dict) or not isinstance(found, str) or found not in STEPS:
        raise EdgeError(f"{where}: {place} has kind {found!r}: expected one of {', '.join(STEPS)}")
    return _build(STEPS[raw["kind"]], {key: value for key, value in raw.items() if key != "kind"}, where, place)


def _build(kind: type, raw: Any, where: str, place: str) -> Any:
    """Return a dataclass `kind` from a TOML table, each field checked against its annotation."""
    label = place or "the recipe"
    if not isinstance(raw, dict):
        raise EdgeError(f"{where}: {label} is {raw!r}: expected a table")
    hints = typing.get_type_hints(kind)
    fields = {f.name: f for f in dataclasses.fields(kind) if not f.metadata.get("internal")}
    for key in raw:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known are {', '.join(fields)}"
            raise EdgeError(f"{where}: {label} has the unknown key {key!r}: {hint}")
    for name, entry in fields.items():
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if required and name not in raw:
            raise EdgeError(f"{where}: {label} has no {name!r}: expected {_describe(hints[name])}; add it")
    values = {key: _value(hints[key], value, where, f"{place}.{key}" if place else key) for key, value in raw.items()}
    return kind(**values)


def _value(hint: Any, raw: Any, where: str, place: str) -> Any:
    origin = typing.get_origin(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, raw, where, place)
    if origin is tuple and isinstance(raw, list):
        return tuple(_value(typing.get_args(hint)[0], item, where, f"{place}[{n}]") for n, item in enumerate(raw, 1))
    if origin is Mapping or origin is dict or origin is getattr(types, "MappingProxyType", None):
        inner = typing.get_args(hint)[1]
        if isinstance(raw, dict):
            return {key: _value(inner, item, where, f"{place}.{key!r}") for key, item in raw.items()}
    if origin is types.UnionType:
        if isinstance(raw, typing.get_args(hint)) and not isinstance(raw, bool):
            return raw
    elif hint is float:
        if isinstance(raw, (int, float)) and not isinstance(raw, bool) and abs(raw) <= 1e300:  # so neither nan nor inf
            return float(raw)
    elif hint is int and isinstance(raw, int) and not -(2**63) <= raw < 2**63:  # the manifest's JSON has no larger ones
        pass
    elif isinstance(hint, type) and isinstance(raw, hint) and (hint is bool or not isinstance(raw, bool)):
        return raw
    raise EdgeError(f"{where}: {place} is {raw!r}: expected {_describe(hint)}; correct it")


def _describe(hint: Any) -> str:
    words = {int: "a whole number", float: "a number", str: "a string in quotes", bool: "true or false"}
    if hint in words:
        return words[hint]
    if typing.get_origin(hint) is types.UnionType:
        return " or ".join(words[kind] for kind in typing.get_args(hint))
    return "a list in brackets" if typing.get_origin(hint) is tuple else "a table"


def _check(recipe: Recipe, where: str) -> None:
    """What types can't say."""

    def refuse(place: str, found: object, expected: str) -> typing.NoReturn:
        raise EdgeError(f"{where}: {place} is {found!r}: expected {expected}; correct it")

    if not re.fullmatch(r"[a-z0-9_-]+", recipe.name):
        refuse("name", recipe.name, "lower-case letters, digits, - and _")
    if not is_line(recipe.title):
        refuse("title", recipe.title, LINE)
    if not re.fullmatch(r"\w+(\.\w+)*:\w+", recipe.network):
        refuse("network", recipe.network, "'package.module:function'")
    spec = recipe.input
    if not 8 <= spec.height <= 4096 or not 8 <= spec.width <= 4096:
        refuse("input height and width", (spec.height, spec.width), "8 to 4096 pixels")
    if spec.color not in ("grey", "rgb"):
        refuse("input.color", spec.color, "'grey' or 'rgb'")
    if spec.channels not in ((1, 3) if spec.color == "grey" else (3,)):
        refuse("input.channels", spec.channels, "3 for rgb, 1 or 3 for grey")
    if spec.fit not in ("stretch", "crop", "pad"):
        refuse("input.fit", spec.fit, "'stretch', 'crop' or 'pad'")
    for key, values in (("mean", spec.mean), ("std", spec.std)):
        if len(values) not in (1, spec.channels):
            refuse(f"input.{key}", list(values), f"1 or {spec.channels} numbers")
    if min(spec.std) <= 0:
        refuse("input.std", list(spec.std), "numbers above 0")
    task = task_named(recipe.task, where)
    for key, share in (("validation", recipe.data.validation), ("test", recipe.data.test)):
        if not 0 < share < 1:
            refuse(f"data.{key}", share, "a share between 0 and 1")
    if not 0 <= recipe.data.minimum_area < 1:
        refuse("data.minimum_area", recipe.data.minimum_area, "a share from 0 to below 1")
    for name, found, expected in task.faults(recipe):
        refuse(name, found, expected)
    for name, found, expected in recipe.data.faults():
        refuse(f"data.{name}", found, expected)
    try:
        re.compile(recipe.data.group)
    except (re.error, OverflowError, RecursionError) as error:
        refuse("data.group", recipe.data.group, f"a regular expression ({error})")
    if not 1 <= recipe.calibration <= 10_000:
        refuse("calibration", recipe.calibration, "1 to 10000 images")
    if not 0 <= recipe.seed < 2**32:
        refuse("seed", recipe.seed, "0 to 4294967295")
    names = [target.name for target in recipe.targets]
    if len(set(names)) < len(names) or len(names) > MAX_ITEMS:
        refuse("targets", names, f"targets of different names, at most {MAX_ITEMS}")
    for target in recipe.targets:
        for key in ("name", "source"):
            if not is_line(getattr(target, key)):
                refuse(f"{key} of target {target.name[:MAX_LETTERS]!r}", getattr(target, key), LINE)
        if target.better not in ("lower", "higher"):
            refuse(f"better of target {target.name!r}", target.better, "'lower' or 'higher'")
    for number, step in enumerate(recipe.steps, 1):
        place = f"steps[{number}]"
        if isinstance(step, Training):
            if step.epochs < 1 or step.batch < 2 or step.lr <= 0:
                refuse(place, (step.epochs, step.batch, step.lr), "epochs >= 1, batch >= 2 and lr > 0")
            if not 0 <= step.seed < 2**32:
                refuse(f"{place}.seed", step.seed, "0 to 4294967295")
            if not 0 <= step.smoothing < 1 or min(step.weight_decay, step.bn_l1) < 0:
                refuse(
                    place, (step.smoothing, step.weight_decay, step.bn_l1), "a smoothing below 1, no penalty below 0"
                )
            if step.optimizer not in OPTIMIZERS:
                refuse(f"{place}.optimizer", step.optimizer, f"one of {', '.join(OPTIMIZERS)}")
            if step.size < 0 or step.size > min(spec.height, spec.width):
                refuse(f"{place}.size", step.size, "0, or a side not larger than the network's input")
            for name, found, expected in step.augment.faults():
                refuse(f"{place}.augment.{name}", found, expected)
            if not 0 <= step.augment.crop < min(spec.height, spec.width):
                refuse(f"{place}.augment.crop", step.augment.crop, "pixels, fewer than the network's input has")
            for name, found, expected in step.distill.faults():
                refuse(f"{place}.distill.{name}", found, expected)
            earlier = recipe.steps[: number - 1]
            if step.distill.share and type(step) is Training and all(type(e) is Training for e in earlier):
                refuse(
                    f"{place}.distill.share", step.distill.share, "0 where no earlier step makes the network smaller"
                )
            if step.distill.share and any(isinstance(e, Folding) for e in earlier):
                refuse(
                    f"{place}.distill.share", step.distill.share, "0 after fold-grey: the teacher reads three channels"
                )
            if isinstance(step, BlockPruning) and (step.penalty < 0 or step.gate_lr <= 0):
                refuse(place, (step.penalty, step.gate_lr), "no penalty below 0 and gate_lr > 0")
            if isinstance(step, SoftPruning):
                for name, found, expected in step.faults():
                    refuse(f"{place}.{name}", found, expected)
        elif isinstance(step, Pruning):
            for name, found, expected in step.faults():
                refuse(f"{place}.{name}", found, expected)
        elif isinstance(step, Ghosting):
            if step.init not in INITIALIZATIONS:
                refuse(f"{place}.init", step.init, f"one of {', '.join(INITIALIZATIONS)}")
            if step.cheap_kernel < 1 or step.cheap_kernel % 2 == 0:
                refuse(f"{place}.cheap_kernel", step.cheap_kernel, "an odd number")
            if step.samples < 2:
                refuse(f"{place}.samples", step.samples, "2 or more")
        elif isinstance(step, NormFolding):
            continue
        elif (spec.color, spec.channels, len(spec.mean), len(spec.std)) != ("grey", 3, 1, 1):
            refuse(place, "fold-grey", "an input with color = 'grey', channels = 3, and one mean and std for all three")
        elif any(isinstance(earlier, Folding) for earlier in recipe.steps[: number - 1]):
            refuse(place, "fold-grey", "this step once")


def kind_of(step: Step) -> str:
    """Return a step's kind, as recipes call it."""
    return next(kind for kind, settings in STEPS.items() if type(step) is settings)


def _shape(network: nn.Module, shape: tuple[int, ...]) -> object:
    """Return the shape of what the network gives; in words what is wrong with it, where it is no tensor."""
    x = torch.zeros(shape)
    with torch.random.fork_rng(devices=[]):
        y = network(x)
    if x._version:
        raise ValueError("it changes its input in place, which others read, too: write x = x - mean, not x -= mean")
    return tuple(y.shape) if isinstance(y, Tensor) else f"a {type(y).__name__}"


def network_function(recipe: Recipe) -> Callable[..., nn.Module]:
    """Import the recipe's network function and return it.

    Modules in the recipe's folder are found, then those in the working directory. Raises EdgeError where there is no
    such function.
    """
    module_name, function_name = recipe.network.split(":")
    for folder in reversed(folders(recipe.origin)):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's own code: not found, a syntax error, a script that ends
        reason = f"{type(error).__name__}: {error}" if isinstance(error, SystemExit) else error
        raise EdgeError(
            f"{recipe.origin}: network {recipe.network!r} can't be imported ({reason}): expected a module that Python "
            "finds from the recipe's folder or the working directory; check the name, or put the recipe where it lies"
        ) from None
    function = getattr(module, function_name, None)
    if not callable(function):
        raise EdgeError(f"{recipe.origin}: module {module_name} has no function {function_name!r}: check network")
    return function


def build_network(recipe: Recipe, classes: int) -> nn.Module:
    """Import and call the recipe's network function, and try the network at each size that it will see.

    Raises EdgeError where there is no such function, it fails, or what it returns does not map the recipe's input to
    the logits that its task wants.
    """
    function = network_function(recipe)
    channels = recipe.input.channels
    shape = (2, channels, recipe.input.height, recipe.input.width)
    sides = sorted({step.size for step in recipe.steps if isinstance(step, Training) and step.size})
    try:
        network = function(classes=classes, channels=channels)
        found: object = f"a {type(network).__name__}"
        if isinstance(network, nn.Module):
            with torch.no_grad():
                for height, width in [*((side, side) for side in sides), (recipe.input.height, recipe.input.width)]:
                    shape = (2, channels, height, width)
                    found = _shape(network.eval(), shape)
                    training = _shape(copy.deepcopy(network).train(), shape)
                    if training != found:
                        raise ValueError(f"it gives {training} in training mode, and {found} in evaluation mode")
    except (Exception, SystemExit) as error:  # the user's own code: anything
        reason = str(error).split("\n")[0] or type(error).__name__
        raise EdgeError(
            f"{recipe.origin}: network {recipe.network} fails for {classes} classes and input {shape} ({reason}): "
            "correct it, or the recipe's input, or a training step's size"
        ) from error
    task = task_named(recipe.task, recipe.origin)
    if not isinstance(found, tuple) or (expected := task.output(recipe, classes, found)):
        wanted = "; correct it"
        if isinstance(found, tuple):
            wanted = f" that returns {expected}; correct it, or the recipe's task"
        raise EdgeError(
            f"{recipe.origin}: network {recipe.network} gives {found} for input {shape}: expected an nn.Module{wanted}"
        )
    return network
