"""The task of outlining one thing, beside NumPy and sets of pixels."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from compress.data.folder import DataSet, Split
from compress.recipe import Data, Recipe
from compress.report.sheet import BAR, COLORS
from compress.report.sheet import SIDE as SHEET_SIDE
from compress.tasks.segmentation import THRESHOLDS, Segmentation
from edge.preprocess import Preprocessing

TASK = Segmentation()
SIDE = 24
HOW = Preprocessing(SIDE, SIDE)
Outputs = dict[str, tuple[np.ndarray, np.ndarray]]


def recipe(**data: float) -> Recipe:
    return Recipe("own", "A recipe", "own_network:build", HOW, (), Data("polyp", **data), task="segmentation")


# ---- the loss


def noise(count: int, height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, height, width), np.uint8)


def loss_by_hand(logits: np.ndarray, truth: np.ndarray) -> list[float]:
    """Of logits (N, h, w) and truth (N, h, w) from 0 to 1, one image after the other."""
    rows = []
    for z, t in zip(logits.astype(np.float64), truth.astype(np.float64), strict=True):
        p = 1 / (1 + np.exp(-z))
        entropy = -(t * np.log(p) + (1 - t) * np.log(1 - p))
        rows.append(entropy.mean() + 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1))
    return rows


def losses(logits: np.ndarray | Tensor, truth: np.ndarray | Tensor) -> np.ndarray:
    return TASK.losses(torch.as_tensor(logits, dtype=torch.float32)[:, None], torch.as_tensor(truth)).numpy()


def test_the_loss_is_what_its_formula_says() -> None:
    z, truth = np.random.default_rng(1).normal(0, 3, (5, 6, 8)), noise(5, 6, 8)
    np.testing.assert_allclose(losses(z, truth), loss_by_hand(z, truth / 255), rtol=1e-5)


def test_an_images_loss_does_not_depend_on_its_neighbours() -> None:
    z, truth = np.random.default_rng(1).normal(0, 3, (5, 6, 8)), noise(5, 6, 8)
    alone = [losses(z[n : n + 1], truth[n : n + 1])[0] for n in range(5)]
    np.testing.assert_allclose(losses(z, truth), alone, rtol=1e-6)


def test_truth_as_it_is_stored_and_as_it_is_augmented_is_the_same() -> None:
    z, truth = np.random.default_rng(1).normal(0, 3, (5, 6, 8)), noise(5, 6, 8)
    np.testing.assert_allclose(losses(z, truth), losses(z, torch.from_numpy(truth)[:, None] / 255), rtol=1e-6)


def test_truth_is_averaged_down_to_the_logits() -> None:
    z, truth = np.random.default_rng(1).normal(0, 3, (5, 6, 8)), noise(5, 12, 24)
    smaller = truth.reshape(5, 6, 2, 8, 3).mean((2, 4)) / 255
    np.testing.assert_allclose(losses(z, truth), loss_by_hand(z, smaller), rtol=1e-5)


@pytest.mark.parametrize("value", [-1e4, -20.0, 0.0, 20.0, 1e4])
@pytest.mark.parametrize("covered", [0, 255])
def test_a_loss_and_its_gradient_are_finite(covered: int, value: float) -> None:
    z = torch.full((2, 1, 4, 4), value, requires_grad=True)
    loss = TASK.losses(z, torch.full((2, 4, 4), covered, dtype=torch.uint8))
    loss.sum().backward()
    assert z.grad is not None
    assert loss.isfinite().all() and z.grad.isfinite().all()


def test_where_nothing_is_nothing_is_best() -> None:
    empty, z = np.zeros((1, 8, 8), np.uint8), np.full((1, 8, 8), -20.0)
    assert losses(z, empty)[0] == pytest.approx(0, abs=1e-6)
    z[0, 3, 3] = 20.0
    one_pixel = losses(z, empty)[0]
    assert one_pixel > 0.5
    assert losses(np.zeros((1, 8, 8)), empty)[0] > one_pixel


@pytest.mark.parametrize(
    "found, fits",
    [
        ((2, 1, 12, 12), True),
        ((2, 1, 24, 24), True),
        ((2, 1, 1, 24), True),
        ((2, 1, 25, 24), False),
        ((2, 2, 12, 12), False),
        ((1, 1, 12, 12), False),
        ((2, 12, 12), False),
        ((2, 1), False),
    ],
)
def test_the_output_is_a_map_no_larger_than_the_input(found: tuple[int, ...], fits: bool) -> None:
    assert TASK.output(recipe(), 1, found) == (
        "" if fits else "logits of shape (2, 1, height, width), not larger than 24x24"
    )


# ---- what a network is worth


def disc(x: float, y: float, reach: float, size: tuple[int, int] = (SIDE, SIDE)) -> np.ndarray:
    """A round mask; x, y and reach in shares of the image, `size` (width, height)."""
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    return ((columns + 0.5) / size[0] - x) ** 2 + ((rows + 0.5) / size[1] - y) ** 2 < reach**2


def split(masks: Sequence[np.ndarray], names: str = "picture") -> Split:
    n = len(masks)
    blank = np.zeros((n, SIDE, SIDE, 3), np.uint8)
    return Split(blank, blank[..., 0], tuple(f"{names}{i}.png" for i in range(n)), tuple(masks))


def data_set(val: Sequence[np.ndarray], test: Sequence[np.ndarray], spec: Preprocessing = HOW) -> DataSet:
    return DataSet(TASK, spec, ("polyp",), split(val), split(val, "val"), split(test, "test"), {})


def logits(scores: Sequence[np.ndarray]) -> np.ndarray:
    """Logits (N, h, w, 1) of these scores."""
    p = np.stack(scores).astype(np.float64)[..., None]
    return np.log(p / (1 - p)).astype(np.float32)


def sure(masks: Sequence[np.ndarray]) -> np.ndarray:
    return logits([np.where(mask, 0.99, 0.01) for mask in masks])


DISCS = [disc(0.4, 0.5, 0.2), disc(0.6, 0.4, 0.3), disc(0.5, 0.5, 0.1), disc(0.3, 0.7, 0.15)]
NOTHING = np.zeros((SIDE, SIDE), bool)


def test_perfect_logits_are_worth_everything() -> None:
    data = data_set([*DISCS, NOTHING], DISCS)
    assert TASK.evaluate(sure(data.val.masks), data) == 1.0


def test_nothing_found_where_nothing_is_counts_and_where_something_is_does_not() -> None:
    data = data_set([NOTHING, NOTHING, DISCS[0], DISCS[1]], DISCS)
    assert TASK.evaluate(sure([NOTHING] * 4), data) == 0.5
    assert TASK.evaluate(sure([DISCS[0], NOTHING, DISCS[0], NOTHING]), data) == 0.5


def test_it_is_judged_in_the_pictures_own_sizes() -> None:
    sizes = [(90, 60), (60, 90), (200, 150)]
    masks = [disc(0.5, 0.45, 0.3, size) for size in sizes]
    padded = Preprocessing(SIDE, SIDE, fit="pad")
    scores = []
    for size in sizes:  # what a network sees is the same disc, in the middle of the black
        inner = tuple(round(SIDE * side / max(size)) for side in size)
        seen = np.zeros((SIDE, SIDE), bool)
        top, left = (SIDE - inner[1]) // 2, (SIDE - inner[0]) // 2
        seen[top : top + inner[1], left : left + inner[0]] = disc(0.5, 0.45, 0.3, inner)
        scores.append(seen)
    assert TASK.evaluate(sure(scores), data_set(masks, masks, padded)) > 0.93
    assert TASK.evaluate(sure(scores), data_set(masks, masks)) < 0.9  # where nothing was padded


def pixels_of(mask: np.ndarray) -> set[tuple[int, int]]:
    return {(int(y), int(x)) for y, x in np.argwhere(mask)}


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    a, b = pixels_of(found), pixels_of(truth)
    return 2 * len(a & b) / (len(a) + len(b)) if a or b else 1.0


def union(found: np.ndarray, truth: np.ndarray) -> float:
    a, b = pixels_of(found), pixels_of(truth)
    return len(a & b) / len(a | b) if a or b else 1.0


def haze(masks: Sequence[np.ndarray], seed: int, strength: float = 1.0) -> np.ndarray:
    """Logits of a network that sees the masks through noise."""
    random = np.random.default_rng(seed)
    clear = np.stack([np.where(mask, 1.0, -1.0) for mask in masks])
    return (clear + random.normal(0.3, strength, clear.shape)).astype(np.float32)[..., None]


def hazy(val: Sequence[np.ndarray], test: Sequence[np.ndarray], int8: float = 1.2) -> Outputs:
    strengths = {"baseline": 0.6, "float": 1.0, "int8": int8}
    return {name: (haze(val, n, s), haze(test, n + 10, s)) for n, (name, s) in enumerate(strengths.items())}


def by_threshold(outputs: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Masks of logits that are as large as their images."""
    return [1 / (1 + np.exp(-rows[..., 0].astype(np.float64))) >= threshold for rows in outputs]


