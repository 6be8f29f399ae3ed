"""The native program's sources: headers that are made are what their makers write today; functions are short."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import features

from tests.edge.processes import ROOT

NATIVE = ROOT / "firmware_bridge/native"
MADE = {"constants": ["system/constants.h"], "schema": ["model/schema.h", "model/operators.h"]}


def make(name: str, *words: object) -> str:
    command = [sys.executable, NATIVE / f"tools/make_{name}.py", *map(str, words)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", MADE)
def test_a_header_is_what_its_maker_writes(name, tmp_path):
    make(name, tmp_path)
    for header in MADE[name]:
        assert (tmp_path / Path(header).name).read_text() == (NATIVE / header).read_text(), f"make_{name}.py, again"


def test_the_letters_are_what_their_maker_draws():
    if not features.check("freetype2"):
        pytest.skip("this Pillow draws no letters")
    assert make("letters") == (NATIVE / "answer/letters.h").read_text(), "another font than Pillow's? make_letters.py"


def test_every_maker_has_a_test():
    makers = {path.stem.removeprefix("make_") for path in NATIVE.glob("tools/make_*.py")}
    assert makers == {*MADE, "letters"}


def test_no_other_file_says_a_constant_again():
    """A limit that is written twice is changed once."""
    header = (NATIVE / "system/constants.h").read_text()
    names = re.findall(r"(?:enum \{|#define) (\w+)", header)
    assert len(names) > 40 and len(set(names)) == len(names)
    for path in NATIVE.glob("*/**/*.[ch]"):
        if path.name != "constants.h":
            text = path.read_text()
            again = [name for name in names if re.search(rf"(?:#define {name} |enum \{{[^}}]*\b{name} = )", text)]
            assert not again, path


def test_no_function_is_long():
    """At most 60 lines between the braces, which stand at a line's begin."""
    functions = 0
    for path in NATIVE.rglob("*.c"):
        begin = 0
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line == "{":
                begin, functions = number, functions + 1
            elif line == "}":
                assert number - begin <= 61, f"{path}:{begin}"
    assert functions > 400


def test_only_its_own_file_and_the_build_know_a_task():
    for path in (*NATIVE.rglob("*.[ch]"), NATIVE / "CMakeLists.txt"):
        if path.parent.name != "tasks":
            assert not re.search(
                r"task_classification|task_segmentation|\"(?:classification|segmentation)\"", path.read_text()
            )
