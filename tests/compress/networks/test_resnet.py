from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from torch import nn

from compress.cost import Cost, cost
from compress.inputs import inputs_of
from compress.networks.resnet import BasicBlock, ResNet, resnet18, resnet34, resnet50, resnet101
from compress.pruning.blocks import close, residual_blocks
from compress.pruning.channels import Pruning, prune, weakest_channels
from compress.pruning.groups import trace
from compress.steps import train as training
from compress.steps.ghost import Ghosting, ghost
from compress.steps.prune_blocks import BlockPruning, prune_blocks
from compress.steps.soft_prune import SoftPruning, soft_prune
from tests.compress.steps.test_prune_blocks import HOW, data_set

SHAPE = (3, 224, 224)
SMALL = (3, 64, 64)
Build = Callable[[int], ResNet]
# parameters with a thousand classes, as every public implementation has them; blocks
KNOWN: dict[Build, tuple[int, int]] = {
    resnet18: (11_689_512, 8),
    resnet34: (21_797_672, 16),
    resnet50: (25_557_032, 16),
    resnet101: (44_549_160, 33),
}


@pytest.mark.parametrize("build", KNOWN)
def test_the_layers_are_those_of_the_paper(build: Build) -> None:
    assert sum(p.numel() for p in build(1000).parameters()) == KNOWN[build][0]
    said = re.search(r"([\d.]+) M parameters with two classes, ([\d.]+) G MACs at 224x224", build.__doc__ or "")
    assert said
    spent = cost(build(2), inputs_of(SHAPE))
    assert (f"{spent.parameters / 1e6:.3f}", f"{spent.macs / 1e9:.3f}") == said.groups()


@pytest.mark.parametrize("build", KNOWN)
def test_every_step_takes_them(build: Build) -> None:
    network = build(2)
    blocks = residual_blocks(network, inputs_of(SMALL))
    assert len(blocks) == KNOWN[build][1]
    close(network, blocks[1::3])
    after = [cost(network, inputs_of(SMALL))]
    shapes = {layer: layer.out_channels for layer in network.modules() if isinstance(layer, nn.Conv2d)}
    settings = Pruning({"stage*.conv[12]*": 0.5}, "l2-norm")
    for layer, channels in weakest_channels(trace(network, inputs_of(SMALL)), settings):
        assert len(channels) == shapes[layer] / 2
    prune(network, settings, inputs_of(SMALL))
    after.append(cost(network, inputs_of(SMALL)))
    prune(network, Pruning(macs=0.3, parameters=0.3), inputs_of(SMALL))
    after.append(cost(network, inputs_of(SMALL)))
    ghost(network, Ghosting(("stage[12].0.conv2*",), init="random"), torch.randn(2, *SMALL))
    after.append(cost(network, inputs_of(SMALL)))
    assert all(a.macs > b.macs and a.parameters > b.parameters for a, b in pairwise(after))
    assert network(torch.randn(2, *SMALL)).shape == (2, 2)


@pytest.mark.parametrize("build", KNOWN)
def test_those_that_train_take_them(build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))
    network, shape, spec = build(4), SMALL, replace(HOW, height=SMALL[1], width=SMALL[2])
    small = data_set(16)
    split = replace(small.train, pixels=small.train.pixels.repeat(4, axis=1).repeat(4, axis=2))
    data = replace(small, train=split, val=split)
    whole = cost(network, inputs_of(shape))
    softly = SoftPruning(1, lr=0.01, batch=8, ratios={"stage*.conv[12]*": 0.5, "*": 0.25})
    network = soft_prune(network, data, spec, softly, tmp_path / "soft.pt", lambda text: None)
    narrow = cost(network, inputs_of(shape))
    gates = BlockPruning(1, lr=0.01, batch=8, penalty=1000.0, gate_lr=1.0)
    network, said = prune_blocks(network, data, spec, gates, tmp_path / "gates.pt", lambda text: None)
    least = cost(network, inputs_of(shape))
    assert whole.macs > narrow.macs > least.macs and whole.parameters > narrow.parameters > least.parameters
    assert re.match(rf"[1-9]\d* of {KNOWN[build][1]} closed: stage", said)
    assert network.eval()(torch.randn(2, *shape)).shape == (2, 4)


def test_basic_blocks_begin_as_their_shortcut() -> None:
    block = resnet18(2).stage1[1]
    assert isinstance(block, BasicBlock)
    x = torch.rand(2, 64, 8, 8)
    torch.testing.assert_close(block(x), x)


def removed(before: Cost, after: Cost) -> tuple[float, float]:
    return 1 - after.macs / before.macs, 1 - after.parameters / before.parameters


def test_resnet101_at_the_share_of_soft_filter_pruning() -> None:
    """He et al. (IJCAI 2018) remove 42.2 % of its operations, with filters pruned inside the blocks."""
    network = resnet101(1000)
    before = cost(network, inputs_of(SHAPE))
    prune(network, Pruning({"stage*.conv[12]*": 0.33}, "l2-norm"), inputs_of(SHAPE))
    macs, parameters = removed(before, cost(network, inputs_of(SHAPE)))
    assert 0.42 <= macs < 0.44
    assert parameters > 0.4
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert all(width % 8 == 0 for width in widths)
    assert network.stage4[2].conv3.out_channels == 2048  # the stream is whole


@pytest.mark.train
def test_resnet101_at_the_same_share_wherever_its_filters_are_worth_least() -> None:
    network = resnet101(1000)
    before = cost(network, inputs_of(SHAPE))
    prune(network, Pruning(criterion="fpgm", macs=0.42), inputs_of(SHAPE))
    assert 0.42 <= removed(before, cost(network, inputs_of(SHAPE)))[0] < 0.43