def mean_dice(outputs: np.ndarray, threshold: float, truth: Sequence[np.ndarray]) -> float:
    return float(np.mean([dice(*pair) for pair in zip(by_threshold(outputs, threshold), truth, strict=True)]))


def test_a_threshold_is_the_best_on_the_validation_images() -> None:
    data = data_set(DISCS, [*DISCS, NOTHING])
    outputs = hazy(data.val.masks, data.test.masks)
    result = TASK.metrics(recipe(), data, outputs)
    for name in ("baseline", "int8"):
        quality = {t: mean_dice(outputs[name][0], t, DISCS) for t in THRESHOLDS}
        assert quality[result["thresholds"][name]] == pytest.approx(max(quality.values()), abs=1e-6)
    assert result["thresholds"]["float"] == result["thresholds"]["int8"]
    assert result["decision"] == {"label": "polyp", "threshold": result["thresholds"]["int8"], "minimum_area": 0.0}
    chosen = result["decision"]["threshold"]
    assert result["validation"] == pytest.approx(mean_dice(outputs["int8"][0], chosen, DISCS))
    assert result["validation"] > mean_dice(outputs["int8"][0], 0.5, DISCS)  # these hazy ones want another


@pytest.mark.parametrize("around, best", [(0.6, 0.65), (0.3, 0.5), (0.78, 0.8), (0.52, 0.55)])
def test_of_equally_good_thresholds_the_one_nearest_to_half_is_taken(around: float, best: float) -> None:
    """A sure middle, and around it a ring that is none of the truth, with a score of its own."""
    inner, outer = disc(0.5, 0.5, 0.2), disc(0.5, 0.5, 0.35)
    scores = logits([np.where(inner, 0.9, np.where(outer, around, 0.01))])
    outputs = dict.fromkeys(("baseline", "float", "int8"), (scores, scores))
    assert TASK.metrics(recipe(), data_set([inner], [inner]), outputs)["thresholds"] == {
        "baseline": best,
        "float": best,
        "int8": best,
    }


