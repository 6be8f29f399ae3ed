"""One JSON for manifests and for all that is written: docs/model-file.md, "JSON"."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EdgeError
from edge.strict_json import MAX_DEPTH, dumps, loads

WORDS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)

REFUSED = {
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without a mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "Latin-1": '"\xe9"'.encode("latin-1"),
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "NaN": b'{"a": NaN}',
    "an infinity": b'{"a": [Infinity]}',
    "a negative infinity": b"-Infinity",
    "a number beyond a double": b"1e400",
    "a whole number beyond 64 bits": b"9223372036854775808",
    "a negative one": b"-9223372036854775809",
    "5000 digits": b"1" * 5000,
    "two members of one name": b'{"a": 1, "b": 2, "a": 1}',
    "two, one of them escaped": b'{"a": 1, "\\u0061": 1}',
    "two, deep inside": b'[{"x": {"": 1, "": 2}}]',
    "half of a pair": b'"\\ud800"',
    "the other half": b'["\\udc00"]',
    "a pair the wrong way round": b'"\\udc00\\ud800"',
    "half of a pair in a name": b'{"\\ud800": 1}',
    "a zero": b'"a\\u0000b"',
    "a zero in a name": b'{"\\u0000": 1}',
    "a raw zero": b'"\0"',
    "a raw control character": b'"\t"',
    "a comma too many": b"[1,]",
    "a comment": b"[1] // one",
    "more than one value": b"{} {}",
    "nothing": b"",
    "white space of Unicode": "\xa01".encode(),
    "a leading zero": b"01",
    "a number without its end": b"1.",
    "single quotes": b"{'a': 1}",
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_other_readers_take_is_refused(what):
    with pytest.raises(ValueError):
        loads(REFUSED[what])


def test_what_is_json_is_read():
    text = b' {"a": [1, -0, 1.5e3, true, null, "\\ud83d\\ude00 \\u00e9 \\/ \\\\ud800"], "": {"b": {}}}\r\n'
    assert loads(text) == {"a": [1, 0, 1500.0, True, None, "\U0001f600 \xe9 / \\ud800"], "": {"b": {}}}
    assert loads(b"9223372036854775807") == 2**63 - 1 and loads(b"-9223372036854775808") == -(2**63)
    assert loads(b"1e-400") == 0 and loads(b'"\x7f"') == "\x7f"


def nested(opening: bytes, inner: bytes, closing: bytes, depth: int) -> bytes:
    return opening * depth + inner + closing * depth


@pytest.mark.parametrize(
    "form", [(b"[", b"", b"]"), (b"[", b"1", b"]"), (b'{"a":', b"1", b"}"), (b'[{"a":', b"1", b"}]")]
)
def test_depth_has_one_limit_and_costs_no_time(form):
    each = 2 if form[0].startswith(b"[{") else 1
    loads(nested(*form, MAX_DEPTH // each))
    for depth in (MAX_DEPTH // each + 1, 900, 100_000):
        begun = time.perf_counter()
        with pytest.raises(ValueError, match="levels"):
            loads(nested(*form, depth))
        assert time.perf_counter() - begun < 2


@settings(max_examples=30)
@given(JSON)
def test_what_is_written_is_read_again(value):
    assert loads(dumps(value, "it").encode()) == value
    assert loads(dumps(value, "it", ensure_ascii=False, indent=1).encode()) == json.loads(json.dumps(value))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_a_number_that_is_not_finite_is_a_sentence_that_names_it(number):
    with pytest.raises(EdgeError, match=rf"^the report can't be written: steps\[1\]\.metric is {number}") as caught:
        dumps({"steps": [{"metric": 1.0}, {"metric": number}]}, "the report", "model.manifest")
    assert caught.value.code == "model.manifest"
    with pytest.raises(EdgeError, match=f"its value is {number}"):
        dumps(number, "it")
