from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compress.cost import cost
from compress.inputs import inputs_of
from compress.networks.cifar import BasicResNet, PreActivationResNet, bottleneck56, resnet56
from compress.networks.resnet import resnet_mini
from compress.networks.unet import unet_mini
from compress.pruning.blocks import close, closed_in, residual_blocks
from compress.pruning.channels import Pruning, prune
from edge.errors import EdgeError
from tests.compress.own_network import build as own
from tests.compress.pruning.residual_networks import BLOCKS, SHAPE, InPlace, Shared, branch, user

torch.manual_seed(1)
X = torch.randn(3, *SHAPE)


@pytest.mark.parametrize(
    "build, count, projections",
    [
        (lambda: resnet56(10), 27, ["layer2.0", "layer3.0"]),
        (lambda: bottleneck56(10), 18, ["stage1.0", "stage2.0", "stage3.0"]),
        (lambda: resnet_mini(2), 3, ["stage1.0", "stage2.0", "stage3.0"]),
    ],
)
def test_the_projects_networks_have_the_blocks_they_are_made_of(
    build: type, count: int, projections: list[str]
) -> None:
    blocks = residual_blocks(build(), inputs_of((3, 32, 32)))
    assert len(blocks) == count
    assert [block.name for block in blocks if list(block.shortcut.parameters())] == projections


def test_a_users_blocks_are_found_however_they_are_written() -> None:
    network = user()
    blocks = residual_blocks(network, inputs_of(SHAPE))
    assert [block.name for block in blocks] == BLOCKS
    assert [block.last for block in blocks] == [
        "one.0.bn2",
        "one.1.bn2",
        "two.0.bn2",
        "two.1.drop",
        "two.2.drop",
        "three.second",
    ]
    assert not network.training  # and is left as it was
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in network.modules())


def without(network: nn.Module, name: str) -> Tensor:
    """What the network computes when the branch of a block adds nothing."""
    silent = copy.deepcopy(network)
    (block,) = (block for block in residual_blocks(silent, inputs_of(SHAPE)) if block.name == name)
    silent.get_submodule(block.last).register_forward_hook(lambda module, x, y: y * 0)
    return silent(X)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_closed_block_is_its_shortcut(name: str) -> None:
    network = user()
    expected, before = without(network, name), cost(network, inputs_of(SHAPE))
    (block,) = (block for block in residual_blocks(network, inputs_of(SHAPE)) if block.name == name)
    gone = sum(network.state_dict()[t].numel() for t in block.tensors if "running" not in t and "num_b" not in t)
    close(network, [block])
    torch.testing.assert_close(network(X), expected)
    after = cost(network, inputs_of(SHAPE))
    assert after.parameters == before.parameters - gone
    assert after.macs < before.macs
    assert not set(block.tensors) & set(network.state_dict())


def test_a_stages_first_block_leaves_its_projection_and_the_others_nothing() -> None:
    network = PreActivationResNet(2, 10, 3)
    before = network.state_dict()
    close(network, residual_blocks(network, inputs_of((3, 32, 32))))
    left = [f"stage{stage}.0.shortcut.weight" for stage in (1, 2, 3)]
    assert [name for name in network.state_dict() if name.startswith("stage")] == left
    assert all(torch.equal(network.state_dict()[name], before[name]) for name in left)
    assert isinstance(network.stage2[1], nn.Identity)
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 10)


def test_behind_a_projection_the_activation_stays() -> None:
    network = BasicResNet(2, 10, 3)
    close(network, [block for block in residual_blocks(network, inputs_of((3, 32, 32))) if block.name == "layer2.0"])
    x = torch.randn(1, 16, 8, 8)
    expected = F.relu(F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 8, 8)))
    torch.testing.assert_close(network.layer2[0](x), expected)


def test_an_activation_behind_an_identity_stays_only_where_it_does_something() -> None:
    network = user()
    blocks = {block.name: block.shortcut for block in residual_blocks(network, inputs_of(SHAPE))}
    assert isinstance(blocks["one.0"], nn.Identity)  # behind the stem's ReLU
    assert isinstance(blocks["one.1"], nn.Identity)  # behind a block that ends in one
    network.begin = network.begin[:1]
    blocks = {block.name: block.shortcut for block in residual_blocks(network, inputs_of(SHAPE))}
    x = torch.randn(2, 16, 4, 4)
    assert torch.equal(blocks["one.0"](x.clone()), F.relu(x))
    assert isinstance(blocks["one.1"], nn.Identity)