def test_the_baseline_gets_a_threshold_of_its_own() -> None:
    inner, outer = disc(0.5, 0.5, 0.2), disc(0.5, 0.5, 0.35)
    careful, bold = (logits([np.where(inner, 0.9, np.where(outer, ring, 0.01))]) for ring in (0.3, 0.6))
    outputs = {"baseline": (careful, careful), "float": (careful, careful), "int8": (bold, bold)}
    thresholds = TASK.metrics(recipe(), data_set([inner], [inner]), outputs)["thresholds"]
    assert thresholds == {"baseline": 0.5, "float": 0.65, "int8": 0.65}


def test_test_images_decide_nothing() -> None:
    one = data_set(DISCS, DISCS)
    other = data_set(DISCS, [NOTHING, *DISCS[::-1]])
    outputs = hazy(DISCS, DISCS)
    changed = {name: (val, haze(other.test.masks, 99, 3.0)) for name, (val, _) in outputs.items()}
    first, second = TASK.metrics(recipe(), one, outputs), TASK.metrics(recipe(), other, changed)
    assert first["test"] != second["test"]
    for key in ("thresholds", "decision", "validation"):
        assert first[key] == second[key]


def test_test_figures_are_those_of_the_masks() -> None:
    truth = [*DISCS, NOTHING]
    data = data_set(DISCS, truth)
    outputs = hazy(DISCS, truth)
    result = TASK.metrics(recipe(), data, outputs)
    masks = {name: by_threshold(test, result["thresholds"][name]) for name, (_, test) in outputs.items()}
    dices = {name: [dice(*pair) for pair in zip(found, truth, strict=True)] for name, found in masks.items()}
    assert list(result["test"]) == ["baseline", "float", "int8"]
    for name, found in masks.items():
        unions = [union(*pair) for pair in zip(found, truth, strict=True)]
        assert result["test"][name]["dice"]["value"] == pytest.approx(np.mean(dices[name]))
        assert result["test"][name]["iou"]["value"] == pytest.approx(np.mean(unions))
    agreement = [union(*pair) for pair in zip(masks["int8"], masks["float"], strict=True)]
    assert result["agreement"]["value"] == pytest.approx(np.mean(agreement))
    assert result["drop"] == pytest.approx(100 * (np.mean(dices["baseline"]) - np.mean(dices["int8"])))
    for figure in [result["agreement"], *result["test"]["int8"].values(), *result["test"]["baseline"].values()]:
        assert figure["low"] < figure["value"] < figure["high"]
    assert [row["image"] for row in result["images"]] == list(data.test.names)
    for i, row in enumerate(result["images"]):
        assert row == pytest.approx(
            {"image": row["image"], "agreement": agreement[i]} | {name: dices[name][i] for name in dices}, abs=1e-5
        )


