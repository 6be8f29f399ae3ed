"""The manifest's checks: everything is parsed or refused with one sentence, and nothing else ever happens."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import EdgeError
from edge.manifest import Manifest, parse
from tests.edge import packing

GOLDEN = {"image": "golden/0.png", "input_sha256": "0" * 64, "outputs": {"xnnpack": "golden/0.xnnpack"}, "tolerance": 3}
VALID = packing.manifest(b"flatbuffer", golden=[GOLDEN])


def places(value, path=()):
    """Yield the path of every value inside a JSON value."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from places(inner, (*path, key))


PLACES = [path for path in places(VALID) if path]
FIELDS = [path for path in PLACES if isinstance(path[-1], str) and path[0] not in ("provenance", "measured")]


def changed(path, value, remove=False):
    raw = copy.deepcopy(VALID)
    holder = raw
    for key in path[:-1]:
        holder = holder[key]
    if remove:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return raw


def refused(raw) -> str:
    with pytest.raises(EdgeError) as caught:
        parse(raw, "the manifest of x")
    message = str(caught.value)
    assert message.startswith("the manifest of x ") and "\n" not in message and message.isascii()
    return message


def test_a_valid_one_says_what_it_holds():
    manifest = parse(VALID, "the manifest of x")
    assert manifest.labels == ("normal", "opacity")
    assert manifest.decision is not None and manifest.decision.threshold == 0.4
    assert (manifest.input.height, manifest.input.width, manifest.input.channels) == (24, 24, 3)
    assert manifest.input.mean == (0.5,) and manifest.type == "int8"
    assert manifest.golden[0].outputs == {"xnnpack": "golden/0.xnnpack"}
    assert manifest.raw is VALID


def test_unknown_fields_are_ignored():
    raw = {**copy.deepcopy(VALID), "later": {"x": 1}}
    raw["input"]["later"] = 1
    assert parse(raw, "m").name == "tiny"


def test_decision_may_be_null():
    assert parse({**VALID, "decision": None}, "m").decision is None


def test_a_newer_version_asks_for_an_upgrade():
    message = refused({"format": "edge-infer", "version": 2})
    assert "version 2" in message and "upgrade edge-infer" in message


@pytest.mark.parametrize("path", [path for path in FIELDS if "operators" not in path and path[-1] != "xnnpack"])
def test_a_missing_field_is_named(path):
    assert path[-1] in refused(changed(path, None, remove=True))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("format",), "other"),
        (("version",), 0),
        (("version",), True),
        (("version",), 1.0),
        (("name",), "Upper Case"),
        (("name",), "../../etc/passwd"),
        (("title",), "two\nlines"),
        (("title",), "\x1b[31mred"),
        (("title",), "\ud800"),
        (("task",), "detection"),
        (("labels",), ["one"]),
        (("labels",), ["same", "same"]),
        (("labels",), ["a", 1]),
        (("labels",), "ab"),
        (("activation",), "sigmoid"),
        (("decision",), []),
        (("decision", "label"), "unknown"),
        (("decision", "threshold"), 1.5),
        (("decision", "threshold"), float("nan")),
        (("decision", "threshold"), "0.5"),
        (("input", "height"), 0),
        (("input", "height"), 10**400),
        (("input", "width"), 24.0),
        (("input", "color"), "bgr"),
        (("input", "channels"), 2),
        (("input", "channels"), 4),
        (("input", "fit"), "squeeze"),
        (("input", "mean"), []),
        (("input", "mean"), [0.1, 0.2]),
        (("input", "mean"), [float("inf")]),
        (("input", "mean"), [10**400]),
        (("input", "std"), [0]),
        (("input", "std"), [-1.0]),
        (("targets",), {}),
        (("targets", 0), "x"),
        (("targets", 0, "target"), None),
        (("targets", 0, "better"), "bigger"),
        (("measured",), []),
        (("measured", "accuracy"), "high"),
        (("provenance",), None),
        (("model", "bytes"), -1),
        (("model", "sha256"), "abc"),
        (("model", "sha256"), "A" * 64),
        (("runtime", "type"), "int4"),
        (("runtime", "operators", "MEAN"), 0),
        (("golden", 0, "outputs"), {}),
        (("golden", 0, "outputs", "xnnpack"), 1),
        (("golden", 0, "tolerance"), -1),
        (("golden", 0, "input_sha256"), None),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(path, value):
    names = [part for part in path if isinstance(part, str)]
    assert names[0] in refused(changed(path, value))


MASK = packing.mask_manifest(b"flatbuffer")


def test_a_segmentation_says_what_it_holds():
    manifest = parse(MASK, "m")
    assert (manifest.task, manifest.labels, manifest.activation) == ("segmentation", ("polyp",), "sigmoid")
    assert manifest.decision == ("polyp", 0.5, 0.001)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("labels", ["polyp", "instrument"], "labels = ['polyp', 'instrument']: expected exactly 1 string"),
        ("labels", [], "labels = []: expected exactly 1 string"),
        ("activation", "softmax", "activation = 'softmax': expected \"sigmoid\""),
        ("decision", None, "decision = null: expected an object of label, threshold and minimum_area"),
        ("decision", {"label": "polyp", "minimum_area": 0}, "lacks the field decision.threshold"),
        ("decision", {"label": "polyp", "threshold": 0.5}, "lacks the field decision.minimum_area"),
        ("decision", {"label": "other", "threshold": 0.5, "minimum_area": 0}, "decision.label = 'other'"),
        ("decision", {"label": "polyp", "threshold": -0.1, "minimum_area": 0}, "decision.threshold = -0.1"),
        ("decision", {"label": "polyp", "threshold": 0.5, "minimum_area": 2}, "decision.minimum_area = 2"),
        ("decision", {"label": "polyp", "threshold": 0.5, "minimum_area": "0"}, "decision.minimum_area = '0'"),
        ("task", "detection", 'expected "classification" or "segmentation"'),
        ("task", "classification", "expected 2 or more"),
    ],
)
def test_a_wrong_segmentation_is_refused(field, value, expected):
    message = refused({**MASK, field: value})
    assert expected in message and ("; build the model file again" in message)


@pytest.mark.parametrize("raw", [None, [], "text", 3, {}])
def test_what_is_no_manifest_at_all_is_refused(raw):
    refused(raw)


def test_rgb_needs_three_channels():
    assert "channels" in refused(changed(("input",), {**VALID["input"], "color": "rgb", "channels": 1}))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["int8", "grey", 10**400]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


@given(st.sampled_from(PLACES), anything)
def test_any_change_is_parsed_or_refused(path, value):
    try:
        manifest = parse(changed(path, value), "m")
    except EdgeError as error:
        assert "\n" not in str(error)
    else:
        assert isinstance(manifest, Manifest)


@given(anything)
def test_any_json_is_parsed_or_refused(value):
    with pytest.raises(EdgeError):
        parse(value, "m")


def test_lists_in_lists_without_end_are_refused():
    depth = 400
    refused(changed(("title",), json.loads("[" * depth + "]" * depth)))
