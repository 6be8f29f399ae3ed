"""A window of values in recipes: training, golden vectors, manifest and run record have the one of the device."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomllib
from PIL import Image

from compress.convert.golden import golden, installed
from compress.data import cifar, window
from compress.data.division import Entry
from compress.data.folder import load_folder
from compress.data.masks import load_masks
from compress.data.phantom import CLASSES, phantom
from compress.recipe_file import shipped
from compress.recipe_parser import load, parse
from compress.report import card
from compress.tasks.classification import Classification
from compress.tasks.segmentation import Segmentation
from edge import image as images
from edge.errors import EdgeError
from edge.manifest import parse as parse_manifest
from edge.preprocess import Preprocessing, int8_table
from edge.runtime import open_runtime
from edge.window import table
from tests.compress.conftest import RECIPE
from tests.edge import packing
from tests.edge.pictures import png

TINY = Path(__file__).parents[2] / "edge/data/tiny.tflite"


def recipe(**more: object) -> Preprocessing:
    raw: dict[str, Any] = tomllib.loads(RECIPE)
    raw["input"].update(more)
    return parse(raw, "mine.toml").input


def test_a_recipe_says_it_by_values_or_by_bits() -> None:
    assert recipe().window is None
    assert recipe(window=[0, 4095]).window == (0, 4095) == recipe(bits=12).window
    assert [recipe(bits=bits).window for bits in (1, 8, 16)] == [(0, 1), (0, 255), (0, 65535)]
    assert recipe(window=[30000, 65535]).window == (30000, 65535)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"window": [0, 4095], "bits": 12}, "input has window = [0, 4095] and bits = 12: expected one of them"),
        *(
            ({"bits": bits}, f"input.bits is {bits!r}: expected a whole number from 1 to 16")
            for bits in (0, -1, 17, 12.0, True, "12", [12])
        ),
        *(
            ({"window": ends}, f"input.window is {ends!r}: expected two whole numbers, [low, high]")
            for ends in (
                [],
                [1],
                [1, 2, 3],
                [5, 5],
                [6, 5],
                [-1, 5],
                [0, 65536],
                [0, 9.0],
                [False, True],
                "0-9",
                12,
                {},
            )
        ),
    ],
)
def test_nonsense_is_refused(more: dict[str, object], words: str) -> None:
    with pytest.raises(EdgeError) as caught:
        recipe(**more)
    assert f"mine.toml: {words}" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", shipped())
def test_where_no_window_is_said_nothing_is_written(name: str) -> None:
    """Checkpoints are found again by what was written, and shipped files stay what they are."""
    spec = load(name).input
    assert list(spec.record()) == ["height", "width", "color", "channels", "fit", "mean", "std"]
    before = {key: value for key, value in dataclasses.asdict(spec).items() if key != "window"}
    assert json.dumps(spec.record(), sort_keys=True) == json.dumps(before, sort_keys=True)


@pytest.mark.parametrize("ends", [None, (0, 4095)])
def test_what_is_written_is_what_a_reader_takes(ends: tuple[int, int] | None) -> None:
    spec = Preprocessing(24, 24, "grey", 3, mean=(0.5,), std=(0.25,), window=ends)
    assert parse_manifest(packing.manifest(TINY.read_bytes(), input=spec.record()), "m").inputs == (spec,)
    assert dataclasses.replace(spec, window=(0, 9)).record()["window"] == [0, 9]


def test_training_sees_what_the_device_sees(tmp_path: Path) -> None:
    spec = Preprocessing(32, 32, "grey", 1, window=(0, 4080))
    for bits in (8, 12):
        for part, count in (("train", 4), ("test", 2)):
            for kind, label in enumerate(CLASSES):
                folder = tmp_path / str(bits) / part / label
                folder.mkdir(parents=True)
                for number in range(count):
                    grey = phantom(number + 10 * (part == "test"), opacity=bool(kind), size=48)
                    Image.fromarray(grey if bits == 8 else grey.astype(np.uint16) * 16).save(folder / f"{number}.png")
    plain = load_folder(Classification(), tmp_path / "8", dataclasses.replace(spec, window=None), validation=0.25)
    deep = load_folder(Classification(), tmp_path / "12", spec, validation=0.25)
    assert np.array_equal(plain.train.pixels, deep.train.pixels) and np.array_equal(plain.test.pixels, deep.test.pixels)


def test_masks_have_no_window(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for number in range(12):
        grey = phantom(number, opacity=True, size=40)
        Image.fromarray(grey.astype(np.uint16) * 16).save(tmp_path / "images" / f"{number}.png")
        Image.fromarray((grey > 120) * np.uint8(255)).save(tmp_path / "masks" / f"{number}.png")
    spec = Preprocessing(20, 20, "grey", 1)
    truths = [
        load_masks(Segmentation(), tmp_path, dataclasses.replace(spec, window=ends), "lesion", 0.2, 0.2)
        for ends in (None, (0, 4080), (300, 4080))
    ]
    for other in truths[1:]:
        assert np.array_equal(truths[0].train.truth, other.train.truth)
        assert all(np.array_equal(*pair) for pair in zip(truths[0].test.masks, other.test.masks, strict=True))
    assert truths[0].train.pixels.max() < 17 < 200 < truths[1].train.pixels.max()


def test_cifars_pictures_have_it_too() -> None:
    record = np.concatenate([[3], np.random.default_rng(0).integers(0, 256, 3 * 32 * 32)]).astype(np.uint8)
    spec = Preprocessing(32, 32, window=(20, 200))
    seen = cifar._split([Entry("one", 3, "one")], {"one": record}, spec).pixels[0]
    stored = np.ascontiguousarray(record[1:].reshape(3, 32, 32).transpose(1, 2, 0))
    assert np.array_equal(seen, np.asarray(images.decode(png(stored), spec=spec).image))


@pytest.mark.parametrize("ends", [(0, 4095), (1000, 1255), (10, 200)])
def test_golden_images_lie_in_the_window(ends: tuple[int, int]) -> None:
    spec = Preprocessing(24, 24, "grey", 3, mean=(0.5,), std=(0.25,), window=ends)
    runtimes = [open_runtime(TINY.read_bytes(), name) for name in installed()]
    entries, members = golden(spec, int8_table(spec, 0.0157, 0), Classification().golden, runtimes)
    assert len(entries) == 4
    for entry in entries:
        picture = images.decode(members[entry["inputs"][0]["image"]], spec=spec)
        least, most = picture.image.getextrema()
        assert most - least > 150
        assert {warning.code for warning in picture.warnings} <= {"image.small"}
        assert picture.image.getextrema() != images.decode(members[entry["inputs"][0]["image"]]).image.getextrema()


def test_a_colour_image_keeps_its_colours_where_8_bits_hold_the_window() -> None:
    colours = Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    assert window.stored(colours, None) is colours
    narrow = np.asarray(window.stored(colours, (10, 200)))
    assert np.abs(table((10, 200), 256)[narrow].astype(int) - np.asarray(colours)).max() <= 1
    assert window.stored(colours, (0, 4095)).mode == "I;16"


def test_the_card_says_it() -> None:
    spec = Preprocessing(24, 24, "grey", 1, window=(0, 4095)).record()
    assert card._input(spec) == "grey of values from 0 to 4095, resampled to 24x24 (stretch)"
    assert "values" not in card._input(Preprocessing(24, 24).record())
