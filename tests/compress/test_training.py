from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress import training
from compress.data import DataSet, Split
from compress.metrics import auc
from compress.training import Augmentation, Training, augmented, logits, to_input, train
from edge.preprocess import Preprocessing

HOW = Preprocessing(16, 16, "grey", 3, mean=(0.5, 0.4, 0.3), std=(0.25, 0.5, 1.0))
PLAIN = Preprocessing(32, 32, "grey", 1)  # the network reads pixel / 255


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers on every machine of a kind, whatever else it has."""
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))


def noise(count: int, side: int, planes: int = 1, seed: int = 0) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, (count, side, side, planes), np.uint8))


def test_to_input_is_the_manifests_formula() -> None:
    pixels = noise(3, 16)
    expected = np.stack([(pixels[..., 0].numpy() / 255 - m) / s for m, s in zip(HOW.mean, HOW.std, strict=True)], 1)
    np.testing.assert_allclose(to_input(pixels, HOW).numpy(), expected, rtol=1e-6, atol=1e-6)


def test_to_input_keeps_the_planes_of_a_colour_picture_apart() -> None:
    pixels = noise(2, 16, planes=3)
    how = Preprocessing(16, 16, "rgb", 3)
    expected = pixels.numpy().transpose(0, 3, 1, 2) / 255
    np.testing.assert_allclose(to_input(pixels, how).numpy(), expected, rtol=1e-6)


def test_no_augmentation_is_what_the_device_reads() -> None:
    pixels = noise(4, 16)
    torch.testing.assert_close(augmented(pixels, HOW, Training(1)), to_input(pixels, HOW), rtol=1e-4, atol=1e-4)


def test_a_smaller_size_is_the_mean_of_the_pixels_it_covers() -> None:
    pixels = torch.full((2, 32, 32, 1), 51, dtype=torch.uint8)
    x = augmented(pixels, PLAIN, Training(1, size=16))
    torch.testing.assert_close(x, torch.full((2, 1, 16, 16), 0.2), rtol=1e-4, atol=1e-4)


def dot(row: int, column: int, count: int = 64) -> Tensor:
    """One bright spot of 3x3 pixels on black."""
    pixels = torch.zeros(count, 32, 32, 1, dtype=torch.uint8)
    pixels[:, row - 1 : row + 2, column - 1 : column + 2] = 255
    return pixels


def places(x: Tensor) -> np.ndarray:
    """Where the spot is in each picture, (N, 2): down and right of the picture's middle."""
    axis = torch.arange(32) - 15.5
    weight = x[:, 0].double()
    total = weight.sum((1, 2))
    down = (weight * axis[:, None]).sum((1, 2)) / total
    right = (weight * axis[None, :]).sum((1, 2)) / total
    return torch.stack([down, right], 1).numpy()


def moved(augment: Augmentation, row: int = 12, column: int = 22) -> np.ndarray:
    torch.manual_seed(0)
    return places(augmented(dot(row, column), PLAIN, Training(1, augment=augment)))


def test_flip_mirrors_half_of_the_pictures() -> None:
    found = moved(Augmentation(flip=True))
    np.testing.assert_allclose(found[:, 0], -3.5, atol=1e-3)
    np.testing.assert_allclose(np.abs(found[:, 1]), 6.5, atol=1e-3)
    assert 16 < (found[:, 1] < 0).sum() < 48


def test_shift_moves_by_a_share_of_the_side() -> None:
    distance = moved(Augmentation(shift=0.125)) - (-3.5, 6.5)
    assert np.abs(distance).max() <= 4 + 1e-3
    for axis in (0, 1):
        assert distance[:, axis].min() < -3
        assert distance[:, axis].max() > 3
    assert abs(np.corrcoef(distance.T)[0, 1]) < 0.5


def test_rotation_turns_about_the_middle() -> None:
    found = moved(Augmentation(rotate=20))
    np.testing.assert_allclose(np.hypot(*found.T), math.hypot(3.5, 6.5), atol=0.3)
    turned = np.degrees(np.arctan2(found[:, 0], found[:, 1]) - math.atan2(-3.5, 6.5))
    assert np.abs(turned).max() < 21
    assert turned.min() < -15
    assert turned.max() > 15


def test_zoom_moves_along_the_ray_from_the_middle() -> None:
    found = moved(Augmentation(zoom=0.2))
    factor = found / (-3.5, 6.5)
    np.testing.assert_allclose(factor[:, 0], factor[:, 1], atol=0.1)
    assert factor.min() > 1 / 1.2 - 0.05
    assert factor.max() < 1 / 0.8 + 0.05
    assert factor.max() - factor.min() > 0.25


