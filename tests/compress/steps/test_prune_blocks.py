"""Gates against the paper's equations, written out by hand, and against enumeration."""

from __future__ import annotations

import copy
import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compress.data.folder import DataSet, Split
from compress.inputs import inputs_of
from compress.pruning.blocks import close, residual_blocks
from compress.steps import train as training
from compress.steps.prune_blocks import BlockPruning, Gated, StraightThrough, prune_blocks
from compress.steps.train import Training, train
from compress.tasks.classification import Classification
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from tests.compress.pruning.residual_networks import BLOCKS, SHAPE, User, user

HOW = Preprocessing(16, 16, mean=(0.5,), std=(0.25,))


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))


numbers = st.floats(-4, 4, width=32)


@given(st.lists(st.tuples(numbers, st.floats(0, 1, width=32, exclude_max=True), numbers), min_size=1), st.floats(0, 1))
@settings(deadline=None)
def test_the_gradient_is_passed_straight_through(rows: list[tuple[float, float, float]], gamma: float) -> None:
    alpha, u, slope = (torch.tensor(column) for column in zip(*rows, strict=True))
    alpha.requires_grad_()
    g = StraightThrough.apply(alpha, u, gamma)
    (slope * g).sum().backward()
    for b, (a, drawn, dl) in enumerate(rows):
        p = 1 / (1 + np.exp(-a))
        if abs(drawn - p) > 1e-6:
            assert g[b].item() == (1.0 if drawn < p else 0.0)
        expected = (dl + gamma * g[b].item()) * p * (1 - p)  # sign(g) is g
        assert float(alpha.grad[b]) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def test_gates_are_drawn_as_often_as_their_probability_says() -> None:
    alpha = torch.tensor([-2.0, 0.0, 1.5])
    torch.manual_seed(0)
    drawn = torch.stack([StraightThrough.apply(alpha, torch.rand(3), 0.05) for _ in range(4000)])
    assert set(drawn.unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(drawn.mean(0), torch.sigmoid(alpha), atol=0.03, rtol=0)


def gated(network: nn.Module, alpha: list[float], penalty: float = 0.05) -> Gated:
    whole = Gated(network, residual_blocks(network, inputs_of(SHAPE)), penalty)
    whole.alpha.data = torch.tensor(alpha)
    return whole


def test_open_gates_change_nothing_and_closed_ones_leave_the_shortcut() -> None:
    x = torch.randn(2, *SHAPE)
    network, alpha = user(), [0.3, -0.1, 0.0, 2.0, -3.0, -0.2]
    plain, closed = network(x), copy.deepcopy(network)
    close(
        closed,
        [block for block in residual_blocks(closed, inputs_of(SHAPE)) if block.name in ("one.1", "two.2", "three")],
    )
    whole = gated(network, [0.0] * 6).eval()
    torch.testing.assert_close(whole(x), plain)
    whole.alpha.data = torch.tensor(alpha)
    torch.testing.assert_close(whole(x), closed(x))
    assert [block.name for block in whole.closed()] == ["one.1", "two.2", "three"]
    torch.testing.assert_close(network(x), plain)  # no gate is left behind
    assert not any(module._forward_hooks for module in network.modules())


def test_the_gates_gradient_is_that_of_the_branches_products() -> None:
    """Against autograd through a network whose branches are multiplied by numbers, and the equation."""
    network, x, gamma = user().double(), torch.randn(4, *SHAPE).double(), 0.05
    blocks = residual_blocks(network, inputs_of(SHAPE))
    plain = copy.deepcopy(network)
    whole = gated(network, [0.2, -0.4, 0.1, 0.0, 0.7, -0.3], gamma)
    whole.training = True  # the gates are drawn, and the normalizations keep their statistics
    torch.manual_seed(5)
    whole(x).square().mean().backward()
    drawn = torch.stack(whole.gates).detach()
    assert 0 < drawn.sum() < 6
    g = drawn.double().requires_grad_()
    for number, block in enumerate(blocks):
        plain.get_submodule(block.last).register_forward_hook(lambda m, i, y, number=number: y * g[number])
    plain(x).square().mean().backward()
    p = torch.sigmoid(whole.alpha.detach())
    torch.testing.assert_close(whole.alpha.grad, ((g.grad + gamma * drawn) * p * (1 - p)).float())


def data_set(count: int = 64) -> DataSet:
    """Four kinds of stripes in noise."""
    random = np.random.default_rng(2)
    labels = np.arange(count) % 4
    pixels = random.normal(110, 25, (count, 16, 16, 3))
    for picture, label in zip(pixels, labels, strict=True):
        rows = picture if label < 2 else picture.transpose(1, 0, 2)
        rows[:: 2 + 2 * (label % 2)] += 70
    split = Split(np.clip(pixels, 0, 255).astype(np.uint8), labels, tuple(map(str, range(count))))
    return DataSet(Classification(), HOW, ("a", "b", "c", "d"), split, split, split, {})


def test_blocks_that_cost_more_than_they_are_worth_go(tmp_path: Path) -> None:
    torch.manual_seed(0)
    step = BlockPruning(6, lr=0.02, batch=16, penalty=100.0)
    network, said = prune_blocks(User(), data_set(), HOW, step, tmp_path / "x.pt", lambda text: None)
    assert said == f"6 of 6 closed: {', '.join(BLOCKS)}"
    assert sorted(name for name in network.state_dict() if name.startswith(("one", "two"))) == sorted(
        f"two.0.downsample.{rest}"
        for rest in ("0.weight", "1.weight", "1.bias", "1.running_mean", "1.running_var", "1.num_batches_tracked")
    )


def test_a_block_that_adds_nothing_goes_and_one_that_carries_everything_stays(tmp_path: Path) -> None:
    torch.manual_seed(0)
    data = data_set()
    network = train(User(), data, HOW, Training(12, lr=0.03, batch=16), tmp_path / "first.pt")
    for tensor in (network.one[0].bn2.weight, network.one[0].bn2.bias):
        nn.init.zeros_(tensor)
    nn.init.constant_(network.one[1].bn2.weight, 40.0)
    step = BlockPruning(15, lr=1e-6, batch=16, gate_lr=0.5)
    network, said = prune_blocks(network, data, HOW, step, tmp_path / "second.pt", lambda text: None)
    assert "one.0" in said
    assert isinstance(network.one[0], nn.Identity)
    assert not isinstance(network.one[1], nn.Identity)


def test_weights_and_gates_are_trained_together_and_an_interruption_changes_nothing(tmp_path: Path) -> None:
    step, data = BlockPruning(3, lr=0.05, batch=16, gate_lr=0.3), data_set(40)

    def run(path: Path, stop: str = "") -> tuple[dict[str, torch.Tensor], list[str]]:
        said: list[str] = []

        def progress(text: str) -> None:
            said.append(text)
            if stop and text.startswith(stop):
                raise KeyboardInterrupt

        torch.manual_seed(7)
        network, found = prune_blocks(User(), data, HOW, step, path, progress)
        return network.state_dict(), [*said, found]

    unbroken, said = run(tmp_path / "unbroken.pt")
    torch.manual_seed(7)
    before = User().state_dict()
    assert not torch.equal(unbroken["begin.0.weight"], before["begin.0.weight"])
    assert not any("alpha" in name or "gate" in name for name in unbroken)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "broken.pt", "epoch 2/3")
    again, rest = run(tmp_path / "broken.pt")
    assert rest[0].startswith("epoch 2/3")
    assert rest[-1] == said[-1]
    assert again.keys() == unbroken.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in unbroken.items())


