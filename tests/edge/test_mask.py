"""Masks, regions and run-length encodings beside slow and plain ways to make them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from edge.answer import Decision
from edge.mask import mask, segment
from edge.preprocess import Preprocessing, pixels

HALF = Decision("polyp", 0.5, 0.0)
sides = st.integers(1, 40)
seeds = st.integers(0, 2**32 - 1)


def drawn(seed: int, height: int, width: int, share: float) -> np.ndarray:
    """Return a random bool (height, width), a `share` of it true."""
    return np.random.default_rng(seed).random((height, width)) < share


def of(truth: np.ndarray, decision: Decision = HALF):
    """Return regions and mask of logits that are `truth`, one a pixel."""
    height, width = truth.shape
    logits = np.where(truth, 2, -2).astype(np.float32)
    return segment(logits, (width, height), decision, Preprocessing(height, width))


def flooded(truth: np.ndarray) -> list[tuple[int, list[int]]]:
    """Return pixels and box of each part that hangs together over sides and corners."""
    left, parts = {(int(y), int(x)) for y, x in np.argwhere(truth)}, []
    while left:
        edge, part = [left.pop()], []
        while edge:
            y, x = edge.pop()
            part.append((y, x))
            near = {(y + down, x + across) for down in (-1, 0, 1) for across in (-1, 0, 1)} & left
            left -= near
            edge += near
        (top, first), (bottom, last) = (tuple(pick(axis) for axis in zip(*part, strict=True)) for pick in (min, max))
        parts.append((len(part), [first, top, last - first + 1, bottom - top + 1]))
    return sorted(parts, key=lambda part: (-part[0], part[1]))


def counted(encoded: dict[str, list[int]]) -> np.ndarray:
    """Return the bool (height, width) of COCO's counts."""
    height, width = encoded["size"]
    bits: list[bool] = []
    for number, count in enumerate(encoded["counts"]):
        bits += [number % 2 == 1] * count
    return np.array(bits).reshape(width, height).T


@given(sides, sides, sides, sides, seeds, st.floats(0.02, 0.98))
def test_it_is_the_whole_picture_interpolated_and_then_cut(width, height, columns, rows, seed, threshold):
    logits = np.random.default_rng(seed).normal(0, 2, (rows, columns)).astype(np.float32)
    found = mask(logits, (width, height), Decision("polyp", threshold, 0.0), Preprocessing(40, 40))
    whole = np.asarray(Image.fromarray(logits).resize((width, height), Image.Resampling.BILINEAR))
    limit = math.log(threshold / (1 - threshold))
    sure = abs(whole - limit) > 1e-4
    assert found.shape == (height, width) and found.dtype == np.bool_
    assert np.array_equal(found[sure], whole[sure] >= limit)


@given(sides, sides, seeds)
def test_what_lies_at_the_threshold_is_in_the_mask(height, width, seed):
    """Logits of an int8 network often are exactly at it."""
    logits = np.random.default_rng(seed).integers(-1, 2, (height, width)).astype(np.float32)
    assert np.array_equal(mask(logits, (width, height), HALF, Preprocessing(height, width)), logits >= 0)


@given(st.sampled_from(["stretch", "crop", "pad"]), st.integers(40, 200), st.integers(40, 200), st.data())
def test_what_a_picture_shows_comes_back_where_it_was(fit, width, height, data):
    """A bright box goes through preprocessing, its pixels serve as logits, and the mask is the box."""
    left, top = data.draw(st.integers(0, width - 20)), data.draw(st.integers(0, height - 20))
    right, bottom = data.draw(st.integers(left + 15, width)), data.draw(st.integers(top + 15, height))
    box = np.zeros((height, width), np.bool_)
    box[top:bottom, left:right] = True
    spec = Preprocessing(48, 32, "grey", 1, fit)
    seen = pixels(Image.fromarray(box.astype(np.uint8) * 255), spec)[:, :, 0]
    found = mask((seen.astype(np.float32) - 127.5) / 20, (width, height), HALF, spec)
    x, y = np.arange(width) + 0.5, np.arange(height)[:, None] + 0.5
    across, down = width / 32, height / 48  # pixels of the image in one of the network's
    if fit != "stretch":
        across = down = min(across, down) if fit == "crop" else max(across, down)
    shown = np.ones_like(box)
    if fit == "crop":
        shown = (abs(x - width / 2) <= 16 * across) & (abs(y - height / 2) <= 24 * down)
    assert not found[~shown].any()
    # The network's pixels blur the box's edges.
    clear_x = np.minimum(abs(x - left), abs(x - right)) > 1.5 * across + 1
    clear_y = np.minimum(abs(y - top), abs(y - bottom)) > 1.5 * down + 1
    clear = shown & clear_x & clear_y
    assert np.array_equal(found[clear], box[clear])


def test_padding_is_cut_away():
    spec = Preprocessing(40, 40, "grey", 1, "pad")
    logits = np.full((20, 20), 5, np.float32)
    logits[5:15] = -5  # what the image, 40 x 20, is: all that is found is padding
    assert not mask(logits, (40, 20), HALF, spec)[1:-1].any()
    assert mask(-logits, (40, 20), HALF, spec)[1:-1].all()


