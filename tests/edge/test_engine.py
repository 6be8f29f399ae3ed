"""The Python interface."""

from __future__ import annotations

import io
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge
from edge.errors import EdgeError
from edge.image import decode
from edge.preprocess import pixels
from tests.edge import packing
from tests.edge.pictures import blobs, encoded, grey_ramp, png

DATA = Path(__file__).parent / "data"
GREY = grey_ramp()


@pytest.fixture
def engine(model):
    return edge.load(model, threads=1)


def pack(path, flatbuffer, **changes):
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, **changes)))
    return path


def test_every_kind_of_picture_gives_the_same_answer(engine, picture):
    answers = [
        engine(source)
        for source in (
            picture,
            str(picture),
            picture.read_bytes(),
            Image.fromarray(GREY),
            GREY,
            np.stack([GREY] * 3, 2),
        )
    ]
    assert all(answer.results == answers[0].results for answer in answers)
    assert {result["label"] for result in answers[0].results} == {"normal", "opacity"}
    assert math.isclose(sum(result["score"] for result in answers[0].results), 1)
    assert answers[0].results[0]["score"] >= answers[0].results[1]["score"]


def test_the_answer_is_the_networks(each_runtime, model, flatbuffer):
    engine = edge.load(model, each_runtime, 1)
    grey = np.random.default_rng(3).integers(0, 256, (24, 24), dtype=np.uint8)
    scale = engine.runtime.inputs[0].scale
    x = np.float32((grey / 255 - 0.5) / 0.25).astype(np.float64)
    tensor = np.clip(np.rint(x / scale), -128, 127).astype(np.int8)[None, :, :, None].repeat(3, axis=3)
    raw = engine.runtime.run(tensor)[0][0]
    logits = [(int(q) - engine.runtime.outputs[0].zero_point) * engine.runtime.outputs[0].scale for q in raw]
    assert np.allclose(engine.outputs(grey[:, :, None])[0], logits, atol=1e-6)
    assert engine.outputs(grey[:, :, None])[0].dtype == np.float32
    exponentials = [math.exp(z) for z in logits]
    scores = {result["label"]: result["score"] for result in engine(grey).results}
    assert math.isclose(scores["opacity"], exponentials[1] / sum(exponentials), rel_tol=1e-6)


def test_logits_take_what_pixels_gives(engine):
    array = pixels(decode(png(GREY)), engine.file.manifest.inputs[0])
    scores = {result["label"]: result["score"] for result in engine(GREY).results}
    logits = engine.outputs(array)[0]
    assert math.isclose(scores["opacity"], 1 / (1 + math.exp(float(logits[0]) - float(logits[1]))), rel_tol=1e-6)


def test_float_networks_answer_alike(tmp_path, engine, float_flatbuffer):
    path = pack(tmp_path / "f.tflite", float_flatbuffer, runtime={"type": "float32", "operators": {}})
    difference = edge.load(path).outputs(GREY[:24, :24, None])[0] - engine.outputs(GREY[:24, :24, None])[0]
    assert np.abs(difference).max() < 0.3


@pytest.mark.parametrize(("threshold", "decision"), [(0.0, "opacity"), (1.0, "normal")])
def test_the_manifests_threshold_decides(tmp_path, flatbuffer, threshold, decision):
    path = pack(tmp_path / "m.tflite", flatbuffer, decision={"label": "opacity", "threshold": threshold})
    assert edge.load(path)(GREY).decision == decision


def test_costs_are_told(engine):
    answer = engine(png(GREY), repeat=3)
    assert list(answer.latency_ms) == ["read", "decode", "preprocess", "invoke", "postprocess", "total"]
    assert all(time >= 0 for time in answer.latency_ms.values())
    assert math.isclose(answer.latency_ms["total"], sum(answer.latency_ms.values()) - answer.latency_ms["total"])
    assert engine.load_ms > 0 and engine.first_invoke_ms is not None and engine.first_invoke_ms > 0


@pytest.mark.parametrize(
    "source",
    [3, None, [[1, 2]], np.zeros((5, 5)), np.zeros((5, 5, 4), np.uint8), np.zeros((0, 5), np.uint8), np.uint8(3)],
)
def test_what_is_no_picture_is_refused(engine, source):
    with pytest.raises(EdgeError, match="expected"):
        engine(source)


