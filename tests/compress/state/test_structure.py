from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from compress.inputs import inputs_of
from compress.layers.ghost import GhostConv2d
from compress.networks.resnet import resnet_mini
from compress.pruning.channels import Pruning, prune
from compress.state.checkpoint import load_tensors, save_tensors
from compress.state.structure import fit
from compress.steps.fold_grey import fold_grey
from compress.steps.fold_norms import fold_norms
from compress.steps.ghost import Ghosting, ghost
from edge.errors import EdgeError


def test_a_pruned_ghosted_folded_network_comes_back_from_its_tensors(tmp_path: Path) -> None:
    network = prune(resnet_mini(2), Pruning({"stage*": 0.5}), inputs_of((3, 32, 32)))
    network = ghost(network, Ghosting(("stage2*.conv3",), init="random"), torch.randn(4, 3, 32, 32))
    network = fold_norms(network, inputs_of((3, 32, 32)))
    network = fold_grey(network, inputs_of((3, 32, 32))).eval()
    save_tensors(tmp_path / "x.pt", network.state_dict())
    again = fit(resnet_mini(2), load_tensors(tmp_path / "x.pt")).eval()
    x = torch.randn(2, 1, 32, 32)
    assert torch.equal(again(x), network(x))


def convolutions(norm: nn.Module, pooled: bool) -> nn.Module:
    """A network with a normalization before or behind its pooling."""
    pool = [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(nn.Conv2d(3, 16, 3), *([*pool, norm] if pooled else [norm, *pool]), nn.Linear(16, 2))


@pytest.mark.parametrize("pooled", [True, False])
def test_every_normalization_comes_back_pruned(pooled: bool) -> None:
    def build() -> nn.Module:
        return convolutions(nn.BatchNorm1d(16) if pooled else nn.BatchNorm2d(16, affine=False), pooled)

    network = prune(build(), Pruning({"0": 0.5}, "l2-norm"), inputs_of((3, 16, 16))).eval()
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(fit(build(), network.state_dict()).eval()(x), network(x))


class Rare(nn.Module):
    """Layers whose widths are noted in attributes of other names than a convolution's."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.instance = nn.Conv2d(3, 16, 3), nn.InstanceNorm2d(16, affine=True)
        self.second, self.slopes = nn.ConvTranspose2d(16, 24, 2), nn.PReLU(24)
        self.third, self.group = nn.Conv2d(24, 16, 3), nn.GroupNorm(2, 16)
        self.last = nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.slopes(self.second(self.instance(self.first(x))))
        return self.last(self.group(self.third(x)).mean((2, 3)))


def test_what_came_back_is_pruned_on_as_if_it_had_never_been_away() -> None:
    torch.manual_seed(0)
    half = Pruning({"first": 0.5, "third": 0.5}, "l2-norm", round_to=2)
    network = prune(Rare(), half, inputs_of((3, 16, 16)))
    assert network.group.weight.shape == (8,) and network.second.weight.shape[:2] == (8, 24)
    back = fit(Rare(), network.state_dict())
    x = torch.randn(2, 3, 16, 16)
    for one in (network, back):
        prune(one, half, inputs_of((3, 16, 16)))
        one.eval()
    assert back.first.out_channels == 4 and torch.equal(back(x), network(x))


def test_folding_keeps_the_logits() -> None:
    network = resnet_mini(2).eval()
    plane = torch.randn(3, 1, 32, 32)
    before = network(plane.expand(-1, 3, -1, -1))
    torch.testing.assert_close(fold_grey(network, inputs_of((3, 32, 32)))(plane), before, rtol=1e-4, atol=1e-5)


class GhostThenNorm(nn.Module):
    """A ghost convolution with a normalization behind it that looks trained."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = GhostConv2d(nn.Conv2d(4, 12, 1)), nn.BatchNorm2d(12)
        for tensor in (self.norm.weight.data, self.norm.bias.data, self.norm.running_mean):
            nn.init.normal_(tensor)
        nn.init.uniform_(self.norm.running_var, 0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(self.conv(x))


def test_folded_normalizations_give_the_same_inside_the_rim() -> None:
    torch.manual_seed(0)
    network = GhostThenNorm().eval()
    x = torch.randn(2, 4, 9, 9)
    before = network(x)
    fold_norms(network, inputs_of((4, 9, 9)))
    assert isinstance(network.norm, nn.Identity)
    after = network(x)
    torch.testing.assert_close(after[..., 1:-1, 1:-1], before[..., 1:-1, 1:-1], rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(after[:, :6], before[:, :6], rtol=1e-4, atol=1e-5)  # the primary half everywhere


def test_a_normalization_elsewhere_is_left_alone() -> None:
    network = resnet_mini(2)
    before = {name: tensor.shape for name, tensor in network.state_dict().items()}
    fold_norms(network, inputs_of((3, 32, 32)))
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == before


def test_another_networks_checkpoint_is_refused() -> None:
    with pytest.raises(EdgeError, match="does not fit the network"):
        fit(resnet_mini(2), nn.Conv2d(1, 1, 1).state_dict())


def test_a_checkpoint_with_code_in_it_is_refused(tmp_path: Path) -> None:
    torch.save({"a": Path("x")}, tmp_path / "bad.pt")
    with pytest.raises(EdgeError, match=r"no readable checkpoint.*remove it"):
        load_tensors(tmp_path / "bad.pt")


class Scaled(nn.Module):
    """A parameter of its own beside layers, frozen and tied tensors, a normalization of the last dimension."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.conv = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 16, 3)
        self.gamma = nn.Parameter(torch.rand(1, 16, 1, 1))
        self.norm = nn.LayerNorm(16)
        self.one, self.other = nn.Linear(16, 16), nn.Linear(16, 16)
        self.other.weight = self.one.weight
        self.last = nn.Linear(16, 2)
        self.stem.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = (self.gamma * self.conv(self.stem(x))).mean((2, 3))
        return self.last(self.other(torch.relu(self.one(self.norm(x)))))


def test_frozen_and_tied_tensors_stay_so() -> None:
    torch.manual_seed(0)
    network = Scaled()
    again = fit(Scaled(), network.state_dict())
    assert again.other.weight is again.one.weight
    assert [p.requires_grad for p in again.parameters()] == [p.requires_grad for p in network.parameters()]
    assert not again.stem.weight.requires_grad


def test_a_parameter_beside_the_layers_and_a_layer_norm_come_back_pruned() -> None:
    torch.manual_seed(0)
    network = prune(Scaled(), Pruning({"conv": 0.5}, "l2-norm", round_to=2), inputs_of((3, 16, 16)))
    assert network.gamma.shape == (1, 8, 1, 1) and not network.stem.weight.requires_grad
    again = fit(Scaled(), network.state_dict()).eval()
    x = torch.randn(2, 3, 16, 16)
    assert torch.equal(again(x), network.eval()(x)) and again.norm.normalized_shape == (8,)


class Mean(nn.Module):
    """Reads the three channels before its first convolution does, each with numbers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.conv, self.fc = nn.BatchNorm2d(3), nn.Conv2d(3, 4, 3), nn.Linear(4, 2)
        self.norm.running_mean = torch.tensor([0.1, 0.2, 0.9])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(self.norm(x)).mean((2, 3)))


class Sum(nn.Module):
    """Adds up the channels that there are, besides its first convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).mean((2, 3))) + x.sum((1, 2, 3)).view(-1, 1)


class Last(Sum):
    """Takes a channel by its number."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv(x).mean((2, 3))) + x[:, 2].mean((1, 2)).view(-1, 1)


@pytest.mark.parametrize("build", [Mean, Sum, Last])
def test_planes_that_something_else_reads_are_not_folded(build: type[nn.Module]) -> None:
    with pytest.raises(EdgeError, match="fold-grey gives other logits: expected a network whose first convolution"):
        fold_grey(build(), inputs_of((3, 16, 16)))


class Twice(nn.Module):
    """A ghost whose output a normalization reads, and an addition besides."""

    def __init__(self) -> None:
        super().__init__()
        self.ghost, self.norm = GhostConv2d(nn.Conv2d(3, 8, 3)), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.ghost(x)
        return self.fc((x + torch.relu(self.norm(x))).mean((2, 3)))


class Added(Twice):
    """The same object after an addition in place, which the normalization reads."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.ghost(x)
        y += 1
        return self.fc(torch.relu(self.norm(y)).mean((2, 3)))


class Held(Twice):
    """A trunk that holds gradients back."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return super().forward(x)


@pytest.mark.parametrize("build", [Twice, Added, Held])
def test_a_normalization_is_left_where_something_else_reads_what_it_reads(build: type[Twice]) -> None:
    torch.manual_seed(0)
    network = build().eval()
    network.norm.running_mean.uniform_(-1, 1)
    x = torch.randn(2, 3, 16, 16)
    before = network(x)
    assert isinstance(fold_norms(network, inputs_of((3, 16, 16))).norm, nn.BatchNorm2d)
    assert torch.equal(network(x), before)


def test_a_normalization_without_a_scale_stays_behind_its_ghost() -> None:
    network = nn.Sequential(GhostConv2d(nn.Conv2d(3, 8, 3)), nn.BatchNorm2d(8, affine=False))
    assert isinstance(fold_norms(network, inputs_of((3, 16, 16)))[1], nn.BatchNorm2d)


def test_a_rectifier_behind_an_addition_in_place_stays_there() -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ghost, self.norm = GhostConv2d(nn.Conv2d(4, 4, 3, padding=1)), nn.BatchNorm2d(4)
            self.relu, self.fc = nn.ReLU(), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = self.norm(self.ghost(x))
            y += x
            return self.fc(self.relu(y).mean((2, 3)))

    network = fold_norms(Block(), inputs_of((4, 8, 8)))
    assert isinstance(network.norm, nn.Identity) and isinstance(network.relu, nn.ReLU)
