"""What nobody labelled counts in no loss and no metric: read, moved, trained, pruned and judged without it."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from compress.data.folder import DataSet, Split
from compress.data.mask_values import Values
from compress.data.masks import load_masks
from compress.data.remarks import remarks
from compress.pruning.taylor import Examples, loss_gradient
from compress.recipe import Data, Recipe
from compress.steps.augmentation import Augmentation, augmented
from compress.steps.distillation import Distillation
from compress.steps.train import Training, train
from compress.tasks.segmentation import Segmentation
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

TASK = Segmentation()
SIDE = 16
HOW = Preprocessing(SIDE, SIDE, "grey", 1)
VALUES = Values((1,), (255,))


def mask_of(n: int, size: int = 32) -> np.ndarray:
    """1 for the thing, 255 in a band on the left that nobody labelled, wider from image to image."""
    values = np.zeros((size, size), np.uint8)
    values[8:20, 10:28] = 1
    values[:, : n % 5 + 2] = 255
    return values


def write(root: Path, masks: dict[str, np.ndarray]) -> Path:
    for stem, values in masks.items():
        noise = np.random.default_rng(zlib.crc32(stem.encode())).integers(0, 256, values.shape, np.uint8)
        for kind, image in (("images", noise), ("masks", values)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(root / kind / f"{stem}.png")
    return root


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    root = write(tmp_path, {f"{n:02}": mask_of(n) for n in range(20)})
    return load_masks(TASK, root, HOW, "thing", 0.2, 0.2, values=VALUES)


def test_what_is_not_labelled_is_read_beside_the_mask(data: DataSet) -> None:
    for split in (data.train, data.val, data.test):
        assert split.truth.shape == (len(split), 2, SIDE, SIDE) and split.truth.dtype == np.uint8
        for name, truth in zip(split.names, split.truth, strict=True):
            values = mask_of(int(Path(name).stem))
            for plane, value in zip(truth, (1, 255), strict=True):
                shrunk = (values == value).reshape(SIDE, 2, SIDE, 2).mean((1, 3)) * 255
                assert abs(plane.mean() - shrunk.mean()) < 3
    for split in (data.val, data.test):
        for name, mask, void in zip(split.names, split.masks, split.voids, strict=True):
            values = mask_of(int(Path(name).stem))
            assert (mask == (values == 1)).all() and (void == (values == 255)).all()
    assert data.train.masks == data.train.voids == ()
    assert data.summary["empty_masks"] == {"train": 0, "val": 0, "test": 0}
    share = np.mean([(mask_of(n) == 255).mean() for n in range(20)])
    assert data.summary["mask_values"]["ignored"] == pytest.approx(share, abs=0.01)
    (line,) = remarks(data.summary)
    assert line.startswith("masks: foreground 1; ignore 255; background 0; 12") and "no loss and no metric" in line


def test_the_digest_knows_what_is_not_labelled(data: DataSet, tmp_path: Path) -> None:
    seen = {data.summary["digest"]}
    for stem in (Path(data.train.names[0]).stem, Path(data.test.names[0]).stem):
        path = tmp_path / f"masks/{stem}.png"
        values = np.asarray(Image.open(path)).copy()
        values[30, 30] = 255 - values[30, 30]
        Image.fromarray(values).save(path)
        seen.add(load_masks(TASK, tmp_path, HOW, "thing", 0.2, 0.2, values=VALUES).summary["digest"])
    assert len(seen) == 3


def test_images_without_a_labelled_pixel_are_left_out_and_counted(tmp_path: Path) -> None:
    masks = {f"{n:02}": mask_of(n) for n in range(12)} | {f"{n:02}": np.full((32, 32), 255, np.uint8) for n in (3, 7)}
    data = load_masks(TASK, write(tmp_path, masks), HOW, "thing", 0.2, 0.2, values=VALUES)
    assert sum(map(len, (data.train, data.val, data.test))) == 10
    assert data.summary["unlabelled_images"] == 2
    assert any("2 images were left out" in line for line in remarks(data.summary))
    with pytest.raises(EdgeError, match="no mask with a labelled pixel"):
        load_masks(TASK, tmp_path, HOW, "thing", 0.2, 0.2, values=Values((2,), ("0-1", 255)))


def test_named_values_that_no_mask_has_are_refused_with_those_found(tmp_path: Path) -> None:
    write(tmp_path, {f"{n:02}": mask_of(n) for n in range(12)})
    with pytest.raises(EdgeError, match=r"no mask that shows thing .* expected 7 there, found 0 \([\d,]+ pixels"):
        load_masks(TASK, tmp_path, HOW, "thing", 0.2, 0.2, values=Values((7,), (255,)))


# ---- losses


def batch(seed: int = 0, side: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, coverage and void, as uint8, of three images: whole pixels are void."""
    random = np.random.default_rng(seed)
    z = torch.from_numpy(random.normal(0, 3, (3, 1, side, side)).astype(np.float32))
    void = torch.from_numpy((random.random((3, side, side)) < 0.3).astype(np.uint8) * 255)
    coverage = torch.from_numpy(random.integers(0, 256, (3, side, side), np.uint8))
    return z, torch.where(void > 0, 0, coverage), void


