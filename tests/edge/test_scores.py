"""Networks that end in softmax or sigmoid: their outputs are the scores, and no second activation follows."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image

import edge
from edge.answer import Decision
from edge.check import check
from edge.errors import EdgeError
from edge.image import decode
from edge.mask import bound, segment
from edge.preprocess import Preprocessing, pixels
from edge.runtime import open_runtime
from edge.scores import scores
from tests.edge import packing
from tests.edge.conftest import HERE
from tests.edge.pictures import blobs, grey_ramp, png

FLOAT = {"type": "float32", "operators": {}}
HALF = Decision("polyp", 0.5)


def network(name):
    return (HERE / f"data/{name}.tflite").read_bytes()


def load(folder, name, make=packing.manifest, **changes):
    flatbuffer = network(name)
    path = folder / f"{name}.tflite"
    path.write_bytes(packing.pack(flatbuffer, make(flatbuffer, **{"activation": "none", **changes})))
    return edge.load(path, threads=1)


def by_label(answer):
    return {result["label"]: result["score"] for result in answer.results}


def test_the_scores_are_the_networks_outputs(tmp_path):
    engine = load(tmp_path, "tiny-scores")
    image = grey_ramp()
    found = by_label(engine(image))
    tensor = engine.tensor(pixels(Image.fromarray(image), engine.file.manifest.inputs[0]))
    raw = open_runtime(network("tiny-scores")).run(tensor)[0][0]
    assert [found["normal"], found["opacity"]] == [(int(q) + 128) / 256 for q in raw]
    assert abs(sum(found.values()) - 1) <= 2 / 256


def test_they_are_the_softmax_of_the_network_without_one(tmp_path):
    twin = load(tmp_path, "tiny-float", activation="softmax", runtime=FLOAT)
    engine = load(tmp_path, "tiny-scores-float", runtime=FLOAT)
    for picture in (grey_ramp(), np.full((30, 40), 200, np.uint8), blobs()):
        expected, found = by_label(twin(picture)), by_label(engine(picture))
        assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("threshold", "decision"), [(0.0, "opacity"), (1.0, "normal")])
def test_the_threshold_is_met_by_scores(tmp_path, threshold, decision):
    engine = load(tmp_path, "tiny-scores", decision={"label": "opacity", "threshold": threshold})
    assert engine(grey_ramp()).decision == decision


@pytest.mark.parametrize(("name", "kind"), [("tiny", "int8"), ("tiny-float", "float32")])
def test_logits_are_no_scores(tmp_path, name, kind):
    engine = load(tmp_path, name, runtime={"type": kind, "operators": {}})
    with pytest.raises(EdgeError, match=r'is no score: expected values from 0 to 1.*say "softmax" there') as error:
        engine(np.full((24, 24), 255, np.uint8))
    assert error.value.code == "model.output"


def test_a_masks_logits_are_no_scores(tmp_path):
    engine = load(tmp_path, "tiny-mask", packing.mask_manifest)
    with pytest.raises(EdgeError, match='say "sigmoid" there') as error:
        engine(blobs())
    assert error.value.code == "model.output"


def test_scores_are_clipped_where_rounding_leaves_them_outside():
    assert scores(np.float32([-0.009, 0.25, 1.009]), "softmax").tolist() == [0, 0.25, 1]
    for value in (-0.02, 1.02):
        with pytest.raises(EdgeError, match="is no score"):
            scores(np.float32([0.5, value]), "softmax")


def test_scores_of_a_sigmoid_for_each_class_need_not_add_up_to_one():
    assert scores(np.float32([0.9, 0.8, 0.0]), "softmax").tolist() == pytest.approx([0.9, 0.8, 0])


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.9])
def test_a_mask_of_scores_is_that_of_the_logits(tmp_path, threshold):
    decision = {"label": "polyp", "threshold": threshold, "minimum_area": 0.001}
    more = {"make": packing.mask_manifest, "decision": decision, "runtime": FLOAT}
    twin = load(tmp_path, "tiny-mask-float", activation="sigmoid", **more)
    engine = load(tmp_path, "tiny-mask-scores-float", **more)
    exact = blobs(12, 12)  # a pixel for each output: nothing is interpolated
    assert (engine(exact).mask == twin(exact).mask).all()
    picture = blobs()
    one, other = engine(picture), twin(picture)
    assert (one.mask & other.mask).sum() > 0.75 * (one.mask | other.mask).sum()  # scores are interpolated, not logits
    assert len(one.results) == len(other.results) == 2
    assert all(threshold <= region["score"] <= 1 for region in one.results)


@pytest.mark.parametrize(("threshold", "share"), [(0.0, 1.0), (0.5, 0.5), (0.75, 0.5), (1.0, 0.25)])
def test_the_threshold_of_a_mask_of_scores_is_a_score(threshold, share):
    outputs = np.float32([[0, 0.25], [0.75, 1]])
    regions, found = segment(outputs, (2, 2), Decision("polyp", threshold), Preprocessing(2, 2), "none")
    assert found.area == share
    assert all(threshold <= region["score"] <= 1 for region in regions)


def test_bounds():
    assert bound(0.5) == 0 and bound(0.5, "none") == 0.5
    assert bound(0.2, "none") == 0.2 and bound(0.2) < 0


def test_golden_vectors_of_scores_are_checked(tmp_path):
    images = {f"golden/{number}.png": png(grey_ramp(40 + number)) for number in range(2)}
    engine = load(tmp_path, "tiny-scores")
    members, vectors = dict(images), []
    for name, data in images.items():
        tensor = engine.tensor(pixels(decode(data), engine.file.manifest.inputs[0]))
        members[f"{name}.out"] = engine.invoke(tensor)[0].tobytes()
        outputs = {engine.runtime.kernel_path: f"{name}.out"}
        digest = hashlib.sha256(tensor.tobytes()).hexdigest()
        vectors.append(packing.vector(name, digest, outputs, 300))
    path = tmp_path / "golden.tflite"
    flatbuffer = network("tiny-scores")
    raw = packing.manifest(flatbuffer, activation="none", golden=vectors)
    path.write_bytes(packing.pack(flatbuffer, raw, members))
    assert {verdict.verdict for verdict in check(edge.load(path, threads=1))} == {"bit-exact"}
    swapped = {name: data[::-1] if name.endswith(".out") else data for name, data in members.items()}
    path.write_bytes(packing.pack(flatbuffer, raw, swapped))
    verdicts = check(edge.load(path, threads=1))
    assert all(verdict.failed and "another label is the highest" in verdict.reason for verdict in verdicts)


def test_a_word_that_is_no_activation_is_refused(tmp_path):
    with pytest.raises(EdgeError, match='expected "softmax" or "none"'):
        load(tmp_path, "tiny-scores", activation="sigmoid")
    with pytest.raises(EdgeError, match='expected "sigmoid" or "none"'):
        load(tmp_path, "tiny-mask-scores", packing.mask_manifest, activation="softmax")


@pytest.mark.parametrize(
    ("name", "make", "activation", "wanted"),
    [
        ("tiny-scores", packing.manifest, "softmax", "none"),
        ("tiny-mask-scores", packing.mask_manifest, "sigmoid", "none"),
    ],
)
def test_scores_are_not_made_of_scores(tmp_path, name, make, activation, wanted):
    with pytest.raises(EdgeError, match=f'is "{activation}": expected "{wanted}"; correct the manifest') as error:
        load(tmp_path, name, make, activation=activation)
    assert error.value.code == "model.tensors"
