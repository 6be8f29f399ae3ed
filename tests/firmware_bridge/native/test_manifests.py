"""One grammar: both readers take and refuse the same manifests, for the same reason."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edge.errors import EdgeError
from edge.manifest import parse
from edge.strict_json import loads
from tests.edge import packing
from tests.edge.test_strict_json import JSON, REFUSED

BASE = packing.manifest(b"x" * 100)
MANY = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Native:
    """The native reader, asked as often as wanted in one process."""

    def __init__(self, program: Path, mode: str) -> None:
        self._process = subprocess.Popen([program, mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, text: bytes) -> str:
        """Return the code of what is wrong, "ok" where nothing is."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(b"%d\n" % len(text) + text)
        self._process.stdin.flush()
        return self._process.stdout.readline().decode(errors="replace").split(" ")[0].strip()

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(20) == 0


@pytest.fixture(scope="module")
def native(build: Path) -> Iterator[Callable[[bytes], str]]:
    asked = Native(build / "edge-probe", "manifest")
    yield asked
    asked.end()


def python(text: bytes) -> str:
    try:
        parse(loads(text), "the manifest")
    except ValueError:
        return "model.manifest"
    except EdgeError as error:
        return error.code
    return "ok"


def inside(text: bytes) -> bytes:
    """Return a manifest with this text where the program reads nothing."""
    return json.dumps({**BASE, "provenance": {"x": "@"}}).encode().replace(b'"@"', text)


@pytest.mark.parametrize("what", REFUSED)
def test_what_is_no_json_is_none_for_both(native, what):
    assert python(inside(b"1")) == native(inside(b"1")) == "ok"
    for text in (REFUSED[what], inside(REFUSED[what])):
        assert python(text) == native(text) == "model.manifest"


@pytest.mark.parametrize("depth", [29, 30, 31, 900, 100_000])
def test_depth(native, depth):
    for text in (b"[" * depth + b"]" * depth, b'{"a":' * depth + b"1" + b"}" * depth, b'"' + b"[" * depth + b'"'):
        deep = depth > 30 and not text.startswith(b'"')
        assert python(inside(text)) == native(inside(text)) == ("model.manifest" if deep else "ok")


@MANY
@given(JSON, st.booleans(), st.sampled_from([None, 1]))
def test_generated_texts(native, value, escaped, indent):
    text = inside(json.dumps(value, ensure_ascii=escaped, indent=indent).encode())
    assert python(text) == native(text) == "ok"


@MANY
@given(st.data())
def test_damaged_texts(native, data):
    text = bytearray(inside(json.dumps(data.draw(JSON)).encode()))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        piece = data.draw(st.binary(max_size=3) | st.sampled_from([*REFUSED.values(), b'"', b"}", b"\\u", b"e9", b","]))
        text[at : at + data.draw(st.integers(0, 4))] = piece
    assert python(bytes(text)) == native(bytes(text))


def changed(**fields: object) -> bytes:
    return json.dumps(packing.changed(BASE, **fields)).encode()


LONG, TARGET = "a" * 201, BASE["targets"][0]
FIELDS = {
    "two targets of one name": changed(targets=[TARGET, {**TARGET, "better": "higher"}]),
    "a long name": changed(name=LONG),
    "a long title": changed(title=LONG),
    "a long label": changed(labels=["a", LONG], decision=None),
    "a label of 100,000 letters": changed(labels=["a", "b" * 100_000], decision=None),
    "a long target": changed(targets=[{**TARGET, "name": LONG}]),
    "a long source": changed(targets=[{**TARGET, "source": LONG}]),
    "a long name of what was measured": changed(measured={LONG: 1}),
    "one with a control character": changed(measured={"a\x1b[31m": 1}),
    "an empty one": changed(measured={"": 1}),
    "an operator's": changed(runtime={"type": "int8", "operators": {"A\n": 1}}),
    "the fields of an early version": json.dumps(
        {**{key: value for key, value in BASE.items() if key not in ("inputs", "outputs")}, "input": BASE["inputs"][0]}
    ).encode(),
    "17 inputs": changed(inputs=BASE["inputs"] * 17),
    "two inputs for a classification": changed(inputs=BASE["inputs"] * 2),
    "a task that nobody knows": changed(task="detection"),
    "too many targets": changed(targets=[{**TARGET, "name": f"t{n}"} for n in range(257)]),
    "too much measured": changed(measured={f"m{n}": 1 for n in range(257)}),
    "too many labels": changed(labels=[f"l{n}" for n in range(32_769)], decision=None),
    "one image twice": changed(golden=[packing.vector("g", "0" * 64, {"xnnpack": "o"}, 1)] * 2),
    "a long member": changed(golden=[packing.vector(LONG, "0" * 64, {"xnnpack": "o"}, 1)]),
    "a whole number beyond 64 bits": changed(version=2**64),
    "a version from 2 on": changed(version=2),
}
TAKEN = {
    "200 letters": changed(name="a" * 200, title="\xe9" * 200, measured={"m" * 200: 1}),
    "256 targets": changed(targets=[{**TARGET, "name": f"t{n}"} for n in range(256)]),
    "many labels": changed(labels=[f"l{n}" for n in range(32_768)], decision=None),
    "an unknown field with two targets": changed(more={"targets": [TARGET, TARGET]}),
}


@pytest.mark.parametrize("what", FIELDS)
def test_doubles_and_what_is_too_long_are_refused_by_both(native, what):
    code = "model.version" if what == "a version from 2 on" else "model.manifest"
    assert python(FIELDS[what]) == native(FIELDS[what]) == code


@pytest.mark.parametrize("what", TAKEN)
def test_what_just_fits_is_taken_by_both(native, what):
    assert python(TAKEN[what]) == native(TAKEN[what]) == "ok"


def test_which_letters_a_line_has_is_the_same_for_both(native):
    """Every code point that is a control or a border of what is refused, and many others."""
    borders = [*range(0x20), *range(0x7E, 0xA2), 0x200D, *range(0x200E, 0x2030), *range(0x2064, 0x206B), 0xFEFF, 0xFF00]
    others = [0x378, 0xAD, 0xD7FF, 0xE000, 0xFFFF, 0x1F600, 0xE0001, 0x10FFFF, *range(0x100, 0x3000, 97)]
    taken = [code for code in (*borders, *others) if code and python(changed(title=f"a{chr(code)}b")) == "ok"]
    assert taken == [code for code in (*borders, *others) if code and native(changed(title=f"a{chr(code)}b")) == "ok"]
    assert set(others) <= set(taken) and not set(range(0x20)) & set(taken) and 0x202E not in taken
