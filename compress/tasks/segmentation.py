"""The task of outlining one thing: images with masks, Dice and cross-entropy, a threshold for each pixel's score."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from compress.data.masks import load_masks
from compress.data.phantom import colon
from compress.data.split import DataSet, Split
from compress.recipe import LINE, Data, Recipe
from compress.report.sheet import Entry, sheet
from compress.steps.distillation import pixel_divergence
from compress.tasks import metrics as measures
from compress.tasks.base import Task
from edge.answer import Decision
from edge.fields import is_line
from edge.mask import mask
from edge.preprocess import Preprocessing, pixels

WORST = 10  # images on the sheet
DRAWN = ("float", "int8")
LEAST = 1 / 128  # the smallest share of a logit's pixels that counts as labelled: 8-bit shares are rounded
THRESHOLDS = tuple(n / 20 for n in range(4, 17))  # 0.2 to 0.8


class Segmentation(Task):
    """A mask of one thing. `truth` is each pixel's share that it covers, as `compress.data.split.Split` has it."""

    name = "segmentation"
    activation = "sigmoid"
    drop = "dice_drop"

    def faults(self, data: Data) -> Iterator[tuple[str, object, str]]:
        """What the masks show has a name."""
        if not is_line(data.positive):
            yield "positive", data.positive, f"a word for what the masks show, {LINE}"

    def labels(self, root: Path, recipe: Recipe) -> tuple[str, ...]:
        """Return what the masks show."""
        return (recipe.data.positive,)

    def load(self, root: Path, recipe: Recipe, progress: Callable[[str], None]) -> DataSet:
        """Read `root/images` and `root/masks`, or these two in `root/{train,val,test}`."""
        data = recipe.data
        return load_masks(
            self,
            root,
            recipe.input,
            data.positive,
            data.validation,
            data.test,
            data.group or None,
            progress,
            data.allowed,
            data.values,
        )

    def output(self, recipe: Recipe, classes: int, found: tuple[int, ...]) -> str:
        """Logits (2, 1, h, w), h and w not larger than the input's."""
        sides = recipe.input.height, recipe.input.width
        fits = len(found) == 4 and found[:2] == (2, 1) and 1 <= found[2] <= sides[0] and 1 <= found[3] <= sides[1]
        return "" if fits else f"logits of shape (2, 1, height, width), not larger than {sides[0]}x{sides[1]}"

    def losses(self, outputs: Tensor, truth: Tensor, smoothing: float = 0.0, weight: Tensor | None = None) -> Tensor:
        """Return each image's cross-entropy, the mean over its pixels, plus 1 - Dice of its scores (N,).

        Dice, (2 sum(p t) + 1) / (sum(p) + sum(t) + 1), as Milletari et al., "V-Net" (3DV 2016), without their squares;
        the ones make it 1 for nothing where nothing is. `truth` (N, 1, H, W), 0..1 (uint8 (N, H, W): 0..255), is
        averaged down to the logits' size. With pixels that nobody labelled it is (N, 2, H, W), their share second: each
        of the logits counts by the share of its pixels that is labelled, and is compared with these alone.
        """
        t, labelled = _target(truth, outputs)
        z = outputs.flatten(1)
        p = torch.sigmoid(z)
        entropy = F.binary_cross_entropy_with_logits(z, t, reduction="none")
        if labelled is None:
            dice = (2 * (p * t).sum(1) + 1) / (p.sum(1) + t.sum(1) + 1)
            return entropy.mean(1) + 1 - dice
        w = labelled
        dice = (2 * (w * p * t).sum(1) + 1) / ((w * p).sum(1) + (w * t).sum(1) + 1)
        return _mean(entropy, labelled) + 1 - dice

    def divergence(self, outputs: Tensor, taught: Tensor, temperature: float, truth: Tensor | None = None) -> Tensor:
        """Return the mean over the labelled pixels of their scores' divergence."""
        labelled = None if truth is None else _target(truth, outputs)[1]
        return pixel_divergence(outputs, taught, temperature, labelled)

    def metric(self, data: DataSet) -> str:
        """Dice."""
        return "Dice"

    def evaluate(self, outputs: np.ndarray, data: DataSet, decision: Decision | None = None) -> float:
        """Mean Dice at the images' own sizes; without a decision, scores of one half and more are taken."""
        return _validation(outputs, data, decision or Decision(data.labels[0], 0.5, 0.0))

    def metrics(
        self, recipe: Recipe, data: DataSet, outputs: dict[str, tuple[np.ndarray, np.ndarray]]
    ) -> dict[str, Any]:
        """Return the report.

        The pixels' threshold is the one of `THRESHOLDS` with the highest mean Dice on the validation images, chosen by
        the int8 model as the device runs it; it is used for the float network as well. The baseline gets its own in
        the same way. Test images decide nothing. Further keys: `thresholds`, `agreement` (intersection
        over union of the float network's and the int8 model's masks), `images` (each test image's Dice).
        """

        def rule(threshold: float) -> Decision:
            return Decision(data.labels[0], threshold, recipe.data.minimum_area)

        thresholds = {}
        for name in ("baseline", "int8"):
            quality = {t: _validation(outputs[name][0], data, rule(t)) for t in THRESHOLDS}
            thresholds[name] = max(THRESHOLDS, key=lambda t: (round(quality[t], 6), -abs(t - 0.5)))
        thresholds["float"] = thresholds["int8"]
        found = {
            name: _masks(test, data.test, rule(thresholds[name]), data.spec) for name, (_, test) in outputs.items()
        }
        dices = {name: measures.dices(masks, data.test.masks) for name, masks in found.items()}
        unions = {name: measures.unions(masks, data.test.masks) for name, masks in found.items()}
        test_metrics = {
            name: {"dice": measures.mean_metric(dices[name]), "iou": measures.mean_metric(unions[name])}
            for name in ("baseline", "float", "int8")
        }
        agreement = measures.unions(found["int8"], found["float"])
        agreed = measures.mean_metric(agreement)
        mean = {name: float(values.mean()) for name, values in dices.items()}
        lost = 100 * (mean["float"] - mean["int8"])
        return {
            "labels": list(data.labels),
            "test": test_metrics,
            "decision": rule(thresholds["int8"])._asdict(),
            "thresholds": thresholds,
            "drop": 100 * (mean["baseline"] - mean["int8"]),
            "cosine": measures.centred_cosine(*(np.concatenate(outputs[name]) for name in ("float", "int8"))),
            "validation": self.evaluate(outputs["int8"][0], data, rule(thresholds["int8"])),
            "agreement": agreed,
            "images": [
                {"image": name, "agreement": round(float(agreement[i]), 5)}
                | {kind: round(float(dices[kind][i]), 5) for kind in ("baseline", "float", "int8")}
                for i, name in enumerate(data.test.names)
            ],
            "differences": [
                f"Dice lost from float to int8: {lost:.2f} points",
                f"IoU between the float and the int8 masks: {measures.cell(agreed)}",
            ],
        }

    def default_decision(self, recipe: Recipe) -> dict[str, Any] | None:
        """Scores of one half and more: a mask can't be without a threshold."""
        return Decision(recipe.data.positive, 0.5, recipe.data.minimum_area)._asdict()

    def sheet(
        self, recipe: Recipe, data: DataSet, outputs: dict[str, tuple[np.ndarray, np.ndarray]], report: dict[str, Any]
    ) -> bytes:
        """The test images with the lowest Dice in int8: truth, float and int8 side by side."""
        chosen = sorted(range(len(data.test)), key=lambda i: report["images"][i]["int8"])[:WORST]
        decision, entries = Decision(**report["decision"]), []
        grey = replace(data.spec, color="grey")

        def seen(mask: np.ndarray) -> np.ndarray:
            """As the network sees the image, cropped or padded."""
            return pixels(Image.fromarray(mask.astype(np.uint8) * 255), grey)[:, :, 0] >= 128

        for i in chosen:
            row, truth = report["images"][i], data.test.masks[i]
            masks = {name: seen(_mask(outputs[name][1][i], data.test, i, decision, data.spec)) for name in DRAWN}
            captions = {name: f"{name}: Dice {row[name]:.3f}" for name in masks} | {"truth": row["image"]}
            entries.append(Entry(data.test.pixels[i], {"truth": seen(truth), **masks}, captions))
        return sheet(entries)

    def golden(self, number: int) -> Image.Image:
        """A phantom of the inside of a colon, every second one with a polyp."""
        return Image.fromarray(colon(1000 + number, polyp=bool(number % 2), size=96)[0])


