"""The packages lie from left to right, and imports point to the left only; nothing is in a circle; nothing is long."""

from __future__ import annotations

import ast
import configparser
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT: dict[str, set[str]] = {
    "edge": set(),
    "compress": {"edge"},
    "firmware_bridge": {"edge", "compress"},
    "benchmarks": {"edge", "compress", "firmware_bridge"},
}
LONGEST = 600  # lines of a file
LONGEST_FUNCTION = 60  # and at most 15 branches, which ruff counts (C901 in pyproject.toml)


def python_files(*folders: str) -> list[Path]:
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Names of the top packages that a file imports, those inside functions included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import"
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_IMPORT)
def test_imports_point_to_the_left(package: str) -> None:
    strangers = set(MAY_IMPORT) | {"tests"}
    for path in python_files(package):
        assert imported(path) & strangers <= MAY_IMPORT[package] | {package}, path


def test_what_brings_releases_to_boards_needs_nothing_but_the_standard_library() -> None:
    """Coral's and microcontrollers' rooms look into networks, on the host; nothing else may."""
    paths = [path for path in python_files("firmware_bridge") if path.parent.name not in ("coral", "micro", "tools")]
    assert len(paths) > 8
    for path in paths:
        allowed = {"elftools"} if path.name == "elf.py" else set()
        assert imported(path) <= {*sys.stdlib_module_names, "edge", "firmware_bridge", *allowed}, path


def test_the_packages_are_where_this_test_looks() -> None:
    assert len(python_files("edge")) > 10
    assert len(python_files("compress")) > 10


def modules() -> dict[str, Path]:
    """The project's modules by name; a package by its own."""
    found = {}
    for path in python_files(*MAY_IMPORT):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def needed(tree: ast.AST, known: Iterable[str]) -> set[str]:
    """The modules that a file imports by name, inside functions and under TYPE_CHECKING too.

    `from package import module` needs the module and not what the package gathers for its users.
    """
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                names.add(below if below in known else str(node.module))
    return names & set(known)


def circles(imports: dict[str, set[str]]) -> list[list[str]]:
    """The groups of modules of which each reaches all others, and modules that import themselves."""

    def reached(start: str) -> set[str]:
        seen, to_do = set[str](), [start]
        while to_do:
            for name in imports[to_do.pop()] - seen:
                seen.add(name)
                to_do.append(name)
        return seen

    reach = {name: reached(name) for name in imports}
    groups = {frozenset(other for other in found if name in reach[other]) for name, found in reach.items()}
    return sorted(sorted(group) for group in groups if group)


def test_circles_are_found() -> None:
    imports = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set(), "e": {"f"}, "f": {"e"}, "g": {"g"}}
    assert circles(imports) == [["a", "b", "c"], ["e", "f"], ["g"]]
    text = "if TYPE_CHECKING:\n from a.b import c, D\ndef f():\n import a.e, os"
    assert needed(ast.parse(text), {"a", "a.b", "a.b.c", "a.e"}) == {"a.b.c", "a.b", "a.e"}


def test_nothing_imports_in_a_circle() -> None:
    known = modules()
    imports = {name: needed(ast.parse(path.read_text(encoding="utf-8")), known) for name, path in known.items()}
    assert sum(map(len, imports.values())) > 200
    found = circles(imports)
    assert not found, "these import each other: " + "; ".join(map(", ".join, found))


def test_no_function_is_long() -> None:
    """What it says of itself is not counted."""
    long = []
    for path in python_files(*MAY_IMPORT):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                first = node.body[0]
                said = isinstance(first, ast.Expr) and ast.get_docstring(node, clean=False) is not None
                lines = (node.end_lineno or 0) - ((first.end_lineno or 0) if said else node.lineno - 1)
                if lines > LONGEST_FUNCTION:
                    long.append(f"{path.relative_to(ROOT)}: {node.name} has {lines} lines")
    assert not long, "; ".join(long)


@pytest.mark.parametrize("package", ["edge", "compress", "firmware_bridge"])
def test_type_checkers_see_the_annotations(package: str) -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    assert (ROOT / package / "py.typed").is_file()
    assert "py.typed" in settings["options.package_data"][package].replace(" ", "").split(",")


def test_no_file_is_long() -> None:
    for path in python_files(*MAY_IMPORT, "tests"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST, path
