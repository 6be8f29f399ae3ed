"""The faults that tests/mutants.py makes."""

from __future__ import annotations

import ast

import pytest

from tests import mutants


def changed(find, text):
    return [(function, kind, text[start:end], new) for function, kind, start, end, new in find(text)]


def test_faults_in_python():
    text = "class A:\n    def f(self, x: int = 1) -> bool:\n"
    text += "        é = x + (2) < 3 and x is not None\n"
    text += "        return é or f'{x:>4}'\n"
    assert changed(mutants.python_changes, text) == [
        ("A.f", "constant", "1", "2"),
        ("A.f", "join", "and", "or"),
        ("A.f", "compare", "<", "<="),
        ("A.f", "compute", "+", "-"),
        ("A.f", "constant", "2", "3"),
        ("A.f", "constant", "3", "4"),
        ("A.f", "compare", "is not", "is"),
        ("A.f", "return", "é or f'{x:>4}'", "None"),
        ("A.f", "join", "or", "and"),
    ]


def test_faults_in_c():
    text = "#define N 3\nint table[2] = {1, 2};\n"
    text += 'int f(const char *p) {\n  /* 5 */ return *p - 010 > -1 && g("7", p->x);\n}\n'
    assert changed(mutants.c_changes, text) == [
        ("f", "compute", "-", "+"),
        ("f", "constant", "010", "9"),
        ("f", "compare", ">", ">="),
        ("f", "constant", "1", "2"),
        ("f", "join", "&&", "||"),
    ]


def test_every_fault_of_the_project_is_still_python():
    found = list(mutants.mutants(mutants.ROOT))
    assert len({mutant.name for mutant in found}) == len(found) > 2000
    texts = {}
    for mutant in found[::97]:
        file = mutant.name.split("::")[0]
        text = texts.setdefault(file, (mutants.ROOT / file).read_text(encoding="utf-8"))
        if file.endswith(".py"):
            ast.parse(text[: mutant.start] + mutant.text + text[mutant.end :])


@pytest.mark.parametrize(
    ("file", "tests"),
    [
        ("edge/preprocess.py", ["tests/edge/test_preprocess.py"]),
        ("compress/pruning/blocks.py", ["tests/compress/pruning/test_blocks.py"]),
        ("edge/terminal.py", ["tests/edge"]),
        ("firmware_bridge/native/test/probe.c", ["tests/firmware_bridge/native"]),
    ],
)
def test_a_file_is_mirrored_by_its_name_or_its_folder(file, tests):
    assert mutants.mirror(mutants.ROOT, file) == tests


@pytest.mark.parametrize("room", mutants.NATIVE)
def test_rooms_of_the_native_program_have_tests(room):
    tests = mutants.mirror(mutants.ROOT, f"firmware_bridge/native/{room}/any.c")
    assert len(tests) > 2
    for path in (*tests, f"firmware_bridge/native/{room}"):
        assert (mutants.ROOT / path).exists()
