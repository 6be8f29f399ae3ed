"""Both programs on networks that end in softmax or sigmoid."""

from __future__ import annotations

import re

import numpy as np
import pytest

from edge import activation
from tests.edge import packing
from tests.edge.conftest import HERE
from tests.edge.networks import ended
from tests.edge.pictures import grey_ramp, png
from tests.edge.processes import ROOT
from tests.firmware_bridge.comparison import same_records, same_text

NOISE = np.random.default_rng(5).integers(0, 256, (40, 30, 3), dtype=np.uint8)


@pytest.fixture
def both(programs):
    return lambda *words: [programs[name](*words) for name in ("python", "native")]


def pack(path, name, make=packing.manifest, **changes):
    flatbuffer = (HERE / f"data/{name}.tflite").read_bytes()
    kind = "float32" if name.endswith("float") else "int8"
    runtime = {"type": kind, "operators": {}}
    path.write_bytes(packing.pack(flatbuffer, make(flatbuffer, activation="none", runtime=runtime, **changes)))
    return path


@pytest.fixture
def images(tmp_path):
    found = {"ramp.png": png(grey_ramp()), "noise.png": png(NOISE), "white.png": png(np.full((24, 24), 255, np.uint8))}
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    return [tmp_path / name for name in found]


@pytest.mark.parametrize("name", ["tiny-scores", "tiny-scores-float"])
@pytest.mark.parametrize("threshold", [0.1, 0.9])
def test_scores_are_the_outputs(both, tmp_path, images, name, threshold):
    path = pack(tmp_path / "m.tflite", name, decision={"label": "opacity", "threshold": threshold})
    for record in same_records(*both("--model", path, "--json", *images)):
        assert abs(sum(result["score"] for result in record["results"]) - 1) < 0.02
    same_text(*both("--model", path, *images))


@pytest.mark.parametrize("name", ["tiny-mask-scores", "tiny-mask-scores-float"])
@pytest.mark.parametrize("threshold", [0, 0.1, 0.5, 0.9, 1])
def test_masks_of_scores(both, tmp_path, outlined, name, threshold):
    decision = {"label": "polyp", "threshold": threshold, "minimum_area": 0.001}
    path = pack(tmp_path / "m.tflite", name, packing.mask_manifest, decision=decision)
    records = same_records(*both("--model", path, "--json", *outlined))
    assert len(records) == len(outlined)


@pytest.mark.parametrize(
    ("name", "make"),
    [("tiny", packing.manifest), ("tiny-float", packing.manifest), ("tiny-mask", packing.mask_manifest)],
)
def test_logits_are_no_scores(both, tmp_path, images, name, make):
    python, native = both("--model", pack(tmp_path / "m.tflite", name, make), images[2])
    same_text(python, native)
    assert native.status == 2 and "is no score" in native.err


@pytest.mark.parametrize(
    ("name", "ends", "make", "wrong"),
    [
        ("tiny-scores", (), packing.manifest, "softmax"),
        ("tiny-scores-float", ("RESHAPE",), packing.manifest, "softmax"),
        ("tiny-float", ("LOGISTIC",), packing.manifest, "softmax"),
        ("tiny-float", ("LOG_SOFTMAX",), packing.manifest, "none"),
        ("tiny-mask-scores", (), packing.mask_manifest, "sigmoid"),
    ],
)
def test_scores_are_not_made_of_scores(both, tmp_path, images, name, ends, make, wrong):
    flatbuffer = ended(name, *ends)
    kind = "float32" if "float" in name else "int8"
    path = tmp_path / "m.tflite"
    for says, fits in ((wrong, False), ("none" if wrong != "none" else "softmax", True)):
        raw = make(flatbuffer, activation=says, runtime={"type": kind, "operators": {}})
        path.write_bytes(packing.pack(flatbuffer, raw))
        python, native = both("--model", path, images[0])
        same_text(python, native)
        assert native.status == (0 if fits else 2) and ("so its outputs are" in native.err) != fits


@pytest.mark.parametrize("last", ["RELU", "ABS"])
def test_what_changes_scores_ends_the_search(both, tmp_path, images, last):
    flatbuffer = ended("tiny-scores-float", "RESHAPE", last, "RESHAPE")
    path = tmp_path / "m.tflite"
    path.write_bytes(
        packing.pack(flatbuffer, packing.manifest(flatbuffer, runtime={"type": "float32", "operators": {}}))
    )
    assert [done.status for done in both("--model", path, images[0])] == [0, 0]


def test_both_programs_follow_the_same_operators():
    source = (ROOT / "firmware_bridge/native/model/activation.c").read_text()
    for name, words in (("KEEPS_FIRST", activation._KEEPS_FIRST), ("KEEPS_ALL", activation._KEEPS_ALL)):
        found = re.search(rf"{name}\[\] = {{(.*?), NULL}}", source, re.DOTALL)
        assert re.findall(r'"(\w+)"', found[1]) == words.split()
    for name in activation._SCORES.split():
        assert f'strcmp(origin, "{name}") == 0' in source


@pytest.mark.parametrize(("name", "activation"), [("tiny-mask-scores", "none"), ("tiny-mask", "sigmoid")])
def test_a_pixel_whose_score_is_the_threshold_is_in_the_mask(both, tmp_path, name, activation):
    random = np.random.default_rng(7)
    cells = random.integers(110, 146, (12, 12), dtype=np.uint8)  # about middle grey, whose score is one half
    names = []
    for height, width in ((60, 60), (120, 36), (36, 120)):
        path = tmp_path / f"{height}x{width}.png"
        whole = np.kron(cells, np.ones((height // 12, width // 12), np.uint8))
        path.write_bytes(png(np.repeat(whole[:, :, None], 3, axis=2)))
        names.append(path)
    flatbuffer = (HERE / f"data/{name}.tflite").read_bytes()
    decision = {"label": "polyp", "threshold": 0.5, "minimum_area": 0}
    model = tmp_path / "m.tflite"
    raw = packing.mask_manifest(flatbuffer, activation=activation, decision=decision)
    model.write_bytes(packing.pack(flatbuffer, raw))
    assert all(record["results"] for record in same_records(*both("--model", model, "--json", *names)))
