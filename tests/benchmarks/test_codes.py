"""docs/answers.md names every code that edge-bench has, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = re.compile(r"[a-z]+\.[a-z-]+")
NAMED = ("EdgeError", "Down", "_fault", "dumps")  # what is given a code
SCRIPTS = ("conversion", "robustness")  # measurements of their own, no commands of edge-bench
# What a session of edge-bench passes on: ssh's connection, the board's side of edge-deploy, tools' environments.
PASSED_ON = ("firmware_bridge/board/ssh.py", "firmware_bridge/board/board.py", "compress/environment.py")


def in_python(path: Path) -> set[str]:
    """Return the codes that calls in a file are given."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    given = [
        argument for call in calls if getattr(call.func, "id", "") in NAMED
        for argument in (*call.args, *(word.value for word in call.keywords))
    ]  # fmt: skip
    texts = [node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return {text for text in texts if CODE.fullmatch(text)}


def test_every_code_is_documented() -> None:
    own = [path for path in (ROOT / "benchmarks").rglob("*.py") if path.parent.name not in SCRIPTS]
    files = [*own, *(ROOT / name for name in PASSED_ON)]
    found = {code for path in files for code in in_python(path)}
    found |= set(re.findall(r"fail ([a-z]+\.[a-z-]+)", (ROOT / "benchmarks/devices/board_side.sh").read_text()))
    section = (ROOT / "docs/answers.md").read_text().split("\n## Codes of edge-bench\n")[1]
    assert set(re.findall(r"^\| `([a-z.-]+)` \|", section, re.MULTILINE)) == found


def test_every_error_has_a_code() -> None:
    """Else it would be "invalid", which says nothing to a program."""
    for path in (ROOT / "benchmarks").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "EdgeError":
                assert len(node.args) + len(node.keywords) == 2, f"{path}:{node.lineno}"
