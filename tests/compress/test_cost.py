from __future__ import annotations

import pytest
import torch
import torch_pruning as tp
from torch.utils.flop_counter import FlopCounterMode

from compress.cost import cost
from compress.ghosting import Ghosting, ghost
from compress.networks.resnet import resnet50
from compress.pruning.channels import Pruning, prune
from compress.recipe import load

SHAPE = (3, 224, 224)


def independent_macs(network: torch.nn.Module) -> int:
    """PyTorch's own counter of floating-point operations, two to a multiply-accumulate."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, *SHAPE))
    return counter.get_total_flops() // 2


def test_resnet50_has_the_published_cost() -> None:
    network = resnet50(classes=2)
    spent = cost(network, SHAPE)
    assert spent.parameters == 23_512_130
    assert spent.macs == independent_macs(network)
    assert spent.macs == pytest.approx(4.087e9, rel=1e-3)


def test_cpgresnet50_is_within_the_paper_by_independent_counters() -> None:
    recipe = load("cpgresnet50")
    network = resnet50(classes=2)
    for step in recipe.steps:
        if isinstance(step, Pruning):
            prune(network, step, SHAPE)
        if isinstance(step, Ghosting):
            ghost(network, Ghosting(step.layers, step.cheap_kernel, "random"), torch.randn(4, *SHAPE))
    spent = cost(network, SHAPE)
    _, parameters = tp.utils.count_ops_and_params(network, torch.zeros(1, *SHAPE))
    assert spent.parameters == parameters <= 3_455_000
    assert spent.macs == independent_macs(network) <= 523_090_000
