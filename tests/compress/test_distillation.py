"""Distillation against the paper's equations, in numpy, and in trainings whose labels say nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from compress import training
from compress.classification import Classification
from compress.distillation import Distillation
from compress.pruning.channels import Pruning, prune
from compress.pruning.gates import BlockPruning, prune_blocks
from compress.pruning.soft import SoftPruning, soft_prune
from compress.segmentation import Segmentation
from compress.training import Training, logits, train
from edge.errors import EdgeError
from tests.compress.pruning.residual_networks import SHAPE, User
from tests.compress.pruning.test_gates import HOW, data_set
from tests.compress.test_training import outliner, outlines

TEACHER_ONLY = Distillation(1.0, 2.0)


@pytest.fixture(autouse=True)
def on_the_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "device", lambda: torch.device("cpu"))


values = st.floats(-20, 20, width=32)
temperatures = st.floats(0.5, 20)


@given(arrays(np.float32, (2, 3, 5), elements=values), temperatures)
def test_classes_diverge_by_the_sum_of_p_log_p_over_q(both: np.ndarray, temperature: float) -> None:
    found = Classification().divergence(torch.from_numpy(both[0]), torch.from_numpy(both[1]), temperature)
    q, p = (np.exp(z - np.logaddexp.reduce(z, 1, keepdims=True)) for z in both.astype(np.float64) / temperature)
    np.testing.assert_allclose(found, (p * np.log(p / q)).sum(1), rtol=1e-3, atol=1e-5)


@given(arrays(np.float32, (2, 3, 1, 2, 4), elements=values), temperatures)
def test_pixels_diverge_as_two_classes_do(both: np.ndarray, temperature: float) -> None:
    """A score is sigmoid(z): two classes with the logits z and 0."""
    found = Segmentation().divergence(torch.from_numpy(both[0]), torch.from_numpy(both[1]), temperature)
    rows = torch.from_numpy(both).view(2, 24, 1)
    pairs = torch.cat([rows, torch.zeros_like(rows)], 2)
    each = Classification().divergence(pairs[0], pairs[1], temperature).view(3, 8)
    torch.testing.assert_close(found, each.mean(1), rtol=1e-3, atol=1e-5)


def test_at_a_high_temperature_logits_are_matched() -> None:
    """Equation 4 of the paper: for T large and logits of mean zero, T^2 times the gradient is (z - v) / N."""
    torch.manual_seed(0)
    z, v = (row - row.mean() for row in torch.randn(2, 10, dtype=torch.float64))
    z.requires_grad_()
    temperature = 1e3
    distance = Classification().divergence(z[None], v[None], temperature)
    (temperature**2 * distance).sum().backward()
    torch.testing.assert_close(z.grad, (z - v).detach() / 10, rtol=1e-2, atol=1e-4)


def learned(path: Path) -> User:
    torch.manual_seed(1)
    return train(User(), data_set(), HOW, Training(12, batch=16), path)


def agreement(a: nn.Module, b: nn.Module) -> float:
    data = data_set()
    return float((logits(a, data.val, HOW).argmax(1) == logits(b, data.val, HOW).argmax(1)).mean())


@pytest.mark.parametrize(
    "kind", ["train", pytest.param("compiled", marks=pytest.mark.slow), "prune-blocks", "soft-prune"]
)
def test_a_student_learns_from_its_teacher_what_no_label_says(kind: str, tmp_path: Path) -> None:
    data = data_set()
    teacher = learned(tmp_path / "teacher.pt")
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    assert agreement(teacher, teacher) == 1.0
    np.testing.assert_array_equal(logits(teacher, data.val, HOW).argmax(1), data.val.truth)
    data.train.truth[:] = 0  # the labels know one class only
    torch.manual_seed(2)
    student: nn.Module = User()
    path, common = tmp_path / "student.pt", {"batch": 16, "distill": TEACHER_ONLY}
    if kind in ("train", "compiled"):
        student = prune(student, Pruning({"one*": 0.5}, "l2-norm", 4), SHAPE)
        student = train(student, data, HOW, Training(15, compiled=kind == "compiled", **common), path, teacher=teacher)
    elif kind == "prune-blocks":
        step = BlockPruning(15, penalty=0.0, **common)
        student, _ = prune_blocks(student, data, HOW, step, path, lambda text: None, teacher)
    else:
        step = SoftPruning(15, ratios={"one*": 0.25}, round_to=4, **common)
        student = soft_prune(student, data, HOW, step, path, lambda text: None, teacher)
    data.train.truth[:] = np.arange(len(data.train)) % 4
    assert agreement(student, teacher) > 0.9
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())


def test_the_share_weighs_labels_and_teacher(tmp_path: Path) -> None:
    """One batch, one step: the gradients of both losses, added as the equation says."""
    data, how = outlines(8), outlines(8).how
    moved = {}
    for share in (0.0, 0.5, 1.0):
        torch.manual_seed(3)
        teacher, student = outliner(), outliner()
        nn.init.normal_(next(teacher.parameters()))
        before = [p.detach().clone() for p in student.parameters()]
        settings = Training(1, lr=0.01, batch=8, weight_decay=0.0, distill=Distillation(share, 3.0))
        train(student, data, how, settings, tmp_path / f"{share}.pt", teacher=teacher)
        moved[share] = [a - p.detach() for a, p in zip(before, student.parameters(), strict=True)]
    for none, half, whole in zip(*moved.values(), strict=True):
        torch.testing.assert_close(half, (none + whole) / 2, rtol=0.05, atol=1e-4)
    assert any((none - whole).abs().max() > 1e-3 for none, _, whole in zip(*moved.values(), strict=True))


def test_without_a_teacher_nothing_is_distilled(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="distill found no teacher: expected the network as it was before"):
        train(User(), data_set(8), HOW, Training(1, distill=TEACHER_ONLY), tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()
