"""Both programs warn of the same images in the same words: what is generated here lies at the rules' limits."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge.preprocess import Preprocessing
from tests.edge import packing
from tests.edge.pictures import blobs, encoded, grey_ramp, mpo, png, raw_png
from tests.edge.processes import ROOT
from tests.firmware_bridge.comparison import same_records, same_text
from tests.firmware_bridge.native.test_preprocessing import Probe, expected, preprocessings, probe

__all__ = ["probe"]  # a fixture

BITS = st.sampled_from([8, 9, 10, 12, 13, 16])
SIDES = st.sampled_from([1, 7, 23, 24, 25, 127, 128, 129, 300])


def smooth(generator: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Return uint8 (height, width, channels)."""
    small = generator.integers(0, 256, (5, 6, 4), dtype=np.uint8)
    return np.asarray(Image.fromarray(small, "RGBA").resize((shape[1], shape[0])))[:, :, : shape[2]]


@st.composite
def doubtful(draw: st.DrawFn) -> bytes:
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    height, width = draw(SIDES), draw(SIDES)
    rgba = smooth(generator, (height, width, 4)).copy()
    kind = draw(
        st.sampled_from(["deep grey", "deep", "flat", "alpha", "palette", "colour", "jpeg", "animation", "mpo"])
    )
    if kind == "deep grey":
        values = (
            rgba[:, :, 0].astype(np.uint16) << 8 | generator.integers(0, 256, (height, width), dtype=np.uint16)
        ) >> (16 - draw(BITS))
        return png(values)
    if kind == "deep":
        colour, channels = draw(st.sampled_from([(0, 1), (2, 3), (4, 2), (6, 4)]))
        values = (rgba[:, :, :channels].astype(np.uint16) * 257) >> (16 - draw(BITS))
        rows = np.hstack([np.zeros((height, 1), np.uint8), values.astype(">u2").reshape(height, -1).view(np.uint8)])
        return raw_png(width, height, 16, colour, rows.tobytes())
    if kind == "flat":
        spread = draw(st.integers(0, 20))
        grey = 100 + generator.integers(0, spread + 1, (height, width, 1)).astype(np.uint8)
        dots = generator.random((height, width, 1)) < draw(st.sampled_from([0, 0.0005, 0.0015, 0.01]))
        array = np.where(dots, 250, grey).astype(np.uint8).repeat(draw(st.sampled_from([1, 3])), 2)
        image = Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)
        return encoded(image, draw(st.sampled_from(["PNG", "JPEG"])))
    if kind in ("alpha", "palette"):
        rgba[:, :, :3] = draw(st.integers(0, 255))
        rgba[:, :, 0] -= generator.integers(0, draw(st.integers(1, 20)), (height, width), dtype=np.uint8)
        rgba[:, :, 3] = (rgba[:, :, 3] >> draw(st.integers(0, 8))) | draw(st.sampled_from([0, 255, 16]))
        if draw(st.booleans()):  # as optimizers write it
            rgba[rgba[:, :, 3] == 0] = draw(st.sampled_from([0, 255])), 0, 0, 0
        if kind == "alpha":
            image = Image.fromarray(rgba)
            return encoded(image if draw(st.booleans()) else image.convert("LA"), "PNG")
        opacity = bytes(generator.integers(0, 256, draw(st.integers(0, 300)), dtype=np.uint8))
        return encoded(Image.fromarray(rgba[:, :, :3]).quantize(draw(st.integers(2, 256))), "PNG", transparency=opacity)
    if kind == "colour":
        rgba[:, :, 1:3] = rgba[:, :, :1]
        some = generator.random((height, width)) < draw(st.sampled_from([0, 0.001, 0.002, 0.003, 0.1]))
        rgba[some, 0] ^= draw(st.integers(14, 40))
        return png(rgba[:, :, :3])
    options = {"quality": draw(st.integers(20, 98)), "subsampling": draw(st.sampled_from([0, 2]))}
    tint = generator.integers(-1, draw(st.sampled_from([1, 4, 12])), (height, width, 3))
    image = Image.fromarray(np.clip(rgba[:, :, :1].astype(int) + tint, 0, 255).astype(np.uint8))
    if kind == "animation":
        frames = [Image.new("RGB", image.size, (n, 0, 0)) for n in range(draw(st.integers(1, 3)))]
        return encoded(image, "PNG", save_all=True, append_images=frames, default_image=draw(st.booleans()))
    if kind == "mpo":
        return mpo([image] * draw(st.integers(1, 3)), draw(st.sampled_from([0, 0x010001, 0x020001])))
    return encoded(image, "JPEG", **options)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=doubtful(), spec=preprocessings(), full=st.booleans())
