from __future__ import annotations

import numpy as np
import torch
from torch import nn

from compress.inputs import inputs_of
from compress.networks.cifar import bottleneck56
from compress.pruning.criteria import bn_scale, fpgm, l2_norm, random
from compress.pruning.groups import trace, whole_group
from tests.compress.pruning.networks import SHAPE, build


def test_bn_scales_count_relative_to_their_layer_or_as_they_are() -> None:
    network = build("residual")
    group = whole_group(trace(network, inputs_of(SHAPE)), network.inner)
    rows = torch.stack([norm.weight.detach().abs() for norm in (network.stem_norm, network.inner_norm)])
    torch.testing.assert_close(bn_scale(group), (rows / rows.mean(1, keepdim=True)).mean(0))
    torch.testing.assert_close(bn_scale(group, across=True), torch.maximum(*rows))


def test_without_normalization_the_filters_norm_counts() -> None:
    network = build("residual")
    group = whole_group(trace(network, inputs_of(SHAPE)), network.last)
    norms = torch.stack([(row * row).sum().sqrt() for row in network.last.weight.detach()])
    torch.testing.assert_close(l2_norm(group), norms / norms.mean())
    assert torch.equal(bn_scale(group), l2_norm(group)) and torch.equal(bn_scale(group, across=True), l2_norm(group))


def test_filters_near_the_geometric_median_are_worth_least() -> None:
    network = build("residual")
    group = whole_group(trace(network, inputs_of(SHAPE)), network.last)
    filters = network.last.weight.detach().double().flatten(1).numpy()
    sums = np.array([sum(np.sqrt(((x - y) ** 2).sum()) for y in filters) for x in filters])
    np.testing.assert_allclose(fpgm(group).numpy(), sums / sums.mean(), rtol=1e-5)
    with torch.no_grad():  # not the shortest, as l2_norm has it, but the one in the middle of the others
        network.last.weight.copy_(3 + 0.1 * network.last.weight)
        network.last.weight[5] = network.last.weight.mean(0)
        network.last.weight[7] *= 0.5
    group = whole_group(trace(network, inputs_of(SHAPE)), network.last)
    assert int(fpgm(group).argmin()) == 5
    assert int(l2_norm(group).argmin()) == int(fpgm(group).argmax()) == 7


def test_coupled_filters_count_alike_for_the_geometric_median() -> None:
    network = build("residual")
    rows = []
    for conv in (network.stem, network.inner):
        filters = conv.weight.detach().flatten(1)
        rows.append((filters[:, None] - filters[None]).norm(dim=2).sum(1))
    expected = sum(row / row.mean() for row in rows) / 2
    torch.testing.assert_close(fpgm(whole_group(trace(network, inputs_of(SHAPE)), network.inner)), expected)


def test_a_layer_behind_a_concatenation_is_scored_with_the_layers_before_it() -> None:
    network = build("own")
    seen = trace(network, inputs_of(SHAPE))
    norms = {name: getattr(network, name).weight.detach().flatten(1).norm(dim=1) for name in ("left", "right", "skip")}
    relative = {name: row / row.mean() for name, row in norms.items()}
    expected = (relative["right"] + relative["skip"][16:]) / 2
    torch.testing.assert_close(l2_norm(whole_group(seen, network.right)), expected)


def test_random_scores_are_the_same_for_a_seed() -> None:
    network = build("residual")
    group = whole_group(trace(network, inputs_of(SHAPE)), network.inner)
    first, second = (random(group, torch.Generator().manual_seed(2)) for _ in range(2))
    assert torch.equal(first, second) and len(first.unique()) == 16
    assert not torch.equal(first, random(group, torch.Generator().manual_seed(3)))


def test_of_a_pre_activation_network_the_largest_scale_counts() -> None:
    """Of a stage's stream: of the normalizations of the blocks that read it, none of which is directly behind a
    convolution that writes it."""
    torch.manual_seed(3)
    network = bottleneck56(10)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -1, 1)
    readers = [network.stage1[n].bn1 for n in range(1, 6)] + [network.stage2[0].bn1]
    largest = torch.stack([bn.weight.detach().abs() for bn in readers]).amax(0)
    group = whole_group(trace(network, inputs_of((3, 32, 32))), network.stage1[0].conv3)
    torch.testing.assert_close(bn_scale(group, across=True), largest)
