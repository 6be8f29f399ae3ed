"""Random small faults in the programs, and whether the tests that mirror the changed file find them.

    python -m tests.mutants --count 80 --seed 1

A mutant is named FILE::FUNCTION::KIND::NUMBER, so that the same one can be made in another version of the project:

    python -m tests.mutants --seed 1 --list > mutants.txt
    python -m tests.mutants --root ../before --only mutants.txt

The tests are those of the file's name (tests/.../test_NAME.py), else those of its folder, or those that a line of
mutants.txt has after the name; those marked as long are left out. A mutant is killed where one of them fails or
takes too long. Exit status: 0; how many live is for people to judge.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
FOLDERS = ("edge", "compress", "firmware_bridge", "benchmarks")
LONG = "train or compile or qemu or network or interpreters or data"
NATIVE = {  # tests by the room of the native program, whose files have none of their names
    "image": "preprocessing strange_images plausibility",
    "model": "manifests network conformance",
    "answer": "scores overlay conformance",
    "command": "records overlay conformance",
    "system": "crash memory digest conformance",
}
SECONDS = 300  # of a mutant's tests
LEFT_OUT = shutil.ignore_patterns(".venv", "build", ".git", "*.egg-info", "__pycache__", ".*_cache", ".hypothesis")
COMPARED = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
COMPARED |= {"is not": "is", "is": "is not", "not in": "in", "in": "not in"}
COMPUTED = {"+": "-", "-": "+", "*": "+", "/": "*", "//": "*", "%": "*", "**": "*", "<<": ">>", ">>": "<<"}
COMPUTED |= {"&": "|", "|": "&", "^": "&", "@": "*"}
JOINED = {"and": "or", "or": "and", "&&": "||", "||": "&&"}
C_TOKEN = re.compile(
    r"""(?P<skip>/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|^[ \t]*\#(?:\\\n|[^\n])*)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<number>(?:0[xX][0-9a-fA-F]+|\d+)(?![\w.])|[\d.]+\w*)"""
    r"""|(?P<sign>->|\+\+|--|<<=|>>=|[-+*/%&|^]=|<<|>>|<=|>=|==|!=|&&|\|\||.)""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


class Mutant(NamedTuple):
    """A replacement of the text from `start` to `end` (characters) of a file."""

    name: str
    start: int
    end: int
    text: str


Change = tuple[str, int, int, str]  # kind, start, end, replacement


class Python:
    """The faults that are possible in a file of Python."""

    def __init__(self, text: str) -> None:
        self.text, self.lines = text, [0]
        for line in text.splitlines(keepends=True):
            self.lines.append(self.lines[-1] + len(line))

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where a node begins and ends, in characters."""
        return self._place(node.lineno, node.col_offset), self._place(node.end_lineno or 0, node.end_col_offset or 0)

    def _place(self, line: int, column: int) -> int:  # ast counts a line's bytes
        start = self.lines[line - 1]
        return start + len(self.text[start : self.lines[line]].encode()[:column].decode())

    def between(self, left: ast.expr, right: ast.expr, signs: dict[str, str], kind: str) -> Iterator[Change]:
        start, end = self.span(left)[1], self.span(right)[0]
        words = "|".join(sorted(map(re.escape, signs), key=len, reverse=True))
        code = re.sub(r"#.*", lambda comment: " " * len(comment[0]), self.text[start:end])
        if found := re.search(words, code):
            yield kind, start + found.start(), start + found.end(), signs[found[0]]

    def of(self, node: ast.AST) -> Iterator[Change]:
        """Yield the faults of one node, not of those in it."""
        match node:
            case ast.Compare(left=first, comparators=others):
                for left, right in pairwise([first, *others]):
                    yield from self.between(left, right, COMPARED, "compare")
            case ast.BinOp(left=left, right=right):
                yield from self.between(left, right, COMPUTED, "compute")
            case ast.BoolOp(values=[left, right, *_]):
                yield from self.between(left, right, JOINED, "join")
            case ast.Constant(value=bool() as value):
                yield "constant", *self.span(node), repr(not value)
            case ast.Constant(value=int() | float() as value):
                yield "constant", *self.span(node), repr(value + 1)
            case ast.Return(value=ast.Constant(value=None)):
                pass
            case ast.Return(value=ast.expr() as value):
                yield "return", *self.span(value), "None"

    def walk(self, node: ast.AST, function: str = "") -> Iterator[tuple[str, str, int, int, str]]:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            function = f"{function}.{node.name}".lstrip(".")
        yield from ((function, *change) for change in self.of(node))
        for field, value in ast.iter_fields(node):
            if field not in ("annotation", "returns") and not isinstance(node, ast.JoinedStr):
                for child in value if isinstance(value, list) else [value]:
                    if isinstance(child, ast.AST):
                        yield from self.walk(child, function)


def python_changes(text: str) -> Iterator[tuple[str, str, int, int, str]]:
    """Yield (function, kind, start, end, replacement) of each fault that is possible in Python code."""
    yield from Python(text).walk(ast.parse(text))


def c_changes(text: str) -> Iterator[tuple[str, str, int, int, str]]:
    """Yield the same of C code, inside functions."""
    depth, function, candidate, before = 0, "", "", ""
    for token in C_TOKEN.finditer(text):
        word = token[0]
        if token.lastgroup == "skip" or word.isspace():
            continue
        if depth == 0 and word == "(" and re.fullmatch(r"\w+", before):
            candidate = before
        elif word == "{":
            function, depth = (candidate if before == ")" else "") if depth == 0 else function, depth + 1
        elif word == "}":
            depth -= 1
        elif depth and function:
            operand = re.fullmatch(r"[\w.]+|[)\]]", before) and before not in ("return", "case", "sizeof")
            if word in COMPARED and token.lastgroup == "sign":
                yield function, "compare", *token.span(), COMPARED[word]
            elif word in JOINED and token.lastgroup == "sign":
                yield function, "join", *token.span(), JOINED[word]
            elif word in ("+", "-", "<<", ">>", "%") and operand:
                yield function, "compute", *token.span(), COMPUTED[word]
            elif token.lastgroup == "number" and re.fullmatch(r"0[xX][0-9a-fA-F]+|\d+", word):
                yield function, "constant", *token.span(), str(int(word, 8 if re.fullmatch("0[0-7]+", word) else 0) + 1)
        before = word


def mutants(root: Path) -> Iterator[Mutant]:
    """Yield every mutant of the programs in a folder of the project."""
    for path in sorted(path for folder in FOLDERS for path in (root / folder).rglob("*.*")):
        find = {".py": python_changes, ".c": c_changes}.get(path.suffix)
        if find is not None:
            text, count = path.read_text(encoding="utf-8"), Counter[tuple[str, str]]()
            for function, kind, start, end, replacement in find(text):
                name = f"{path.relative_to(root)}::{function}::{kind}::{count[function, kind]}"
                count[function, kind] += 1
                yield Mutant(name, start, end, replacement)


def mirror(root: Path, file: str) -> list[str]:
    """Return the tests of a file: those of its name, else those of its folder or the next above that has some."""
    path = Path(file)
    found = sorted((root / "tests" / path.parts[0]).rglob(f"test_{path.stem.strip('_')}.py"))
    if path.suffix == ".c":
        names = NATIVE.get(path.parent.name, "").split()
        found = [root / f"tests/firmware_bridge/native/test_{name}.py" for name in names]
    folder = root / "tests" / path.parent
    while not found:
        found, folder = ([folder] if list(folder.glob("test_*.py")) else []), folder.parent
    return [str(test.relative_to(root)) for test in found]


def passes(work: Path, tests: list[str]) -> bool:
    environment = {**os.environ, "PYTHONPATH": str(work), "PYTHONDONTWRITEBYTECODE": "1", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", f"not ({LONG} or slow)"]
    try:
        done = subprocess.run(
            [*command, "--override-ini=addopts=", *tests],
            cwd=work,
            env=environment,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--count", type=int, default=80, help="of mutants, half of them in C (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--root", type=Path, default=ROOT, help="the project, or another version of it")
    parser.add_argument("--only", type=Path, help="a file with the names of mutants, one a line")
    parser.add_argument("--list", action="store_true", help="print the names alone")
    arguments = parser.parse_args()
    known = {mutant.name: mutant for mutant in mutants(arguments.root)}
    if not known:
        parser.error(f"{arguments.root} holds no program: expected a folder with {', '.join(FOLDERS)}")
    tests: dict[str, list[str]] = {}
    if arguments.only:
        tests = {name: named for name, *named in map(str.split, arguments.only.read_text().splitlines())}
        names = list(tests)
    else:
        chance, names = random.Random(arguments.seed), []
        for in_c in (False, True):
            some = [name for name in known if (".c::" in name) == in_c]
            names += chance.sample(some, min(len(some), arguments.count // 2))
    if arguments.list:
        print(*names, sep="\n")
        return
    outcomes = Counter[str]()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder) / "project"
        shutil.copytree(arguments.root, work, ignore=LEFT_OUT)
        sound: dict[str, bool] = {}
        for name in names:
            named = tests.get(name) or mirror(work, name.split("::")[0])
            outcome = tried(work, known[name], named, sound) if name in known else "not there"
            outcomes[outcome] += 1
            print(f"{outcome:9} {name}", flush=True)
    print(", ".join(f"{count} {outcome}" for outcome, count in outcomes.items()))


def tried(work: Path, mutant: Mutant, tests: list[str], sound: dict[str, bool]) -> str:
    """Return what became of a mutant: "killed", "survived", or "unsound" where its tests fail without it too."""
    path = work / mutant.name.split("::")[0]
    if not sound.setdefault(" ".join(tests), False):
        sound[" ".join(tests)] = passes(work, tests)
    if not sound[" ".join(tests)]:
        return "unsound"
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: mutant.start] + mutant.text + text[mutant.end :], encoding="utf-8")
    try:
        return "survived" if passes(work, tests) else "killed"
    finally:
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
