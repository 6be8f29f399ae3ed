"""Folders of images with masks: `ROOT/images/NAME.jpg` beside `ROOT/masks/NAME.png`, any image format, same stem.

Kvasir-SEG (Jha et al. 2020) is published so; CVC-ClinicDB's pair of folders is read alike once they are called images
and masks. A mask is white where the thing is, or a recipe names the values that are: `compress.data.mask_values`.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from compress.data.division import Entry, divide
from compress.data.folder import PARTS, said
from compress.data.independence import NOTHING, Allowed, check_copies, check_patients, copies
from compress.data.mask_values import BLACK_AND_WHITE, Meaning, Values, meaning, stored, unclear, values_in_words
from compress.data.reading import Read, attempted, equal, files, seen, some, strays, together, warned
from compress.data.split import DataSet, Objective, Split, digest
from edge import image as images
from edge.errors import EdgeError
from edge.files import read_image
from edge.preprocess import Preprocessing, pixels
from edge.readers import exif

NO_PIXELS = np.zeros((0, 0), bool)


class Drawn(NamedTuple):
    """An image with its mask.

    Attributes:
        path: of the image, relative to the data set's folder.
        image: as the network reads it.
        coverage, void: uint8 (height, width), 0 to 255, the share of each of its pixels that is the thing, and that is
            not labelled; None for none.
        shape: (H, W) of the mask.
        mask, unlabelled: the mask in its own size, and what is not labelled, eight pixels in a byte.
        kind: how the mask is stored, in words.
        meaning: where something speaks against it, what the mask says.
        found: stored values of the background, or all.
    """

    path: str
    image: Read
    coverage: np.ndarray
    void: np.ndarray | None
    shape: tuple[int, int]
    mask: np.ndarray
    unlabelled: np.ndarray
    kind: str
    meaning: Meaning | None
    found: Counter[str]


def load_masks(
    task: Objective,
    root: Path,
    spec: Preprocessing,
    label: str,
    validation: float = 0.1,
    test: float = 0.1,
    group: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
    allowed: Allowed = NOTHING,
    values: Values = BLACK_AND_WHITE,
) -> DataSet:
    """Read `root/images` and `root/masks`; or the two in `root/train` and, where they exist, `root/test`, `root/val`.

    Args:
        label: what the masks show.
        validation, test: shares that are set aside where they have no folder, first `test` of all, then `validation` of
            the rest; which images go is decided by a hash of their names, the same on any machine.
        group: regular expression whose match in a file's path below its folder says to which patient (or video) it
            belongs; these are never divided, nor are equal images.
        values: what the masks' pixels mean.

    Images whose masks have no labelled pixel are left out, and counted.

    Raises EdgeError for a missing folder, an image without a mask or the other way round, files that can't be read and
    masks of another size than their image (all at once), masks that can't be read for certain (all at once), a part
    whose masks are all empty, and equal images or patients on both sides that `allowed` does not allow.
    """
    left_out: Counter[str] = Counter()
    folders, partners = _folders(root, left_out)
    found = check_patients(root, folders, group, allowed)
    _divided(folders, validation, test, group, ())  # what can't be divided shows before anything is read
    every = [entry for entries in folders.values() for entry in entries]
    progress(f"reading {len(every)} images and their masks from {root}")
    drawn = {row.path: row for row in _read(root, every, partners, spec, values)}
    warnings = warned({path: row.image for path, row in drawn.items()})
    same = copies(equal(root, {path: row.image for path, row in drawn.items()}, spec))
    folders, unlabelled = _labelled(root, folders, drawn)
    parts = _divided(folders, validation, test, group, [] if allowed.duplicates else same)
    truth = {path: hashlib.sha256(bytes(row.mask)).digest() for path, row in drawn.items()}
    found |= check_copies(root, parts, same, truth, allowed)
    for part, entries in parts.items():
        _check_shown(root, part, [drawn[entry.path] for entry in entries], label, values)
    full = {part: sum(_is_full(drawn[entry.path]) for entry in entries) for part, entries in parts.items()}
    if sum(full.values()) == sum(map(len, parts.values())):
        raise EdgeError(
            f"{root} has only masks that show {label} all over: expected some that show where it is not; export them "
            "again"
        )
    background = sorted({value for row in drawn.values() for value in row.found}, key=lambda value: (len(value), value))
    ignored = float(np.mean([0 if row.void is None else row.void.mean() / 255 for row in drawn.values()]))
    splits = {part: _split(entries, drawn, part != "train", bool(values.ignore)) for part, entries in parts.items()}
    summary: dict[str, object] = {
        "labels": [label],
        "validation": "folder val" if "val" in folders else f"{validation:g} of the images that are not tested",
        "divided_by": group or "image",
        "test": "folder test" if "test" in folders else f"{test:g} of all images",
        "counts": {part: [len(split)] for part, split in splits.items()},
        "empty_masks": {part: _empty(split) for part, split in splits.items()},
        "digest": digest(splits),
    }
    named = {"foreground": list(values.foreground), "ignore": list(values.ignore), "ignored": round(ignored, 6)}
    remarkable: dict[str, object] = {
        "independence": found,
        "mask_values": named | {"background": background[:20] if values.foreground else []},
        "full_masks": {part: count for part, count in full.items() if count},
        "unlabelled_images": unlabelled,
        "warnings": warnings,
        "left_out": dict(left_out),
    }
    if values == BLACK_AND_WHITE:
        del remarkable["mask_values"]
    summary |= said(remarkable, progress)
    return DataSet(task, spec, (label,), splits["train"], splits["val"], splits["test"], summary)


Folders = dict[str, list[Entry]]  # "" for images that nobody has divided, else train and what there is of val and test


def _folders(root: Path, left_out: Counter[str]) -> tuple[Folders, dict[str, str]]:
    """Return what lies in each folder, and image -> mask."""
    if not root.is_dir():
        raise EdgeError(f"data folder {root} does not exist: expected a folder with images/ and masks/; check --data")
    if (root / "images").is_dir():
        if divided := [part for part in PARTS if (root / part).is_dir()]:
            raise EdgeError(
                f"{root} has the folders images and {', '.join(divided)}: expected either images/ and masks/, or that "
                "pair in train/, val/ and test/; move one of them away"
            )
        partners = _pairs(root, "", left_out)
        if len(partners) < len(PARTS):
            raise EdgeError(
                f"{root / 'images'} has {len(partners)} images: expected at least {len(PARTS)}, to train, to "
                "validate and to test; add some"
            )
        return {"": _entries(partners, "")}, partners
    if not (root / "train").is_dir():
        raise EdgeError(f"{root} has no folder 'images' and no folder 'train': expected images/ and masks/ in {root}")
    strays(root, PARTS, left_out)
    pairs = {part: _pairs(root, f"{part}/", left_out) for part in PARTS if (root / part).is_dir()}
    partners = {image: mask for found in pairs.values() for image, mask in found.items()}
    return {part: _entries(found, f"{part}/") for part, found in pairs.items()}, partners


def _divided(
    folders: Folders, validation: float, test: float, group: str | None, same: Iterable[Iterable[str]]
) -> Folders:
    """Return train, val and test, where these have no folder first test of all, then validation of the rest."""
    if "" in folders:
        rest, tested = divide(folders[""], test, group, same)
        train, val = divide(rest, validation, group, same)
        return {"train": train, "val": val, "test": tested}
    parts = dict(folders)
    if "test" not in parts:
        parts["train"], parts["test"] = divide(parts["train"], test, group, same)
    if "val" not in parts:
        parts["train"], parts["val"] = divide(parts["train"], validation, group, same)
    return parts


def _labelled(root: Path, folders: Folders, drawn: dict[str, Drawn]) -> tuple[Folders, int]:
    """Return the folders without the images whose masks have no labelled pixel, and how many these are."""
    kept = {
        part: [entry for entry in entries if not _is_unlabelled(drawn[entry.path])] for part, entries in folders.items()
    }
    for part, entries in kept.items():
        if not entries:
            raise EdgeError(
                f"{root / part} has no mask with a labelled pixel: expected some that ignore does not cover; correct "
                "the recipe's data.ignore"
            )
    return kept, sum(map(len, folders.values())) - sum(map(len, kept.values()))


def _is_unlabelled(row: Drawn) -> bool:
    return bool(_unpacked(row.unlabelled, row.shape).all())


def _is_full(row: Drawn) -> bool:
    return bool((_unpacked(row.mask, row.shape) | _unpacked(row.unlabelled, row.shape)).all())


def _unpacked(packed: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    return np.unpackbits(packed, count=shape[0] * shape[1]).astype(bool).reshape(shape)


def _check_shown(root: Path, part: str, rows: list[Drawn], label: str, values: Values) -> None:
    if any(row.coverage.any() for row in rows):
        return
    there = "white there, black elsewhere"
    if values.foreground:
        held = Counter(value for row in rows for value in row.found)
        found = sum((row.found for row in rows), Counter[str]())
        there = f"{', '.join(map(str, values.foreground))} there, found {values_in_words(found, held)}"
    raise EdgeError(
        f"{root} has no mask that shows {label} among the {len(rows)} of the part {part}: expected {there}; export "
        "them again, or add some that do"
    )


def _empty(split: Split) -> int:
    coverage = split.truth if split.truth.ndim == 3 else split.truth[:, 0]
    return int(sum(not mask.any() for mask in coverage))


def _pairs(root: Path, part: str, left_out: Counter[str]) -> dict[str, str]:
    """Return image -> mask under `root/part`, relative to the root; every file must have its partner."""
    strays(root / part, ("images", "masks"), left_out)
    names = {kind: _stems(root, f"{part}{kind}", left_out) for kind in ("images", "masks")}
    for kind, other in (("images", "masks"), ("masks", "images")):
        if alone := sorted(names[kind].keys() - names[other].keys()):
            others = f" (nor have {some(names[kind][stem] for stem in alone[1:])})" if len(alone) > 1 else ""
            raise EdgeError(
                f"{root / names[kind][alone[0]]} has no partner in {root / part / other}{others}: expected a file of "
                f"the same stem there, {alone[0]}.png for example; add it, or remove the file"
            )
    return {path: names["masks"][stem] for stem, path in sorted(names["images"].items())}


def _entries(partners: dict[str, str], part: str) -> list[Entry]:
    return [Entry(image, 0, image.removeprefix(f"{part}images/")) for image in partners]


def _stems(root: Path, folder: str, left_out: Counter[str]) -> dict[str, str]:
    """Return stem -> path relative to the root of the folder's images."""
    if not (root / folder).is_dir():
        raise EdgeError(f"{root / folder} does not exist: expected the folders images and masks side by side")
    found: dict[str, str] = {}
    for name in files(root / folder, left_out):
        stem = os.path.splitext(name)[0]
        if stem in found:
            raise EdgeError(
                f"{root / folder} has {found[stem].removeprefix(folder + '/')} and {name}: expected one; remove one"
            )
        found[stem] = f"{folder}/{name}"
    return found