def test_the_loss_is_that_of_the_labelled_pixels() -> None:
    z, coverage, void = batch()
    losses = TASK.losses(z, torch.stack([coverage, void], 1))
    for n in range(3):
        labelled = void[n] == 0
        p, t, logit = torch.sigmoid(z[n, 0])[labelled], coverage[n][labelled] / 255, z[n, 0][labelled]
        entropy = nn.functional.binary_cross_entropy_with_logits(logit, t)
        expected = entropy + 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
        torch.testing.assert_close(losses[n], expected)


def test_without_void_pixels_it_is_the_usual_loss() -> None:
    z, coverage, _ = batch()
    torch.testing.assert_close(
        TASK.losses(z, torch.stack([coverage, torch.zeros_like(coverage)], 1)), TASK.losses(z, coverage)
    )


def test_what_a_network_says_where_nobody_labelled_changes_no_loss() -> None:
    z, coverage, void = batch()
    truth, taught = torch.stack([coverage, void], 1), torch.randn(3, 1, 8, 8)
    other = torch.where(void[:, None] > 0, torch.randn(z.shape) * 9, z).requires_grad_()
    torch.testing.assert_close(TASK.losses(z, truth), TASK.losses(other, truth))
    torch.testing.assert_close(TASK.divergence(z, taught, 2.0, truth), TASK.divergence(other, taught, 2.0, truth))
    assert not torch.allclose(TASK.divergence(z, taught, 2.0), TASK.divergence(other, taught, 2.0))
    (TASK.losses(other, truth) + TASK.divergence(other, taught, 2.0, truth)).sum().backward()
    assert other.grad is not None
    assert not other.grad[void[:, None] > 0].any() and other.grad[void[:, None] == 0].all()


def test_smaller_logits_count_by_their_labelled_share() -> None:
    """A logit over four pixels, one of them the thing and two not labelled, is half the thing, and half a logit."""
    coverage, void = torch.zeros(1, 4, 4, dtype=torch.uint8), torch.zeros(1, 4, 4, dtype=torch.uint8)
    coverage[0, 0, 0], void[0, :2, 1] = 255, 255
    z = torch.randn(1, 1, 2, 2)
    p, t = torch.sigmoid(z.flatten()), torch.tensor([0.5, 0, 0, 0])
    weights = torch.tensor([0.5, 1, 1, 1])
    entropy = nn.functional.binary_cross_entropy(p, t, reduction="none")
    dice = (2 * (weights * p * t).sum() + 1) / ((weights * p).sum() + (weights * t).sum() + 1)
    expected = (entropy * weights).sum() / weights.sum() + 1 - dice
    torch.testing.assert_close(TASK.losses(z, torch.stack([coverage, void], 1))[0], expected)


def test_an_image_of_which_the_crop_shows_nothing_labelled_has_a_finite_loss() -> None:
    truth = torch.stack([torch.zeros(2, 8, 8), torch.ones(2, 8, 8)], 1)
    z = torch.randn(2, 1, 8, 8, requires_grad=True)
    losses = TASK.losses(z, truth) + TASK.divergence(z, torch.randn(2, 1, 8, 8), 2.0, truth)
    losses.sum().backward()
    assert z.grad is not None and not z.grad.any()
    assert losses.isfinite().all()


