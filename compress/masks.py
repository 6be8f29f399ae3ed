"""Folders of pictures with masks: `ROOT/images/NAME.jpg` beside `ROOT/masks/NAME.png`, any picture format, same stem.

Kvasir-SEG (Jha et al. 2020) is published so; CVC-ClinicDB's pair of folders is read alike once they are called images
and masks. A mask is white where the thing is. JPEG masks have grey rims: half of the full range divides.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from compress.data import DataSet, Entry, Split, digest, divide, hold_names
from compress.task import Task
from edge import image as images
from edge.errors import EdgeError
from edge.preprocess import Preprocessing, pixels

HALF = 128
PARTS = ("train", "val", "test")


def load_masks(
    task: Task,
    root: Path,
    how: Preprocessing,
    label: str,
    validation: float = 0.1,
    test: float = 0.1,
    group: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> DataSet:
    """Read `root/images` and `root/masks`; or the two in `root/train` and, where they exist, `root/test`, `root/val`.

    Args:
        label: what the masks show.
        validation, test: shares that are set aside where they have no folder, first `test` of all, then `validation` of
            the rest; which images go is decided by a hash of their names, the same on any machine.
        group: regular expression whose match in a file's name says to which patient (or video) it belongs; these are
            never divided.

    Raises EdgeError for a missing folder, an image without a mask or the other way round, a mask of another size than
    its image, one that is grey only, an unreadable file, or a part whose masks are all empty.
    """
    if not root.is_dir():
        raise EdgeError(f"data folder {root} does not exist: expected a folder with images/ and masks/; check --data")
    parts: dict[str, list[Entry]]
    given: set[str] = set()  # parts that have a folder
    if (root / "images").is_dir():
        if divided := [part for part in PARTS if (root / part).is_dir()]:
            raise EdgeError(
                f"{root} has the folders images and {', '.join(divided)}: expected either images/ and masks/, or that "
                "pair in train/, val/ and test/; move one of them away"
            )
        partners = _pairs(root, "")
        if len(partners) < len(PARTS):
            raise EdgeError(
                f"{root / 'images'} has {len(partners)} pictures: expected at least {len(PARTS)}, to train, to "
                "validate and to test; add some"
            )
        rest, tested = divide(_entries(partners), test, group)
        train, val = divide(rest, validation, group)
        parts = {"train": train, "val": val, "test": tested}
    elif (root / "train").is_dir():
        pairs = {part: _pairs(root, f"{part}/") for part in PARTS if (root / part).is_dir()}
        partners = {image: mask for found in pairs.values() for image, mask in found.items()}
        parts = {part: _entries(found) for part, found in pairs.items()}
        given = set(parts)
        if "test" not in parts:
            parts["train"], parts["test"] = divide(parts["train"], test, group)
        if "val" not in parts:
            parts["train"], parts["val"] = divide(parts["train"], validation, group)
    else:
        raise EdgeError(f"{root} has no folder 'images' and no folder 'train': expected images/ and masks/ in {root}")
    progress(f"reading {sum(map(len, parts.values()))} images and their masks from {root}")
    splits = {part: _read(root, entries, partners, label, how, part != "train") for part, entries in parts.items()}
    for part, split in splits.items():
        if not split.truth.any():
            raise EdgeError(
                f"{root} has no mask that shows {label} among the {len(split)} of the part {part}: expected white "
                "there (128 to 255), black elsewhere; export them again, or add some that do"
            )
    empty = {part: int(sum(not mask.any() for mask in split.truth)) for part, split in splits.items()}
    summary: dict[str, object] = {
        "labels": [label],
        "validation": "folder val" if "val" in given else f"{validation:g} of the images that are not tested",
        "divided_by": group or "image",
        "test": "folder test" if "test" in given else f"{test:g} of all images",
        "counts": {part: [len(split)] for part, split in splits.items()},
        "empty_masks": empty,
        "digest": digest(splits),
    }
    return DataSet(task, how, (label,), splits["train"], splits["val"], splits["test"], summary)


def _pairs(root: Path, part: str) -> dict[str, str]:
    """Return image -> mask under `root/part`, relative to the root; every file must have its partner."""
    names = {kind: _stems(root, f"{part}{kind}") for kind in ("images", "masks")}
    for kind, other in (("images", "masks"), ("masks", "images")):
        if alone := sorted(names[kind].keys() - names[other].keys()):
            more = f" (and {len(alone) - 1} more)" if len(alone) > 1 else ""
            raise EdgeError(
                f"{root / names[kind][alone[0]]} has no partner in {root / part / other}{more}: expected a file of the "
                f"same stem there, {alone[0]}.png for example; add it, or remove the file"
            )
    return {path: names["masks"][stem] for stem, path in sorted(names["images"].items())}


def _entries(partners: dict[str, str]) -> list[Entry]:
    return [(image, 0) for image in partners]


def _stems(root: Path, folder: str) -> dict[str, str]:
    """Return stem -> path relative to the root of the folder's pictures."""
    if not (root / folder).is_dir():
        raise EdgeError(f"{root / folder} does not exist: expected the folders images and masks side by side")
    found: dict[str, str] = {}
    every = sorted(entry.name for entry in os.scandir(root / folder) if not entry.name.startswith("."))
    names = [name for name in every if name.lower().endswith(images.SUFFIXES)]
    hold_names(root / folder, names)
    for name in names:
        stem = os.path.splitext(name)[0]
        if stem in found:
            raise EdgeError(f"{root / folder} has {found[stem].rsplit('/', 1)[1]} and {name}: expected one; remove one")
        found[stem] = f"{folder}/{name}"
    if not found:
        raise EdgeError(f"{root / folder} has no images: expected files that end in {', '.join(images.SUFFIXES)}")
    return found


def _read(
    root: Path, entries: list[Entry], partners: dict[str, str], label: str, how: Preprocessing, whole: bool
) -> Split:
    flat = replace(how, color="grey", channels=1, mean=(0.0,), std=(1.0,))

    def one(entry: Entry) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        picture = images.read(root / entry[0], how)
        partner = root / partners[entry[0]]
        drawn = images.read(partner).image.convert("L")
        if drawn.size != picture.size:
            raise EdgeError(
                f"{partner} is {drawn.size[0]}x{drawn.size[1]} and its image {picture.size[0]}x{picture.size[1]}: "
                "expected a mask of the image's size; export it again"
            )
        mask = np.asarray(drawn) >= HALF
        if not mask.any() and (brightest := drawn.getextrema()[1]):
            raise EdgeError(
                f"{partner} has {brightest} as its brightest pixel: expected 128 to 255 where {label} is, and black "
                "all over where it is not; export it again"
            )
        coverage = pixels(Image.fromarray(mask.astype(np.uint8) * 255), flat)[:, :, 0]
        return pixels(picture, how), coverage, mask if whole else None

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # decoders release the interpreter's lock
        rows = list(pool.map(one, entries))
    return Split(
        np.stack([row[0] for row in rows]),
        np.stack([row[1] for row in rows]),
        tuple(name for name, _ in entries),
        tuple(row[2] for row in rows if row[2] is not None),
    )
