"""A data set from objects in memory: images and labels, or masks, that a `torch.utils.data.Dataset` gives.

Images become 8-bit pixels by the device's own preprocessing, as those of folders do: see `compress.data.folder`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
from PIL import Image
from torch import Tensor

from compress.data.division import Entry, divide
from compress.data.folder import PARTS, said
from compress.data.independence import NOTHING, check_copies, copies
from compress.data.split import DataSet, Objective, Split, digest
from edge.errors import EdgeError
from edge.preprocess import Preprocessing, pixels

WHERE = Path("the data set")
EXPECTED = (
    "a Pillow image in mode L or RGB, a tensor (channels, height, width), or an array (height, width) or (height, "
    "width, channels), with 1 or 3 channels, of uint8, or of floats from 0 to 1"
)


class Samples(Protocol):
    """What is read of a `torch.utils.data.Dataset`, or of a list: pairs (image, label) or (image, mask)."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


class Sample(NamedTuple):
    """One item as the network reads it: pixels, a class or how much of each pixel the mask covers, and the mask."""

    pixels: np.ndarray
    identity: bytes
    label: int
    coverage: np.ndarray | None
    mask: np.ndarray | None


def load_samples(
    task: Objective,
    samples: Samples | Mapping[str, Samples],
    spec: Preprocessing,
    labels: Sequence[str],
    validation: float = 0.1,
    progress: Callable[[str], None] = lambda text: None,
) -> DataSet:
    """Read every item once and return the data set.

    Args:
        samples: the training's, or those of "train" and, where there are some, "val" and "test".
        labels: of the classes, in the order of their numbers; of masks one, what they show.
        validation: share that is set aside where there is no "val", by a hash of the items' numbers; equal images stay
            together. Without "test", the validation images stand in, and the summary says so.

    Raises EdgeError for an item that is no image with a label or a mask of its size, and for images that validate or
    test and equal one that is trained on.
    """
    parts: Mapping[str, Samples] = samples if isinstance(samples, Mapping) else {"train": samples}
    if "train" not in parts or not set(parts) <= set(PARTS):
        raise EdgeError(
            f"the data has the parts {', '.join(map(str, parts))}: expected train, and perhaps val and test"
        )
    progress(f"reading {sum(len(part) for part in parts.values())} images")
    read = {
        f"{part}/{number:06}": _sample(items, number, part, spec, labels)
        for part, items in parts.items()
        for number in range(len(items))
    }
    entries = {part: _entries(read, part) for part in parts}
    if empty := [part for part, found in entries.items() if not found]:
        raise EdgeError(f"the data has no images in {' and '.join(empty)}: expected some; leave the part out")
    equal = copies({path: sample.identity for path, sample in read.items()})
    if "val" not in entries:
        entries["train"], entries["val"] = divide(entries["train"], validation, None, equal)
    truth = {path: (one.label, None if one.mask is None else one.mask.tobytes()) for path, one in read.items()}
    found = check_copies(WHERE, entries, equal, truth, NOTHING)
    splits = {part: _split(read, entries[part], part != "train") for part in PARTS if part in entries}
    summary: dict[str, object] = {
        "labels": list(labels),
        "validation": "given" if "val" in parts else f"{validation:g} of each class of train",
        "divided_by": "image",
        "test": "given" if "test" in parts else "the validation images",
        "counts": {part: _counts(split, len(labels)) for part, split in splits.items()},
        "digest": digest(splits),
    }
    summary |= said({"independence": found}, progress)
    test = splits.get("test", splits["val"])
    return DataSet(task, spec, tuple(labels), splits["train"], splits["val"], test, summary)


def _entries(read: Mapping[str, Sample], part: str) -> list[Entry]:
    paths = [path for path in read if path.startswith(f"{part}/")]
    return [Entry(path, read[path].label, path.removeprefix(f"{part}/")) for path in paths]


