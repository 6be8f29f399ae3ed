from __future__ import annotations

import copy
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from compress.inputs import inputs_of
from compress.networks.resnet import resnet_mini
from compress.pruning.channels import Pruning, prune, weakest_channels
from compress.pruning.groups import trace
from compress.steps import soft_prune as soft
from compress.steps import train as training
from compress.steps.soft_prune import SoftPruning, soft_prune
from compress.steps.train import logits, to_input, train
from edge.errors import EdgeError
from tests.compress.pruning.networks import build
from tests.compress.pruning.residual_networks import SHAPE, User, user
from tests.compress.steps.test_prune_blocks import HOW, data_set

T = TypeVar("T")
RATIOS = {"begin.0": 0.5, "one*": 0.5, "two*": 0.4, "three*": 0.25}
# without the second stage's outputs, which `three.norm` reads: it makes something of zeros
CHOSEN = ("begin.0", "one.0.conv1", "one.1.conv2", "two.0.conv1", "two.2.body.0", "three.first", "three.second")
FOLLOWED = {"begin.0": 0.5, "one*": 0.5, "two.0.conv1": 0.4, "two.*.body.0": 0.4, "three*": 0.25}


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))


def ends(network: nn.Module) -> dict[str, str]:
    """Each convolution and the normalization that reads what it gives, or itself where none does."""
    network = copy.deepcopy(network).eval()
    names = {module: name for name, module in network.named_modules()}
    found: dict[str, str] = {}
    given: list[tuple[Tensor, str]] = []

    def out(module: nn.Module, _: object, y: Tensor) -> None:
        given.append((y, names[module]))
        found[names[module]] = names[module]

    def into(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        found.update({name: names[module] for y, name in given if y is inputs[0]})

    for module in names:
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(out)
        elif isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(into)
    network(torch.zeros(1, *SHAPE))
    return found


def zeros(network: nn.Module) -> dict[str, list[int]]:
    """The filters of each convolution that give zero, whatever the image."""
    silent = {}
    for name, end in ends(network).items():
        module = network.get_submodule(end)
        given = module.weight.detach().flatten(1).any(1) if name == end else module.weight.detach() != 0
        if module.bias is not None:
            given |= module.bias.detach().abs() > 1e-19
        silent[name] = (~given).nonzero().flatten().tolist()
    return silent


def fresh(seed: int = 1) -> User:
    torch.manual_seed(seed)
    return User()


def quiet(text: str) -> None:
    pass


def watch(monkeypatch: pytest.MonkeyPatch, look: Callable[[User], T]) -> list[T]:
    """What `look` sees of the network, before and after filters are set to zero at each epoch's end."""
    seen: list[T] = []

    def watched(network: User, *rest: object, after_epoch: Callable[[], None], **more: object) -> nn.Module:
        def end() -> None:
            seen.append(look(network))
            after_epoch()
            seen.append(look(network))

        return train(network, *rest, after_epoch=end, **more)

    monkeypatch.setattr(soft, "train", watched)
    return seen


@pytest.mark.parametrize("criterion", ["l2-norm", "fpgm"])
def test_filters_are_zero_after_each_epoch_and_come_back_in_the_next(
    criterion: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    step = SoftPruning(5, lr=0.05, batch=8, ratios=RATIOS, criterion=criterion, round_to=1)
    seen = watch(monkeypatch, zeros)
    network = soft_prune(fresh(), data_set(), HOW, step, tmp_path / "x.pt", quiet)
    assert len(seen) == 10
    before, after = seen[::2], seen[1::2]
    assert not any(any(found.values()) for found in before)  # all come back
    for found in after:
        assert {name: len(places) for name, places in found.items()} == {
            "begin.0": 8,
            **{f"one.{n}.conv{c}": 8 for n in (0, 1) for c in (1, 2)},
            **{f"two.0.{name}": 10 for name in ("conv1", "conv2", "downsample.0")},
            **{f"two.{n}.body.{c}": 10 for n in (1, 2) for c in (0, 3)},
            **{f"three.{name}": 8 for name in ("first", "second", "project")},
        }
    # coupled layers lose the same ones
    for found in after:
        assert found["begin.0"] == found["one.0.conv2"] == found["one.1.conv2"]
        assert found["two.0.conv2"] == found["two.0.downsample.0"] == found["two.2.body.3"]
    assert any(a != b for a, b in pairwise(after))  # the choice is made again
    widths = {name: m.out_channels for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}
    assert (widths["begin.0"], widths["one.1.conv1"], widths["two.1.body.0"], widths["three.project"]) == (8, 8, 14, 24)


def test_the_weakest_are_those_that_are_shortest_behind_their_normalization(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:

    @torch.no_grad()
    def lengths(network: User) -> Tensor:
        """The length of what filter and normalization answer to each single input, less the answer to none."""
        first, norm = network.one[0].conv1, copy.deepcopy(network.one[0].bn1).eval()
        inputs, size = first.in_channels, first.kernel_size[0]

        def answer(x: Tensor) -> Tensor:
            return norm(nn.functional.conv2d(x, first.weight, first.bias)).flatten(1)

        single = torch.eye(inputs * size**2).view(-1, inputs, size, size)
        return (answer(single) - answer(torch.zeros_like(single))).norm(dim=0)

    seen = watch(monkeypatch, lengths)
    network = fresh()
    with torch.no_grad():  # long filters with small scales: by themselves the other half would be the shortest
        network.one[0].conv1.weight[8:] *= 5
        network.one[0].bn1.weight[8:] = 0.1
    step = SoftPruning(1, lr=0.01, batch=16, ratios={"one.0.conv1": 0.5}, round_to=1)
    soft_prune(network, data_set(), HOW, step, tmp_path / "x.pt", quiet)
    shortest = torch.argsort(seen[0])[:8].tolist()
    assert zeros(saved(tmp_path / "x.pt", fresh()))["one.0.conv1"] == sorted(shortest)
    assert sum(n >= 8 for n in shortest) == 8


def test_those_that_are_zero_in_the_end_are_removed_and_the_others_kept(tmp_path: Path) -> None:
    step = SoftPruning(2, lr=0.03, batch=16, ratios=RATIOS, round_to=1, criterion="fpgm")
    network = soft_prune(fresh(), data_set(), HOW, step, tmp_path / "x.pt", quiet)
    left = saved(tmp_path / "x.pt", fresh())
    gone = zeros(left)
    assert gone["one.0.conv1"] and gone["begin.0"]
    rows = [n for n in range(16) if n not in gone["one.0.conv1"]]
    columns = [n for n in range(16) if n not in gone["begin.0"]]
    assert torch.equal(network.one[0].conv1.weight, left.one[0].conv1.weight[rows][:, columns])


def saved(path: Path, network: nn.Module) -> nn.Module:
    """What the training left, before anything was removed."""
    tensors = torch.load(path, weights_only=True)
    network.load_state_dict({name[8:]: tensor for name, tensor in tensors.items() if name.startswith("network.")})
    return network


def test_the_removal_changes_nothing(tmp_path: Path) -> None:
    data, step = data_set(), SoftPruning(3, lr=0.05, batch=16, ratios=FOLLOWED, round_to=1)
    network = soft_prune(fresh(), data, HOW, step, tmp_path / "x.pt", quiet)
    whole = saved(tmp_path / "x.pt", fresh())
    assert sum(len(found) for found in zeros(whole).values()) > 60
    np.testing.assert_allclose(logits(network, data.val, HOW), logits(whole, data.val, HOW), rtol=1e-3, atol=1e-4)


def test_what_comes_back_disturbs_nobody(tmp_path: Path) -> None:
    """The first small step after filters were set to zero changes the answers a little, and not for noise."""
    data, step = data_set(), SoftPruning(1, lr=0.05, batch=16, ratios=FOLLOWED, round_to=1)
    soft_prune(fresh(), data, HOW, step, tmp_path / "x.pt", quiet)
    network = saved(tmp_path / "x.pt", fresh()).train()
    x = to_input(torch.from_numpy(data.train.pixels), HOW)

    def answers() -> Tensor:
        torch.manual_seed(0)  # the same dropout
        return network(x)

    silent = {name: len(found) for name, found in zeros(network).items()}
    before = answers()
    nn.functional.cross_entropy(before, torch.from_numpy(data.train.truth)).backward()
    with torch.no_grad():
        for tensor in network.parameters():
            tensor -= 1e-3 * tensor.grad
        change = (answers() - before).norm() / before.norm()
    assert change < 0.1
    left = {name: len(found) for name, found in zeros(network).items()}
    assert min(silent[name] for name in CHOSEN) >= 4 and not any(left[name] for name in CHOSEN)  # all came back


def test_without_normalizations_filters_themselves_are_zero(tmp_path: Path) -> None:
    torch.manual_seed(1)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3), nn.ReLU(), nn.Conv2d(16, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    network.append(nn.Linear(16, 4))
    data, step = data_set(), SoftPruning(2, lr=0.01, batch=16, ratios={"*": 0.5}, round_to=4)
    whole = copy.deepcopy(network)
    network = soft_prune(network, data, HOW, step, tmp_path / "x.pt", quiet)
    assert [network[n].out_channels for n in (0, 2)] == [8, 8]
    whole = saved(tmp_path / "x.pt", whole)
    assert all(len(found) == 8 for found in zeros(whole).values())
    np.testing.assert_allclose(logits(network, data.val, HOW), logits(whole, data.val, HOW), rtol=1e-4, atol=1e-5)


def test_the_normalizations_are_measured_after_the_removal(tmp_path: Path) -> None:
    data, step = data_set(), SoftPruning(1, lr=0.05, batch=16, ratios=RATIOS)
    network = soft_prune(fresh(), data, HOW, step, tmp_path / "x.pt", quiet)
    bn, seen = network.one[0].bn1, []
    network.one[0].conv1.register_forward_hook(lambda module, x, y: seen.append(y.detach()))
    logits(network, data.train, HOW)
    means = torch.cat(seen).mean((0, 2, 3))
    torch.testing.assert_close(bn.running_mean, means, rtol=1e-2, atol=1e-2)


@pytest.mark.compile
@pytest.mark.timeout(300)
def test_a_compiled_run_is_the_same_but_for_rounding(tmp_path: Path) -> None:
    said: dict[bool, list[str]] = {False: [], True: []}
    for compiled, lines in said.items():
        step = SoftPruning(2, lr=0.03, batch=16, ratios=RATIOS, compiled=compiled)
        soft_prune(fresh(), data_set(), HOW, step, tmp_path / f"{compiled}.pt", lines.append)
    losses = [[float(line.split("loss ")[1].split()[0]) for line in lines if "s\n" in line] for lines in said.values()]
    assert len(losses[0]) == 2 and losses[1] == pytest.approx(losses[0], rel=0.05)


def test_an_interruption_changes_nothing(tmp_path: Path) -> None:
    step = SoftPruning(3, lr=0.03, batch=16, ratios=RATIOS, criterion="fpgm")

    def run(path: Path, stop: str = "") -> dict[str, Tensor]:
        def progress(text: str) -> None:
            if stop and text.startswith(stop):
                raise KeyboardInterrupt

        return soft_prune(fresh(), data_set(40), HOW, step, path, progress).state_dict()

    unbroken = run(tmp_path / "unbroken.pt")
    for stop in ("epoch 2/3", "epoch 3/3"):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "broken.pt", stop)
    again = run(tmp_path / "broken.pt")
    assert all(torch.equal(again[name], tensor) for name, tensor in unbroken.items())
    after = run(tmp_path / "broken.pt")  # killed between the last epoch and the removal
    assert all(torch.equal(after[name], tensor) for name, tensor in unbroken.items())


@pytest.mark.parametrize("name", ["resnet", "own", "mixed"])
def test_what_is_set_to_zero_is_what_pruning_would_remove(name: str) -> None:
    network = build(name)
    names = {layer: name for name, layer in network.named_modules()}
    layers = [
        layer
        for layer, _ in weakest_channels(trace(network, inputs_of((3, 32, 32))), Pruning({"*": 0.5}, "l2-norm", 4))
    ]
    assert len(layers) > 2
    for layer in layers:
        settings = Pruning({names[layer]: 0.5}, "l2-norm", 4)
        ((found, channels),) = weakest_channels(trace(network, inputs_of((3, 32, 32))), settings)
        left = prune(copy.deepcopy(network), settings, inputs_of((3, 32, 32))).get_submodule(names[layer])
        stay = [n for n in range(layer.out_channels) if n not in channels]
        assert found is layer and torch.equal(left.weight, layer.weight[stay])


def test_without_coupling_the_shortest_filters_are_set_to_zero() -> None:
    network = user()
    seen = trace(network, inputs_of(SHAPE))
    for layer, channels in weakest_channels(seen, Pruning({"one.0.conv1": 0.5}, "l2-norm")):
        norms = layer.weight.detach().flatten(1).norm(dim=1)
        assert set(channels) == set(norms.argsort()[:8].tolist())


@pytest.mark.parametrize(
    "step, words",
    [
        (SoftPruning(1, ratios={"nothing*": 0.5}), r"'nothing\*' matches no convolution"),
        (SoftPruning(1, ratios={"*": 0.5}), "let no pattern of ratios match the layer that makes the logits"),
    ],
)
def test_what_can_not_be_removed_is_told_before_the_training(step: SoftPruning, words: str, tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 16, 3), nn.Conv2d(16, 16, 14), nn.Flatten())
    with pytest.raises(EdgeError, match=words):
        soft_prune(network, data_set(8), HOW, step, tmp_path / "x.pt", quiet)
    assert not (tmp_path / "x.pt").exists()


def test_what_is_kept_at_one_block_is_said(tmp_path: Path) -> None:
    said: list[str] = []
    step = SoftPruning(1, batch=16, ratios={"stage2.0.conv1": 0.99})
    soft_prune(resnet_mini(4), data_set(16), HOW, step, tmp_path / "x.pt", said.append)
    assert said[0] == "stage2.0.conv1: 99% of 32 channels would leave less than the 8 that stay\n"
