from __future__ import annotations

import re

import pytest
import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from compress.cost import cost
from compress.inputs import inputs_of
from compress.networks.cifar import BasicResNet, PaddingShortcut, bottleneck56, resnet56

SHAPE = (3, 32, 32)


def counted(network: nn.Module) -> tuple[int, int]:
    """Parameters and MACs by torch-pruning's and PyTorch's own counters."""
    x = torch.zeros(1, *SHAPE)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(x)
    return tp.utils.count_ops_and_params(network, x)[1], counter.get_total_flops() // 2


def test_the_bottleneck_network_is_the_papers() -> None:
    network = bottleneck56(10)
    norms = sum(p.numel() for m in network.modules() if isinstance(m, nn.BatchNorm2d) for p in m.parameters())
    assert counted(network) == (590_426, 87_214_592)
    assert norms == 8_096
    # the paper's table counts in units of 2 ** 20, and four operations for each value that a normalization makes
    assert round(590_426 / 2**20, 2) == 0.56


def test_the_basic_network_is_the_literatures_but_for_two_shortcuts() -> None:
    network = resnet56(10)
    shortcuts = [m for m in network.modules() if isinstance(m, PaddingShortcut)]
    extra = sum(m.weight.numel() for m in shortcuts)
    assert (len(shortcuts), extra) == (2, 16 * 32 + 32 * 64)
    parameters, macs = counted(network)
    assert parameters - extra == 853_018
    assert macs - (16 * 32 * 16 * 16 + 32 * 64 * 8 * 8) == 125_485_696


@pytest.mark.parametrize("build", [resnet56, bottleneck56])
def test_the_docstring_says_what_it_costs(build: type) -> None:
    said = re.search(r"([\d.]+) M parameters with ten classes, ([\d.]+) M MACs at 32x32", build.__doc__ or "")
    assert said
    spent = cost(build(10), inputs_of(SHAPE))
    assert (f"{spent.parameters / 1e6:.3f}", f"{spent.macs / 1e6:.1f}") == said.groups()


def test_the_shortcut_begins_as_the_one_without_parameters() -> None:
    x = torch.randn(2, 16, 8, 8)
    expected = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8))
    torch.testing.assert_close(PaddingShortcut(16, 32, 2)(x), expected)


def option_a(network: BasicResNet) -> dict[str, Tensor]:
    """The tensors of the same network as others write it, whose shortcuts have none."""
    return {name: tensor for name, tensor in network.state_dict().items() if "shortcut" not in name}


def test_weights_trained_with_shortcuts_without_parameters_fit() -> None:
    network = BasicResNet(1, 10, 3)
    for module in network.modules():
        if isinstance(module, PaddingShortcut):
            nn.init.normal_(module.weight)
    missing, unknown = network.load_state_dict(option_a(network), strict=True)
    assert not missing and not unknown
    shortcut = network.layer2[0].shortcut
    torch.testing.assert_close(shortcut.weight, PaddingShortcut(16, 32, 2).weight)


def test_a_trained_shortcut_is_loaded_as_it_is() -> None:
    network = BasicResNet(1, 10, 3)
    nn.init.normal_(network.layer2[0].shortcut.weight)
    again = BasicResNet(1, 10, 3)
    again.load_state_dict(network.state_dict())
    assert torch.equal(again.layer2[0].shortcut.weight, network.layer2[0].shortcut.weight)


@pytest.mark.parametrize("build", [resnet56, bottleneck56])
def test_every_weight_takes_part(build: type) -> None:
    torch.manual_seed(0)
    network = build(10)
    network(torch.randn(2, *SHAPE)).square().sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