def _counts(split: Split, classes: int) -> list[int]:
    return [len(split)] if split.truth.ndim > 1 else np.bincount(split.truth, minlength=classes).tolist()


def _split(read: Mapping[str, Sample], entries: Sequence[Entry], is_judge: bool) -> Split:
    rows = [read[entry.path] for entry in entries]
    coverage = [row.coverage for row in rows if row.coverage is not None]
    return Split(
        np.stack([row.pixels for row in rows]),
        np.stack(coverage) if coverage else np.array([row.label for row in rows], np.int64),
        tuple(entry.path for entry in entries),
        tuple(row.mask for row in rows if row.mask is not None) if is_judge else (),
    )


def _sample(items: Samples, number: int, part: str, spec: Preprocessing, labels: Sequence[str]) -> Sample:
    where = f"item {number} of {part}"
    item = items[number]
    if not isinstance(item, tuple | list) or len(item) != 2:
        raise EdgeError(f"{where} is a {type(item).__name__}: expected a pair (image, label) or (image, mask)")
    image = _image(item[0], where)
    seen = pixels(image, spec)
    mode = "L" if spec.color == "grey" else "RGB"
    identity = hashlib.sha256(repr(image.size).encode() + image.convert(mode).tobytes()).digest()
    truth = item[1].numpy(force=True) if isinstance(item[1], Tensor) else np.asarray(item[1])
    if truth.ndim == 0:
        label = truth.item()
        if not isinstance(label, int) or isinstance(label, bool) or not 0 <= label < len(labels):
            raise EdgeError(
                f"{where} has the label {label!r}: expected a whole number from 0 to {len(labels) - 1}, the number of "
                f"a class ({', '.join(labels)})"
            )
        return Sample(seen, identity, label, None, None)
    mask = _mask(truth, image, where)
    flat = replace(spec, color="grey", channels=1, mean=(0.0,), std=(1.0,), window=None)
    coverage = pixels(Image.fromarray(mask.astype(np.uint8) * 255), flat)[:, :, 0]
    return Sample(seen, identity, 0, coverage, mask)


def _image(value: Any, where: str) -> Image.Image:
    if isinstance(value, Image.Image):
        if value.mode not in ("L", "RGB"):
            raise EdgeError(f"{where} is an image in mode {value.mode}: expected {EXPECTED}; convert it")
        return value
    if isinstance(value, Tensor):
        array = value.numpy(force=True)
        array = np.moveaxis(array, 0, -1) if array.ndim == 3 else array
    else:
        array = np.asarray(value)
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    fits = array.size and (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3))
    if fits and array.dtype.kind == "f" and array.min() >= 0 and array.max() <= 1:
        array = np.rint(array * 255).astype(np.uint8)
    if not fits or array.dtype != np.uint8:
        size = f"{tuple(getattr(value, 'shape', ()))} of {array.dtype}"
        span = f" from {array.min():.3g} to {array.max():.3g}" if array.size and array.dtype.kind in "fiu" else ""
        raise EdgeError(f"{where} has an image {size}{span}: expected {EXPECTED}, not normalized: `input` does that")
    return Image.fromarray(np.ascontiguousarray(array))


def _mask(value: np.ndarray, image: Image.Image, where: str) -> np.ndarray:
    """Return bool (H, W) of a mask: true where it is not 0, of 0 and 1, of 0 and 255, or of booleans."""
    value = value[0] if value.ndim == 3 and len(value) == 1 else value
    if value.shape != (image.height, image.width):
        raise EdgeError(
            f"{where} has a mask {value.shape} and an image of {image.width}x{image.height}: expected a mask (height, "
            "width) of the image's size"
        )
    found = set(np.unique(value).tolist())
    if not (found <= {0, 1} or found <= {0, 255}):
        raise EdgeError(f"{where} has a mask of {len(found)} values: expected 0 and 1, or 0 and 255, or booleans")
    return value != 0
