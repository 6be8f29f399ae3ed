"""Image folders: `ROOT/{train,val,test}/CLASS/*.png`, decoded by the device's own code and held in memory.

Pixels stay 8-bit until they are used; 5,000 grey images of 224x224 are 260 MB.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from compress.data.division import Entry, divide
from compress.data.independence import NOTHING, Allowed, check_copies, check_patients, copies
from compress.data.reading import Read, each, equal, files, read, strays, warned
from compress.data.remarks import remarks
from compress.data.split import DataSet, Objective, Split, digest
from edge.errors import EdgeError
from edge.fields import MAX_LABELS, MAX_LETTERS, is_line
from edge.preprocess import Preprocessing

PARTS = ("train", "val", "test")


def load_folder(
    task: Objective,
    root: Path,
    spec: Preprocessing,
    validation: float = 0.1,
    group: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
    allowed: Allowed = NOTHING,
) -> DataSet:
    """Read `root/train/CLASS/*` and, where they exist, `root/val` and `root/test`, sub-folders of the classes included.

    Without `root/val`, a share `validation` of each class is set aside; equal images stay together. `group` is a
    regular expression whose match in a file's path below its class folder says to which patient it belongs: a
    patient's images are never divided. Without `root/test`, the validation images serve as test images too, and the
    summary says so.

    Raises EdgeError for a missing folder, fewer than two classes, a class too small to divide, images that can't be
    read (all of them at once), and equal images or patients on both sides that `allowed` does not allow.
    """
    labels = folder_labels(root)
    left_out: Counter[str] = Counter()
    strays(root, PARTS, left_out)
    folders = {part: _entries(root, part, labels, left_out) for part in PARTS if (root / part).is_dir()}
    if "val" in folders and (missing := set(range(len(labels))) - {entry.label for entry in folders["val"]}):
        raise EdgeError(
            f"{root / 'val'} has no class folder {labels[min(missing)]!r}: expected every class of train, because the "
            "decision threshold is chosen there; add images, or remove the folder val"
        )
    found = check_patients(root, folders, group, allowed)
    if "val" not in folders:
        divide(folders["train"], validation, group)  # what can't be divided shows before anything is read
    every = [entry for entries in folders.values() for entry in entries]
    progress(f"reading {len(every)} images from {root}")
    reads = dict(zip((e.path for e in every), each(every, lambda e: read(root / e.path, spec), root), strict=True))
    same = copies(equal(root, reads, spec))
    parts = dict(folders)
    if "val" not in parts:
        tied = [] if allowed.duplicates else same
        parts["train"], parts["val"] = divide(parts["train"], validation, group, tied)
    found |= check_copies(root, parts, same, {entry.path: entry.label for entry in every}, allowed)
    warnings = warned(reads)
    splits = {part: _split(entries, reads) for part, entries in parts.items()}
    summary: dict[str, object] = {
        "labels": list(labels),
        "validation": "folder val" if "val" in folders else f"{validation:g} of each class of train",
        "divided_by": group or "image",
        "test": "folder test" if "test" in splits else "the validation images",
        "counts": {part: np.bincount(split.truth, minlength=len(labels)).tolist() for part, split in splits.items()},
        "digest": digest(splits),
    }
    summary |= said({"independence": found, "warnings": warnings, "left_out": dict(left_out)}, progress)
    return DataSet(task, spec, labels, splits["train"], splits["val"], splits.get("test", splits["val"]), summary)


def said(found: dict[str, object], progress: Callable[[str], None]) -> dict[str, object]:
    """Return what there is of `found`, for a summary; say it."""
    found = {key: value for key, value in found.items() if value}
    for line in remarks(found):
        progress(f"data: {line}\n")
    return found


def folder_labels(root: Path) -> tuple[str, ...]:
    """Return the names of the class folders."""
    if not root.is_dir():
        raise EdgeError(f"data folder {root} does not exist: expected a folder with train/CLASS/images; check --data")
    if not (root / "train").is_dir():
        hint = ", or another task in the recipe, as there are masks" if (root / "masks").is_dir() else ""
        raise EdgeError(
            f"{root} has no folder 'train': expected train/CLASS/images, one folder per class{hint}, or CIFAR-10's "
            "binary version"
        )
    labels = tuple(folder.name for folder in _folders(root / "train"))
    for label in labels:
        if not is_line(label):
            wanted = f"at most {MAX_LETTERS} letters" if label.isprintable() else "printable letters"
            raise EdgeError(
                f"{root / 'train'} has a class folder {label[:MAX_LETTERS]!r}: expected {wanted}; rename it"
            )
    if len(labels) > MAX_LABELS:
        raise EdgeError(f"{root / 'train'} has {len(labels)} class folders: expected at most {MAX_LABELS}")
    if len(labels) < 2:
        raise EdgeError(f"{root / 'train'} has {len(labels)} class folders: expected two or more, named by their label")
    if set(labels) == {"images", "masks"}:
        raise EdgeError(
            f"{root / 'train'} has the folders images and masks: expected one folder per class, or another task in the "
            "recipe, as there are masks"
        )
    return labels


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _entries(root: Path, part: str, labels: tuple[str, ...], left_out: Counter[str]) -> list[Entry]:
    entries: list[Entry] = []
    folders = _folders(root / part)
    for folder in folders:
        if folder.name not in labels:
            raise EdgeError(
                f"{root / part} has a class folder {folder.name!r} that train has not (it has {', '.join(labels)}): "
                "rename or remove it"
            )
        names = files(folder, left_out)
        entries += [Entry(f"{part}/{folder.name}/{name}", labels.index(folder.name), name) for name in names]
    strays(root / part, [folder.name for folder in folders], left_out)
    if not entries:
        raise EdgeError(
            f"{root / part} has no class folders: expected those of train ({', '.join(labels)}); add images, or remove "
            "the folder"
        )
    return entries


def _split(entries: list[Entry], reads: dict[str, Read]) -> Split:
    return Split(
        np.stack([reads.pop(entry.path).pixels for entry in entries]),
        np.array([entry.label for entry in entries], np.int64),
        tuple(entry.path for entry in entries),
    )
