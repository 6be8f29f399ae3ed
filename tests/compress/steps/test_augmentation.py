from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from compress.steps.augmentation import Augmentation, augmented, to_input
from edge.preprocess import Preprocessing

HOW = Preprocessing(16, 16, "grey", 3, mean=(0.5, 0.4, 0.3), std=(0.25, 0.5, 1.0))
PLAIN = Preprocessing(32, 32, "grey", 1)  # the network reads pixel / 255
COLOUR = Preprocessing(32, 32, "rgb", 3)


def noise(count: int, side: int, planes: int = 1, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, side, side, planes), np.uint8))


def test_to_input_is_the_manifests_formula() -> None:
    pixels = noise(3, 16)
    expected = np.stack([(pixels[..., 0].numpy() / 255 - m) / s for m, s in zip(HOW.mean, HOW.std, strict=True)], 1)
    np.testing.assert_allclose(to_input(pixels, HOW).numpy(), expected, rtol=1e-6, atol=1e-6)


def test_to_input_keeps_the_planes_of_a_colour_picture_apart() -> None:
    pixels = noise(2, 16, planes=3)
    spec = Preprocessing(16, 16, "rgb", 3)
    expected = pixels.numpy().transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(to_input(pixels, spec).numpy(), expected, rtol=1e-6)


def test_no_augmentation_is_what_the_device_reads() -> None:
    pixels = noise(4, 16)
    torch.testing.assert_close(
        augmented(pixels, None, HOW, Augmentation())[0], to_input(pixels, HOW), rtol=1e-4, atol=1e-4
    )


def test_a_smaller_size_is_the_mean_of_the_pixels_it_covers() -> None:
    pixels = torch.full((2, 32, 32, 1), 51, dtype=torch.uint8)
    x = augmented(pixels, None, PLAIN, Augmentation(), 16)[0]
    torch.testing.assert_close(x, torch.full((2, 1, 16, 16), 0.2), rtol=1e-4, atol=1e-4)


def dot(row: int, column: int, count: int = 64) -> Tensor:
    """One bright spot of 3x3 pixels on black."""
    pixels = torch.zeros(count, 32, 32, 1, dtype=torch.uint8)
    pixels[:, row - 1 : row + 2, column - 1 : column + 2] = 255
    return pixels


def places(x: Tensor) -> np.ndarray:
    """Where the spot is in each image, (N, 2): down and right of the image's middle."""
    axis = torch.arange(32) - 15.5
    weight = x[:, 0].double()
    total = weight.sum((1, 2))
    down = (weight * axis[:, None]).sum((1, 2)) / total
    right = (weight * axis[None, :]).sum((1, 2)) / total
    return torch.stack([down, right], 1).numpy()


def moved(augment: Augmentation, row: int = 12, column: int = 22) -> np.ndarray:
    torch.manual_seed(0)
    return places(augmented(dot(row, column), None, PLAIN, augment)[0])


def test_flip_mirrors_half_of_the_pictures() -> None:
    found = moved(Augmentation(flip=True))
    np.testing.assert_allclose(found[:, 0], -3.5, atol=1e-3)
    np.testing.assert_allclose(np.abs(found[:, 1]), 6.5, atol=1e-3)
    assert 16 < (found[:, 1] < 0).sum() < 48


def test_shift_moves_by_a_share_of_the_side() -> None:
    distance = moved(Augmentation(shift=0.125)) - (-3.5, 6.5)
    assert np.abs(distance).max() <= 4 + 1e-3
    for axis in (0, 1):
        assert distance[:, axis].min() < -3
        assert distance[:, axis].max() > 3
    assert abs(np.corrcoef(distance.T)[0, 1]) < 0.5


def test_rotation_turns_about_the_middle() -> None:
    found = moved(Augmentation(rotate=20))
    np.testing.assert_allclose(np.hypot(*found.T), math.hypot(3.5, 6.5), atol=0.3)
    turned = np.degrees(np.arctan2(found[:, 0], found[:, 1]) - math.atan2(-3.5, 6.5))
    assert np.abs(turned).max() < 21
    assert turned.min() < -15
    assert turned.max() > 15


def test_zoom_moves_along_the_ray_from_the_middle() -> None:
    found = moved(Augmentation(zoom=0.2))
    factor = found / (-3.5, 6.5)
    np.testing.assert_allclose(factor[:, 0], factor[:, 1], atol=0.1)
    assert factor.min() > 1 / 1.2 - 0.05
    assert factor.max() < 1 / 0.8 + 0.05
    assert factor.max() - factor.min() > 0.25


def test_contrast_and_brightness_change_the_values_as_they_say() -> None:
    pixels = torch.full((64, 32, 32, 1), 153, dtype=torch.uint8)  # 0.6
    torch.manual_seed(0)
    brighter = augmented(pixels, None, PLAIN, Augmentation(brightness=0.2))[0][:, 0, 16, 16]
    assert 0.4 <= brighter.min() < 0.45
    assert 0.75 < brighter.max() <= 0.8
    contrast = augmented(pixels, None, PLAIN, Augmentation(contrast=0.5))[0][:, 0, 16, 16]
    assert 0.55 <= contrast.min() < 0.56
    assert 0.64 < contrast.max() <= 0.65


def test_a_mask_moves_with_its_picture() -> None:
    torch.manual_seed(0)
    pixels = dot(12, 22)
    everything = Augmentation(flip=True, rotate=180, zoom=0.2, shift=0.1, contrast=0.3, brightness=0.1)
    x, mask = augmented(pixels, pixels[..., 0], PLAIN, everything)
    assert mask is not None
    assert mask.shape == (64, 1, 32, 32)
    assert mask.min() >= 0 and mask.max() <= 1
    seen = mask.flatten(1).amax(1) > 0.5  # some spots leave the image
    assert 32 < seen.sum() < 65
    bright = places((x - x.amin((2, 3), keepdim=True))[seen])  # contrast and brightness lift the ground
    np.testing.assert_allclose(places(mask[seen]), bright, atol=0.15)


