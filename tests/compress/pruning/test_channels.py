from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from compress.cost import cost
from compress.inputs import inputs_of
from compress.networks.resnet import Bottleneck, ResNet, resnet_mini
from compress.pruning.channels import Pruning, kept, prune
from compress.pruning.criteria import CRITERIA
from compress.pruning.taylor import Examples
from edge.errors import EdgeError
from tests.compress.pruning.networks import NETWORKS, SHAPE, UNet, build
from tests.compress.pruning.residual_networks import user

torch.manual_seed(0)
IMAGES = torch.randn(6, *SHAPE)


def square_loss(outputs: Tensor, targets: Tensor) -> Tensor:
    return (outputs - targets).square().flatten(1).mean(1)


def examples(network: nn.Module) -> Examples:
    with torch.no_grad():
        outputs = network(IMAGES)
    return Examples(IMAGES, torch.roll(outputs, 1, 0), square_loss)


def widths(network: nn.Module) -> dict[str, int]:
    return {name: m.out_channels for name, m in network.named_modules() if isinstance(m, nn.Conv2d)}


def test_a_pruned_network_computes_what_the_whole_one_does_without_those_channels() -> None:
    network = build("resnet")
    silenced = copy.deepcopy(network)
    block = silenced.stage2[0]
    weakest = block.bn1.weight.detach().abs().argsort()[:16]
    block.bn1.weight.data[weakest] = 0
    block.bn1.bias.data[weakest] = 0
    prune(network, Pruning({"stage2.0.conv1": 0.5}), inputs_of(SHAPE))
    x = torch.randn(2, *SHAPE)
    assert network.stage2[0].conv1.out_channels == 16
    assert network.stage2[0].conv2.conv.in_channels == 16
    torch.testing.assert_close(network(x), silenced(x), rtol=1e-4, atol=1e-4)


def test_the_lowest_scales_go_layer_by_layer() -> None:
    network = build("resnet")
    block = network.stage1[0]
    expected = block.bn2.weight.detach().abs().sort().values[-8:]
    prune(network, Pruning({"stage1.0.conv2": 0.5}), inputs_of(SHAPE))
    assert torch.equal(block.bn2.weight.detach().abs().sort().values, expected)


def test_coupled_layers_are_pruned_together() -> None:
    network = ResNet((2, 2), (16, 32), stem=16, classes=2, channels=3)
    prune(network, Pruning({"stage1*": 0.75}), inputs_of(SHAPE))
    assert network.stage1[0].shortcut.conv.out_channels == 16
    assert [block.conv3.out_channels for block in network.stage1] == [16, 16]
    assert network.stage2[0].conv1.in_channels == 16
    assert network(torch.randn(2, *SHAPE)).shape == (2, 2)


@given(st.integers(1, 512), st.floats(0, 0.999), st.sampled_from([1, 4, 8, 16]))
def test_what_remains_is_a_positive_multiple(channels: int, ratio: float, round_to: int) -> None:
    remaining = kept(channels, ratio, round_to)
    assert 1 <= remaining <= channels
    assert remaining % round_to == 0 or remaining == channels
    assert abs(remaining - (1 - ratio) * channels) <= max(round_to / 2, round_to - (1 - ratio) * channels) + 1e-6


def test_a_ratio_of_nothing_changes_nothing() -> None:
    network = resnet_mini(2)
    before = {name: tensor.shape for name, tensor in network.state_dict().items()}
    prune(network, Pruning({"*": 0.0}), inputs_of(SHAPE))
    assert {name: tensor.shape for name, tensor in network.state_dict().items()} == before


def test_a_pattern_that_matches_nothing_is_named() -> None:
    with pytest.raises(EdgeError, match=r"'stagge\*' matches no convolution.*stem\.conv"):
        prune(resnet_mini(2), Pruning({"stagge*": 0.5}), inputs_of(SHAPE))


def test_blocks_start_as_their_shortcut() -> None:
    block = resnet_mini(2).stage1[0]
    assert isinstance(block, Bottleneck)
    assert not block.bn3.weight.detach().any()


