from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compress.cost import Cost, cost
from compress.inputs import inputs_of
from compress.pruning.budget import Block, Budget, blocks, weakest
from compress.pruning.channels import remove
from compress.pruning.groups import prunable_groups, trace
from tests.compress.pruning.networks import NETWORKS, SHAPE, build

scores = st.lists(st.lists(st.integers(0, 50), min_size=1, max_size=40), min_size=1, max_size=5)


@given(scores, st.integers(1, 9), st.data())
def test_whatever_goes_the_strongest_stay_in_whole_blocks(
    rows: list[list[int]], round_to: int, data: st.DataObject
) -> None:
    ranking = blocks([torch.tensor(row, dtype=torch.float32) for row in rows], round_to)
    assert all(a.score <= b.score for a, b in pairwise(ranking))
    taken = ranking[: data.draw(st.integers(0, len(ranking)))]
    for number, row in enumerate(rows):
        gone = [channel for block in taken if block.group == number for channel in block.channels]
        assert len(set(gone)) == len(gone)
        left = [value for channel, value in enumerate(row) if channel not in gone]
        if gone:
            assert len(left) >= round_to and len(left) % round_to == 0
            assert max(row[channel] for channel in gone) <= min(left)
        if len(taken) == len(ranking):
            assert len(left) == min(len(row), round_to)


class Chain:
    """A chain of layers, its cost counted from scratch each time."""

    def __init__(self, widths: list[int]):
        self.widths = widths

    @property
    def cost(self) -> Cost:
        widths = [3, *self.widths, 1]
        return Cost(sum(widths), sum(a * b for a, b in pairwise(widths)))

    def take(self, block: Block) -> None:
        self.widths[block.group] -= len(block.channels)


@given(scores, st.integers(1, 9), st.floats(0, 1), st.floats(0, 1))
def test_no_more_goes_than_is_asked_for(rows: list[list[int]], round_to: int, macs: float, parameters: float) -> None:
    ranking = blocks([torch.tensor(row, dtype=torch.float32) for row in rows], round_to)
    whole = Chain([len(row) for row in rows]).cost

    def reached(spent: Cost) -> bool:
        return spent.macs <= macs * whole.macs and spent.parameters <= parameters * whole.parameters

    taken, left = weakest(ranking, Chain([len(row) for row in rows]), reached)  # type: ignore[arg-type]
    assert taken == ranking[: len(taken)]
    after = Chain([len(row) for row in rows])
    for number, block in enumerate(taken):
        assert not reached(after.cost), f"{number} blocks were enough"
        after.take(block)
    assert left == after.cost
    assert reached(left) or len(taken) == len(ranking)


@pytest.mark.parametrize("name", NETWORKS)
@settings(max_examples=6, deadline=None)
@given(share=st.floats(0, 1), round_to=st.sampled_from([1, 4, 8]), seed=st.integers(0, 99))
def test_what_is_counted_is_what_the_pruned_network_costs(name: str, share: float, round_to: int, seed: int) -> None:
    network = build(name)
    seen = trace(network, inputs_of(SHAPE))
    groups = prunable_groups(seen)
    budget = Budget(seen, groups)
    assert budget.cost == cost(network, inputs_of(SHAPE))
    generator = torch.Generator().manual_seed(seed)
    ranking = blocks([torch.rand(len(group[0].idxs), generator=generator) for group in groups], round_to)
    taken = ranking[: math.ceil(share * len(ranking))]
    for block in taken:
        budget.take(block)
    for block in taken:
        budget.give_back(block)
    assert budget.cost == cost(network, inputs_of(SHAPE))
    for block in taken:
        budget.take(block)
    remove(seen, groups, taken)
    assert budget.cost == cost(network, inputs_of(SHAPE))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            assert module.weight.shape[0] == module.out_channels
    assert (network(torch.zeros(1, *SHAPE)).shape,) == seen.outputs