def test_a_mask_is_resampled_like_its_picture() -> None:
    pixels = noise(2, 32)
    x, mask = augmented(pixels, pixels[..., 0], PLAIN, Augmentation(), 16)
    assert mask is not None
    torch.testing.assert_close(x, mask, rtol=1e-4, atol=1e-4)


def test_tint_changes_each_colour_by_itself() -> None:
    torch.manual_seed(0)
    pixels = torch.full((64, 8, 8, 3), 102, dtype=torch.uint8)  # 0.4
    x = augmented(pixels, None, COLOUR, Augmentation(tint=0.25))[0][:, :, 4, 4].numpy()
    assert 0.3 <= x.min() < 0.31
    assert 0.49 < x.max() <= 0.5
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.5


def test_a_crop_is_the_picture_seen_through_a_window_moved_by_whole_pixels() -> None:
    torch.manual_seed(0)
    pixels = noise(64, 32, planes=3) | 1  # nothing in it is as black as what lies around
    x = augmented(pixels, None, COLOUR, Augmentation(crop=4))[0]
    assert x.is_contiguous(memory_format=torch.channels_last)
    around = np.pad(pixels.numpy(), ((0, 0), (4, 4), (4, 4), (0, 0)))
    seen = set()
    for picture, found in zip(around, (x.permute(0, 2, 3, 1) * 255).round().numpy(), strict=True):
        fits = [
            (top, left)
            for top in range(9)
            for left in range(9)
            if (picture[top : top + 32, left : left + 32] == found).all()
        ]
        assert len(fits) == 1
        seen.update(fits)
    assert {top for top, _ in seen} == {left for _, left in seen} == set(range(9))


def test_a_crop_and_a_flip_are_drawn_for_each_picture() -> None:
    torch.manual_seed(0)
    found = places(augmented(dot(12, 22, 400), None, PLAIN, Augmentation(flip=True, crop=4))[0])
    mirrored = found[:, 1] < 0
    assert 150 < mirrored.sum() < 250
    assert np.abs(found[:, 0] + 3.5).max() <= 4 + 1e-3
    assert np.abs(np.abs(found[:, 1]) - 6.5).max() <= 4 + 1e-3
    assert abs(np.corrcoef(mirrored, found[:, 0])[0, 1]) < 0.2


@pytest.mark.parametrize("augment", [Augmentation(erase=0.25), Augmentation(flip=True, erase=0.25)])
def test_a_square_is_erased_with_its_centre_anywhere(augment: Augmentation) -> None:
    torch.manual_seed(0)
    pixels = torch.full((400, 32, 32, 3), 200, dtype=torch.uint8)
    spec = replace(COLOUR, mean=(0.5,), std=(0.25,))
    x = augmented(pixels, None, spec, augment)[0]
    gone = (x == 0).numpy()  # of what is 200 nothing is read as 0
    assert (gone == gone[:, :1]).all()
    rows, columns = gone[:, 0].any(2), gone[:, 0].any(1)
    assert (gone[:, 0] == rows[:, :, None] & columns[:, None, :]).all()
    assert rows.sum(1).max() == columns.sum(1).max() == 8
    for line in (rows, columns):
        whole = line.sum(1) == 8
        assert 0.65 < whole.mean() < 0.85  # centres are spread evenly: 24 or 25 of 32 squares lie inside
        assert set(line[whole].argmax(1)) == set(range(25))
    assert abs(np.corrcoef(rows.argmax(1), columns.argmax(1))[0, 1]) < 0.2
    left = augmented(pixels, None, spec, Augmentation())[0]
    torch.testing.assert_close(x[~torch.from_numpy(gone)], left[~torch.from_numpy(gone)], rtol=1e-4, atol=1e-4)


def test_erased_pictures_are_cropped_too() -> None:
    torch.manual_seed(0)
    pixels = noise(32, 32, planes=3) | 1
    x = augmented(pixels, None, COLOUR, Augmentation(crop=4, erase=0.5))[0]
    assert x.is_contiguous(memory_format=torch.channels_last)
    torch.manual_seed(0)
    cropped = augmented(pixels, None, COLOUR, Augmentation(crop=4))[0]
    torch.testing.assert_close(x, torch.where(x == 0, 0, cropped))
    black = [float((picture == 0).float().mean()) for picture in (cropped, x)]
    assert black[0] < 0.2 and black[1] > black[0] + 0.1  # a border of the crop; a quarter, less what lies outside


def test_a_mask_is_not_erased() -> None:
    pixels = noise(16, 32)
    x, mask = augmented(pixels, pixels[..., 0], PLAIN, Augmentation(erase=0.5))
    assert mask is not None and (x - mask).abs().max() > 0.5
    torch.testing.assert_close(mask[:, 0], pixels[..., 0] / 255, rtol=1e-4, atol=1e-4)


def test_a_mask_is_cropped_with_its_picture() -> None:
    torch.manual_seed(0)
    pixels = noise(16, 32)
    for augment in (Augmentation(crop=4), Augmentation(crop=3, flip=True, rotate=90, zoom=0.1)):
        x, mask = augmented(pixels, pixels[..., 0], PLAIN, augment)
        assert mask is not None
        torch.testing.assert_close(x, mask, rtol=1e-4, atol=1e-4)
