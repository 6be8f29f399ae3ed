"""docs/answers.md names every code that the two programs have, and no other."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path

import pytest

from edge.cli import main
from edge.readers import suffixes

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs/answers.md").read_text()
CODE = re.compile(r"(?:arguments|image|model|output|runtime)\.[a-z-]+|memory|descriptors")


def documented(heading: str) -> dict[str, str]:
    """Return code -> whose it is, of the table under a heading."""
    section = DOCUMENT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return dict(re.findall(r"^\| `([a-z.-]+)` \| (\w+) \|", section, re.MULTILINE))


def in_python(*callables: str) -> set[str]:
    """Return the codes that calls of these names are given in edge/."""
    found = set()
    for path in (ROOT / "edge").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in callables:
                found |= {value for value in constants(node) if CODE.fullmatch(value)}
    return found


def constants(call: ast.Call) -> list[str]:
    return [node.value for node in ast.walk(call) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def in_c(*functions: str) -> set[str]:
    """Return the codes that calls of these functions are given in the native program."""
    found = set()
    for path in (ROOT / "firmware_bridge/native").rglob("*.c"):
        for call in re.findall(rf"\b(?:{'|'.join(functions)})\(([^;]*);", path.read_text()):
            found |= {text for text in re.findall(r'"([^"]*)"', call) if CODE.fullmatch(text)}
    return found


def whose(python: set[str], native: set[str]) -> dict[str, str]:
    return {
        code: "both" if code in python and code in native else "Python" if code in python else "native"
        for code in python | native
    }


def test_error_codes() -> None:
    raised = in_python("EdgeError")
    failed = in_c("fail_as", "end_at_once")
    assert whose(raised, failed) == documented("Error codes")


def test_warning_codes() -> None:
    assert whose(in_python("ImageWarning"), in_c("warn")) == documented("Warning codes")


def test_every_error_has_a_code() -> None:
    """Else it would be "invalid", which says nothing to a program."""
    for path in (ROOT / "edge").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "EdgeError":
                assert len(node.args) + len(node.keywords) == 2, f"{path}:{node.lineno}"
    for path in (ROOT / "firmware_bridge/native").rglob("*.c"):
        assert not re.search(r"\bfail\(", path.read_text()), path


@pytest.mark.parametrize("suffix", suffixes())
def test_the_endings_are_those_of_both_programs(suffix: str) -> None:
    assert f"{suffix} " in DOCUMENT.replace("`", " ")
    assert f'"{suffix}"' in (ROOT / "firmware_bridge/native/command/sources.c").read_text()


@pytest.mark.parametrize(("model", "image"), [("pneumonia", "docs/phantom.png"), ("polyp", "docs/colon.jpg")])
def test_the_keys_of_an_answer(model: str, image: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--model", model, str(ROOT / image), "--json", "-r", "2", "--output", str(tmp_path)]) == 0
    record = json.loads(capsys.readouterr().out)
    section = DOCUMENT.split("### An answer\n")[1].split("\n### ")[0]
    rows = re.findall(r"^\| (`.*?`) \| (.*) \|$", section, re.MULTILINE)
    keys = [key for names, _ in rows for key in re.findall(r"`(\w+)`", names)]
    both = [key for key in keys if model == "polyp" or key not in ("area", "mask")]
    assert both == list(record)
    said = {key: text for names, text in rows for key in re.findall(r"`(\w+)`", names)}
    for key, value in record.items():
        for inner in value if isinstance(value, dict) else value[0] if isinstance(value, list) and value else ():
            assert re.search(rf"[`\"]{inner}[`\"]", said[key]), (key, inner)
    (name,) = tmp_path.glob("*.json")
    assert list(json.loads(name.read_text())) == ["image", "path", "files", *list(record)[1:]]