def _read(
    root: Path, entries: list[Entry], partners: dict[str, str], spec: Preprocessing, values: Values
) -> list[Drawn]:
    flat = replace(spec, color="grey", channels=1, mean=(0.0,), std=(1.0,), window=None)

    def shares(mask: np.ndarray) -> np.ndarray:
        return pixels(Image.fromarray(mask.astype(np.uint8) * 255), flat)[:, :, 0]

    def one(entry: Entry) -> Drawn:
        path, partner = root / entry.path, root / partners[entry.path]
        data = read_image(path)
        picture = images.decode(data, str(path), spec)
        mask = stored(read_image(partner), str(partner))
        if mask.size != picture.size:
            raise EdgeError(
                f"{partner} is {mask.size[0]}x{mask.size[1]} and its image {picture.size[0]}x{picture.size[1]}: "
                "expected a mask of the image's size; export it again",
                code="data.masks",
            )
        _check_turned(partner, picture.orientation, mask.turned, picture.size)
        what = meaning(mask, values)
        return Drawn(
            entry.path,
            seen(picture, spec),
            shares(what.mask),
            shares(what.void) if values.ignore else None,
            (mask.size[1], mask.size[0]),
            np.packbits(what.mask),
            np.packbits(what.void),
            mask.kind,
            what._replace(mask=NO_PIXELS, void=NO_PIXELS) if what.fault else None,
            what.found,
        )

    rows, errors = attempted(entries, one)
    faulty = [(partners[row.path], row.kind, row.meaning) for row in rows if row.meaning]
    reasons = [together(errors, len(entries), root)] if errors else []
    if faulty:
        reasons.append(unclear(root, faulty, len(entries)))
    if reasons:
        raise EdgeError("; and ".join(map(str, reasons)), code=reasons[0].code)
    return rows


