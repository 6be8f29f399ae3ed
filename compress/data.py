"""Image folders: `ROOT/{train,val,test}/CLASS/*.png`, decoded by the device's own code and held in memory.

Pixels stay 8-bit until they are used; 5,000 grey images of 224x224 are 260 MB.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from compress.task import Task
from edge import image as images
from edge.errors import EdgeError
from edge.manifest import MAX_LABELS, MAX_LETTERS, is_line
from edge.preprocess import Preprocessing, pixels


@dataclass(frozen=True)
class Split:
    """Pictures and labels of one part of a data set.

    Attributes:
        pixels: uint8 (N, height, width, planes), as `edge.preprocess.pixels` returns them.
        truth: what the network is to say. Classification: int64 (N,), an index into the data set's labels.
            Segmentation: uint8 (N, height, width), 0 to 255, the share of each pixel that the mask covers.
        names: the files, relative to the data set's folder.
        masks: segmentation, where the network is judged: bool (H, W) of each picture in its own size.
    """

    pixels: np.ndarray
    truth: np.ndarray
    names: tuple[str, ...]
    masks: tuple[np.ndarray, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class DataSet:
    """A data set; `val` shares no group (patient) with `train` where groups are known.

    A folder `test` (or `val`) is taken as its publisher divided it.
    """

    task: Task
    how: Preprocessing
    labels: tuple[str, ...]
    train: Split
    val: Split
    test: Split
    summary: dict[str, object]


def load_folder(
    task: Task,
    root: Path,
    how: Preprocessing,
    validation: float = 0.1,
    group: str | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> DataSet:
    """Read `root/train/CLASS/*` and, where they exist, `root/val` and `root/test`.

    Without `root/val`, a share `validation` of each class is set aside. `group` is a regular expression whose match in
    a file's name says to which patient it belongs: a patient's images are never divided. Without `root/test`, the
    validation images serve as test images too, and the summary says so.

    Raises EdgeError for a missing folder, fewer than two classes, a class too small to divide, or an unreadable image.
    """
    if not root.is_dir():
        raise EdgeError(f"data folder {root} does not exist: expected a folder with train/CLASS/images; check --data")
    if not (root / "train").is_dir():
        hint = ', or task = "segmentation" in the recipe' if (root / "masks").is_dir() else ""
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
            f"{root / 'train'} has the folders images and masks: expected one folder per class, or task = "
            '"segmentation" in the recipe'
        )
    files = {part: _files(root, part, labels) for part in ("train", "val", "test") if (root / part).is_dir()}
    if "val" not in files:
        files["train"], files["val"] = divide(files["train"], validation, group)
    if missing := set(range(len(labels))) - {label for _, label in files["val"]}:
        raise EdgeError(
            f"{root / 'val'} has no class folder {labels[min(missing)]!r}: expected every class of train, because the "
            "decision threshold is chosen there; add images, or remove the folder val"
        )
    progress(f"reading {sum(map(len, files.values()))} images from {root}")
    splits = {part: _read(root, chosen, how) for part, chosen in files.items()}
    summary: dict[str, object] = {
        "labels": list(labels),
        "validation": "folder val" if (root / "val").is_dir() else f"{validation:g} of each class of train",
        "divided_by": group or "image",
        "test": "folder test" if "test" in splits else "the validation images",
        "counts": {part: np.bincount(split.truth, minlength=len(labels)).tolist() for part, split in splits.items()},
        "digest": digest(splits),
    }
    return DataSet(task, how, labels, splits["train"], splits["val"], splits.get("test", splits["val"]), summary)


def digest(splits: dict[str, Split]) -> str:
    """Return the SHA-256 of names, truth, masks and pixels: two runs with the same digest saw the same data."""
    state = hashlib.sha256()
    for part, split in splits.items():
        truth = split.truth.tolist() if split.truth.ndim == 1 else hashlib.sha256(split.truth.tobytes()).hexdigest()
        state.update(repr((part, split.names, truth, split.pixels.shape)).encode())
        state.update(split.pixels.tobytes())
        for mask in split.masks:
            state.update(repr(mask.shape).encode() + np.packbits(mask).tobytes())
    return state.hexdigest()


Entry = tuple[str, int]  # file relative to the root, label


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _files(root: Path, part: str, labels: tuple[str, ...]) -> list[Entry]:
    entries: list[Entry] = []
    for folder in _folders(root / part):
        if folder.name not in labels:
            raise EdgeError(
                f"{root / part} has a class folder {folder.name!r} that train has not (it has {', '.join(labels)}): "
                "rename or remove it"
            )
        found = (entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
        names = sorted(name for name in found if name.lower().endswith(images.SUFFIXES))
        hold_names(folder, names)
        if not names:
            raise EdgeError(f"{folder} has no images: expected files that end in {', '.join(images.SUFFIXES)}")
        entries += [(f"{part}/{folder.name}/{name}", labels.index(folder.name)) for name in names]
    return entries


def hold_names(folder: Path, names: Iterable[str]) -> None:
    """Raise EdgeError for a file whose name is no UTF-8: it can't be told to anyone."""
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError:
            raise EdgeError(f"{folder} has a file {name!a}: expected names in UTF-8; rename it") from None


def divide(entries: list[Entry], share: float, group: str | None) -> tuple[list[Entry], list[Entry]]:
    """Divide by patient, class by class; which patients go is decided by a hash of their key, on any machine alike."""
    pattern = re.compile(group) if group else None
    train: list[Entry] = []
    val: list[Entry] = []
    chosen: set[str] = set()  # patients whose pictures validate
    kept: set[str] = set()  # patients whose pictures train
    for label in sorted({label for _, label in entries}):
        members: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry[1] == label:
                found = pattern.search(entry[0].rsplit("/", 1)[1]) if pattern else None
                # a picture of nobody is its own; another class may have one of the same name
                members.setdefault(found.group(0) if found else entry[0], []).append(entry)
        folder = entries[[entry[1] for entry in entries].index(label)][0].rsplit("/", 1)[0]
        if len(members) < 2:
            what = "image" if pattern is None else "patient"
            raise EdgeError(
                f"folder {folder} has 1 {what}: expected at least 2, so that one can be set aside; add images, or "
                "divide them into folders yourself (docs/recipes.md)"
            )
        # a patient who has pictures of several classes goes where the first class put them
        taken = [entry for key in members if key in chosen for entry in members[key]]
        order = sorted(members.keys() - chosen - kept, key=_hashed)
        wanted = max(1, round(share * sum(len(rows) for rows in members.values())))
        while len(taken) < wanted and len(order) > (0 if kept & members.keys() else 1):
            key = order.pop(0)
            taken += members[key]
            chosen.add(key)
        kept |= members.keys() - chosen
        rest = [entry for key in members if key not in chosen for entry in members[key]]
        if not taken or not rest:
            raise EdgeError(
                f"folder {folder} has nothing left to {'train' if taken else 'validate'} with: its patients went where "
                "another class put them; expected some on both sides, divide them into folders yourself "
                "(docs/recipes.md)"
            )
        val += taken
        train += rest
    return sorted(train), sorted(val)


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.rsplit("/", 1)[-1].encode()).digest()


def _read(root: Path, entries: list[Entry], how: Preprocessing) -> Split:
    def one(entry: Entry) -> np.ndarray:
        return pixels(images.read(root / entry[0], how), how)

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:  # decoders release the interpreter's lock
        rows = list(pool.map(one, entries))
    return Split(
        np.stack(rows), np.array([label for _, label in entries], np.int64), tuple(name for name, _ in entries)
    )
