"""Networks with several inputs and outputs are traced, counted and pruned like others."""

from __future__ import annotations

import pytest
import torch

from compress.cost import cost
from compress.inputs import as_inputs, outputs
from compress.networks.scores import check_logits
from compress.pruning.budget import Budget
from compress.pruning.channels import prune
from compress.pruning.groups import prunable_groups, trace
from compress.pruning.settings import Pruning
from edge.errors import EdgeError
from tests.compress.pruning.several import Sequence, Several, inputs, words


def test_the_cost_of_several_inputs_is_counted() -> None:
    stem, mixed, free = 16 * 16 * 27 * 32, 16 * 16 * 9 * 32 * 32, 8 * 8 * 9 * 32 * 48
    heads = 6 * 24 + 72 * 5 + 16 * 16 * (32 * 3 + 3 * 2)
    assert cost(Several(), inputs()).macs == stem + mixed + free + heads
    assert cost(Several(), inputs(3)).macs == 3 * (stem + mixed + free + heads)
    assert cost(Sequence(), words()).macs == 8 * (3 * 16 * 32 + 32 * 16) + 16 * 3


def test_what_is_coupled_with_an_input_or_an_output_keeps_its_width() -> None:
    network = Several()
    names = {module: name for name, module in network.named_modules()}
    groups = prunable_groups(trace(network, inputs()))
    assert sorted(names[group[0].dep.target.module] for group in groups) in (["free", "mixed"], ["free", "stem"])
    only = prunable_groups(trace(Sequence(), words()))
    assert [group[0].dep.target.module.out_channels for group in only] == [32]


@pytest.mark.parametrize("settings", [Pruning(macs=0.5, criterion="l2-norm"), Pruning({"free": 0.5, "stem": 0.5})])
def test_a_network_of_several_inputs_and_outputs_is_pruned(settings: Pruning) -> None:
    torch.manual_seed(0)
    network, whole = Several(), cost(Several(), inputs())
    before = network.eval()(*inputs(2))
    seen = trace(network, inputs())
    assert Budget(seen, prunable_groups(seen)).cost == whole
    prune(network, settings, inputs())
    left = cost(network, inputs())
    assert left.macs <= 0.55 * whole.macs
    assert network.drawn.out_channels == 3 and network.free.out_channels < 48
    after = network(*inputs(2))
    assert {name: y.shape for name, y in after.items()} == {name: y.shape for name, y in before.items()}


def test_channels_that_do_nothing_change_no_output_when_they_go() -> None:
    torch.manual_seed(0)
    network = Several().eval()
    with torch.no_grad():
        network.free.weight[::2] = 0
        network.free.bias[::2] = 0
    before = network(*inputs(2))
    prune(network, Pruning({"free": 0.5}, "l2-norm"), inputs())
    assert network.free.out_channels == 24
    for name, y in network(*inputs(2)).items():
        torch.testing.assert_close(y, before[name])


def test_each_output_must_be_logits() -> None:
    class Scores(Several):
        def forward(self, image: torch.Tensor, numbers: torch.Tensor) -> dict[str, torch.Tensor]:
            found = super().forward(image, numbers)
            return found | {"map": found["map"].sigmoid()}

    check_logits(Several(), inputs())
    check_logits(Sequence(), words())
    with pytest.raises(EdgeError, match="ends in a sigmoid"):
        check_logits(Scores(), inputs())


def test_one_tensor_is_one_input() -> None:
    x = torch.zeros(2, 3)
    assert as_inputs(x) == (x,)
    assert as_inputs([x, x]) == (x, x)
    for wrong in ((), "network", 3, (x, 4), {"image": x}):
        with pytest.raises(EdgeError, match=r"the example inputs are .*expected one tensor, or a tuple"):
            as_inputs(wrong)  # type: ignore[arg-type]
    assert outputs({"a": x, "b": [x, (x,)], "c": None}) == (x, x, x)