def test_contrast_and_brightness_change_the_values_as_they_say() -> None:
    pixels = torch.full((64, 32, 32, 1), 153, dtype=torch.uint8)  # 0.6
    torch.manual_seed(0)
    brighter = augmented(pixels, PLAIN, Training(1, augment=Augmentation(brightness=0.2)))[:, 0, 16, 16]
    assert 0.4 <= brighter.min() < 0.45
    assert 0.75 < brighter.max() <= 0.8
    contrast = augmented(pixels, PLAIN, Training(1, augment=Augmentation(contrast=0.5)))[:, 0, 16, 16]
    assert 0.55 <= contrast.min() < 0.56
    assert 0.64 < contrast.max() <= 0.65


SMALL = Preprocessing(8, 8, "grey", 1, mean=(0.5,), std=(0.25,))


def network() -> nn.Module:
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.1),
        nn.Linear(8, 2),
    )


def data_set(counts: tuple[int, int], picture: Callable[[int, np.random.Generator], np.ndarray]) -> DataSet:
    random = np.random.default_rng(2)
    labels = np.repeat([0, 1], counts)
    pixels = np.stack([picture(label, random) for label in labels]).astype(np.uint8)[..., None]
    split = Split(pixels, labels, tuple(str(n) for n in range(len(labels))))
    return DataSet(("still", "striped"), split, split, split, {})


def stripes(label: int, random: np.random.Generator) -> np.ndarray:
    """Noise, and for label 1 stripes through it."""
    picture = random.normal(128, 30, (8, 8))
    picture[:: 2 if label else 9] += 60
    return np.clip(picture, 0, 255)


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("stop", ["epoch 2/3", "epoch 3/3"])
def test_an_interrupted_training_goes_on_to_the_same_weights(stop: str, tmp_path: Path) -> None:
    data = data_set((11, 12), stripes)
    settings = Training(3, batch=8, bn_l1=1e-4, augment=Augmentation(flip=True, shift=0.1))
    unbroken = weights(train(network(), data, SMALL, settings, tmp_path / "unbroken.pt"))

    def interrupt(text: str) -> None:
        if text.startswith(stop):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(network(), data, SMALL, settings, tmp_path / "broken.pt", interrupt)
    said: list[str] = []
    again = weights(train(network(), data, SMALL, settings, tmp_path / "broken.pt", said.append))
    assert said[0].startswith(stop)
    for name, tensor in unbroken.items():
        assert torch.equal(again[name], tensor), name


def test_the_seed_decides(tmp_path: Path) -> None:
    data = data_set((8, 8), stripes)
    results = [
        weights(train(network(), data, SMALL, Training(1, batch=8, seed=seed), tmp_path / f"{n}.pt"))
        for n, seed in enumerate((1, 1, 2))
    ]
    assert torch.equal(results[0]["0.weight"], results[1]["0.weight"])
    assert not torch.equal(results[0]["0.weight"], results[2]["0.weight"])


def test_every_epoch_has_an_order_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    draw, orders = torch.randperm, []
    monkeypatch.setattr(torch, "randperm", lambda count: orders.append(draw(count)) or orders[-1])
    train(network(), data_set((8, 8), stripes), SMALL, Training(3, batch=8), tmp_path / "x.pt")
    assert len({tuple(order.tolist()) for order in orders}) == 3


def test_what_can_be_learned_is_learned(tmp_path: Path) -> None:
    data = data_set((24, 24), stripes)
    trained = train(network(), data, SMALL, Training(12, batch=8), tmp_path / "x.pt")
    assert auc(logits(trained, data.val, SMALL), data.val.labels) == 1.0


def test_a_penalty_on_gamma_makes_it_small(tmp_path: Path) -> None:
    data = data_set((8, 8), stripes)
    gamma = {
        strength: train(network(), data, SMALL, Training(6, batch=8, bn_l1=strength), tmp_path / f"{strength}.pt")[1]
        .weight.detach()
        .abs()
        .mean()
        for strength in (0.0, 0.3)
    }
    assert gamma[0.3] < 0.7 * gamma[0.0]


@pytest.mark.parametrize("balance, share", [(True, 0.5), (False, 0.9)])
def test_balance_makes_the_classes_count_alike(balance: bool, share: float, tmp_path: Path) -> None:
    data = data_set((36, 4), lambda label, random: np.zeros((8, 8)))  # nothing to see: only frequencies can be learned
    blind = nn.Sequential(nn.Flatten(), nn.Linear(64, 2))
    settings = Training(60, lr=0.02, batch=40, balance=balance, weight_decay=0.0)
    trained = train(blind, data, SMALL, settings, tmp_path / "x.pt")
    scores = torch.softmax(torch.from_numpy(logits(trained, data.val, SMALL)), 1)
    assert float(scores[0, 0]) == pytest.approx(share, abs=0.03)


def test_logits_do_not_depend_on_the_batch() -> None:
    data = data_set((5, 6), stripes)
    one, all_at_once = (logits(network(), data.val, SMALL, batch) for batch in (1, 64))
    np.testing.assert_allclose(one, all_at_once, rtol=1e-4, atol=1e-5)