def test_the_gates_have_a_learning_rate_of_their_own_and_do_not_decay(tmp_path: Path) -> None:
    saved = {}
    for name, step in {
        "slow": BlockPruning(1, lr=0.01, batch=16, gate_lr=1e-9),
        "fast": BlockPruning(1, lr=0.01, batch=16, gate_lr=0.1),
    }.items():
        torch.manual_seed(7)
        prune_blocks(User(), data_set(40), HOW, step, tmp_path / f"{name}.pt", lambda text: None)
        saved[name] = torch.load(tmp_path / f"{name}.pt", weights_only=True)["network.alpha"].abs().max()
    assert saved["slow"] < 1e-8 < 1e-4 < saved["fast"]


def test_a_network_without_blocks_is_refused_before_it_is_trained(tmp_path: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 4))
    with pytest.raises(EdgeError, match="has no residual blocks"):
        prune_blocks(network, data_set(8), HOW, BlockPruning(1), tmp_path / "x.pt", lambda text: None)
    assert not (tmp_path / "x.pt").exists()


def test_the_expected_cost_of_the_gates_has_the_gradient_that_is_added() -> None:
    """gamma * E[sum g] = gamma * sum p: its derivative is gamma p (1 - p); the estimate is p times that on average."""
    alpha = torch.tensor([0.3, -1.0, 2.0], dtype=torch.float64)
    p = torch.sigmoid(alpha)
    mean = torch.zeros_like(p)
    for gates in itertools.product((0.0, 1.0), repeat=3):
        chosen = torch.tensor(gates, dtype=torch.float64)
        weight = torch.prod(torch.where(chosen > 0, p, 1 - p))
        u = torch.where(chosen > 0, p / 2, (1 + p) / 2)
        logits = alpha.clone().requires_grad_()
        (StraightThrough.apply(logits, u, 0.05) * 0).sum().backward()
        mean += weight * logits.grad
    torch.testing.assert_close(mean, 0.05 * p * p * (1 - p))


@pytest.mark.compile
@pytest.mark.timeout(300)
def test_gates_are_trained_in_a_compiled_network_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    step = BlockPruning(6, lr=0.02, batch=16, penalty=100.0, compiled=True)
    _, said = prune_blocks(User(), data_set(), HOW, step, tmp_path / "x.pt", lambda text: None)
    assert said == f"6 of 6 closed: {', '.join(BLOCKS)}"
    torch.manual_seed(0)
    step = BlockPruning(6, lr=0.02, batch=16, penalty=-100.0, compiled=True)
    _, said = prune_blocks(User(), data_set(), HOW, step, tmp_path / "y.pt", lambda text: None)
    assert said.startswith("0 of 6 closed")
