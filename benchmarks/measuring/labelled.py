"""A labelled folder on a device: its images are answered there, and the answers are judged here.

A classification's folder has a folder for each label; a segmentation's has `images/` and, by the same names, `masks/`,
as `compress` reads them. An image without an answer counts as a wrong one, never as none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import TypeGuard

import numpy as np

from benchmarks.measuring.answers import Answer, Item, Refusal
from compress.data.mask_values import BLACK_AND_WHITE, meaning, stored, unclear
from compress.tasks import metrics
from edge.errors import EdgeError, brief

TASKS = ("classification", "segmentation")
_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".gif", ".webp")  # of masks
_MOST_PIXELS = 64_000_000

Fetch = Callable[[str], bytes | None]


def inside(task: str, folder: str) -> str:
    """Return the folder that `edge-infer` is given."""
    return f"{folder.rstrip('/')}/images" if task == "segmentation" else folder.rstrip("/")


def judge(
    task: str, device: str, folder: str, found: Sequence[Answer | Refusal], labels: Sequence[str], fetch: Fetch
) -> tuple[dict[str, float], int]:
    """Return the metrics, each 0..1, and how many images have no answer.

    A classification has `accuracy`, `balanced_accuracy` (the mean over the labels' recalls) and, with two labels,
    `auc`; a segmentation `dice` and `iou`, the means over the images, at their own sizes.

    Args:
        found: what was said of each image of the folder.
        fetch: returns a file of the device, None where there is none.

    Raises EdgeError where a folder has no label's name ("measure.labels"), an image has no mask of its size, or one
    that can't be read for certain ("measure.masks").
    """
    if task == "segmentation":
        return _masks(device, folder, found, fetch)
    return _classes(device, folder, found, labels)


def _classes(
    device: str, folder: str, found: Sequence[Answer | Refusal], labels: Sequence[str]
) -> tuple[dict[str, float], int]:
    truth, right, scores, scored = [], [], [], []
    for item in found:
        label = _label(device, folder, str(item.image), labels)
        truth.append(label)
        right.append(isinstance(item, Answer) and item.decision == label)
        if isinstance(item, Answer) and len(labels) == 2:
            scores.append(_score(item, device, labels[1]))
            scored.append(label == labels[1])
    recalls = [np.mean([r for r, t in zip(right, truth, strict=True) if t == label]) for label in sorted(set(truth))]
    measured = {"accuracy": float(np.mean(right)), "balanced_accuracy": float(np.mean(recalls))}
    if len(set(scored)) == 2:
        measured["auc"] = metrics.binary_auc(np.array(scores), np.array(scored))
    return measured, sum(isinstance(item, Refusal) for item in found)


def _label(device: str, folder: str, image: str, labels: Sequence[str]) -> str:
    """Return the name of the folder, right below `folder`, in which an image lies."""
    parts = image.removeprefix(f"{folder.rstrip('/')}/").split("/")
    if len(parts) < 2 or parts[0] not in labels or not image.startswith(folder.rstrip("/") + "/"):
        known = ", ".join(labels[:8]) + (", ..." if len(labels) > 8 else "")
        raise EdgeError(
            f"{device} has {brief(image)} in the labelled folder {brief(folder)}: expected a folder for each label "
            f"({known}); name them so, or another folder in the inventory",
            "measure.labels",
        )
    return parts[0]


def _score(answer: Answer, device: str, label: str) -> float:
    """Return the label's score, 0..1."""
    results = answer.said.get("results")
    for row in results if isinstance(results, list) else []:
        if isinstance(row, dict) and row.get("label") == label:
            return Item(row, device, "results[].").number("score", 0.0, 1.0)
    raise Item(answer.said, device, "").wrong("results", "a score for every label")


def _masks(device: str, folder: str, found: Sequence[Answer | Refusal], fetch: Fetch) -> tuple[dict[str, float], int]:
    dices, unions, suffixes = [], [], list(_SUFFIXES)
    for item in found:
        if isinstance(item, Refusal):
            dices.append(0.0)
            unions.append(0.0)
            continue
        name, data = _mask_of(device, folder, item.image, fetch, suffixes)
        mask = decode(item, device)
        truth = _truth(device, folder, name, data)
        if truth.shape != mask.shape:
            sizes = ["x".join(map(str, shape[::-1])) for shape in (truth.shape, mask.shape)]
            raise EdgeError(
                f"{device} has a mask {brief(name)} of {sizes[0]} pixels for an image of {sizes[1]}: expected one "
                "size; export it again",
                "measure.masks",
            )
        dices.append(float(metrics.dices([mask], [truth])[0]))
        unions.append(float(metrics.unions([mask], [truth])[0]))
    unanswered = sum(isinstance(item, Refusal) for item in found)
    return {"dice": float(np.mean(dices)), "iou": float(np.mean(unions))}, unanswered


def _mask_of(device: str, folder: str, image: str, fetch: Fetch, suffixes: list[str]) -> tuple[str, bytes]:
    """Return path and bytes of an image's mask; the suffix that it has comes first in `suffixes` from then on."""
    below = PurePosixPath(image.removeprefix(f"{inside('segmentation', folder)}/"))
    for suffix in suffixes:
        path = f"{folder.rstrip('/')}/masks/{below.with_suffix(suffix)}"
        data = fetch(path)
        if data is not None:
            suffixes.remove(suffix)
            suffixes.insert(0, suffix)
            return path, data
    raise EdgeError(
        f"{device} has no mask for {brief(image)}: expected one of the same name in {brief(folder)}/masks "
        f"({' '.join(sorted(suffixes))})",
        "measure.masks",
    )


def _truth(device: str, folder: str, name: str, data: bytes) -> np.ndarray:
    """Return bool (height, width), where a mask that is black and white is white."""
    what = meaning(held := stored(data, f"{device}: {brief(name)}"), BLACK_AND_WHITE)
    if what.fault:
        raise EdgeError(
            f"{device}: {unclear(Path(folder), [(brief(name), held.kind, what)], 1)}", "measure.masks"
        ) from None
    return what.mask


def decode(answer: Answer, device: str) -> np.ndarray:
    """Return an answer's mask, bool (height, width), of COCO's uncompressed run-length encoding."""
    item = Item(answer.said, device, "").object("mask")
    size, counts = item.raw.get("size"), item.raw.get("counts")
    if not _are_whole(size, 1) or len(size) != 2 or size[0] * size[1] > _MOST_PIXELS:
        raise item.wrong("size", "[height, width]")
    if not _are_whole(counts, 0) or sum(counts) != size[0] * size[1]:
        raise item.wrong("counts", "runs that make up the image")
    flat = np.repeat(np.arange(len(counts)) % 2 == 1, counts)  # in turns what is not in the mask and what is
    return flat.reshape(size[1], size[0]).T


def _are_whole(values: object, least: int) -> TypeGuard[list[int]]:
    return isinstance(values, list) and all(
        isinstance(value, int) and not isinstance(value, bool) and value >= least for value in values
    )