@pytest.mark.parametrize("form", ["PNG", "JPEG"])
def test_a_file_that_pillow_only_opened_is_refused_where_it_is_damaged(engine, form):
    data = encoded(Image.fromarray(blobs()), form)
    assert engine(Image.open(io.BytesIO(data))).decision
    with pytest.raises(EdgeError, match="it is damaged or cut short") as caught:
        engine(Image.open(io.BytesIO(data[: len(data) // 2])), name="it")
    assert caught.value.code == "image.damaged"


def test_limits_hold(engine, picture):
    with pytest.raises(EdgeError, match="more than the limit of 100"):
        engine(picture, max_pixels=100)
    with pytest.raises(EdgeError, match="at least 1"):
        engine(picture, repeat=0)


def test_a_manifest_that_does_not_fit_the_network_is_refused(tmp_path, flatbuffer, float_flatbuffer):
    size = {**packing.manifest(b"")["inputs"][0], "height": 32}
    path = pack(tmp_path / "size.tflite", flatbuffer, input=size)
    with pytest.raises(EdgeError, match=r"input is int8 \(1, 24, 24, 3\).*\(1, 32, 24, 3\)"):
        edge.load(path)
    path = pack(tmp_path / "labels.tflite", flatbuffer, labels=["a", "b", "c"], decision=None)
    with pytest.raises(EdgeError, match=r"output is int8 \(1, 2\)"):
        edge.load(path)
    with pytest.raises(EdgeError, match="input is float32"):
        edge.load(pack(tmp_path / "type.tflite", float_flatbuffer))


def test_a_flatbuffer_that_is_none_is_refused(tmp_path, model):
    with pytest.raises(EdgeError, match="has a network that is damaged"):
        edge.load(pack(tmp_path / "none.tflite", b"\0\0\0\0TFL3" + b"\xff" * 64))


def test_the_module_has_what_it_says():
    for name in edge.__all__:
        assert getattr(edge, name) is not None
    with pytest.raises(AttributeError):
        edge.nothing  # noqa: B018


@pytest.fixture
def outliner(mask_model):
    return edge.load(mask_model, threads=1)


def test_a_segmentation_answers_with_regions_and_a_mask(outliner):
    array = blobs()
    answer = outliner(array)
    assert isinstance(answer, edge.SegmentationResult) and answer.decision == "polyp"
    large, small = answer.results
    assert large["area"] > small["area"] and math.isclose(large["area"] + small["area"], answer.runs.area)
    assert answer.mask.shape == array.shape[:2] and answer.mask.dtype == np.bool_
    bright = array[:, :, 0] > 128
    assert (answer.mask & bright).sum() > 0.85 * (answer.mask | bright).sum()
    left, top, width, height = large["box"]
    inside = answer.mask[top : top + height, left : left + width]
    assert inside.sum() == large["pixels"] and inside[0].any() and inside[-1].any() and inside[:, 0].any()
    assert list(answer.latency_ms) == ["read", "decode", "preprocess", "invoke", "postprocess", "total"]


def test_nothing_found_is_an_answer(outliner):
    answer = outliner(np.zeros((50, 70, 3), np.uint8))
    assert (answer.results, answer.decision, answer.runs.area) == ([], "no polyp", 0) and not answer.mask.any()


@pytest.mark.parametrize(
    "array",
    [np.full((1, 1), 240, np.uint8), np.full((20, 3000, 3), 240, np.uint8), np.full((9, 5), 240, np.uint8)],
    ids=["dot", "long", "small and grey"],
)
def test_pictures_of_every_shape_have_a_mask(outliner, array):
    answer = outliner(array)
    assert answer.mask.shape == array.shape[:2] and answer.mask.all() and len(answer.results) == 1


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_the_mask_lies_as_the_picture_is_shown(outliner, orientation, turn):
    exif = Image.Exif()
    exif[0x0112] = orientation
    answer = outliner(encoded(Image.fromarray(blobs()), "JPEG", quality=95, exif=exif))
    bright = np.rot90(blobs()[:, :, 0], turn) > 128
    assert answer.mask.shape == bright.shape
    assert (answer.mask & bright).sum() > 0.85 * (answer.mask | bright).sum()


def test_a_segmentations_logits_are_the_networks(outliner, tmp_path, each_runtime):
    path = tmp_path / "float.tflite"
    flatbuffer = (DATA / "tiny-mask-float.tflite").read_bytes()
    raw = packing.mask_manifest(flatbuffer, runtime={"type": "float32", "operators": {}})
    path.write_bytes(packing.pack(flatbuffer, raw))
    array = np.random.default_rng(5).integers(0, 256, (24, 24, 3), np.uint8)
    expected = 3 * ((array / 255 - 0.5) / 0.25).reshape(12, 2, 12, 2, 3).mean(axis=(1, 3, 4))[:, :, None]
    for engine, error in ((edge.load(path, each_runtime), 1e-4), (outliner, 0.1)):
        logits = engine.outputs(array)[0]
        assert logits.dtype == np.float32 and logits.shape == (12, 12, 1)
        assert np.abs(logits - expected).max() < error


def test_a_segmentation_that_does_not_fit_its_network_is_refused(tmp_path, mask_flatbuffer, flatbuffer):
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(flatbuffer, packing.mask_manifest(flatbuffer)))
    with pytest.raises(EdgeError, match=r"output is int8 \(1, 2\), .* int8 \(1, h, w, 1\) with h from 1 to 24"):
        edge.load(path)
    raw = packing.manifest(mask_flatbuffer)
    path.write_bytes(packing.pack(mask_flatbuffer, raw))
    with pytest.raises(EdgeError, match=r"output is int8 \(1, 12, 12, 1\), .* int8 \(1, 2\)"):
        edge.load(path)


def test_logits_that_are_no_finite_numbers_are_no_answer(float_flatbuffer, tmp_path):
    spec = packing.manifest(float_flatbuffer)["inputs"][0] | {"std": [1e-300]}
    runs = {"type": "float32", "operators": {"CONV_2D": 2}}
    path = pack(tmp_path / "m.tflite", float_flatbuffer, input=spec, runtime=runs)
    with pytest.raises(EdgeError, match="no finite numbers: expected logits or scores; convert"):
        edge.load(path, threads=1)(GREY)


def test_a_picture_of_too_many_rows_is_refused(engine):
    tall = Image.new("L", (1, 2_700_000))
    with pytest.raises(EdgeError, match=r"has 2700000 rows, too many .* 24 columns: expected at most 2666666"):
        engine(tall, name="tall")


def test_a_picture_without_pixels_is_refused(engine):
    with pytest.raises(EdgeError, match="the image has 0x5 pixels: expected at least one"):
        engine(Image.new("L", (0, 5)))
