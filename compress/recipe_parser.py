"""From a TOML table to a recipe: each value is checked against its field's type, each section by its own faults."""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from compress.data.window import taken
from compress.recipe import Recipe
from compress.recipe_file import read, within_reach
from compress.steps.registry import kinds, reported, step_class
from compress.steps.step import Step
from compress.tasks.registry import task_named
from edge.errors import EdgeError

WORDS: dict[Any, str] = {
    int: "a whole number",
    float: "a number",
    str: "a string in quotes",
    bool: "true or false",
    types.NoneType: "nothing",
}


def load(recipe: str) -> Recipe:
    """Read a recipe by its file or a shipped one's name; EdgeError names what is wrong with it and the way out."""
    return parse(*read(recipe))


def parse(raw: Mapping[str, Any], where: str) -> Recipe:
    """Check `raw` against the fields of `compress.recipe.Recipe` and return the recipe.

    Args:
        where: its file, for messages; what the recipe names is found from that file's folder.

    Raises EdgeError, naming the place, what it is and what was expected.
    """
    within_reach(where)
    raw = dict(raw)
    raw.pop("origin", None)
    steps = raw.pop("steps", None)
    if not isinstance(steps, list) or not steps:
        raise EdgeError(f"{where}: found no [[steps]]: expected at least one, each with a kind ({', '.join(kinds())})")
    window = None
    if isinstance(raw.get("input"), dict):
        raw["input"], window = taken(raw["input"], where)
    built = _build(Recipe, raw | {"steps": []}, where, "")
    spec = dataclasses.replace(built.input, window=window)
    steps = tuple(_step(s, where, n) for n, s in enumerate(steps, 1))
    recipe = dataclasses.replace(built, input=spec, steps=steps, origin=where)
    _check(recipe, where)
    return recipe


def _check(recipe: Recipe, where: str) -> None:
    """Refuse values that have the right type and are wrong."""

    def refuse(place: str, found: object, expected: str) -> typing.NoReturn:
        raise EdgeError(f"{where}: {place} is {found!r}: expected {expected}; correct it")

    for place, found, expected in recipe.faults():
        refuse(place, found, expected)
    for name, found, expected in task_named(recipe.task, where).faults(recipe.data):
        refuse(f"data.{name}", found, expected)
    for number, step in enumerate(recipe.steps, 1):
        with reported(number, step, "faults", where):
            fault = next(iter(step.faults(recipe.input, recipe.steps[: number - 1])), None)
        if fault:
            name, found, expected = fault
            refuse(f"steps[{number}].{name}" if name else f"steps[{number}]", found, expected)


def _step(raw: Any, where: str, number: int) -> Step:
    place = f"steps[{number}]"
    if not isinstance(raw, dict):
        raise EdgeError(f"{where}: {place} is {raw!r}: expected a table with a kind ({', '.join(kinds())})")
    kind = step_class(raw.get("kind"), where, place)
    rest = {key: value for key, value in raw.items() if key != "kind"}
    try:
        step: Step = _build(kind, rest, where, place)
    except (TypeError, ValueError) as error:  # of a user's own `__post_init__`
        raise EdgeError(f"{where}: {place} is {raw!r}: {kind.__qualname__} refuses it ({error}); correct it") from None
    return step


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
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return _build(hint, raw, where, place)
    if origin is tuple and isinstance(raw, list):
        return tuple(_value(inner[0], item, where, f"{place}[{n}]") for n, item in enumerate(raw, 1))
    if origin in (Mapping, dict) and isinstance(raw, dict):
        return {key: _value(inner[1], item, where, f"{place}.{key!r}") for key, item in raw.items()}
    if any(_is(kind, raw) for kind in (inner if _is_union(hint) else (hint,))):
        return float(raw) if hint is float else raw
    raise EdgeError(f"{where}: {place} is {raw!r}: expected {_describe(hint)}; correct it")


def _is(kind: Any, raw: Any) -> bool:
    """Whether a value of TOML is of a plain type, within what a manifest's JSON can hold; in Python, a function."""
    if typing.get_origin(kind) is Callable:
        return callable(raw)
    if kind is bool or not isinstance(kind, type) or isinstance(raw, bool):
        return kind is bool and isinstance(raw, bool)
    if kind is float:
        return isinstance(raw, (int, float)) and abs(raw) <= 1e300  # so neither nan nor inf
    if kind is int:
        return isinstance(raw, int) and -(2**63) <= raw < 2**63
    return isinstance(raw, kind)


def _is_union(hint: Any) -> bool:
    return typing.get_origin(hint) in (types.UnionType, typing.Union)


def _describe(hint: Any) -> str:
    if hint in WORDS:
        return WORDS[hint]
    if _is_union(hint):
        return " or ".join(WORDS[kind] for kind in typing.get_args(hint) if kind in WORDS)
    return "a list in brackets" if typing.get_origin(hint) is tuple else "a table"


def check_teacher(recipe: Recipe, trained: bool) -> None:
    """Raise EdgeError where a step is to learn from random weights.

    Args:
        trained: whether the network begins with other weights than random ones.
    """
    if trained or not recipe.steps or not recipe.steps[0].compresses:
        return
    for number, step in enumerate(recipe.steps, start=1):
        if step.is_taught:
            raise EdgeError(
                f"{recipe.origin}: steps[{number}].distill has an untrained teacher: expected weights, or a step that "
                "trains before the first one that makes the network smaller; add one, or take distill out"
            )
