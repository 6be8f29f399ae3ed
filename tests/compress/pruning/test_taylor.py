"""The scores against derivatives taken another way: one sample at a time, the network's forward written out by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compress.inputs import inputs_of
from compress.pruning.groups import prunable_groups, trace, whole_group
from compress.pruning.taylor import (
    Batches,
    Examples,
    loss_gradient,
    random_gradient,
    taylor,
    taylor_abs,
    taylor_sq,
)
from edge.errors import EdgeError
from tests.compress.pruning.networks import SHAPE, Residual, UNet, build

IMPORTANCES = {"taylor": taylor, "taylor-abs": taylor_abs, "taylor-sq": taylor_sq}
torch.manual_seed(0)
IMAGES = torch.randn(11, *SHAPE)  # more than one batch
LABELS = torch.arange(11) % 3
MASKS = (torch.rand(11, 1, 32, 32) > 0.7).float()


def label_loss(outputs: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(outputs, labels, reduction="none")


def mask_loss(outputs: Tensor, masks: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(outputs, masks, reduction="none").mean((1, 2, 3))


def quiet(text: str) -> None:
    pass


def scores(network: nn.Module, name: str, layer: nn.Conv2d, examples: Examples, normalize: bool) -> Tensor:
    seen = trace(network, inputs_of(SHAPE))
    batches = Batches(seen, examples, loss_gradient(examples, normalize), quiet)
    return IMPORTANCES[name](whole_group(seen, layer), batches)


def gated(network: Residual, x: Tensor, stream: Tensor, last: Tensor) -> Tensor:
    """What `network` computes when its coupled normalizations and its last convolution are multiplied by gates."""

    def normalize(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
        mean, deviation = norm.running_mean[:, None, None], (norm.running_var + norm.eps).sqrt()[:, None, None]
        return (x - mean) / deviation * norm.weight[:, None, None] + norm.bias[:, None, None]

    stream, last = stream[:, None, None], last[:, None, None]
    x = F.relu(stream * normalize(F.conv2d(x, network.stem.weight, padding=1), network.stem_norm))
    y = stream * normalize(F.conv2d(x, network.inner.weight, padding=1), network.inner_norm)
    y = last * F.conv2d(F.relu(x + y), network.last.weight, network.last.bias, stride=2)
    return network.fc(F.relu(y).mean((2, 3)))


def contributions(network: Residual, normalize: bool) -> tuple[Tensor, Tensor]:
    """Return dL/dg for the gates of the coupled convolutions and of the last one, a row for each sample."""
    rows = []
    for x, label in zip(IMAGES, LABELS, strict=True):
        gates = torch.ones(16, requires_grad=True), torch.ones(24, requires_grad=True)
        y = gated(network, x[None], *gates)
        y.retain_grad()
        F.cross_entropy(y, label[None]).backward()
        scale = y.grad.square().sum().sqrt() + 1e-5 if normalize else 1.0
        rows.append([gate.grad / scale for gate in gates])
    stream, last = zip(*rows, strict=True)
    return torch.stack(stream), torch.stack(last)


@pytest.mark.parametrize("normalize", [False, True])
def test_scores_are_the_derivatives_of_each_sample_by_a_gate(normalize: bool) -> None:
    network = build("residual")
    assert isinstance(network, Residual)
    examples = Examples(IMAGES, LABELS, label_loss)
    torch.testing.assert_close(gated(network, IMAGES, torch.ones(16), torch.ones(24)), network(IMAGES))
    for layer, a in zip([network.inner, network.last], contributions(network, normalize), strict=True):
        expected = {
            "taylor": abs(sum(a) / len(a)),
            "taylor-abs": sum(abs(row) for row in a) / len(a),
            "taylor-sq": sum(row * row for row in a) / len(a),
        }
        for name in IMPORTANCES:
            found = scores(network, name, layer, examples, normalize)
            torch.testing.assert_close(found, expected[name], rtol=1e-3, atol=1e-6)


def test_scores_are_what_the_loss_changes_by() -> None:
    network, e = build("unet"), 1e-4
    assert isinstance(network, UNet)
    score = scores(network, "taylor", network.down2[1][0], Examples(IMAGES, MASKS, mask_loss), normalize=False)
    exact = copy.deepcopy(network).double()
    before = mask_loss(exact(IMAGES.double()), MASKS.double()).mean().item()
    for channel in range(0, 32, 5):
        less = copy.deepcopy(exact)
        norm = less.down2[1][1]
        norm.weight.data[channel] *= 1 - e
        norm.bias.data[channel] *= 1 - e
        after = mask_loss(less(IMAGES.double()), MASKS.double()).mean().item()
        assert abs(after - before) / e == pytest.approx(float(score[channel]), rel=0.02, abs=1e-6)


def test_a_channel_that_does_nothing_is_worth_nothing() -> None:
    network = build("residual")
    network.stem_norm.weight.data[3] = network.stem_norm.bias.data[3] = 0
    network.inner_norm.weight.data[3] = network.inner_norm.bias.data[3] = 0
    for name in IMPORTANCES:
        score = scores(network, name, network.inner, Examples(IMAGES, LABELS, label_loss), normalize=True)
        assert score[3] == 0 and score.count_nonzero() == 15


@pytest.mark.parametrize("name", IMPORTANCES)
def test_normalized_every_sample_counts_equally(name: str) -> None:
    network = build("residual")
    weights = torch.ones(len(IMAGES))
    weights[4] = 1000

    def weighted(outputs: Tensor, truth: Tensor) -> Tensor:
        return label_loss(outputs, truth[:, 0].long()) * truth[:, 1]

    alike = Examples(IMAGES, torch.stack([LABELS, torch.ones(len(IMAGES))], 1), weighted)
    heavy = Examples(IMAGES, torch.stack([LABELS, weights], 1), weighted)
    layer = network.last
    torch.testing.assert_close(
        scores(network, name, layer, heavy, True), scores(network, name, layer, alike, True), rtol=1e-2, atol=1e-5
    )
    plain, loud = scores(network, name, layer, alike, False), scores(network, name, layer, heavy, False)
    assert float(loud.mean()) > 10 * float(plain.mean())


def test_a_random_gradient_needs_no_labels() -> None:
    network, images = build("residual"), IMAGES[:8]
    seen = trace(network, inputs_of(SHAPE))

    def score(seed: int) -> Tensor:
        gradient = random_gradient(torch.Generator().manual_seed(seed))
        return taylor_abs(whole_group(seen, network.inner), Batches(seen, Examples(images), gradient, quiet))

    rows = []
    generator = torch.Generator().manual_seed(1)
    for x in images:
        r = torch.randn(3, generator=generator)
        gate = torch.ones(16, requires_grad=True)
        y = gated(network, x[None], gate, torch.ones(24))
        (y[0] @ r / (r @ r).sqrt()).backward()
        rows.append(gate.grad.abs())
    torch.testing.assert_close(score(1), torch.stack(rows).mean(0), rtol=1e-3, atol=1e-6)
    assert torch.equal(score(1), score(1)) and not torch.equal(score(1), score(2))


def test_a_random_gradient_has_length_1_over_all_pixels() -> None:
    r = random_gradient(torch.Generator().manual_seed(5))(torch.zeros(4, 1, 32, 32), slice(0, 4))
    torch.testing.assert_close(r.square().sum((1, 2, 3)), torch.ones(4))
    assert len({float(row.sum()) for row in r}) == 4


@pytest.mark.parametrize("name", ["unet", "resnet", "own", "mixed"])
def test_nothing_stays_behind(name: str) -> None:
    network = build(name)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    seen = trace(network, inputs_of(SHAPE))
    batches = Batches(seen, Examples(IMAGES[:3]), random_gradient(torch.Generator()), quiet)
    for group in prunable_groups(seen):
        assert taylor(group, batches).shape == (len(group[0].idxs),)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(module._forward_hooks or module._backward_hooks for module in network.modules())
    assert not network.training


def test_a_failing_loss_leaves_no_hooks() -> None:
    def broken(outputs: Tensor, truth: Tensor) -> Tensor:
        raise ValueError("broken")

    network = build("residual")
    with pytest.raises(ValueError, match="broken"):
        scores(network, "taylor", network.last, Examples(IMAGES, LABELS, broken), True)
    assert not any(module._forward_hooks for module in network.modules())


def test_examples_that_do_not_fit_are_named() -> None:
    network = build("residual")
    with pytest.raises(EdgeError, match=r"no targets or no loss.*gradient = 'random'"):
        loss_gradient(Examples(IMAGES), True)
    with pytest.raises(EdgeError, match="11 images and 5 targets"):
        loss_gradient(Examples(IMAGES, LABELS[:5], label_loss), True)
    with pytest.raises(EdgeError, match=r"shape \(\).*expected \(\d,\).*reduction='none'"):
        scores(network, "taylor", network.last, Examples(IMAGES, LABELS, F.cross_entropy), True)