def test_the_same_warnings(probe: Probe, data: bytes, spec: Preprocessing, full: bool) -> None:
    assert probe(data, spec, "int8", full) == expected(data, spec, "int8", full)


@pytest.fixture
def windowed(flatbuffer: bytes, mask_flatbuffer: bytes, tmp_path: Path) -> Callable[..., Path]:
    """Return a model file with this window; of a segmentation with `mask`."""

    def make(window: object, mask: bool = False) -> Path:
        network = mask_flatbuffer if mask else flatbuffer
        raw = packing.mask_manifest(network) if mask else packing.manifest(network)
        raw["inputs"][0]["window"] = window
        path = tmp_path / "windowed.tflite"
        path.write_bytes(packing.pack(network, raw))
        return path

    return make


@pytest.mark.parametrize("said", [{"bits": 12}, {"bits": 1}, {"bits": 16}])
def test_bits_stand_for_a_window(programs, flatbuffer, windowed, tmp_path, said) -> None:
    raw = packing.manifest(flatbuffer)
    raw["inputs"][0] |= said
    (tmp_path / "bits.tflite").write_bytes(packing.pack(flatbuffer, raw))
    images = stored(tmp_path)
    by_bits = same_records(
        *(programs[name]("--model", tmp_path / "bits.tflite", "--json", *images) for name in programs)
    )
    window = windowed([0, 2 ** said["bits"] - 1])
    by_window = same_records(*(programs[name]("--model", window, "--json", *images) for name in programs))
    assert [one["results"] for one in by_bits] == [one["results"] for one in by_window]


@pytest.mark.parametrize(
    "said", [*({"bits": bits} for bits in (0, 17, 12.0, "12", None, True)), {"bits": 12, "window": [0, 4095]}]
)
def test_bits_that_are_none_are_refused(programs, flatbuffer, tmp_path, said) -> None:
    raw = packing.manifest(flatbuffer)
    raw["inputs"][0] |= said
    (tmp_path / "bits.tflite").write_bytes(packing.pack(flatbuffer, raw))
    for name in programs:
        ended = programs[name]("--model", tmp_path / "bits.tflite", "--json", ROOT / "docs/phantom.png")
        assert ended.status == 2 and json.loads(ended.out)["error"]["code"] == "model.manifest"


def stored(folder: Path) -> list[Path]:
    """Write images of 8, 12 and 16 bits; return their paths."""
    grey = grey_ramp()
    files = {
        "12.png": png(grey.astype(np.uint16) * 16),
        "16.png": png(grey.astype(np.uint16) * 257),
        "8.png": png(grey),
        "colour.png": png(blobs()),
        "8.jpg": encoded(Image.fromarray(grey), "JPEG"),
        "colour.jpg": encoded(Image.fromarray(blobs()), "JPEG"),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return [folder / name for name in files]


@pytest.mark.parametrize("window", [(0, 4080), (20, 200), (65534, 65535)])
def test_a_windowed_model_answers_the_same(programs, windowed, tmp_path, window) -> None:
    words = ["--model", windowed(list(window)), "--json", *stored(tmp_path)]
    records = same_records(*(programs[name](*words) for name in ("python", "native")))
    assert len(records) == 6


def test_a_windowed_models_masks_are_drawn_over_what_it_saw(programs, windowed, tmp_path) -> None:
    data = tmp_path / "deep.png"
    data.write_bytes(png(blobs()[:, :, 0].astype(np.uint16) * 16))
    drawn = []
    for name in ("python", "native"):
        words = ["--model", windowed([0, 4080], mask=True), data, "--output", tmp_path / name]
        assert programs[name](*words).status == 0
        drawn.append(np.asarray(Image.open(next((tmp_path / name).glob("*.overlay.jpg"))).convert("L")).astype(int))
    assert drawn[0].shape == drawn[1].shape
    assert drawn[0][60:100, 60:140].mean() > 150  # a bright box
    assert np.abs(drawn[0] - drawn[1])[:230, :320].mean() < 2


@pytest.mark.parametrize(
    "window",
    [None, [], [0], [0, 1, 2], [5, 5], [6, 5], [-1, 5], [0, 65536], [0, 4095.0], [0, 1e3], [False, True], ["0", "9"],
     {}, "0-9", 10**30, [0, 10**30], [[0], [9]], [0, 65535], [65534, 65535]],
)  # fmt: skip
def test_windows_are_held_to_the_same_rules(programs, windowed, tmp_path, window) -> None:
    path, image = windowed(window), tmp_path / "grey.png"
    image.write_bytes(png(grey_ramp().astype(np.uint16) * 257))
    python, native = (programs[name]("--model", path, image) for name in ("python", "native"))
    same_text(python, native)
    assert native.status == (0 if window in ([0, 65535], [65534, 65535]) else 2)
