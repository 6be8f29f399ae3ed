"""`edge-infer` with a segmentation, as a user meets it."""

from __future__ import annotations

import io
import json
import os
from threading import Thread

import numpy as np
import pytest
from PIL import Image, ImageFont

from edge import overlay
from tests.edge import packing
from tests.edge.pictures import blobs, encoded, png
from tests.edge.processes import environment, run
from tests.edge.test_cli import KEYS

NOTHING = np.zeros((60, 80, 3), np.uint8)


@pytest.fixture
def scene(tmp_path):
    """An image with a large and a small bright box."""
    path = tmp_path / "scene.jpg"
    path.write_bytes(encoded(Image.fromarray(blobs()), "JPEG", quality=95))
    return path


def counted(encoded_mask):
    """Return the bool (height, width) of COCO's counts."""
    height, width = encoded_mask["size"]
    bits = [number % 2 == 1 for number, count in enumerate(encoded_mask["counts"]) for _ in range(count)]
    return np.array(bits).reshape(width, height).T


def test_people_see_regions_decision_and_cost(outline, scene):
    done = outline(scene)
    assert done.status == 0 and done.err == "" and done.out.isascii()
    lines = done.out.splitlines()
    assert lines[0] == str(scene)
    assert lines[1].split()[:2] == ["1", "polyp"] and " % of the image, " in lines[1] and " pixels at " in lines[1]
    assert lines[2].split()[:2] == ["2", "polyp"]
    assert (
        lines[3].startswith("  decision: polyp (2 regions, ")
        and "; score threshold 0.5, minimum region area 0.1 %)" in lines[3]
    )
    assert lines[4].startswith("  cost: read ") and "targets: " in done.out


def test_nothing_found_is_said(outline, tmp_path):
    (tmp_path / "dark.png").write_bytes(png(NOTHING))
    done = outline(tmp_path / "dark.png")
    assert done.status == 0 and "decision: no polyp (nothing found; score threshold 0.5" in done.out


def test_of_many_regions_the_largest_are_shown(outline, tmp_path):
    dots = np.kron(np.ones((4, 4)), np.pad(np.full((20, 20), 255), 20)).astype(np.uint8)  # 16, of six logits a row
    (tmp_path / "dots.png").write_bytes(png(dots))
    done = outline(tmp_path / "dots.png")
    assert done.status == 0 and "decision: polyp (16 regions" in done.out
    assert " 10  polyp" in done.out and " 11  polyp" not in done.out and "and 6 smaller, together" in done.out


def test_json_holds_regions_area_and_mask(outline, scene, tmp_path):
    (tmp_path / "dark.png").write_bytes(png(NOTHING))
    done = outline(scene, tmp_path / "dark.png", "--json")
    found, nothing = [json.loads(line) for line in done.out.splitlines()]
    keys = [*KEYS[:9], "area", "mask", *KEYS[9:]]
    assert list(found) == list(nothing) == keys and found["task"] == "segmentation"
    mask = counted(found["mask"])
    assert mask.shape == (240, 320) and abs(mask.mean() - found["area"]) < 1e-9
    assert [set(region) for region in found["results"]] == [{"label", "score", "area", "pixels", "box"}] * 2
    for region in found["results"]:
        left, top, width, height = region["box"]
        assert mask[top : top + height, left : left + width].sum() == region["pixels"]
    assert found["decision"] == "polyp"
    assert (nothing["decision"], nothing["results"], nothing["area"]) == ("no polyp", [], 0)
    assert nothing["mask"] == {"size": [60, 80], "counts": [4800]}


def test_output_is_json_mask_and_overlay(outline, scene, tmp_path):
    out = tmp_path / "out"
    done = outline(scene, "--output", out)
    assert done.status == 0
    assert sorted(os.listdir(out)) == ["scene.json", "scene.mask.png", "scene.overlay.jpg"]
    with Image.open(out / "scene.mask.png") as mask:
        assert (mask.mode, mask.size) == ("L", (320, 240))
        array = np.asarray(mask)
    assert set(np.unique(array)) == {0, 255}
    assert np.array_equal(array == 255, counted(json.loads((out / "scene.json").read_text())["mask"]))
    with Image.open(out / "scene.overlay.jpg") as overlay:
        drawn = np.asarray(overlay.convert("RGB")).astype(int)
    shown, before = drawn[:240, :320], blobs().astype(int)
    greener = (shown[:, :, 1] - shown[:, :, 0]) - (before[:, :, 1] - before[:, :, 0])
    deep = array == 255
    deep[:20] = False
    assert np.median(greener[deep]) > 20 and abs(np.median(greener[array == 0])) < 10
    assert greener[array == 255].max() > 150  # the contour
    assert drawn.shape[0] > 240 and drawn[240:].max() > 200  # the caption