class Clipped(nn.Module):
    """Ends in a ReLU6, which does something behind a ReLU, too."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.clip = branch(16, 16), nn.ReLU6()

    def forward(self, x: Tensor) -> Tensor:
        return self.clip(self.body(x) + x)


class Late(nn.Module):
    """Adds in place to what its ReLU made, which is none of a ReLU's any more."""

    def __init__(self) -> None:
        super().__init__()
        self.relu, self.conv = nn.ReLU(), nn.Conv2d(16, 16, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(x)
        y += self.conv(x)
        return y


def test_what_a_rectifier_made_may_be_clipped_or_changed_afterwards() -> None:
    network = Chain(nn.ReLU(), Clipped(), Late(), InPlace(16, 16))
    left = {block.name: block.shortcut for block in residual_blocks(network, inputs_of(SHAPE))}
    x = 9 * torch.randn(2, 16, 4, 4)
    assert torch.equal(left["chain.1"](x), x.clamp(0, 6))
    assert torch.equal(left["chain.3"](x.clone()), F.relu(x))


def test_what_was_closed_shows_in_the_tensors() -> None:
    network, fresh = user(), user()
    blocks = residual_blocks(network, inputs_of(SHAPE))
    close(network, [blocks[0], blocks[2], blocks[5]])
    prune(network, Pruning({"one.1.conv1": 0.5}, "l2-norm"), inputs_of(SHAPE))
    closed = closed_in(residual_blocks(fresh, inputs_of(SHAPE)), network.state_dict())
    assert [block.name for block in closed] == ["one.0", "two.0", "three"]
    assert set(close(fresh, closed).state_dict()) == set(network.state_dict())


def test_what_is_left_can_be_pruned_closed_and_pruned_again() -> None:
    network = user()
    prune(network, Pruning({"one*": 0.5}, "l2-norm"), inputs_of(SHAPE))
    close(network, residual_blocks(network, inputs_of(SHAPE))[1:4])
    prune(network, Pruning({"*": 0.5}, "l2-norm"), inputs_of(SHAPE))
    assert network(X).shape == (3, 4)
    assert [block.name for block in residual_blocks(network, inputs_of(SHAPE))] == ["one.0", "two.2", "three"]


class Chain(nn.Module):
    """Modules one after another."""

    def __init__(self, *modules: nn.Module):
        super().__init__()
        self.begin, self.chain, self.end = nn.Conv2d(3, 16, 3, padding=1), nn.Sequential(*modules), nn.Linear(16, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.end(self.chain(self.begin(x)).mean((2, 3)))


class Twins(nn.Module):
    """Two branches of one size: neither is the other's shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = branch(16, 16), branch(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.left(x) + self.right(x)


class Functional(nn.Module):
    """Its branch does not end in a layer."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.conv(x)) + x


class Doubled(nn.Module):
    """x is added to itself, and convolutions follow."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(16, 16, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x + x)


class Undecided(nn.Module):
    """Its forward asks for a value."""

    def __init__(self) -> None:
        super().__init__()
        self.body = branch(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + x if x.sum() > 0 else x


class Scaled(nn.Module):
    """torch.add with a factor."""

    def __init__(self) -> None:
        super().__init__()
        self.body = branch(16, 16)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.body(x), alpha=0.1)


STRANGERS = {
    "a chain": lambda: Chain(branch(16, 16)),
    "two branches": lambda: Chain(Twins()),
    "a branch without a last layer": lambda: Chain(Functional()),
    "an addition of no branch": lambda: Chain(Doubled()),
    "a forward that asks for a value": lambda: Chain(Undecided()),
    "a factor": lambda: Chain(Scaled()),
    "a u-net": lambda: unet_mini(1),
    "blocks that are no modules": lambda: own(2, 3),
}


@pytest.mark.parametrize("name", STRANGERS)
def test_a_network_without_blocks_is_told_what_was_looked_for(name: str) -> None:
    network = STRANGERS[name]()
    words = rf"the network {type(network).__name__} has no residual blocks: looked for modules that return F\(x\) \+ "
    with pytest.raises(EdgeError, match=words + r"shortcut\(x\).*take the step out"):
        residual_blocks(network, inputs_of(SHAPE))


def test_of_blocks_in_blocks_the_inner_ones_count() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner, self.conv = nn.Sequential(InPlace(16, 16), InPlace(16, 16)), nn.Conv2d(16, 16, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.conv(self.inner(x)) + x

    blocks = residual_blocks(Chain(Outer(), Shared(16, 16, 1)), inputs_of(SHAPE))
    assert [block.name for block in blocks] == ["chain.0.inner.0", "chain.0.inner.1", "chain.1"]
