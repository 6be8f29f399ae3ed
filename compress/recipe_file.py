"""Which file a recipe is, and what it names: what can be checked before PyTorch is imported, which takes seconds."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import tomllib

from edge.errors import EdgeError

RECIPES = Path(__file__).with_name("recipes")
_OWN: dict[str, str] = {}  # modules of recipes' folders that were imported -> their files


def shipped() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(path.stem for path in RECIPES.glob("*.toml"))


def read(recipe: str) -> tuple[dict[str, Any], str]:
    """Return what a recipe's TOML holds, by its file or a shipped one's name, and its path.

    Raises EdgeError where there is no such recipe, or no TOML in it.
    """
    path = Path(recipe)
    if not path.suffix and not path.is_file():
        path = RECIPES / f"{recipe}.toml"
        if not path.exists():
            near = difflib.get_close_matches(recipe, shipped(), n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise EdgeError(
                f"there is no recipe {recipe!r}: shipped are {', '.join(shipped())}; {hint}or give a .toml file"
            )
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), str(path)
    except FileNotFoundError:
        raise EdgeError(
            f"recipe {path} does not exist: expected a TOML file, or one of {', '.join(shipped())}"
        ) from None
    except (OSError, ValueError, RecursionError) as error:  # tomllib's own, and what its parts raise
        raise EdgeError(f"recipe {path} can't be read ({error}): expected a TOML file; correct it") from None


def folders(where: str) -> list[Path]:
    """Return where what a recipe names is looked for: the folder of the recipe `where`, then the working directory."""
    own = Path(where).absolute().parent
    return list(dict.fromkeys([own, Path.cwd()] if own != RECIPES else [Path.cwd()]))


def named(file: str, where: str) -> Path:
    """Return the path of a `file` that the recipe `where` names: the first that exists, else the recipe's folder's."""
    paths = [folder / file for folder in folders(where)]
    return next((path for path in paths if path.exists()), paths[0])


def within_reach(where: str) -> None:
    """Let Python find modules in the recipe's folder, then those in the working directory, before all others.

    A module of another recipe's folder that has the name of one of these is forgotten: it is not the one meant here.
    """
    for folder in reversed(folders(where)):
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        sys.path.insert(0, str(folder))
    places = [str(folder) for folder in folders(where)]
    for name, origin in list(_OWN.items()):
        top = name.split(".")[0]
        spec = PathFinder.find_spec(top, places)
        if name == top and spec is not None and spec.origin != origin:
            for module in [module for module in _OWN if module.split(".")[0] == top]:
                sys.modules.pop(module, None)
                _OWN.pop(module)
    importlib.invalidate_caches()


def _remember(known: set[str], where: str) -> None:
    """Note which modules came out of the recipe's folders."""
    places = folders(where)
    for name in set(sys.modules) - known:
        origin = getattr(getattr(sys.modules[name], "__spec__", None), "origin", None)
        if origin and any(Path(origin).is_relative_to(folder) for folder in places):
            _OWN[name] = origin


def imported(name: str, where: str, field: str) -> Any:
    """Import what a recipe names as "package.module:attribute", such as its network, a step or a task, and return it.

    A recipe is trusted: the module is run. Modules are found as `within_reach` says.

    Args:
        where: the recipe. field: its field that has the name, for messages.

    Raises EdgeError where there is no such module, it fails, or it has no such attribute.
    """
    module_name, _, attribute = name.partition(":")
    if not all(part.isidentifier() for part in [*module_name.split("."), attribute]):
        raise EdgeError(f"{where}: {field} is {name!r}: expected 'package.module:attribute'; correct it")
    within_reach(where)
    known = set(sys.modules)
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # the user's own code: not found, a syntax error, a script that ends
        reason = f"{type(error).__name__}: {error}" if isinstance(error, SystemExit) else error
        raise EdgeError(
            f"{where}: {field} {name!r} can't be imported ({reason}): expected a module that Python "
            "finds from the recipe's folder or the working directory; check the name, or put the recipe where it lies"
        ) from None
    _remember(known, where)
    if not hasattr(module, attribute):
        near = difflib.get_close_matches(attribute, dir(module), n=1)
        hint = f"did you mean {near[0]!r}?" if near else "check the name"
        raise EdgeError(f"{where}: {field} is {name!r}, and module {module_name} has no {attribute!r}: {hint}")
    return getattr(module, attribute)


def check(raw: dict[str, Any], where: str, data: Path, output: Path, weights: Path | None) -> None:
    """Raise EdgeError where the network's module, the weights or the data folder are not there, or no output can be.

    Args:
        raw: the recipe `where`. What has another type than it should is left to `compress.recipe.parse`.
        weights: those that were given in the place of the recipe's.
    """
    trained = raw.get("weights")
    for field, name in _code(raw):
        if not _is_module(module := name.split(":")[0], where):
            raise EdgeError(
                f"{where}: {field} {name!r} can't be imported (there is no module {module!r}): expected one in "
                f"{' or '.join(map(str, folders(where)))}, or an installed one; check the name, or put the recipe "
                "where the module is"
            )
    if weights or (isinstance(trained, str) and trained):
        path = weights or named(str(trained), where)
        if not path.exists():
            tried = path if weights else " or ".join(str(folder / str(trained)) for folder in folders(where))
            raise EdgeError(
                f"the weights {tried} don't exist: expected the state_dict of a trained network; check the recipe's "
                "weights, or give --weights FILE"
            )
        if path.is_dir():
            raise EdgeError(f"the weights {path} are a folder: expected a file, as torch.save writes it; name that")
    if not data.is_dir():
        found = "is no folder" if data.exists() else "does not exist"
        raise EdgeError(f"data folder {data} {found}: expected a folder of images (docs/recipes.md); check --data")
    there = next(path for path in (output, *output.absolute().parents) if os.path.lexists(path))
    if not there.is_dir():
        raise EdgeError(f"{there} is no folder: expected one for the model and its checkpoints; give another --output")
    if not os.access(there, os.W_OK | os.X_OK):
        raise EdgeError(f"{there} can't be written: expected a folder for the model; give another --output")


def _code(raw: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (field, name) of the code that a recipe names: its network, and tasks, steps and criteria from outside."""
    if isinstance(network := raw.get("network"), str):
        yield "network", network
    named = [("task", raw.get("task"))]
    steps = raw.get("steps")
    for number, step in enumerate(steps if isinstance(steps, list) else (), 1):
        if isinstance(step, dict):
            named += [(f"steps[{number}].{field}", step.get(field)) for field in ("kind", "criterion")]
    yield from ((field, name) for field, name in named if isinstance(name, str) and ":" in name)


def _is_module(name: str, where: str) -> bool:
    """Return whether Python finds the module `name`, for all that can be said without running any of its packages."""
    top, *rest = name.split(".")
    spec = PathFinder.find_spec(top, [str(folder) for folder in folders(where)])
    if spec is None:
        try:
            return top in sys.modules or importlib.util.find_spec(top) is not None
        except ValueError:  # no name at all; `compress.recipe` says what a network is called
            return True
    for part in rest:  # each looked for by itself, as for its whole name the packages before it would have to be run
        if spec is None or spec.submodule_search_locations is None:
            return False
        spec = PathFinder.find_spec(part, list(spec.submodule_search_locations))
    return spec is not None
