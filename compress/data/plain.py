"""Images without a task: some to calibrate on, others to compare on, from a labelled folder or any other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from compress.data.reading import each, files, read
from compress.data.split import Split
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

LEAST_COMPARED = 2  # what images have in common says nothing of one
SHARE = 4  # where nothing is set aside, every fourth image is compared on
Item = TypeVar("Item")


class Chosen(NamedTuple):
    """Images as a network reads them; truth is all zeros."""

    calibration: Split
    compared: Split


def choose(root: Path, spec: Preprocessing, calibration: int, compared: int) -> Chosen:
    """Read so many images of a folder, evenly spread over their names; none is in both parts.

    A folder with `train` and `test` (or `val`), as recipes have it, is calibrated on the former and compared on the
    latter; of every other one, or where neither is there, a quarter is set aside. Of folders `images` and `masks`
    beside each other, the former are the images.

    Raises EdgeError ("conversion.calibration") for a folder without images, with too few of them, and with images that
    are all the same; what can't be read is named, all of it at once.
    """
    if not root.is_dir():
        raise EdgeError(
            f"data folder {root} does not exist: expected a folder of images; check --data", "conversion.calibration"
        )
    first, second = _parts(root)
    if not second:
        apart = min(compared, max(LEAST_COMPARED, len(first) // SHARE))
        second = _spread(first, apart)
        first = [name for name in first if name not in set(second)]
    if not first or len(second) < LEAST_COMPARED:
        raise EdgeError(
            f"{root} has {len(first) + len(second)} images: expected at least {LEAST_COMPARED + 1}, one to calibrate "
            f"on and {LEAST_COMPARED} others to compare int8 with float on; add images such as the network will see",
            "conversion.calibration",
        )
    chosen = Chosen(*(_read(root, names, spec) for names in (_spread(first, calibration), _spread(second, compared))))
    pixels = np.concatenate([chosen.calibration.pixels, chosen.compared.pixels])
    if (pixels == pixels[0]).all():
        raise EdgeError(
            f"the {len(pixels)} images of {root} are all the same to the network: expected different ones, such as it "
            "will see; look at the images, and at the window and the sizes in the manifest",
            "conversion.calibration",
        )
    return chosen


def _parts(root: Path) -> tuple[list[str], list[str]]:
    """Return the images to calibrate on and, where they lie apart, those to compare on, by their paths below `root`."""
    if not (root / "train").is_dir():
        return _names(root, root), []
    apart = next((root / part for part in ("test", "val") if (root / part).is_dir()), None)
    return _names(root, root / "train"), _names(root, apart) if apart else []


def _names(root: Path, folder: Path) -> list[str]:
    if (folder / "images").is_dir() and (folder / "masks").is_dir():
        folder = folder / "images"
    below = folder.relative_to(root)
    try:
        return [(below / name).as_posix() for name in files(folder, Counter())]
    except EdgeError as error:
        raise EdgeError(str(error), "conversion.calibration") from None


def _spread(items: Sequence[Item], count: int) -> list[Item]:
    """Return at most so many of them, at equal distances."""
    count = min(count, len(items))
    return [items[number * len(items) // count] for number in range(count)]


def _read(root: Path, names: Sequence[str], spec: Preprocessing) -> Split:
    reads = each(names, lambda name: read(root / name, spec), root)
    return Split(np.stack([one.pixels for one in reads]), np.zeros(len(names), np.int64), tuple(names))
