"""Whether grey values are a drawing in black and white, with soft rims where it was resampled or compressed, or labels.

Resampling makes grey along the border of black and white. JPEG adds noise in the 8x8 blocks that the border goes
through, and may move the value of all blocks that have none by one or two. Labels are grey where no border is, or in
flat areas.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

EIGHTH = 8  # black and white reach an eighth of the full range inwards
FEW = 4  # grey values, up to which a lossless drawing counts as resampled at most
RIM, NOISE = 2, 8  # pixels from both black and white within which resampling, and noise, are explained
FLAT, EVEN = 4, 6  # a block of so many pixels, whose values differ by no more than this, is an area and no rim
SHIFT = 7  # the highest value that JPEG makes of black all over


class Levels(NamedTuple):
    """Grey values (H, W), unsigned; the highest one of their type; whether they are exact only about."""

    values: np.ndarray
    full: int
    lossy: bool


def divided(levels: Levels, void: np.ndarray) -> np.ndarray | None:
    """Return bool (H, W), true from half of the full range on; None where the values are not black and white.

    Pixels of `void`, bool (H, W), are not looked at and false.
    """
    values, full = levels.values, levels.full
    seen = ~void
    half = (values >= (full + 1) // 2) & seen
    inner = seen & (values != 0) & (values != full)
    if not inner.any():
        return half
    low, high = full // EIGHTH, full - full // EIGHTH
    dark, bright = seen & (values <= low), seen & (values >= high)
    if not bright.any():  # black all over, or labels
        return half if levels.lossy and values[seen].max() <= SHIFT and np.ptp(values[seen]) == 0 else None
    middle = seen & ~dark & ~bright
    kinds = np.count_nonzero(np.bincount(values[inner]))
    few = not levels.lossy and kinds <= FEW
    if not few:  # what JPEG made of black and of white
        inner = middle | (dark & (values != _usual(values[dark]))) | (bright & (values != _usual(values[bright])))
    # What makes noise in black makes it in white as well, unless there is hardly any of it.
    one_sided = not middle.any() and (inner & dark).any() != (inner & bright).any()
    if one_sided and (not levels.lossy or _flat(values, inner & dark, FLAT, 0)):
        return None
    if 3 * np.count_nonzero(middle) > np.count_nonzero(seen):
        return None
    if _flat(values, middle, 2 if few else FLAT, 0 if few else EVEN * (full + 1) // 256):
        return None
    reach = RIM if few else NOISE
    alone = inner & ~(_grown(dark, reach) & _grown(bright, reach))
    if few:
        return None if (alone if kinds == 1 else alone & ~middle).any() else half
    return None if _flat(values, alone, FLAT, 0) else half


def _usual(values: np.ndarray) -> int:
    """Return the most frequent value; 0 where there is none."""
    return int(np.bincount(values).argmax()) if len(values) else 0


def _flat(values: np.ndarray, where: np.ndarray, side: int, even: int) -> bool:
    """Return whether a square of `side` pixels lies in `where`, whose values differ by `even` at most."""
    if min(values.shape) < side or not where.any():
        return False
    least, most, inside = values.astype(np.int32), values.astype(np.int32), where
    for axis in (0, 1):
        least, most, inside = (
            _windows(array, side, axis, take)
            for array, take in ((least, np.minimum), (most, np.maximum), (inside, np.logical_and))
        )
    return bool((inside & (most - least <= even)).any())


def _windows(array: np.ndarray, side: int, axis: int, take: np.ufunc) -> np.ndarray:
    """Return `take` over each run of `side` along `axis`; taking a value twice must change nothing."""
    result, run = np.moveaxis(array, axis, 0), 1
    while run < side:
        step = min(run, side - run)
        result, run = take(result[:-step], result[step:]), run + step
    return np.moveaxis(result, 0, axis)


def _grown(where: np.ndarray, reach: int) -> np.ndarray:
    """Return where a square of 2 reach + 1 pixels about a pixel touches `where`."""
    padded = np.pad(where, reach)
    for axis in (0, 1):
        padded = _windows(padded, 2 * reach + 1, axis, np.logical_or)
    return padded
