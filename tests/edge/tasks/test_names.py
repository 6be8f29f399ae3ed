"""Nothing but a task's own file, and the two registries, knows the name of a task."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NAMES = ("classification", "segmentation")
# A recipe, or a call of the Python interface, that says no task is one of classes.
DEFAULT = {("compress/recipe.py", "classification"), ("compress/api.py", "classification")}
# The Python interface names the classes that it offers, and the generator of C's constants their modules.
LISTS = ("edge/__init__.py", "firmware_bridge/native/tools/make_constants.py")


def constants(tree: ast.AST) -> set[str]:
    """Return the texts of a module that are no docstrings."""
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs
    }


@pytest.mark.parametrize("package", ["edge", "compress", "firmware_bridge"])
def test_no_other_file_knows_a_task(package: str) -> None:
    files = [path for path in sorted((ROOT / package).rglob("*.py")) if "tasks" not in path.relative_to(ROOT).parts]
    assert len(files) > 20
    known = [
        (str(path.relative_to(ROOT)), text)
        for path in files
        for text in constants(ast.parse(path.read_text()))
        if any(name in text.lower() for name in NAMES)
    ]
    assert [row for row in known if row not in DEFAULT and row[0] not in LISTS] == []
