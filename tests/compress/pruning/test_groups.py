from __future__ import annotations

import pytest
from torch import nn

from compress.inputs import inputs_of
from compress.pruning.groups import OUTPUTS, members, prunable_groups, trace
from tests.compress.pruning.networks import NETWORKS, SHAPE, build


def outputs(name: str) -> dict[str, list[tuple[str, list[int]]]]:
    """Return for each group, by its first layer: the convolutions and which of their outputs it has."""
    network = build(name)
    names = {module: label for label, module in network.named_modules()}
    found = {}
    for group in prunable_groups(trace(network, inputs_of(SHAPE))):
        rows = [(names[dependency.target.module], sorted(i.tolist())) for dependency, i, _ in members(group, OUTPUTS)]
        found[rows[0][0]] = rows
    return found


@pytest.mark.parametrize("name", NETWORKS)
def test_every_channel_is_in_one_group_at_most(name: str) -> None:
    seen: set[tuple[str, int]] = set()
    for rows in outputs(name).values():
        channels = {(layer, channel) for layer, i in rows for channel in i}
        assert not channels & seen
        seen |= channels


def test_layers_that_are_added_are_one_group() -> None:
    every = list(range(16))
    groups = outputs("residual")
    assert sorted(map(sorted, groups.values())) == [[("inner", every), ("stem", every)], [("last", list(range(24)))]]


def test_what_is_added_to_a_concatenation_is_divided() -> None:
    groups = outputs("own")
    first, second = list(range(16)), list(range(16, 32))
    assert sorted(groups["left"]) == [("left", first), ("skip", first)]
    assert sorted(groups["right"]) == [("right", first), ("skip", second)]
    assert "skip" not in groups


def test_input_output_and_grouped_convolutions_keep_their_widths() -> None:
    groups = {layer for rows in outputs("mixed").values() for layer, _ in rows}
    assert groups == {"expand.0", "depthwise.0", "wide", "larger", "narrow"}
    assert "head" not in {layer for rows in outputs("unet").values() for layer, _ in rows}


def test_a_convolution_that_makes_the_output_itself_keeps_its_width() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 8, 3))
    groups = prunable_groups(trace(network, inputs_of(SHAPE)))
    assert [group[0].dep.target.module for group in groups] == [network[0]]


def test_channels_that_are_renumbered_on_their_way_stay() -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 32, 3), nn.PixelShuffle(2), nn.Conv2d(8, 4, 3))
    groups = prunable_groups(trace(network, inputs_of(SHAPE)))
    assert [group[0].dep.target.module for group in groups] == [network[0]]
