"""Data sets from objects in memory: what is read of them, how they are divided, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import compress
from edge.errors import EdgeError

SPEC = compress.Input(8, 8, "grey", channels=1)


def images(count: int, seed: int = 0, side: int = 8) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, side, side), np.uint8))


def labelled(count: int, seed: int = 0) -> list[tuple[np.ndarray, int]]:
    return [(image, n % 2) for n, image in enumerate(images(count, seed))]


def masks(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(image, image > 128) for image in images(count, seed, side=16)]


def test_a_share_of_each_class_is_set_aside_and_tests_stand_in() -> None:
    data = compress.load_data(labelled(40), SPEC, labels=["a", "b"], validation=0.25)
    assert data.summary["counts"] == {"train": [15, 15], "val": [5, 5]}
    assert data.test is data.val and data.summary["test"] == "the validation images"
    again = compress.load_data(labelled(40), SPEC, labels=["a", "b"], validation=0.25)
    assert again.val.names == data.val.names and again.summary["digest"] == data.summary["digest"]
    other = compress.load_data(labelled(40, seed=1), SPEC, labels=["a", "b"], validation=0.25)
    assert other.summary["digest"] != data.summary["digest"]
    for name, pixels, label in zip(data.val.names, data.val.pixels, data.val.truth, strict=True):
        image, truth = labelled(40)[int(name[-6:])]
        assert label == truth
        np.testing.assert_array_equal(pixels[:, :, 0], image)


def test_parts_that_are_given_stay() -> None:
    parts = {"train": labelled(8), "val": labelled(4, 1), "test": labelled(6, 2)}
    data = compress.load_data(parts, SPEC, labels=["a", "b"])
    assert [len(split) for split in (data.train, data.val, data.test)] == [8, 4, 6]
    assert data.summary["validation"] == data.summary["test"] == "given"


def test_equal_images_stay_together_and_are_refused_on_both_sides() -> None:
    twice = [pair for pair in labelled(20) for _ in range(2)]
    data = compress.load_data(twice, SPEC, labels=["a", "b"], validation=0.3)
    assert not {int(n[-6:]) // 2 for n in data.val.names} & {int(n[-6:]) // 2 for n in data.train.names}
    with pytest.raises(EdgeError, match="images in val that equal images of train"):
        compress.load_data({"train": labelled(8), "val": labelled(8)[:2]}, SPEC, labels=["a", "b"])


@pytest.mark.parametrize("form", [bool, np.uint8, float, Image.fromarray, torch.from_numpy])
def test_masks_are_read_in_every_form(form: Any) -> None:
    shown = masks(12)
    made = [(i, form(m) if callable(form) and not isinstance(form, type) else m.astype(form)) for i, m in shown]
    data = compress.load_data(made, SPEC, task="segmentation", labels=["thing"], validation=0.25)
    assert data.train.truth.shape == (9, 8, 8) and data.train.masks == () and len(data.val.masks) == 3
    for name, mask in zip(data.val.names, data.val.masks, strict=True):
        np.testing.assert_array_equal(mask, shown[int(name[-6:])][1])
    whole = [(image, np.ones((16, 16), bool)) for image, _ in shown]
    full = compress.load_data(whole, SPEC, task="segmentation", labels=["thing"], validation=0.25)
    assert full.train.truth.min() == 255


IMAGE = images(1)[0]


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (IMAGE, r"item 0 of train is a ndarray: expected a pair"),
        ((IMAGE, 2), r"label 2: expected a whole number from 0 to 1"),
        ((IMAGE, -1), r"label -1"),
        ((IMAGE, 0.5), r"label 0.5"),
        ((IMAGE, True), r"label True"),
        ((IMAGE / 1.0, 0), r"of float64 from .*expected a Pillow image"),
        ((torch.randn(1, 8, 8), 0), r"not normalized"),
        ((np.full((8, 8), np.nan), 0), r"of float64"),
        ((IMAGE.astype(np.int64), 0), r"of int64"),
        ((np.zeros((8, 8, 4), np.uint8), 0), r"\(8, 8, 4\) of uint8"),
        ((np.zeros((0, 8), np.uint8), 0), r"\(0, 8\) of uint8"),
        ((Image.new("I;16", (8, 8)), 0), r"mode I;16: expected"),
        ((IMAGE, np.zeros((8, 9))), r"mask \(8, 9\) and an image of 8x8"),
        ((IMAGE, np.full((8, 8), 7)), r"mask of 1 values: expected 0 and 1"),
    ],
)
def test_other_items_are_refused(item: Any, message: str) -> None:
    with pytest.raises(EdgeError, match=message):
        compress.load_data([item, *labelled(9, 1)], SPEC, labels=["a", "b"])


def test_parts_and_labels_are_checked() -> None:
    for parts in ({"val": labelled(4)}, {"train": labelled(4), "more": labelled(4)}):
        with pytest.raises(EdgeError, match="expected train, and perhaps val and test"):
            compress.load_data(parts, SPEC, labels=["a", "b"])
    with pytest.raises(EdgeError, match="no images in val"):
        compress.load_data({"train": labelled(4), "val": []}, SPEC, labels=["a", "b"])
