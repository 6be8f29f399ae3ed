from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compress.data import DataSet, Split
from compress.ghosting import Ghosting, ghost, recalibrate
from compress.layers.ghost import GhostConv2d, reconstruct
from compress.networks.resnet import ResNet, resnet_mini
from compress.phantom import phantom
from compress.training import Training, to_input, train
from edge.errors import EdgeError
from edge.preprocess import Preprocessing


@pytest.mark.parametrize("outputs", [8, 7])
def test_the_second_half_is_made_from_the_first(outputs: int) -> None:
    module = GhostConv2d(nn.Conv2d(6, outputs, 3, stride=2, padding=1, bias=False), cheap_kernel=3)
    x = torch.randn(2, 6, 12, 12)
    y = module(x)
    half = (outputs + 1) // 2
    assert y.shape == (2, outputs, 6, 6)
    torch.testing.assert_close(y[:, :half], F.conv2d(x, module.primary.weight, stride=2, padding=1))
    for c in range(outputs - half):
        one = F.conv2d(y[:, c : c + 1], module.cheap.weight[c : c + 1], padding=1)
        torch.testing.assert_close(y[:, half + c : half + c + 1], one, rtol=1e-4, atol=1e-5)


def test_a_convolution_that_is_a_ghost_already_is_found_again() -> None:
    torch.manual_seed(0)
    truth = GhostConv2d(nn.Conv2d(8, 8, 1, bias=False))
    x = torch.randn(8, 8, 16, 16)
    conv = nn.Conv2d(8, 8, 1, bias=False)
    conv.weight.data[:4] = truth.primary.weight.data
    module = GhostConv2d(conv)
    with torch.no_grad():
        y = truth(x)
    assert reconstruct(module, conv, x, y, steps=1) < 1e-3


def test_what_was_learned_is_carried_over_better_than_by_chance(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = ResNet((1, 1), (8, 16), stem=16, classes=2, channels=3)
    for block in (network.stage1[0], network.stage2[0]):
        nn.init.ones_(block.bn3.weight)  # so that the blocks, and not their shortcuts alone, learn something
    labels = np.arange(48) % 2
    pixels = np.stack([phantom(seed, bool(label), 32) for seed, label in enumerate(labels)])[..., None]
    split = Split(pixels, labels, ("x",) * 48)
    how = Preprocessing(32, 32, "grey", 3, mean=(0.5,), std=(0.25,))
    data = DataSet(("clear", "opacity"), split, split, split, {})
    train(network, data, how, Training(epochs=6, batch=8), tmp_path / "x.pt").eval()
    images = to_input(torch.from_numpy(pixels), how)
    errors = {}
    with torch.no_grad():
        expected = network(images)
    for init in ("trained", "random"):
        changed = ghost(copy.deepcopy(network), Ghosting(("stage*.conv[13]",), init=init), images)
        with torch.no_grad():
            errors[init] = float((changed(images) - expected).square().mean() / expected.var())
    assert errors["trained"] < 0.7 * errors["random"]


def test_recalibration_measures_mean_and_variance() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    images = torch.randn(32, 3, 8, 8)
    recalibrate(network, images, batch=32)
    y = network[0](images)
    torch.testing.assert_close(network[1].running_mean, y.mean((0, 2, 3)), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(network[1].running_var, y.var((0, 2, 3)), rtol=1e-3, atol=1e-5)
    assert network[1].momentum == 0.1


def test_a_depthwise_convolution_is_refused() -> None:
    network = nn.Sequential(nn.Conv2d(4, 4, 3, groups=4))
    with pytest.raises(EdgeError, match="4 groups"):
        ghost(network, Ghosting(("0",)), torch.zeros(2, 4, 8, 8))


def test_a_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(EdgeError, match="'nothing' matches no convolution"):
        ghost(resnet_mini(2), Ghosting(("nothing",)), torch.zeros(2, 3, 32, 32))
