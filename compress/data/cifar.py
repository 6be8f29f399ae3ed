"""CIFAR-10 in its public binary layout: a folder `cifar-10-batches-bin` of records, 1 byte of label, 3072 of pixels.

Krizhevsky, "Learning Multiple Layers of Features from Tiny Images" (2009); https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from compress.data.division import Entry, divide
from compress.data.folder import said
from compress.data.independence import NOTHING, Allowed, check_copies, copies
from compress.data.reading import each
from compress.data.split import DataSet, Objective, Split, digest
from edge.errors import EdgeError
from edge.preprocess import Preprocessing, pixels
from edge.window import apply

FOLDER = "cifar-10-batches-bin"
NAMES = "batches.meta.txt"
PARTS = {"train": tuple(f"data_batch_{n}.bin" for n in range(1, 6)), "test": ("test_batch.bin",)}
SIDE, RECORDS = 32, 10_000  # pixels; images in a file
RECORD = 1 + 3 * SIDE * SIDE


def found(root: Path) -> Path | None:
    """Return the folder of `root`, or `root` itself, that is named as CIFAR-10's or holds one of its files; or None."""
    folders = (root / FOLDER, root)
    files = [file for part in PARTS.values() for file in part]
    return next(
        (
            folder
            for folder in folders
            if folder.is_dir() and (folder.name == FOLDER or any((folder / file).is_file() for file in files))
        ),
        None,
    )


def load_cifar(
    task: Objective,
    folder: Path,
    spec: Preprocessing,
    validation: float = 0.1,
    progress: Callable[[str], None] = lambda text: None,
    allowed: Allowed = NOTHING,
) -> DataSet:
    """Read the six files: 50,000 images to train, 10,000 to test.

    A share `validation` of each class of the first is set aside; which ones is decided by a hash of their names, on any
    machine alike. An image is named by its file and place, such as `train/data_batch_1-00017`.

    Raises EdgeError for a file that is missing or has another size than 10,000 records, a label that has no name, and
    test images that equal training images where `allowed` does not allow them.
    """
    labels = names(folder)
    paths = [folder / file for files in PARTS.values() for file in files]
    batches = dict(zip(paths, each(paths, lambda path: _records(path, labels), folder), strict=True))
    rows = {part: [batches[folder / file] for file in files] for part, files in PARTS.items()}
    progress(f"reading {sum(len(batch) for batches in rows.values() for batch in batches)} images from {folder}")
    images = {
        f"{part}/{Path(file).stem}-{number:05}": record
        for part, files in PARTS.items()
        for file, batch in zip(files, rows[part], strict=True)
        for number, record in enumerate(batch)
    }
    entries = {
        part: [Entry(name, int(x[0]), name.split("/")[1]) for name, x in images.items() if name.startswith(part)]
        for part in PARTS
    }
    same = copies({name: record[1:].tobytes() for name, record in images.items()})
    entries["train"], entries["val"] = divide(entries["train"], validation, None, [] if allowed.duplicates else same)
    found = check_copies(folder, entries, same, {name: int(record[0]) for name, record in images.items()}, allowed)
    splits = {part: _split(entries[part], images, spec) for part in ("train", "val", "test")}
    summary: dict[str, object] = {
        "labels": list(labels),
        "validation": f"{validation:g} of each class of train",
        "divided_by": "image",
        "test": PARTS["test"][0],
        "counts": {part: np.bincount(split.truth, minlength=len(labels)).tolist() for part, split in splits.items()},
        "digest": digest(splits),
    }
    summary |= said({"independence": found}, progress)
    return DataSet(task, spec, labels, splits["train"], splits["val"], splits["test"], summary)


def names(folder: Path) -> tuple[str, ...]:
    """Return the ten classes' names, one a line."""
    path = folder / NAMES
    try:
        found = tuple(path.read_text(encoding="utf-8").split())
    except (OSError, ValueError) as error:
        raise EdgeError(
            f"{path} can't be read ({error}): expected the classes' names, one a line; unpack the archive again"
        ) from None
    if len(found) != 10 or len(set(found)) != 10:
        raise EdgeError(f"{path} has {len(found)} names: expected 10 different ones; unpack the archive again")
    return found


def _records(path: Path, labels: tuple[str, ...]) -> np.ndarray:
    """Return uint8 (10000, 3073): label, then red, green and blue channels."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise EdgeError(
            f"{path} can't be read ({error.strerror}): expected the files {', '.join(sum(PARTS.values(), ()))}; unpack "
            "the archive again"
        ) from None
    if len(raw) != RECORDS * RECORD:
        raise EdgeError(
            f"{path} has {len(raw):,} bytes: expected {RECORDS * RECORD:,}, {RECORDS:,} records of {RECORD}; it was "
            "cut short or is another file, unpack the archive again"
        )
    batch = np.frombuffer(raw, np.uint8).reshape(RECORDS, RECORD)
    strange = np.flatnonzero(batch[:, 0] >= len(labels))
    if len(strange):
        raise EdgeError(
            f"{path} has the label {batch[strange[0], 0]} at record {strange[0]}: expected 0 to {len(labels) - 1}; it "
            "is damaged or another data set, unpack the archive again"
        )
    return batch


def _split(entries: list[Entry], images: dict[str, np.ndarray], spec: Preprocessing) -> Split:
    def one(record: np.ndarray) -> np.ndarray:
        channels = record[1:].reshape(3, SIDE, SIDE)
        image = Image.fromarray(np.ascontiguousarray(channels.transpose(1, 2, 0)))
        return pixels(apply(image, spec.window), spec)

    truth = np.array([entry.label for entry in entries], np.int64)
    return Split(
        np.stack([one(images[entry.path]) for entry in entries]), truth, tuple(entry.path for entry in entries)
    )