def test_pictures_without_a_finding_and_of_odd_shapes_are_drawn_too(outline, tmp_path):
    pictures = tmp_path / "in"
    pictures.mkdir()
    (pictures / "dark.png").write_bytes(png(NOTHING))
    (pictures / "dot.png").write_bytes(png(np.array([[250]], np.uint8)))
    (pictures / "long.png").write_bytes(png(np.full((20, 3000), 250, np.uint8)))
    out = tmp_path / "out"
    assert outline(pictures, "--output", out).status == 0
    for name, size, value in (("dark", (80, 60), 0), ("dot", (1, 1), 255), ("long", (3000, 20), 255)):
        with Image.open(out / f"{name}.mask.png") as mask, Image.open(out / f"{name}.overlay.jpg") as overlay:
            assert mask.size == size and np.asarray(mask).min() == np.asarray(mask).max() == value
            assert overlay.width >= 256 and np.asarray(overlay)[-30:].max() > 150


def test_a_turned_picture_is_drawn_as_it_is_shown(outline, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "turned.jpg").write_bytes(encoded(Image.fromarray(blobs()), "JPEG", quality=95, exif=exif))
    assert outline(tmp_path / "turned.jpg", "--output", tmp_path / "out").status == 0
    with Image.open(tmp_path / "out/turned.mask.png") as mask:
        assert mask.size == (240, 320)
        bright = np.rot90(blobs()[:, :, 0], 3) > 128
        assert ((np.asarray(mask) == 255) & bright).sum() > 0.85 * bright.sum()
    with Image.open(tmp_path / "out/turned.overlay.jpg") as overlay:
        drawn = np.asarray(overlay.convert("RGB")).astype(int)[:320, :240]
    assert (drawn[:, :, 1] - drawn[:, :, 0] > 150).any(axis=1)[bright.any(axis=1)].mean() > 0.8  # the contour


