from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from compress.networks.resnet import Bottleneck, ResNet, resnet_mini
from compress.pruning.channels import Pruning, kept, prune
from edge.errors import EdgeError

SHAPE = (3, 32, 32)


def trained_looking(network: nn.Module) -> nn.Module:
    """Give normalizations the statistics and scales of a network that has been trained."""
    generator = torch.Generator().manual_seed(3)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape, generator=generator))
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return network.eval()


def test_a_pruned_network_computes_what_the_whole_one_does_without_those_channels() -> None:
    network = trained_looking(resnet_mini(2))
    silenced = copy.deepcopy(network)
    block = silenced.stage2[0]
    weakest = block.bn1.weight.detach().abs().argsort()[:16]
    block.bn1.weight.data[weakest] = 0
    block.bn1.bias.data[weakest] = 0
    prune(network, Pruning({"stage2.0.conv1": 0.5}), SHAPE)
    x = torch.randn(2, *SHAPE)
    assert network.stage2[0].conv1.out_channels == 16
    assert network.stage2[0].conv2.conv.in_channels == 16
    torch.testing.assert_close(network(x), silenced(x), rtol=1e-4, atol=1e-4)


def test_the_lowest_scales_go_layer_by_layer() -> None:
    network = trained_looking(resnet_mini(2))
    block = network.stage1[0]
    expected = block.bn2.weight.detach().abs().sort().values[-8:]
    prune(network, Pruning({"stage1.0.conv2": 0.5}), SHAPE)
    assert torch.equal(block.bn2.weight.detach().abs().sort().values, expected)


def test_coupled_layers_are_pruned_together() -> None:
    network = ResNet((2, 2), (16, 32), stem=16, classes=2, channels=3)
    prune(network, Pruning({"stage1*": 0.75}), SHAPE)
    assert network.stage1[0].shortcut.conv.out_channels == 16
    assert [block.conv3.out_channels for block in network.stage1] == [16, 16]
    assert network.stage2[0].conv1.in_channels == 16
    assert network(torch.randn(2, *SHAPE)).shape == (2, 2)


@given(st.integers(1, 512), st.floats(0, 0.999), st.sampled_from([1, 4, 8, 16]))
def test_what_remains_is_a_positive_multiple(channels: int, ratio: float, round_to: int) -> None:
    remaining = kept(channels, ratio, round_to)
    assert 1 <= remaining <= channels
    assert remaining % round_to == 0 or remaining == channels
    assert abs(remaining - (1 - ratio) * channels) <= max(round_to / 2, round_to - (1 - ratio) * channels) + 1e-6


def test_a_ratio_of_nothing_changes_nothing() -> None:
    network = resnet_mini(2)
    before = {name: tensor.shape for name, tensor in network.state_dict().items()}
    prune(network, Pruning({"*": 0.0}), SHAPE)
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == before


def test_a_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(EdgeError, match=r"'stagge\*' matches no convolution.*stem\.conv"):
        prune(resnet_mini(2), Pruning({"stagge*": 0.5}), SHAPE)


def test_blocks_start_as_their_shortcut() -> None:
    block = resnet_mini(2).stage1[0]
    assert isinstance(block, Bottleneck)
    assert not block.bn3.weight.detach().any()


class FullyConvolutional(nn.Module):
    """Its logits come out of a convolution, which no pruning may touch."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 20, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x))).mean((2, 3))


def test_logits_are_never_pruned() -> None:
    with pytest.raises(EdgeError, match=r"output from \(1, 20\) to \(1, 8\)"):
        prune(FullyConvolutional(), Pruning({"*": 0.6}), SHAPE)
    network = prune(FullyConvolutional(), Pruning({"body": 0.5}), SHAPE)
    assert network(torch.zeros(1, *SHAPE)).shape == (1, 20)
