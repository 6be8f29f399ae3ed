"""The manifest's checks: everything is parsed or refused with one sentence, and nothing else ever happens."""

from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.answer import Decision
from edge.errors import EdgeError
from edge.manifest import Manifest, parse
from edge.tasks.classification import Classification
from edge.tasks.segmentation import Segmentation
from tests.edge import packing

GOLDEN = packing.vector("golden/0.png", "0" * 64, {"xnnpack": "golden/0.xnnpack"}, 3)
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
    assert manifest.task == Classification(("normal", "opacity"), "softmax", Decision("opacity", 0.4))
    assert manifest.outputs == ((("normal", "opacity"), "softmax"),)
    (spec,) = manifest.inputs
    assert (spec.height, spec.width, spec.channels, spec.mean) == (24, 24, 3, (0.5,)) and manifest.type == "int8"
    (vector,) = manifest.golden
    assert (vector.inputs, vector.outputs) == ((("golden/0.png", "0" * 64),), {"xnnpack": ("golden/0.xnnpack",)})
    assert list(vector.members()) == ["golden/0.png", "golden/0.xnnpack"]
    assert manifest.raw is VALID


def test_unknown_fields_are_ignored():
    raw = {**copy.deepcopy(VALID), "later": {"x": 1}}
    raw["inputs"][0]["later"] = raw["outputs"][0]["later"] = 1
    assert parse(raw, "m").name == "tiny"


def test_decision_may_be_null():
    assert parse(packing.changed(VALID, decision=None), "m").task.decision is None


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
        (("outputs", 0, "labels"), ["one"]),
        (("outputs", 0, "labels"), ["same", "same"]),
        (("outputs", 0, "labels"), ["a", 1]),
        (("outputs", 0, "labels"), "ab"),
        (("outputs", 0, "activation"), "sigmoid"),
        (("outputs", 0, "decision"), []),
        (("outputs", 0, "decision", "label"), "unknown"),
        (("outputs", 0, "decision", "threshold"), 1.5),
        (("outputs", 0, "decision", "threshold"), float("nan")),
        (("outputs", 0, "decision", "threshold"), "0.5"),
        (("inputs", 0, "height"), 0),
        (("inputs", 0, "height"), 10**400),
        (("inputs", 0, "width"), 24.0),
        (("inputs", 0, "color"), "bgr"),
        (("inputs", 0, "channels"), 2),
        (("inputs", 0, "channels"), 4),
        (("inputs", 0, "fit"), "squeeze"),
        (("inputs", 0, "mean"), []),
        (("inputs", 0, "mean"), [0.1, 0.2]),
        (("inputs", 0, "mean"), [float("inf")]),
        (("inputs", 0, "mean"), [10**400]),
        (("inputs", 0, "std"), [0]),
        (("inputs", 0, "std"), [-1.0]),
        (("inputs",), []),
        (("inputs",), {}),
        (("inputs",), [VALID["inputs"][0]] * 2),
        (("inputs",), [VALID["inputs"][0]] * 17),
        (("outputs",), []),
        (("outputs",), None),
        (("outputs",), [VALID["outputs"][0]] * 2),
        (("outputs",), [VALID["outputs"][0]] * 17),
        (("outputs", 0), "x"),
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
        (("golden", 0, "outputs", "xnnpack"), "golden/0.xnnpack"),
        (("golden", 0, "outputs", "xnnpack"), []),
        (("golden", 0, "outputs", "xnnpack"), ["a", "b"]),
        (("golden", 0, "inputs"), []),
        (("golden", 0, "inputs"), [{"image": "a", "sha256": "0" * 64}] * 2),
        (("golden", 0, "inputs", 0, "image"), 1),
        (("golden", 0, "tolerance"), -1),
        (("golden", 0, "inputs", 0, "sha256"), None),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_field(path, value):
    assert str(path[0]) in refused(changed(path, value))
    if isinstance(path[-1], str):
        assert path[-1] in refused(changed(path, value))


MASK = packing.mask_manifest(b"flatbuffer")


def test_a_segmentation_says_what_it_holds():
    manifest = parse(MASK, "m")
    assert (manifest.task.name, manifest.labels) == ("segmentation", ("polyp",))
    assert manifest.task == Segmentation(Decision("polyp", 0.5, 0.001), "sigmoid")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("labels", ["polyp", "instrument"], "outputs[0].labels = ['polyp', 'instrument']: expected exactly 1 string"),
        ("labels", [], "outputs[0].labels = []: expected exactly 1 string"),
        ("activation", "softmax", "outputs[0].activation = 'softmax': expected \"sigmoid\""),
        ("decision", None, "outputs[0].decision = null: expected an object of label, threshold and minimum_area"),
        ("decision", {"label": "polyp", "minimum_area": 0}, "lacks the field outputs[0].decision.threshold"),
        ("decision", {"label": "polyp", "threshold": 0.5}, "lacks the field outputs[0].decision.minimum_area"),
        ("decision", {"label": "other", "threshold": 0.5, "minimum_area": 0}, "outputs[0].decision.label = 'other'"),
        ("decision", {"label": "polyp", "threshold": -0.1, "minimum_area": 0}, "outputs[0].decision.threshold = -0.1"),
        ("decision", {"label": "polyp", "threshold": 0.5, "minimum_area": 2}, "outputs[0].decision.minimum_area = 2"),
        (
            "decision",
            {"label": "polyp", "threshold": 0.5, "minimum_area": "0"},
            "decision.minimum_area = '0'",
        ),
        ("task", "detection", 'expected "classification" or "segmentation"'),
        ("task", "classification", "expected 2 or more"),
    ],
)
def test_a_wrong_segmentation_is_refused(field, value, expected):
    message = refused(packing.changed(MASK, **{field: value}))
    assert expected in message and ("; build the model file again" in message)


def test_the_one_input_of_earlier_files_is_refused_with_the_way_out():
    raw = copy.deepcopy(VALID)
    raw |= {"input": raw.pop("inputs")[0], **raw.pop("outputs")[0]}
    message = refused(raw)
    assert "has the field input: expected the lists inputs and outputs" in message
    assert message.endswith("; build the model file again with edge-compress")


def test_golden_vectors_are_of_different_images():
    assert "vectors of different images" in refused({**VALID, "golden": [GOLDEN, GOLDEN]})


@pytest.mark.parametrize("raw", [None, [], "text", 3, {}])
def test_what_is_no_manifest_at_all_is_refused(raw):
    refused(raw)


def test_rgb_needs_three_channels():
    assert "channels" in refused(changed(("inputs", 0), {**VALID["inputs"][0], "color": "rgb", "channels": 1}))


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