def test_standard_input_is_read_once(outline, scene, tmp_path):
    done = outline("-", "--output", tmp_path / "out", "--json", stdin=scene.read_bytes())
    assert done.status == 0 and json.loads(done.out)["decision"] == "polyp"
    assert sorted(os.listdir(tmp_path / "out")) == ["stdin.json", "stdin.mask.png", "stdin.overlay.jpg"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no pipes with names")
def test_a_pipe_is_read_once(outline, scene, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    Thread(target=lambda: (tmp_path / "pipe").write_bytes(scene.read_bytes()), daemon=True).start()
    done = outline(tmp_path / "pipe", "--output", tmp_path / "out")
    assert done.status == 0 and (tmp_path / "out/pipe.overlay.jpg").exists()


def test_a_picture_is_never_replaced_by_a_mask(outline, scene, tmp_path):
    truth = tmp_path / "scene.mask.png"
    truth.write_bytes(png(NOTHING))
    done = outline(scene, truth, "--output", tmp_path)
    assert done.status == 2 and len(done.complaints) == 1
    assert "scene.mask.png was not made by edge-infer and would be replaced: give --output another" in done.err
    assert truth.read_bytes() == png(NOTHING)
    assert json.loads((tmp_path / "scene.json").read_text())["error"]["code"] == "output.foreign"
    assert (tmp_path / "scene.mask.json").exists()  # the other image is answered


def test_bad_pictures_are_named_and_good_ones_drawn(outline, scene, tmp_path):
    (tmp_path / "half.jpg").write_bytes(scene.read_bytes()[:-1000])
    done = outline(tmp_path / "half.jpg", tmp_path / "none.jpg", scene, "--output", tmp_path / "out")
    assert done.status == 2 and len(done.complaints) == 2
    assert "half.jpg is damaged" in done.err and "none.jpg does not exist" in done.err
    drawn = ["scene.json", "scene.mask.png", "scene.overlay.jpg"]
    assert sorted(os.listdir(tmp_path / "out")) == ["half.json", "none.json", *drawn]


@pytest.mark.parametrize("limit", [20, 1500, 6000])
def test_a_full_disk_leaves_no_file_and_the_answer_is_given(outline, scene, tmp_path, limit):
    resource = pytest.importorskip("resource")
    out = tmp_path / "out"
    done = outline(scene, "--output", out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    assert done.status == 2 and len(done.complaints) == 1 and "can't be written" in done.err
    assert "decision: polyp" in done.out
    left = [(name, json.loads((out / name).read_text())["error"]["code"]) for name in os.listdir(out)]
    assert left == ([("scene.json", "output.unwritable")] if limit > 1000 else [])  # there is room for that


@pytest.mark.parametrize("name", ["scene.mask.png", "scene.overlay.jpg"])
def test_what_is_in_the_way_is_said(outline, scene, tmp_path, name):
    (tmp_path / "out" / name).mkdir(parents=True)
    done = outline(scene, "--output", tmp_path / "out")
    assert done.status == 2 and len(done.complaints) == 1 and "decision: polyp" in done.out
    assert f"{name} was not made by edge-infer" in done.err and "give --output another folder" in done.err
    assert sorted(os.listdir(tmp_path / "out")) == ["scene.json", name]
    assert json.loads((tmp_path / "out/scene.json").read_text())["error"]["code"] == "output.foreign"


def test_results_among_the_pictures_are_refused(outline, scene, tmp_path):
    """They would be taken for images the next time."""
    done = outline(tmp_path, "--output", tmp_path)
    assert done.status == 2 and "is where the images are and where results would go" in done.err
    assert os.listdir(tmp_path) == ["scene.jpg"] and done.out == ""
    done = outline(f"{tmp_path}/*.jpg", "--output", tmp_path)
    assert done.status == 2 and "*.jpg is where the images are and where results would go" in done.err
    assert os.listdir(tmp_path) == ["scene.jpg"] and done.out == ""


@pytest.mark.parametrize("label", ["x" * 200, "\u606f\u8089"])
def test_any_label_can_be_drawn(mask_flatbuffer, scene, tmp_path, label):
    raw = packing.mask_manifest(mask_flatbuffer, labels=[label])
    raw["outputs"][0]["decision"]["label"] = label
    (tmp_path / "m.tflite").write_bytes(packing.pack(mask_flatbuffer, raw))
    done = run("--model", tmp_path / "m.tflite", scene, "--output", tmp_path / "out")
    assert done.status == 0 and Image.open(tmp_path / "out/scene.overlay.jpg").size[0] < 10_000


def test_a_pillow_without_freetype_draws_any_label(monkeypatch):
    small = getattr(ImageFont, "load_default_imagefont", None)
    if small is None:
        pytest.skip("this Pillow does not give its small font where it has FreeType")
    monkeypatch.setattr(overlay, "_font", lambda size: small())
    data = encoded(Image.fromarray(blobs(64, 64)), "PNG")
    drawn = overlay.overlay_jpeg(data, np.zeros((64, 64), bool), [], ["\u606f\u8089 found"])
    assert Image.open(io.BytesIO(drawn)).size[1] > 64


def test_the_peak_in_json_knows_of_the_drawing(outline, tmp_path):
    """The largest share of the memory goes into mask and overlay, where the image is large."""
    large = tmp_path / "large.jpg"
    large.write_bytes(encoded(Image.fromarray(blobs(1536, 2048)), "JPEG"))
    own = {"env": environment()}  # a process of its own: the peak is one of all that it has done
    plain = outline(large, "--json", **own)
    drawn = outline(large, "--json", "--output", tmp_path / "out", **own)
    peaks = [json.loads(done.out)["memory_mb"]["peak"] for done in (plain, drawn)]
    if None in peaks:
        pytest.skip("this system does not say how much memory a process holds")
    assert peaks[1] - peaks[0] > 10  # the image in colour alone is 9.4 MB
    assert json.loads((tmp_path / "out/large.json").read_text())["memory_mb"]["peak"] == peaks[1]


def test_an_output_that_is_no_folder_is_said(outline, scene, tmp_path):
    done = outline(scene, "--output", scene)
    assert done.status == 2 and "can't be made a folder" in done.err


def test_many_pictures_take_no_more_memory_than_one(outline, tmp_path):
    pictures = tmp_path / "in"
    pictures.mkdir()
    large = encoded(Image.fromarray(blobs(768, 1024)), "JPEG")
    for number in range(12):
        (pictures / f"{number:02}.jpg").write_bytes(large)
    done = outline(pictures, "--output", tmp_path / "out", "--json", env=environment(OMP_NUM_THREADS="1"))
    peaks = [json.loads(line)["memory_mb"]["peak"] for line in done.out.splitlines()]
    if None in peaks:
        pytest.skip("this system does not say how much memory a process holds")
    assert len(peaks) == 12 and peaks[-1] - peaks[2] < 8  # one decoded image is 2.4 MB, its mask 0.8
