"""The native program's overlay is the one that edge draws, and its letters can be read."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from edge.overlay import LABELLED
from edge.report import NOTICE
from tests.edge import packing
from tests.edge.pictures import blobs, encoded, png
from tests.firmware_bridge.comparison import same_text

JPEG = 12  # of 255: what two versions of a JPEG encoder, or two orders of resampling, may differ by in one pixel


@pytest.fixture
def pictures(outlined, tmp_path):
    """With some that are shrunk for the overlay, and one that is decoded smaller."""
    large = Image.fromarray(blobs(300, 400))
    more = {
        "large.png": encoded(large.resize((2500, 1800), Image.Resampling.BICUBIC), "PNG"),
        "large.jpg": encoded(large.resize((4100, 3000), Image.Resampling.BICUBIC), "JPEG"),
        "tall.png": png(blobs(1300, 90)),
        "grey.png": png(blobs(700, 900)[:, :, 0]),
    }
    for name, data in more.items():
        (tmp_path / name).write_bytes(data)
    return [*outlined, *(tmp_path / name for name in more)]


@pytest.fixture
def drawn(programs, mask_model, pictures, tmp_path):
    """The folders that both programs wrote."""
    folders = [tmp_path / "out" / name for name in ("python", "native")]
    for folder in folders:
        done = programs[folder.name]("--model", mask_model, *pictures, "--output", folder)
        assert done.status == 0, done.err
    return folders


def test_the_same_pixels_outside_of_the_letters(drawn, pictures):
    names = [sorted(path.name for path in folder.glob("*.overlay.jpg")) for folder in drawn]
    assert names[0] == names[1] and len(names[0]) == len(pictures)
    numbers = 0
    for name in names[0]:
        one, other = (np.asarray(Image.open(folder / name).convert("RGB")).astype(int) for folder in drawn)
        record = json.loads((drawn[0] / name.replace(".overlay.jpg", ".json")).read_text())
        assert one.shape == other.shape, name
        height, width = record["mask"]["size"]
        scale = 2048 / max(width, height) if max(width, height) > 2048 else max(1, 256 // max(width, height))
        columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
        size = max(14, max(columns, rows) // 50)
        plain = np.ones((rows, columns), bool)
        for region in record["results"][:LABELLED]:
            left, top = int(region["box"][0] * columns / width), int(region["box"][1] * rows / height)
            left, top = min(left, max(0, columns - 6 * size)), max(0, top - size - 14)
            plain[top : top + size + 24, max(0, left - 8) : left + 6 * size] = False  # and what JPEG smears around
            numbers += 1
        far = np.abs(one - other)[:rows, :columns][plain]
        assert not far.size or (far.max() <= JPEG and far.mean() < 1), (name, far.max(), far.mean())
        bars = [picture[rows + 8 :] for picture in (one, other)]  # a block's height below the image
        assert abs(bars[0].mean() - bars[1].mean()) < 0.25 * bars[0].mean() and bars[1].max() > 200
    assert numbers > 10


def rendered(line):
    """Return the line in Aileron by Pillow, at the size from which the native program makes all others."""
    font = ImageFont.load_default(33)
    right, bottom = font.getbbox(line)[2:]
    image = Image.new("1", (int(right), int(bottom)))
    ImageDraw.Draw(image).text((0, 0), line, fill=1, font=font)
    return image.convert("L")


@pytest.mark.parametrize(("height", "width"), [(240, 320), (700, 1100), (1600, 2048)])
def test_captions_can_be_read(programs, mask_model, tmp_path, height, width):
    (tmp_path / "p.png").write_bytes(png(blobs(height, width)))
    assert programs["native"]("--model", mask_model, tmp_path / "p.png", "--output", tmp_path / "out").status == 0
    grey = np.asarray(Image.open(tmp_path / "out/p.overlay.jpg").convert("L")).astype(float)
    record = json.loads((tmp_path / "out/p.json").read_text())
    size = max(14, width // 50)
    step = size * 6 // 5 + 7
    caption = f"polyp: 2 regions, {100 * record['area']:.3g} % of the image"
    for number, line in enumerate([caption, NOTICE]):
        top = height + 4 + number * step
        bar = grey[top : top + step - 4]
        ink = np.flatnonzero(bar.max(axis=0) > 60)
        shown = bar[:, ink[0] : ink[-1] + 1]
        expected, wrong = (rendered(words) for words in (line, line[::-1]))
        assert abs(expected.width * size / 33 / shown.shape[1] - 1) < 0.03
        inked = np.flatnonzero(shown.max(axis=1) > 60)
        shown = shown[inked[0] : inked[-1] + 1].ravel()
        like = []
        for other in (expected, wrong):
            image = other.crop(other.getbbox()).resize((ink[-1] + 1 - ink[0], inked[-1] + 1 - inked[0]))
            like.append(np.corrcoef(shown, np.asarray(image, np.float64).ravel())[0, 1])
        assert like[0] > 0.75 and like[1] < 0.4


def test_letters_that_the_font_lacks_are_boxes(programs, mask_flatbuffer, tmp_path):
    raw = packing.mask_manifest(
        mask_flatbuffer, labels=["ü"], decision={"label": "ü", "threshold": 0.5, "minimum_area": 0.001}
    )
    (tmp_path / "m.tflite").write_bytes(packing.pack(mask_flatbuffer, raw))
    (tmp_path / "p.png").write_bytes(png(blobs()))
    done = programs["native"]("--model", tmp_path / "m.tflite", tmp_path / "p.png", "--output", tmp_path / "out")
    assert done.status == 0
    bar = np.asarray(Image.open(tmp_path / "out/p.overlay.jpg").convert("L"))[244:258, 6:13]
    assert bar.max() > 120


def test_a_long_label_widens_the_picture(programs, mask_flatbuffer, tmp_path):
    label = "a very long label " * 10 + "end"
    raw = packing.mask_manifest(
        mask_flatbuffer, labels=[label], decision={"label": label, "threshold": 0.5, "minimum_area": 0.001}
    )
    (tmp_path / "m.tflite").write_bytes(packing.pack(mask_flatbuffer, raw))
    (tmp_path / "p.png").write_bytes(png(blobs()))
    sizes = []
    for name in ("python", "native"):
        done = programs[name]("--model", tmp_path / "m.tflite", tmp_path / "p.png", "--output", tmp_path / name)
        assert done.status == 0
        sizes.append(Image.open(tmp_path / name / "p.overlay.jpg").size)
    assert sizes[0][1] == sizes[1][1] and sizes[1][0] > 1000 and abs(sizes[1][0] / sizes[0][0] - 1) < 0.06


@pytest.mark.parametrize("ending", ["mask.png", "overlay.jpg"])
def test_a_picture_is_never_replaced(programs, mask_model, tmp_path, ending):
    scene, other = tmp_path / "scene.png", tmp_path / f"scene.{ending}"
    data = encoded(Image.fromarray(blobs()), "PNG" if ending.endswith("png") else "JPEG")
    scene.write_bytes(png(blobs()))
    other.write_bytes(data)
    done = [programs[name]("--model", mask_model, scene, other, "--output", tmp_path) for name in ("python", "native")]
    same_text(*done)
    assert done[1].status == 2 and f"scene.{ending} was not made by edge-infer and would be replaced" in done[1].err
    assert other.read_bytes() == data
    assert json.loads((tmp_path / "scene.json").read_text())["error"]["code"] == "output.foreign"


def test_standard_input_is_read_once(programs, mask_model, tmp_path):
    done = programs["native"]("--model", mask_model, "-", "--output", tmp_path / "out", stdin=png(blobs()))
    assert done.status == 0
    assert sorted(os.listdir(tmp_path / "out")) == ["stdin.json", "stdin.mask.png", "stdin.overlay.jpg"]


@pytest.mark.parametrize("limit", [20, 1500, 6000])
def test_a_full_disk_leaves_no_half_file(program, mask_model, tmp_path, limit):
    resource = pytest.importorskip("resource")
    (tmp_path / "p.png").write_bytes(png(blobs()))
    out = tmp_path / "out"
    limits = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))}
    done = program("--model", mask_model, tmp_path / "p.png", "--output", out, **limits)
    assert done.status == 2 and len(done.complaints) == 1 and "can't be written" in done.err
    left = [(name, json.loads((out / name).read_text())["error"]["code"]) for name in os.listdir(out)]
    assert left == ([("p.json", "output.unwritable")] if limit > 1000 else [])  # there is room for that


def test_a_mask_as_an_image(programs, mask_model, outlined, tmp_path):
    for name in ("python", "native"):
        assert programs[name]("--model", mask_model, *outlined, "--output", tmp_path / name).status == 0
    masks = sorted(path.name for path in (tmp_path / "native").glob("*.mask.png"))
    assert masks == sorted(path.name for path in (tmp_path / "python").glob("*.mask.png")) and len(masks) == len(
        outlined
    )
    for mask in masks:
        one, other = (Image.open(tmp_path / name / mask) for name in ("python", "native"))
        assert one.mode == other.mode == "L" and np.array_equal(np.asarray(one), np.asarray(other))