def _check_turned(partner: Path, image: int, mask: int, size: tuple[int, int]) -> None:
    """Raise EdgeError where EXIF turns one of the two only, and their size does not say that this is right."""
    image = max(image, 1)
    if image == mask:
        return
    if 1 in (image, mask) and (image in exif.TURNED or mask in exif.TURNED) and size[0] != size[1]:
        return  # had the other one not been drawn upright, it would have another size
    raise EdgeError(
        f"{partner} has EXIF orientation {mask} and its image {image}: expected the same, as nothing says whether the "
        "mask was drawn on the image as it is stored or as it is seen; store both upright",
        code="data.masks",
    )


def _split(entries: list[Entry], drawn: dict[str, Drawn], whole: bool, voids: bool) -> Split:
    rows = [drawn.pop(entry.path) for entry in entries]
    truth = np.stack([row.coverage for row in rows])
    if voids:
        truth = np.stack([truth, np.stack([row.void for row in rows if row.void is not None])], 1)
    return Split(
        np.stack([row.image.pixels for row in rows]),
        truth,
        tuple(entry.path for entry in entries),
        tuple(_unpacked(row.mask, row.shape) for row in rows) if whole else (),
        tuple(_unpacked(row.unlabelled, row.shape) for row in rows) if whole and voids else (),
    )
