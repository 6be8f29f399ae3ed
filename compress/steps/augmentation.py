"""Augmentation: training images changed at random, in batches, as the network reads them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from edge.preprocess import Preprocessing, float_table


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training image; each is drawn again for every image and epoch. A mask moves with its image.

    Attributes:
        flip: mirror left and right in half of the images.
        rotate: degrees, uniform in +-rotate.
        zoom: scale factor uniform in 1 +- zoom.
        shift: share of the image's side, uniform in +-shift, each axis.
        contrast: factor uniform in 1 +- contrast, about mid grey.
        brightness: share of the full range, uniform in +-brightness.
        tint: factor of each colour by itself, uniform in 1 +- tint.
        crop: pixels of black around the image, of which a part of its own size is then taken, by whole pixels.
        erase: share of the image's shorter side; a square of that side, its centre anywhere in the image, is put to
            what the network reads as 0 (cutout: DeVries & Taylor 2017, arXiv 1708.04552). A mask stays as it is.
    """

    flip: bool = False
    rotate: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0
    tint: float = 0.0
    crop: int = 0
    erase: float = 0.0

    def faults(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with the settings."""
        limits = {"rotate": 180, "zoom": 0.9, "shift": 1, "contrast": 1, "brightness": 1, "tint": 1, "erase": 1}
        for name, most in limits.items():
            if not 0 <= getattr(self, name) <= most:
                yield name, getattr(self, name), f"0 to {most}"


def to_input(pixels: Tensor, spec: Preprocessing) -> Tensor:
    """Return float32 (N, channels, H, W) from uint8 (N, H, W, channels): what the network reads on the device."""
    table = torch.from_numpy(float_table(spec)).to(pixels.device)
    channels = pixels.shape[3]
    columns = [table[:, c][pixels[..., min(c, channels - 1)].int()] for c in range(spec.channels)]
    return torch.stack(columns, 1).contiguous(memory_format=torch.channels_last)


def augmented(
    pixels: Tensor, masks: Tensor | None, spec: Preprocessing, a: Augmentation, size: int = 0
) -> tuple[Tensor, Tensor | None]:
    """Return a batch, changed at random and resampled, as the network reads it: float32 (N, channels, side, side).

    Second, the masks that moved with it, float32 (N, masks of each, side, side), 0..1; None without masks.

    Args:
        pixels: uint8 (N, H, W, channels). masks: uint8 (N, H, W) or (N, masks of each, H, W), 0..255.
        size: side of what is returned; 0 keeps H and W.
    """
    if a.erase:
        x, moved = augmented(pixels, masks, spec, replace(a, erase=0.0), size)
        return _erased(x, a.erase), moved
    if a.crop:
        pixels, masks = _cropped(pixels, masks, a.crop, a.flip)
        a = replace(a, crop=0, flip=False)
        if masks is None and not size and a == Augmentation():
            return to_input(pixels, spec), None  # nothing is left to resample
    n, channels = len(pixels), pixels.shape[3]
    x = pixels if masks is None else torch.cat([pixels, _last(masks)], 3)
    x = x.permute(0, 3, 1, 2).float() / 255
    where = x.device

    def uniform(reach: float, count: int = 1) -> Tensor:
        return (torch.rand(n * count, device=where) * 2 - 1) * reach

    angle, scale = uniform(math.radians(a.rotate)), 1 + uniform(a.zoom)
    mirror = torch.where(torch.rand(n, device=where) < (0.5 if a.flip else 0.0), -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    tall = x.shape[2] / x.shape[3]  # grid coordinates run from -1 to 1 along both sides, whatever their lengths
    rows = [cos * mirror, -sin * tall, uniform(2 * a.shift), sin * mirror / tall, cos, uniform(2 * a.shift)]
    side = (size, size) if size else x.shape[2:]
    if side[0] < x.shape[2]:
        x = F.interpolate(x, size=side, mode="bilinear", antialias=True, align_corners=False)
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, x.shape[1], *side], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    moved = None if masks is None else x[:, channels:]
    x = (
        (x[:, :channels] - 0.5) * (1 + uniform(a.contrast)).view(n, 1, 1, 1)
        + 0.5
        + uniform(a.brightness).view(n, 1, 1, 1)
    )
    if a.tint:
        x = x * (1 + uniform(a.tint, channels)).view(n, channels, 1, 1)
    x = x.clamp(0, 1).expand(-1, spec.channels, -1, -1)
    mean = torch.tensor(spec.mean, device=where).view(1, -1, 1, 1)
    std = torch.tensor(spec.std, device=where).view(1, -1, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last), moved


def _erased(x: Tensor, share: float) -> Tensor:
    n, _, height, width = x.shape
    side = share * min(height, width)

    def covered(length: int) -> Tensor:
        begin = torch.rand(n, 1, device=x.device) * length - side / 2
        centres = torch.arange(length, device=x.device) + 0.5
        return (begin <= centres) & (centres < begin + side)

    return x.masked_fill_(covered(height)[:, None, :, None] & covered(width)[:, None, None, :], 0)


def _cropped(pixels: Tensor, masks: Tensor | None, border: int, flip: bool) -> tuple[Tensor, Tensor | None]:
    """Return each image (and mask) as it is seen through a window that was moved by up to `border` pixels."""
    where, (n, height, width) = pixels.device, pixels.shape[:3]
    top, left = torch.randint(2 * border + 1, (2, n, 1), device=where)
    rows, columns = top + torch.arange(height, device=where), left + torch.arange(width, device=where)
    if flip:
        columns = torch.where(torch.rand(n, 1, device=where) < 0.5, columns.flip(1), columns)
    places = torch.arange(n, device=where)[:, None, None], rows[:, :, None], columns[:, None, :]
    around = (border, border, border, border)
    moved = None if masks is None else F.pad(_last(masks), (0, 0, *around))[places].permute(0, 3, 1, 2)
    return F.pad(pixels, (0, 0, *around))[places], moved


def _last(masks: Tensor) -> Tensor:
    """Return masks (N, H, W) or (N, masks of each, H, W) as (N, H, W, masks of each)."""
    return masks[..., None] if masks.ndim == 3 else masks.permute(0, 2, 3, 1)
