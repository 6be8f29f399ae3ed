"""Which kinds of steps there are: each file of this folder registers its own, recipes bring others by their path."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from compress.recipe_file import imported
from compress.steps.step import Step
from edge.errors import EdgeError

S = TypeVar("S", bound=type[Any])
PARTS = [name for name in dict.fromkeys((*Step.__annotations__, *vars(Step))) if not name.startswith("_")]
_KINDS: dict[str, type[Step]] = {}


def register(kind: S) -> S:
    """Add a class of steps, by its `kind`, and return it: a decorator.

    Raises TypeError for a class that is no step, or whose kind another one has.
    """
    if reason := _unfit(kind):
        raise TypeError(f"{kind!r} is no step: {reason}")
    if _KINDS.setdefault(kind.kind, kind) is not kind:
        raise TypeError(f"{kind!r} is no new step: {_KINDS[kind.kind]!r} has the kind {kind.kind!r}")
    return kind


def kinds() -> dict[str, type[Step]]:
    """Return the project's own steps by their kinds, sorted."""
    _import_all()
    return dict(sorted(_KINDS.items()))


@cache
def _import_all() -> None:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        importlib.import_module(f"compress.steps.{module.name}")


def step_class(kind: object, where: str, place: str) -> type[Step]:
    """Return the class of a recipe's step.

    Args:
        kind: a kind, or "package.module:Class", found as the recipe's network is.
        where, place: the recipe, and the step in it, for messages.

    Raises EdgeError for an unknown kind, a class that can't be imported, and one that is no step.
    """
    known = kinds()
    if isinstance(kind, str) and kind in known:
        return known[kind]
    if not isinstance(kind, str) or ":" not in kind:
        near = difflib.get_close_matches(kind, known, n=1) if isinstance(kind, str) else []
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise EdgeError(
            f"{where}: {place} has kind {kind!r}: expected one of {', '.join(known)}, or 'package.module:Class'{hint}"
        )
    found = imported(kind, where, f"{place}.kind")
    if reason := _unfit(found) or _taken(found, known):
        raise EdgeError(
            f"{where}: {place}.kind {kind!r} is no step ({reason}): expected a frozen dataclass that inherits "
            "compress.steps.step.Step; correct the class"
        )
    return found


def kind_of(step: Step) -> str:
    """Return a step's kind, as recipes call it: one that is not the project's by its path."""
    own = type(step)
    return own.kind if kinds().get(own.kind) is own else f"{own.__module__}:{own.__qualname__}"


def _unfit(found: object) -> str:
    """Return why something is no class of steps; "" where it is one."""
    if not isinstance(found, type):
        return f"it is a {type(found).__name__}, and no class"
    kind: Any = found
    missing = [name for name in PARTS if not hasattr(kind, name) or name in getattr(kind, "__abstractmethods__", ())]
    if missing:
        return f"it has no {', '.join(missing)}"
    if not isinstance(kind.kind, str) or not kind.kind.isprintable() or not kind.kind:
        return f"its kind is {kind.kind!r}, and no word"
    if not getattr(getattr(kind, "__dataclass_params__", None), "frozen", False):
        return "it is no frozen dataclass"
    try:
        typing.get_type_hints(kind)
    except Exception as error:  # an annotation that names nothing
        return f"the types of its fields can't be read: {error}"
    return ""


def _taken(kind: type[Step], known: dict[str, type[Step]]) -> str:
    other = known.get(kind.kind, kind)
    return "" if other is kind else f"its kind {kind.kind!r} is the one of {other.__module__}:{other.__qualname__}"


@contextmanager
def reported(number: int, step: Step, doing: str, where: str = "") -> Iterator[None]:
    """Begin each error that is raised meanwhile with the step's number and kind.

    Errors of a user's own step become an EdgeError, whatever they are. Those of the project's steps are its faults,
    and keep their traceback.

    Args:
        doing: what the step is asked for, such as "apply".
        where: the recipe, if the message is to begin with it.
    """
    kind = kind_of(step)
    place = f"{where}: step {number}, {kind}" if where else f"step {number}, {kind}"
    try:
        yield
    except EdgeError as error:
        raise EdgeError(f"{place}: {error}", error.code) from None
    except (Exception, SystemExit) as error:
        if kind in kinds() or isinstance(error, MemoryError):
            raise
        raise EdgeError(
            f"{place}: {doing} fails ({type(error).__name__}: {error}): expected no such error; correct "
            f"{type(step).__qualname__}.{doing}"
        ) from error