class FullyConvolutional(nn.Module):
    """Its logits come out of a convolution, which no pruning may touch."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 20, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.body(x))).mean((2, 3))


def test_logits_are_never_pruned() -> None:
    with pytest.raises(EdgeError, match=r"output from \(1, 20\) to \(1, 8\)"):
        prune(FullyConvolutional(), Pruning({"*": 0.6}), inputs_of(SHAPE))
    network = prune(FullyConvolutional(), Pruning({"body": 0.5}), inputs_of(SHAPE))
    assert network(torch.zeros(1, *SHAPE)).shape == (1, 20)


@pytest.mark.parametrize("criterion", CRITERIA)
@pytest.mark.parametrize("name", ["resnet", "unet", "unet with the image", "own"])
def test_the_share_that_was_asked_for_goes(name: str, criterion: str) -> None:
    network = build(name)
    before, whole, shapes = widths(network), cost(network, inputs_of(SHAPE)), network(IMAGES).shape
    prune(network, Pruning(criterion=criterion, macs=0.5, parameters=0.4), inputs_of(SHAPE), examples(network))
    spent = cost(network, inputs_of(SHAPE))
    assert spent.macs <= 0.5 * whole.macs and spent.parameters <= 0.6 * whole.parameters
    assert spent.macs > 0.3 * whole.macs  # and not much more than that
    for layer, left in widths(network).items():
        assert left == before[layer] or (left % 8 == 0 and left >= 8), layer
    assert network(IMAGES).shape == shapes
    assert sum(p.numel() for p in network.parameters()) == spent.parameters


@pytest.mark.parametrize("criterion", CRITERIA)
def test_every_criterion_serves_shares_and_rates_of_a_users_network(criterion: str) -> None:
    for settings in (Pruning(criterion=criterion, macs=0.4), Pruning({"*": 0.5}, criterion)):
        network = user()
        before, whole = widths(network), cost(network, inputs_of(SHAPE))
        prune(network, settings, inputs_of(SHAPE), examples(network))
        assert cost(network, inputs_of(SHAPE)).macs <= 0.6 * whole.macs
        assert network(IMAGES).shape == (6, 4) and widths(network) != before


@pytest.mark.parametrize(("channels", "ratio", "stay"), [(8, 99, 8), (4, 99, 4), (6, 50, 6), (16, 99, 8), (32, 99, 8)])
def test_a_ratio_that_would_empty_a_layer_leaves_a_block_and_says_so(channels: int, ratio: int, stay: int) -> None:
    network = nn.Sequential(nn.Conv2d(3, channels, 3), nn.ReLU(), nn.Conv2d(channels, 4, 3), nn.Flatten())
    said: list[str] = []
    prune(network, Pruning({"0": ratio / 100}, "l2-norm"), inputs_of(SHAPE), progress=said.append)
    assert network[0].out_channels == stay
    assert said == [f"0: {ratio}% of {channels} channels would leave less than the {stay} that stay\n"]


@pytest.mark.parametrize("name", NETWORKS)
def test_what_can_not_be_reached_is_told_and_nothing_is_touched(name: str) -> None:
    network = build(name)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    with pytest.raises(EdgeError, match=r"remove 99\.9% of the MACs, and at most ([\d.]+)% of the MACs") as error:
        prune(network, Pruning(criterion="l2-norm", macs=0.999), inputs_of(SHAPE))
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    most = float(str(error.value).split("at most ")[1].split("%")[0]) / 100
    whole = cost(network, inputs_of(SHAPE))
    prune(network, Pruning(criterion="l2-norm", macs=most - 1e-3), inputs_of(SHAPE))
    assert 1 - cost(network, inputs_of(SHAPE)).macs / whole.macs == pytest.approx(most, abs=1e-3)
    assert all(left >= min(8, len(before[f"{layer}.weight"])) for layer, left in widths(network).items())


def test_in_steps_scores_are_computed_anew() -> None:
    said: list[str] = []
    network = build("unet")
    whole = cost(network, inputs_of(SHAPE))
    prune(network, Pruning(criterion="taylor", macs=0.6, steps=3), inputs_of(SHAPE), examples(network), said.append)
    assert cost(network, inputs_of(SHAPE)).macs <= 0.4 * whole.macs
    assert [text[:3] for text in said if "of the MACs" in text] == ["1/3", "2/3", "3/3"]
    shares = [float(text.split()[1].rstrip("%")) for text in said if "of the MACs" in text]
    assert 20 <= shares[0] < 40 <= shares[1] < 60 <= shares[2]
    assert sum("6 of 6 images" in text for text in said) == 3


def test_the_network_without_the_weakest_of_all_layers_is_the_whole_one_with_them_silent() -> None:
    network = build("unet")
    assert isinstance(network, UNet)
    quiet = [network.down2[1], network.bottom[0], network.up1[0]]
    for block in quiet:
        block[1].weight.data[::3] = block[1].bias.data[::3] = 0
    with torch.no_grad():
        before = network(IMAGES)
    prune(network, Pruning(criterion="bn-scale", round_to=1, parameters=0.05), inputs_of(SHAPE))
    assert sum(block[0].out_channels for block in quiet) < 32 + 48 + 24
    torch.testing.assert_close(network(IMAGES), before, rtol=1e-4, atol=1e-5)


def test_only_the_layers_that_a_pattern_names_are_pruned() -> None:
    network = build("resnet")
    before = widths(network)
    prune(network, Pruning(macs=0.2, layers=("stage[23]*.conv1", "stage1.0.conv3")), inputs_of(SHAPE))
    touched = {layer for layer, left in widths(network).items() if left != before[layer]}
    assert touched <= {"stage2.0.conv1", "stage3.0.conv1", "stage1.0.conv3", "stage1.0.shortcut.conv"}
    assert widths(network)["stage1.0.conv3"] == widths(network)["stage1.0.shortcut.conv"]
    with pytest.raises(EdgeError, match=r"'stagge\*' matches no convolution"):
        prune(network, Pruning(macs=0.2, layers=("stagge*",)), inputs_of(SHAPE))


def test_the_layer_that_makes_the_output_keeps_its_channels() -> None:
    network = prune(FullyConvolutional(), Pruning(criterion="l2-norm", macs=0.4), inputs_of(SHAPE))
    assert widths(network) == {"body": 8, "head": 20}


def test_what_is_kept_at_one_block_is_said() -> None:
    said: list[str] = []
    prune(build("resnet"), Pruning({"stage2.0.conv1": 0.99}), inputs_of(SHAPE), progress=said.append)
    assert said == ["stage2.0.conv1: 99% of 32 channels would leave less than the 8 that stay\n"]
    prune(build("resnet"), Pruning(macs=0.79), inputs_of(SHAPE), progress=said.append)
    assert "kept at one block: " in said[-1]


@pytest.mark.parametrize("name", ["own", "resnet"])
def test_taylor_scores_serve_rates_for_each_layer_too(name: str) -> None:
    network = build(name)
    before = widths(network)
    prune(network, Pruning({"*": 0.5}, "taylor-sq"), inputs_of(SHAPE), examples(network))
    assert all(left == kept(before[layer], 0.5, 8) for layer, left in widths(network).items())
    assert network(IMAGES).shape == (6, 2)


def test_random_pruning_is_the_same_for_a_seed() -> None:
    first, second, third = (
        prune(build("unet"), Pruning(criterion="random", macs=0.5, seed=seed), inputs_of(SHAPE)).state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(tensor, second[key]) for key, tensor in first.items())
    assert any(tensor.shape != third[key].shape or not torch.equal(tensor, third[key]) for key, tensor in first.items())


def trained() -> tuple[nn.Module, Examples]:
    """Return a U-Net that has learned to outline bright squares, and 32 images of them that it has not seen."""
    generator = torch.Generator().manual_seed(1)

    def draw(count: int) -> tuple[Tensor, Tensor]:
        x, masks = 0.5 * torch.randn(count, *SHAPE, generator=generator), torch.zeros(count, 1, *SHAPE[1:])
        for image, mask in zip(x, masks, strict=True):
            top, left = torch.randint(0, 20, (2,), generator=generator).tolist()
            mask[:, top : top + 10, left : left + 10] = 1
            image += 1.5 * mask
        return x, masks

    torch.manual_seed(1)
    network = UNet().train()
    optimizer = torch.optim.Adam(network.parameters(), 3e-3)
    for _ in range(40):
        x, masks = draw(8)
        optimizer.zero_grad()
        mask_loss(network(x), masks).mean().backward()
        optimizer.step()
    optimizer.zero_grad()
    return network.eval(), Examples(*draw(32), mask_loss)


def mask_loss(outputs: Tensor, masks: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs, masks, reduction="none").mean((1, 2, 3))


def test_taylor_pruning_loses_less_than_random_pruning() -> None:
    network, unseen = trained()

    def loss(settings: Pruning) -> float:
        pruned = prune(copy.deepcopy(network), settings, inputs_of(SHAPE), unseen)
        with torch.no_grad():
            return float(mask_loss(pruned(unseen.images), unseen.targets).mean())

    chance = [loss(Pruning(criterion="random", macs=0.5, seed=seed)) for seed in range(3)]
    for settings in (
        Pruning(criterion="taylor", macs=0.5),
        Pruning(criterion="taylor-abs", macs=0.5, gradient="random"),
    ):
        assert loss(settings) < 0.7 * min(chance), (settings.criterion, chance)


FAULTS = [
    (Pruning({"*": 0.5}, macs=0.5), r"ratios is \{'\*': 0\.5\}: expected either ratios, or macs and parameters"),
    (Pruning(), r"ratios is \{\}: expected layer patterns .*or macs or parameters"),
    (Pruning({"*": 0.5}, steps=2), "expected macs or parameters, where steps or layers"),
    (Pruning({"*": 0.5}, layers=("a",)), "expected macs or parameters, where steps or layers"),
    (Pruning(macs=1.0), r"macs is 1\.0: expected a share from 0 to below 1"),
    (Pruning(macs=0.5, parameters=-0.5), r"parameters is -0\.5"),
    (Pruning(macs=float("nan")), "macs is nan"),
    (Pruning(macs=0.5, steps=0), "steps is 0: expected 1 or more"),
    (Pruning(macs=0.5, samples=0), "samples is 0: expected 1 or more"),
    (Pruning(macs=0.5, round_to=0), "round_to is 0: expected 1 or more"),
    (Pruning(macs=0.5, criterion="magic"), "criterion is 'magic': expected one of bn-scale, l2-norm, fpgm, taylor"),
    (Pruning(macs=0.5, gradient="steep"), "gradient is 'steep': expected one of loss, random"),
    (Pruning(macs=0.5, seed=-1), "seed is -1"),
    (Pruning(macs=0.5, criterion="taylor"), "criterion 'taylor' looks at images and found none"),
]


@pytest.mark.parametrize(("settings", "message"), FAULTS, ids=[message[:24] for _, message in FAULTS])
def test_settings_that_make_no_sense_are_named(settings: Pruning, message: str) -> None:
    with pytest.raises(EdgeError, match=message):
        prune(build("resnet"), settings, inputs_of(SHAPE))


def test_images_without_labels_serve_a_random_gradient_only() -> None:
    network = build("unet")
    with pytest.raises(EdgeError, match="no targets or no loss"):
        prune(network, Pruning(criterion="taylor", macs=0.5), inputs_of(SHAPE), Examples(IMAGES))
    prune(network, Pruning(criterion="taylor", macs=0.5, gradient="random"), inputs_of(SHAPE), Examples(IMAGES))
    with pytest.raises(EdgeError, match="looks at images and found none"):
        prune(network, Pruning(criterion="taylor", macs=0.5), inputs_of(SHAPE), Examples(IMAGES[:0]))


def test_scores_that_are_not_finite_are_refused() -> None:
    network = build("unet")
    network.head.bias.data.fill_(float("nan"))
    with pytest.raises(EdgeError, match="scores that are not finite"):
        prune(
            network,
            Pruning(criterion="taylor", macs=0.5),
            inputs_of(SHAPE),
            Examples(IMAGES, IMAGES[:, :1], square_loss),
        )


def test_only_so_many_samples_are_looked_at() -> None:
    said: list[str] = []
    network = build("unet")
    prune(network, Pruning(criterion="taylor", macs=0.3, samples=4), inputs_of(SHAPE), examples(network), said.append)
    assert "gradients of 4 of 4 images" in said


class Grouped(nn.Module):
    """A convolution in groups, and one that is never run."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(3, 16, 3), nn.Conv2d(16, 32, 3, groups=4)
        self.conv3, self.spare = nn.Conv2d(32, 16, 3), nn.Conv2d(3, 16, 3)
        self.fc = nn.Linear(16, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(self.conv3(self.conv2(self.conv1(x))).mean((2, 3)))


def test_rates_leave_alone_what_is_divided_into_groups_or_never_run() -> None:
    network, said = Grouped(), []
    prune(network, Pruning({"*": 0.5}, "l2-norm"), inputs_of(SHAPE), progress=said.append)
    assert widths(network) == {"conv1": 16, "conv2": 32, "conv3": 8, "spare": 16}
    assert said == [
        "conv1: stays whole, as a convolution in groups divides its channels\n",
        "conv2: stays whole, as a convolution in groups divides its channels\n",
        "spare: stays whole, as the network never runs it\n",
    ]
