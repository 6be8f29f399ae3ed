"""A window of values: from what is stored to 8 bits, in the same way for every kind of image."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import edge
from edge import image as images
from edge.check import check
from edge.errors import EdgeError
from edge.manifest import parse
from edge.preprocess import Preprocessing, pixels
from edge.window import table
from tests.edge import packing
from tests.edge.pictures import blobs, encoded, grey_ramp, png, raw_png

GREY = grey_ramp()
WINDOWS = st.tuples(st.integers(0, 65535), st.integers(0, 65535)).filter(lambda ends: ends[0] < ends[1])


def spec(window: tuple[int, int] | None, **more: object) -> Preprocessing:
    return Preprocessing(**{"height": 24, "width": 24, "color": "grey", "channels": 1, "window": window, **more})


def stored(data: bytes, window: tuple[int, int] | None, **more: object) -> np.ndarray:
    return np.asarray(images.decode(data, spec=spec(window, **more)).image)


@settings(max_examples=60)
@given(WINDOWS, st.integers(0, 65535))
def test_the_map_is_the_specifications(window: tuple[int, int], value: int) -> None:
    low, high = window
    exact = Fraction(255 * (value - low), high - low)
    assert table(window, 65536)[value] == min(255, max(0, floor(exact + Fraction(1, 2))))
    assert table(window, 65536)[low] == 0 and table(window, 65536)[high] == 255


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14, 16])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_any_number_of_bits_is_the_8_bit_image(bits: int, form: str) -> None:
    full = 2**bits - 1
    deep = (GREY.astype(np.int64) * full // 255).astype(np.uint16)
    seen = stored(encoded(Image.fromarray(deep), form), (0, full))
    assert np.abs(seen.astype(int) - GREY).max() <= 1
    assert np.array_equal(seen, table((0, full), 65536)[deep])


def test_8_bits_go_through_the_window_channel_by_channel() -> None:
    colour = np.stack([GREY, GREY[::-1], GREY[:, ::-1]], axis=2)
    entries = table((20, 200), 256)
    assert np.array_equal(stored(png(GREY), (20, 200)), entries[GREY])
    assert np.array_equal(stored(png(colour), (20, 200), color="rgb", channels=3), entries[colour])
    assert np.array_equal(stored(png(GREY > 127), (0, 510)), np.where(GREY > 127, 128, 0))
    indexed = Image.fromarray(colour).quantize(16)
    rgb = np.asarray(indexed.convert("RGB"))
    assert np.array_equal(stored(encoded(indexed, "PNG"), (20, 200), color="rgb", channels=3), entries[rgb])


def test_the_window_comes_before_grey() -> None:
    colour = np.full((24, 24, 3), (250, 10, 10), np.uint8)
    seen = pixels(images.decode(png(colour), spec=spec((0, 100))), spec((0, 100)))
    assert (seen == (255 * 19595 + 26 * 38470 + 26 * 7471 + 0x8000) >> 16).all()


def test_16_bit_colour_counts_by_its_high_bytes() -> None:
    deep = np.repeat(np.arange(0, 65536, 257, np.uint16), 3).reshape(1, 256, 3)
    data = raw_png(256, 1, 16, 2, b"\0" + deep.astype(">u2").tobytes())
    assert np.array_equal(stored(data, (0, 65535), color="rgb", channels=3)[0, :, 0], np.arange(256))
    picture = images.decode(data, spec=spec((0, 4095)))
    assert "image.window" in [warning.code for warning in picture.warnings]


def test_without_a_window_nothing_changes() -> None:
    deep = (GREY.astype(np.uint16) << 8) + 200
    assert np.array_equal(stored(png(deep), None), GREY) and np.array_equal(stored(png(GREY), None), GREY)
    assert np.array_equal(np.asarray(images.decode(png(deep)).image), GREY)  # a mask, for example


@pytest.fixture
def windowed(flatbuffer: bytes, tmp_path):
    def make(window: object) -> edge.Engine:
        raw = packing.manifest(flatbuffer)
        raw["inputs"][0]["window"] = window
        path = tmp_path / "windowed.tflite"
        path.write_bytes(packing.pack(flatbuffer, raw))
        return edge.load(path, threads=1)

    return make


def test_an_engine_answers_as_if_it_had_8_bits(windowed, model) -> None:
    plain, engine = edge.load(model, threads=1)(GREY), windowed([0, 4080])
    deep = GREY.astype(np.uint16) * 16
    sources = [png(deep), encoded(Image.fromarray(deep), "TIFF"), deep, deep.astype(">u2"), Image.fromarray(deep)]
    sources.append(Image.fromarray(deep.astype(np.int32)))
    for source in sources:
        answer = engine(source)
        assert answer.results == plain.results and not answer.warnings, type(source)


@pytest.mark.parametrize(
    "window",
    [None, [], [0], [0, 1, 2], [5, 5], [6, 5], [-1, 5], [0, 65536], [0, 4095.0], [False, True], ["0", "9"], {}, 2**62],
)
def test_a_window_that_is_none_is_refused(windowed, window: object) -> None:
    with pytest.raises(
        EdgeError, match=r"inputs\[0\]\.window = .*: expected two whole numbers, 0 <= low < high <= 65535"
    ):
        windowed(window)


def test_the_manifest_holds_it_only_where_it_is_said(flatbuffer: bytes) -> None:
    raw = packing.manifest(flatbuffer)
    assert parse(raw, "m").inputs[0].window is None and "window" not in parse(raw, "m").inputs[0].record()
    raw["inputs"][0]["window"] = [7, 1000]
    assert parse(raw, "m").inputs[0].window == (7, 1000)
    assert parse(raw, "m").inputs[0].record()["window"] == [7, 1000]


def test_golden_vectors_go_through_the_window(windowed, flatbuffer: bytes, golden, tmp_path) -> None:
    members, entries = golden
    raw = packing.manifest(flatbuffer, golden=entries)
    raw["inputs"][0]["window"] = [0, 4095]
    deep = {}
    for name, data in members.items():
        if name.endswith(".png"):
            grey = np.asarray(images.decode(data).image).astype(np.int64)
            data = png(((grey * 4095 + 127) // 255).astype(np.uint16))
        deep[name] = data
    path = tmp_path / "golden.tflite"
    path.write_bytes(packing.pack(flatbuffer, raw, deep))
    assert [verdict.verdict for verdict in check(edge.load(path))] == ["bit-exact", "bit-exact"]
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=entries), deep))
    assert all("preprocessed input differs" in verdict.reason for verdict in check(edge.load(path)))


def test_the_overlay_shows_what_the_network_saw(mask_flatbuffer: bytes, tmp_path) -> None:
    from edge.overlay import overlay_jpeg

    raw = packing.mask_manifest(mask_flatbuffer)
    raw["inputs"][0]["window"] = [0, 4080]
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(mask_flatbuffer, raw))
    data = png(blobs()[:, :, 0].astype(np.uint16) * 16)
    answer = edge.load(path, threads=1)(data)
    plain = overlay_jpeg(png(blobs()[:, :, 0]), answer.mask, answer.results, ["seen"])
    assert answer.results and overlay_jpeg(data, answer.mask, answer.results, ["seen"], answer.window) == plain
    assert overlay_jpeg(data, answer.mask, answer.results, ["seen"]) != plain
