"""The packages lie from left to right, and imports point to the left only."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAY_IMPORT: dict[str, set[str]] = {
    "edge": set(),
    "compress": {"edge"},
    "firmware_bridge": {"edge", "compress"},
    "benchmarks": {"edge", "compress", "firmware_bridge"},
}
LONGEST = 600  # lines


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


def test_no_file_is_long() -> None:
    for path in python_files(*MAY_IMPORT, "tests"):
        assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST, path