def _validation(outputs: np.ndarray, data: DataSet, rule: Decision) -> float:
    """Return the mean Dice on the validation images, for their logits."""
    return float(np.mean(measures.dices(_masks(outputs, data.val, rule, data.spec), data.val.masks)))


def _masks(outputs: np.ndarray, split: Split, rule: Decision, spec: Preprocessing) -> list[np.ndarray]:
    """Return bool (H, W) of each image, as the device makes it from logits (N, h, w, 1), where it is labelled."""
    return [_mask(logits, split, i, rule, spec) for i, logits in enumerate(outputs)]


def _mask(logits: np.ndarray, split: Split, i: int, rule: Decision, spec: Preprocessing) -> np.ndarray:
    height, width = split.masks[i].shape
    found = mask(logits[:, :, 0], (width, height), rule, spec)
    return found & ~split.voids[i] if split.voids else found


def _target(truth: Tensor, outputs: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return what the logits (N, 1, h, w) are compared with, (N, h w), and how much each counts; None: all alike."""
    if truth.dtype == torch.uint8:
        truth = (truth[:, None] if truth.ndim == 3 else truth).float() / 255
    t = F.adaptive_avg_pool2d(truth, (outputs.shape[2], outputs.shape[3])).flatten(2)
    if t.shape[1] == 1:
        return t[:, 0], None
    labelled = (1 - t[:, 1]).clamp(0, 1)
    labelled = torch.where(labelled < LEAST, 0, labelled)
    return (t[:, 0] / labelled.clamp(min=LEAST)).clamp(0, 1), labelled


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum(1) / weights.sum(1).clamp(min=LEAST)