def test_the_differences_are_said_in_words() -> None:
    outputs = hazy(DISCS, DISCS)
    result = TASK.metrics(recipe(), data_set(DISCS, DISCS), outputs)
    lost = 100 * (result["test"]["float"]["dice"]["value"] - result["test"]["int8"]["dice"]["value"])
    words = " ".join(result["differences"])
    assert f"Dice lost from float to int8: {lost:.2f} points" in words
    assert re.search(rf"masks: {result['agreement']['value']:.3f} \[0\.\d+, 0\.\d+\]", words)


def test_what_int8_does_not_change_does_not_differ() -> None:
    outputs = hazy(DISCS, DISCS)
    outputs["int8"] = outputs["baseline"] = outputs["float"]
    result = TASK.metrics(recipe(), data_set(DISCS, DISCS), outputs)
    assert result["agreement"] == {"value": 1.0, "low": 1.0, "high": 1.0}
    assert result["drop"] == 0
    assert result["cosine"] == pytest.approx(1)


def test_regions_under_the_minimum_area_are_no_finding() -> None:
    with_speck = DISCS[0].copy()
    with_speck[1:3, 1:3] = True  # 4 of 576 pixels, 0.7 %
    scores = sure([with_speck])
    outputs = dict.fromkeys(("baseline", "float", "int8"), (scores, scores))
    data = data_set([DISCS[0]], [DISCS[0]])
    with_all = TASK.metrics(recipe(), data, outputs)
    assert with_all["test"]["int8"]["dice"]["value"] == pytest.approx(dice(with_speck, DISCS[0]))
    without = TASK.metrics(recipe(minimum_area=0.01), data, outputs)
    assert without["test"]["int8"]["dice"]["value"] == 1.0
    assert without["decision"]["minimum_area"] == 0.01


@pytest.mark.parametrize("fit", ["stretch", "pad", "crop"])
def test_the_sheet_begins_with_the_worst_pictures_and_outlines_what_was_seen(fit: str) -> None:
    spec = Preprocessing(SIDE, SIDE, fit=fit)
    truth = [disc(0.5, 0.5, 0.3, (96, 48)) for _ in range(12)]
    data = data_set(truth, truth, spec)
    scores = sure([disc(0.5, 0.5, 0.1 + 0.01 * n) for n in range(12)])  # the last one is the best
    outputs = dict.fromkeys(("baseline", "float", "int8"), (scores, scores))
    report = TASK.metrics(recipe(), data, outputs)
    drawn = np.asarray(Image.open(io.BytesIO(TASK.sheet(recipe(), data, outputs, report))))
    assert drawn.shape == (10 * (SHEET_SIDE + BAR), 3 * SHEET_SIDE, 3)
    first = drawn[BAR : BAR + SHEET_SIDE, :SHEET_SIDE]  # the truth, in the first row
    rows, columns = (np.flatnonzero((first == COLORS["truth"]).all(2).any(axis)) for axis in (1, 0))
    height, width = (np.ptp(places) / SHEET_SIDE for places in (rows, columns))
    wanted = {"stretch": (0.6, 0.6), "pad": (0.3, 0.6), "crop": (0.6, 1.0)}[fit]
    assert (height, width) == pytest.approx(wanted, abs=0.08)


def test_golden_pictures_are_the_same_each_time_with_and_without_a_polyp() -> None:
    first, again = ([np.asarray(TASK.golden(n)) for n in range(4)] for _ in range(2))
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert len({picture.tobytes() for picture in first}) == 4
    assert first[0].shape == (96, 96, 3)
