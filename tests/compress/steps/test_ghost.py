from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from compress.layers.ghost import GhostConv2d, reconstruct
from compress.networks.resnet import resnet_mini
from compress.steps.ghost import Ghosting, ghost, recalibrate
from edge.errors import EdgeError


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


def test_what_was_learned_is_carried_over_better_than_by_chance() -> None:
    torch.manual_seed(0)
    conv = nn.Conv2d(16, 16, 1, bias=False)
    x = torch.randn(16, 16, 12, 12)
    with torch.no_grad():
        y = conv(x)
        by_chance = float(((GhostConv2d(conv)(x) - y).square() / y.var((0, 2, 3), keepdim=True)).mean())
    # half of the channels can be kept as they are; chance keeps none
    assert reconstruct(GhostConv2d(conv), conv, x, y) < 0.5 < 0.9 < by_chance


@pytest.mark.parametrize("init", ["trained", "random"])
def test_ghosting_a_network_replaces_what_matches_and_nothing_else(init: str) -> None:
    network = ghost(resnet_mini(2), Ghosting(("stage*.conv[13]",), init=init), torch.randn(8, 3, 32, 32))
    kinds = {name: type(module) for name, module in network.named_modules()}
    assert [name for name, kind in kinds.items() if kind is GhostConv2d] == [
        f"stage{stage}.0.conv{conv}" for stage in (1, 2, 3) for conv in (1, 3)
    ]
    assert network(torch.zeros(1, 3, 32, 32)).shape == (1, 2)


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


def test_a_layer_that_is_never_run_is_named() -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU())
    network[0].spare = nn.Conv2d(3, 8, 3)
    with pytest.raises(EdgeError, match=r"layer 0\.spare is never run: expected one that is; take it out"):
        ghost(network, Ghosting(("*",)), torch.rand(2, 3, 8, 8))
