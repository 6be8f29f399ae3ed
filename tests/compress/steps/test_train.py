from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.data.folder import DataSet, Split
from compress.steps import train as training
from compress.steps.augmentation import Augmentation
from compress.steps.train import OPTIMIZERS, Training, logits, train
from compress.tasks.classification import Classification
from compress.tasks.metrics import auc
from compress.tasks.segmentation import Segmentation
from edge.errors import EdgeError
from edge.preprocess import Preprocessing


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers on every machine of a kind, whatever else it has."""
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))


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
    return DataSet(Classification(), SMALL, ("still", "striped"), split, split, split, {})


def stripes(label: int, random: np.random.Generator) -> np.ndarray:
    """Noise, and for label 1 stripes through it."""
    picture = random.normal(128, 30, (8, 8))
    picture[:: 2 if label else 9] += 60
    return np.clip(picture, 0, 255)


def weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("stop", ["epoch 2/3", "epoch 3/3"])
def test_an_interrupted_training_goes_on_to_the_same_weights(stop: str, optimizer: str, tmp_path: Path) -> None:
    data = data_set((11, 12), stripes)
    settings = Training(3, batch=8, bn_l1=1e-4, augment=Augmentation(flip=True, shift=0.1), optimizer=optimizer)
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
    assert auc(logits(trained, data.val, SMALL), data.val.truth) == 1.0


def test_a_training_that_diverges_is_named(tmp_path: Path) -> None:
    settings = Training(epochs=3, lr=1e30, batch=8)
    with pytest.raises(EdgeError, match=r"left the finite numbers in epoch 1: .* set a lower lr than 1e\+30"):
        train(network(), data_set((20, 20), stripes), SMALL, settings, tmp_path / "epochs.pt")
    assert not (tmp_path / "epochs.pt").exists()


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


def test_a_normalization_without_gamma_has_none_to_make_small(tmp_path: Path) -> None:
    bare = network()
    bare[1] = nn.BatchNorm2d(8, affine=False)
    train(bare, data_set((8, 8), stripes), SMALL, Training(1, batch=8, bn_l1=0.1), tmp_path / "epochs.pt")
    assert float(bare[4].weight.detach().sum()) < 8


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


def outlines(count: int, size: int = 16) -> DataSet:
    """Bright squares on noise, their masks, and images without one; truth at the image's size."""
    random = np.random.default_rng(4)
    pixels = random.normal(90, 25, (count, size, size))
    truth = np.zeros((count, size, size), np.uint8)
    for n in range(0, count, 4):
        truth[n + 1 : n + 4, 4 + n % 5 : 10 + n % 5, 2 + n % 7 : 8 + n % 7] = 255
    pixels[truth > 0] += 80
    split = Split(
        np.clip(pixels, 0, 255).astype(np.uint8)[..., None],
        truth,
        tuple(str(n) for n in range(count)),
        tuple(mask > 0 for mask in truth),
    )
    return DataSet(Segmentation(), Preprocessing(size, size, "grey", 1), ("square",), split, split, split, {})


def outliner() -> nn.Module:
    """Logits at half the image's side."""
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 1, 3, padding=1)
    )


def test_logits_that_are_maps_have_their_channels_last() -> None:
    data = outlines(5)
    rows = logits(outliner(), data.val, data.spec, batch=2)
    assert rows.shape == (5, 8, 8, 1)
    expected = outliner().eval()(torch.from_numpy(data.val.pixels).permute(0, 3, 1, 2).float() / 255)
    np.testing.assert_allclose(rows[..., 0], expected[:, 0].detach().numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer, lr", [("sgd", 0.1), ("adamw", 0.02)])
@pytest.mark.parametrize("size", [0, 8])
def test_what_can_be_outlined_is_outlined(size: int, optimizer: str, lr: float, tmp_path: Path) -> None:
    data, said = outlines(24), list[str]()
    augment = Augmentation(flip=True, rotate=180, shift=0.1, zoom=0.1)
    settings = Training(25, lr=lr, batch=8, size=size, augment=augment, optimizer=optimizer)
    trained = train(outliner(), data, data.spec, settings, tmp_path / "x.pt", said.append)
    quality = data.task.evaluate(logits(trained, data.val, data.spec), data)
    assert quality > 0.8
    assert f"validation Dice {quality:.4f}" in said[-1]


def test_an_interrupted_training_of_outlines_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    data, settings = outlines(10), Training(3, lr=0.01, batch=4, augment=Augmentation(rotate=90), optimizer="adamw")
    unbroken = weights(train(outliner(), data, data.spec, settings, tmp_path / "unbroken.pt"))

    def interrupt(text: str) -> None:
        if text.startswith("epoch 2/3"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(outliner(), data, data.spec, settings, tmp_path / "broken.pt", interrupt)
    again = weights(train(outliner(), data, data.spec, settings, tmp_path / "broken.pt"))
    for name, tensor in unbroken.items():
        assert torch.equal(again[name], tensor), name


@pytest.mark.compile
@pytest.mark.timeout(300)
def test_a_compiled_training_learns_what_a_plain_one_does(tmp_path: Path) -> None:
    data, said = data_set((27, 24), stripes), list[str]()
    settings = Training(12, batch=8, compiled=True)
    trained = train(network(), data, SMALL, settings, tmp_path / "x.pt", said.append)
    assert auc(logits(trained, data.val, SMALL), data.val.truth) == 1.0
    assert set(trained.state_dict()) == set(network().state_dict())  # no trace of the compilation
    again = train(network(), data, SMALL, settings, tmp_path / "x.pt")
    assert all(torch.equal(tensor, again.state_dict()[name]) for name, tensor in trained.state_dict().items())


def test_without_a_compiler_a_compiled_training_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(
        EdgeError, match=r"compiled = true found no C\+\+ compiler 'g\+\+': expected one.*leave compiled"
    ):
        train(network(), data_set((8, 8), stripes), SMALL, Training(1, compiled=True), tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()
