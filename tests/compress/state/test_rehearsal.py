"""What can't be done to a network is said before any training."""

from __future__ import annotations

import copy

import pytest
import torch

from compress.networks.load import build_network
from compress.recipe_parser import load
from compress.state.rehearsal import rehearse
from compress.steps.fold_norms import NormFolding
from compress.steps.ghost import Ghosting
from compress.steps.prune import ChannelPruning
from compress.steps.prune_blocks import BlockPruning
from compress.steps.soft_prune import SoftPruning
from compress.steps.step import Step
from compress.steps.train import Training
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from tests.compress.pruning.residual_networks import SHAPE, user

C, H, W = SHAPE
SPEC = Preprocessing(H, W, "rgb", C, (0.5,), (0.25,))
TRAINING, BLOCKS = Training(epochs=1), BlockPruning(epochs=1)
WRONG: dict[str, tuple[list[Step], str]] = {
    "ratios": ([TRAINING, ChannelPruning({"nothing*": 0.5})], "step 2, prune: pruning pattern 'nothing*' matches no"),
    "layers": ([ChannelPruning(macs=0.1, layers=("nothing",))], "step 1, prune: pruning pattern 'nothing' matches no"),
    "after blocks": (
        [BLOCKS, ChannelPruning(macs=0.1, layers=("nothing",))],
        "step 2, prune: pruning pattern 'nothing'",
    ),
    "share": ([TRAINING, TRAINING, ChannelPruning(macs=0.9999)], "step 3, prune: "),
    "overall": ([ChannelPruning(macs=0.3), TRAINING, ChannelPruning(macs=0.9999, overall=True)], "step 3, prune: "),
    "softly": ([TRAINING, SoftPruning(epochs=1, ratios={"nothing": 0.5})], "step 2, soft-prune: pruning pattern"),
    "ghosts": ([TRAINING, Ghosting(("nothing",))], "step 2, ghost: ghost pattern 'nothing' matches no convolution"),
    "ghosts of ghosts": ([Ghosting(("begin.0",)), Ghosting(("begin.0",))], "step 2, ghost: ghost pattern 'begin.0'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_can_not_be_done_is_said_with_the_number_of_its_step(name: str) -> None:
    steps, message = WRONG[name]
    with pytest.raises(EdgeError) as error:
        rehearse(user(), steps, SPEC)
    assert str(error.value).startswith(message)


def test_the_network_and_the_random_numbers_stay_as_they_were() -> None:
    network = user()
    before = copy.deepcopy(network.state_dict())
    steps = [
        BLOCKS,
        ChannelPruning(macs=0.9999),
        Ghosting(("begin.0",)),
        NormFolding(),
    ]  # enough may go with the blocks
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    rehearse(network, steps, SPEC)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


@pytest.mark.parametrize(
    "name", ["phantom", "bpcp", "sfp-resnet56", "depgraph-resnet56", "depgraph-resnet56-small", "polyp"]
)
def test_shipped_recipes_can_be_done(name: str) -> None:
    recipe = load(name)
    network = build_network(recipe, 1 if recipe.task == "segmentation" else 10)
    rehearse(network, recipe.steps, recipe.input)
