"""Phantoms, chest X-rays and the inside of a colon: drawn by formula, nobody's body.

They stand in where no patient's image may be: in the demonstration, in tests, and as golden images inside model
files. They are honest about it - a network that tells phantoms apart has learned nothing about lungs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

CLASSES = ("clear", "opacity")


def phantom(seed: int, opacity: bool, size: int = 224) -> np.ndarray:
    """Return uint8 (size, size): a thorax with two lungs, ribs, spine, heart and noise.

    With `opacity`, soft bright patches lie in a lung. Deterministic in (seed, opacity, size). Anatomy varies with the
    seed alone, so the two classes differ by nothing else.
    """
    anatomy = np.random.default_rng((seed, 1))
    n = 256

    def vary(reach: float) -> float:
        return float(anatomy.uniform(-reach, reach))

    base = Image.new("L", (n, n), 8)
    draw = ImageDraw.Draw(base)
    middle = n / 2 + vary(8)
    width, top, bottom = 108 + vary(10), 20 + vary(10), n + 40
    draw.ellipse([middle - width, top - 10, middle + width, bottom + 60], fill=int(128 + vary(18)))
    lungs = []
    for side in (-1, 1):
        center = middle + side * (50 + vary(5))
        half, upper, lower = 31 + vary(4), top + 18 + vary(6), 206 + vary(12)
        lungs.append((center, half, upper, lower))
        draw.ellipse([center - half, upper, center + half, lower], fill=int(52 + vary(10)))
    draw.rectangle([middle - 9, 0, middle + 9, n], fill=int(168 + vary(12)))
    draw.ellipse([middle - 16, 120 + vary(8), middle + 50 + vary(8), 202 + vary(8)], fill=int(164 + vary(12)))
    picture = np.asarray(base.filter(ImageFilter.GaussianBlur(4)), np.float64)

    y, x = np.mgrid[0:n, 0:n]
    spacing, tilt = 21 + vary(2), 0.0016 + vary(0.0004)
    wave = np.sin(2 * np.pi * (y + tilt * (x - middle) ** 2 * 6 + vary(10)) / spacing)
    body = ((x - middle) / width) ** 2 < 0.8
    picture += 13 * np.clip(wave, 0, 1) ** 2 * body
    if opacity:
        patches = np.random.default_rng((seed, 2))
        center, half, upper, lower = lungs[int(patches.integers(2))]
        for _ in range(int(patches.integers(2, 5))):
            cx = center + patches.uniform(-0.4, 0.4) * half
            cy = upper + patches.uniform(0.2, 0.7) * (lower - upper)
            reach = patches.uniform(12, 22)
            blob = np.exp(-(((x - cx) / reach) ** 2 + ((y - cy) / (reach * patches.uniform(0.7, 1.3))) ** 2))
            picture += patches.uniform(55, 90) * blob
    grain = anatomy.normal(0, 5, (n, n))
    picture = (picture + grain) * (1 + vary(0.1)) + vary(8)
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))


def colon(seed: int, polyp: bool, size: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 (size, size, 3) and bool (size, size): a phantom of the inside of a colon, and its polyp's mask.

    Pink folds around a dark lumen, with highlights; a polyp is a rounder, redder, brighter bulge. Deterministic in
    (seed, polyp, size).
    """
    scene = np.random.default_rng((seed, 3))
    y, x = np.mgrid[0:size, 0:size] / size
    lumen = scene.uniform(0.25, 0.75, 2)
    far = np.hypot(x - lumen[0], y - lumen[1])
    angle = np.arctan2(y - lumen[1], x - lumen[0])
    folds = np.sin(far * scene.uniform(25, 45) + 0.6 * np.sin(3 * angle + scene.uniform(0, 6)))
    light = 0.25 + 0.75 * np.clip(far * 2.2, 0, 1) + 0.07 * folds
    color = np.array([200, 110, 90]) + scene.uniform(-20, 20, 3)
    mask = np.zeros((size, size), bool)
    picture = light[..., None] * color
    if polyp:
        lump = np.random.default_rng((seed, 4))
        cx, cy, turn = lump.uniform(0.25, 0.75), lump.uniform(0.25, 0.75), lump.uniform(0, np.pi)
        long, short = lump.uniform(0.1, 0.25), lump.uniform(0.08, 0.16)
        u = (x - cx) * np.cos(turn) + (y - cy) * np.sin(turn)
        v = (y - cy) * np.cos(turn) - (x - cx) * np.sin(turn)
        inside = 1 - (u / long) ** 2 - (v / short) ** 2
        mask = inside > 0
        dome = np.sqrt(np.clip(inside, 0, 1))
        bump = (0.55 + 0.45 * dome)[..., None] * (np.array([235, 90, 85]) + lump.uniform(-15, 15, 3))
        picture = np.where(mask[..., None], bump, picture)
    for _ in range(int(scene.integers(2, 6))):
        hx, hy, reach = scene.uniform(0, 1), scene.uniform(0, 1), scene.uniform(0.005, 0.02)
        picture += 150 * np.exp(-(((x - hx) / reach) ** 2 + ((y - hy) / reach) ** 2))[..., None]
    picture += scene.normal(0, 4, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), mask


def write_folder(
    root: Path, train: int, test: int, size: int = 224, progress: Callable[[str], None] = lambda text: None
) -> None:
    """Write `root/{train,test}/{clear,opacity}/*.png` with that many images of each class; files that exist stay.

    No seed occurs twice, also when the folder is filled up later: a test phantom shares its anatomy with no training
    one, nor with the other class.
    """
    parts = (("train", train), ("test", test))
    for place, (part, count) in enumerate(parts):
        for kind, name in enumerate(CLASSES):
            folder = root / part / name
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                seed = 1 + kind + len(CLASSES) * (place + len(parts) * number)
                path = folder / f"phantom{seed:05d}.png"
                if path.exists():
                    continue
                beside = folder / f".{path.name}.part"
                Image.fromarray(phantom(seed, name == "opacity", size)).save(beside, format="PNG")
                beside.rename(path)
                progress(f"drawing phantoms: {part}/{name} {number + 1}/{count}")