def test_outside_of_a_crop_is_no_finding():
    found = mask(np.full((10, 10), 5, np.float32), (60, 20), HALF, Preprocessing(20, 20, "rgb", 3, "crop"))
    assert found[:, 20:40].all() and found.sum() == 20 * 20


@given(sides, sides, seeds, st.floats(0, 1))
def test_run_lengths_give_the_mask_back(height, width, seed, share):
    truth = drawn(seed, height, width, share)
    found = of(truth)[1]
    encoded = found.encode()
    assert encoded["size"] == [height, width] and sum(encoded["counts"]) == height * width
    assert all(count > 0 for count in encoded["counts"][1:])
    assert np.array_equal(counted(encoded), truth) and np.array_equal(found.array(), truth)
    assert math.isclose(found.area, truth.mean())


def test_run_lengths_as_coco_writes_them():
    truth = np.array([[0, 1, 1], [0, 1, 0]], np.bool_)
    assert of(truth)[1].encode() == {"size": [2, 3], "counts": [2, 3, 1]}
    assert of(np.ones((2, 3), np.bool_))[1].encode()["counts"] == [0, 6]
    assert of(np.zeros((2, 3), np.bool_))[1].encode()["counts"] == [6]


@given(sides, sides, seeds, st.floats(0, 1))
def test_regions_are_what_a_flood_reaches(height, width, seed, share):
    truth = drawn(seed, height, width, share)
    regions = of(truth)[0]
    assert sorted(((r["pixels"], r["box"]) for r in regions), key=lambda part: (-part[0], part[1])) == flooded(truth)
    assert [r["pixels"] for r in regions] == sorted((r["pixels"] for r in regions), reverse=True)
    for region in regions:
        assert region["label"] == "polyp" and math.isclose(region["area"], region["pixels"] / (height * width))


def test_a_spiral_is_one_region():
    truth = np.zeros((41, 41), np.bool_)
    y, x, turn, size = 0, 0, [(0, 1), (1, 0), (0, -1), (-1, 0)], 40
    for step in range(36):
        for _ in range(size):
            truth[y, x] = True
            y, x = y + turn[step % 4][0], x + turn[step % 4][1]
        size -= 2 if step % 2 and step > 1 else 0
        if size < 2:
            break
    assert [r["pixels"] for r in of(truth)[0]] == [truth.sum()]


@given(sides, sides, seeds, st.floats(0, 0.4))
def test_small_regions_are_dropped_from_all_there_is(height, width, seed, least):
    truth = drawn(seed, height, width, 0.3)
    everything, _ = of(truth)
    regions, found = of(truth, Decision("polyp", 0.5, least))
    assert regions == [region for region in everything if region["pixels"] >= least * height * width]
    assert found.array().sum() == sum(region["pixels"] for region in regions)


@given(seeds, st.floats(0.1, 0.9))
def test_a_regions_score_is_the_mean_over_its_pixels(seed, threshold):
    coarse = np.random.default_rng(seed).normal(0, 3, (4, 4)).astype(np.float32)
    logits = np.asarray(Image.fromarray(coarse).resize((32, 32), Image.Resampling.BICUBIC))
    regions, found = segment(logits, (320, 256), Decision("polyp", threshold, 0.0), Preprocessing(64, 64))
    scores = 1 / (1 + np.exp(-np.asarray(Image.fromarray(logits).resize((320, 256), Image.Resampling.BILINEAR))))
    for region in regions:
        assert threshold - 1e-6 <= region["score"] <= 1
    if regions:
        mean = sum(region["score"] * region["pixels"] for region in regions) / found.array().sum()
        assert math.isclose(mean, scores[found.array()].mean(), abs_tol=0.01)


@pytest.mark.parametrize("size", [(1, 1), (3000, 20), (20, 3000), (1, 90), (640, 480)])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_every_size_has_its_mask(size, fit):
    spec = Preprocessing(24, 24, "rgb", 3, fit)
    full, empty = np.full((12, 12), 3, np.float32), np.full((12, 12), -3, np.float32)
    regions, found = segment(full, size, HALF, spec)
    assert found.array().shape == size[::-1] and len(regions) == 1 and math.isclose(regions[0]["area"], found.area)
    assert fit == "crop" or found.area == 1
    assert math.isclose(regions[0]["score"], 1 / (1 + math.exp(-3)), rel_tol=1e-6)
    regions, found = segment(empty, size, HALF, spec)
    assert regions == [] and found.area == 0 and not found.array().any()


@pytest.mark.parametrize(("threshold", "area"), [(0, 1), (1, 0)])
def test_thresholds_at_the_ends(threshold, area):
    logits = np.array([[-900, 900], [50, 0]], np.float32)
    regions, found = segment(logits, (9, 7), Decision("polyp", threshold, 0.0), Preprocessing(4, 4))
    assert found.area == area and len(regions) == area


def test_speckle_of_every_second_cell():
    truth = np.indices((64, 64)).sum(axis=0) % 2 == 0
    regions, found = segment(np.where(truth, 2, -2).astype(np.float32), (640, 512), HALF, Preprocessing(64, 64))
    assert sum(region["pixels"] for region in regions) == found.array().sum() > 0.4 * 640 * 512
    assert len(of(truth)[0]) == 1  # corners hold it together
    assert len(of(np.kron(np.ones((20, 20)), [[1, 0], [0, 0]]) > 0)[0]) == 400