def test_the_gradient_that_prunes_is_that_of_the_labelled_pixels() -> None:
    z, coverage, void = batch()
    examples = Examples(torch.zeros(3, 1, 8, 8), torch.stack([coverage, void], 1), TASK.losses)
    gradient = loss_gradient(examples, normalize=True)(z.clone(), slice(0, 3))
    assert not gradient[void[:, None] > 0].any() and gradient.any()


# ---- augmentation and training


@pytest.mark.parametrize(
    "augment",
    [
        Augmentation(),
        Augmentation(flip=True, rotate=180, zoom=0.2, shift=0.1),
        Augmentation(crop=3),
        Augmentation(crop=3, flip=True, rotate=30),
        Augmentation(erase=0.4),
    ],
)
@pytest.mark.parametrize("size", [0, 16])
def test_void_moves_with_the_mask(augment: Augmentation, size: int) -> None:
    random = np.random.default_rng(0)
    pixels = torch.from_numpy(random.integers(0, 256, (16, 32, 32, 1), np.uint8))
    masks = torch.from_numpy(random.integers(0, 256, (16, 32, 32), np.uint8))
    torch.manual_seed(3)
    _, alone = augmented(pixels, masks, HOW, augment, size)
    torch.manual_seed(3)
    _, both = augmented(pixels, torch.stack([masks, 255 - masks], 1), HOW, augment, size)
    assert alone is not None and both is not None and both.shape[1] == 2
    torch.testing.assert_close(both[:, :1], alone)
    inside = both.sum(1) > 0.99
    torch.testing.assert_close(both[:, 1][inside], 1 - alone[:, 0][inside], atol=0.02, rtol=0)


def test_training_does_not_depend_on_what_lies_where_nobody_labelled(data: DataSet, tmp_path: Path) -> None:
    """1 x 1 kernels: what is void on the left can't be seen from the right."""
    weights = []
    settings = Training(2, lr=0.1, batch=4, distill=Distillation(0.5, 2.0))
    for number, value in enumerate((0, 255)):
        train_split = data.train
        pixels = np.where(train_split.truth[:, 1, :, :, None] == 255, np.uint8(value), train_split.pixels)
        changed = DataSet(
            TASK, HOW, data.labels, Split(pixels, train_split.truth, train_split.names), data.val, data.test, {}
        )
        torch.manual_seed(1)
        network, teacher = nn.Conv2d(1, 1, 1), nn.Conv2d(1, 1, 1)
        torch.manual_seed(2)
        train(network, changed, HOW, settings, tmp_path / f"{number}.pt", teacher=teacher)
        weights.append(torch.cat([p.detach().flatten() for p in network.parameters()]))
    torch.testing.assert_close(*weights, rtol=1e-4, atol=1e-4)


# ---- metrics


def outputs(split: Split, where_void: float) -> np.ndarray:
    """Logits (N, 32, 32, 1) that are right where it is labelled."""
    rows = [
        np.where(void, where_void, np.where(mask, 6.0, -6.0))
        for mask, void in zip(split.masks, split.voids, strict=True)
    ]
    return np.stack(rows)[..., None].astype(np.float32)


def test_metrics_do_not_depend_on_what_is_found_where_nobody_labelled(data: DataSet) -> None:
    spec = Preprocessing(32, 32, "grey", 1)
    data = DataSet(TASK, spec, data.labels, data.train, data.val, data.test, {})
    recipe = Recipe("own", "A recipe", "own:build", spec, (), Data("thing"), task="segmentation")
    reports = []
    for logit in (-6.0, 6.0):
        both = outputs(data.val, logit), outputs(data.test, logit)
        assert TASK.evaluate(both[0], data) == 1.0
        found = {"baseline": both, "float": (outputs(data.val, -logit), outputs(data.test, -logit)), "int8": both}
        reports.append(TASK.metrics(recipe, data, found))
        assert TASK.sheet(recipe, data, found, reports[-1])
    for report in reports:
        report.pop("cosine")  # compares two networks' logits, whatever the labels are
        assert report["test"]["int8"]["dice"]["value"] == report["agreement"]["value"] == 1.0
    assert reports[0] == reports[1]
