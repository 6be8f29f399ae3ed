"""Distillation against the paper's equations, in numpy, and in trainings whose labels say nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import Tensor, nn

from compress.cost import Cost, cost
from compress.inputs import inputs_of
from compress.pruning.channels import Pruning, prune
from compress.recipe_parser import load
from compress.run import Run
from compress.steps import train as training
from compress.steps.distillation import Distillation
from compress.steps.prune_blocks import BlockPruning, prune_blocks
from compress.steps.soft_prune import SoftPruning, soft_prune
from compress.steps.train import Training, logits, to_input, train
from compress.tasks.classification import Classification
from compress.tasks.segmentation import Segmentation
from edge.errors import EdgeError
from tests.compress.conftest import HEAD
from tests.compress.pruning.residual_networks import SHAPE, User
from tests.compress.steps.test_prune_blocks import HOW, data_set
from tests.compress.steps.test_train import outliner, outlines

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
    (temperature**2 * Classification().divergence(z[None], v[None], temperature)).sum().backward()
    torch.testing.assert_close(z.grad, (z - v).detach() / 10, rtol=1e-2, atol=1e-4)


def learned(path: Path) -> User:
    torch.manual_seed(1)
    return train(User(), data_set(), HOW, Training(12, batch=16), path)


def agreement(a: nn.Module, b: nn.Module) -> float:
    data = data_set()
    return float((logits(a, data.val, HOW).argmax(1) == logits(b, data.val, HOW).argmax(1)).mean())


@pytest.mark.parametrize(
    "kind",
    [
        "train",
        pytest.param("compiled", marks=[pytest.mark.compile, pytest.mark.timeout(300)]),
        "prune-blocks",
        "soft-prune",
    ],
)
def test_a_student_learns_from_its_teacher_what_no_label_says(kind: str, tmp_path: Path) -> None:
    data = data_set()
    teacher = learned(tmp_path / "teacher.pt")
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    np.testing.assert_array_equal(logits(teacher, data.val, HOW).argmax(1), data.val.truth)
    data.train.truth[:] = 0  # the labels know one class only
    torch.manual_seed(2)
    student: nn.Module = User()
    path, common = tmp_path / "student.pt", {"batch": 16, "distill": TEACHER_ONLY}
    if kind in ("train", "compiled"):
        student = prune(student, Pruning({"one*": 0.5}, "l2-norm", 4), inputs_of(SHAPE))
        student = train(student, data, HOW, Training(15, compiled=kind == "compiled", **common), path, teacher=teacher)
    elif kind == "prune-blocks":
        step = BlockPruning(15, penalty=0.0, **common)
        student, _ = prune_blocks(student, data, HOW, step, path, lambda text: None, teacher)
    else:
        step = SoftPruning(15, ratios={"one*": 0.25}, round_to=4, **common)
        student = soft_prune(student, data, HOW, step, path, lambda text: None, teacher)
    assert agreement(student, teacher) > 0.9
    assert all(torch.equal(before[name], tensor) for name, tensor in teacher.state_dict().items())


def test_the_share_weighs_labels_and_teacher(tmp_path: Path) -> None:
    """One batch, one step of Nesterov's: weights move by lr (1 + momentum) times its gradient."""
    data = outlines(8)
    x = to_input(torch.from_numpy(data.train.pixels), data.spec)
    truth = torch.from_numpy(data.train.truth)
    lr, temperature = 0.01, 3.0
    for share in (0.0, 0.3, 1.0):
        teacher, student, copy = outliner(), outliner(), outliner()
        nn.init.normal_(next(teacher.parameters()))
        with torch.no_grad():
            taught = teacher.eval()(x)
        y = copy.train()(x)
        labels, distance = data.task.losses(y, truth).mean(), data.task.divergence(y, taught, temperature).mean()
        ((1 - share) * labels + share * 9 * distance).backward()
        settings = Training(1, lr=lr, batch=8, weight_decay=0.0, distill=Distillation(share, temperature))
        train(student, data, data.spec, settings, tmp_path / f"{share}.pt", teacher=teacher)
        pairs = list(zip(copy.parameters(), student.parameters(), strict=True))
        moved = torch.cat([(before - after).detach().flatten() for before, after in pairs])
        expected = torch.cat([lr * 1.9 * before.grad.flatten() for before, _ in pairs])
        assert float((moved - expected).norm()) < 0.05 * float(expected.norm())  # bfloat16, where there is some


class Watched(nn.Sequential):
    """Notes in which mode it runs; a copy of it notes in the same list."""

    modes: ClassVar[list[bool]] = []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        return super().forward(x)


def test_the_teacher_answers_as_it_would_on_the_device(tmp_path: Path) -> None:
    data, teacher = outlines(8), Watched(*outliner()).train()
    train(outliner(), data, data.spec, Training(2, batch=4, distill=TEACHER_ONLY), tmp_path / "x.pt", teacher=teacher)
    assert Watched.modes == [False] * 4


def test_without_a_teacher_nothing_is_distilled(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="distill found no teacher: expected the network as it was before"):
        train(User(), data_set(8), HOW, Training(1, distill=TEACHER_ONLY), tmp_path / "x.pt")
    assert not (tmp_path / "x.pt").exists()


STEPS = """
[[steps]]
kind = "train"
epochs = 1
batch = 16

[[steps]]
kind = "prune"
criterion = "l2-norm"
ratios = { "one*" = 0.5 }

[[steps]]
kind = "train"
epochs = 1
batch = 16
distill = { share = 0.5 }
"""


def test_a_run_has_the_network_before_pruning_teach_when_it_is_taken_up_again_too(
    phantoms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(HEAD.replace("own_network", "tests.compress.pruning.residual_networks") + STEPS)
    seen: list[tuple[Cost, dict[str, Tensor]]] = []

    def watched(*rest: Any, teacher: nn.Module, **named: Any) -> nn.Module:
        if teacher is not None:
            seen.append(
                (cost(teacher, inputs_of((3, 48, 48))), {name: t.clone() for name, t in teacher.state_dict().items()})
            )
        return train(*rest, teacher=teacher, **named)

    monkeypatch.setattr(training, "train", watched)

    def run() -> Run:
        done = Run(load(str(recipe)), phantoms, tmp_path / "out", lambda text: None, lambda text: None)
        done.compress()
        return done

    first = run()
    last = max((tmp_path / "out/checkpoints").glob("*.json"), key=lambda path: path.stat().st_mtime_ns)
    last.unlink()
    run()
    (macs, tensors), (again, same) = seen
    assert macs == again == first.whole
    assert macs.macs > cost(first.compress()[1].network, inputs_of((3, 48, 48))).macs
    assert tensors.keys() == same.keys()
    assert all(torch.equal(tensor, same[name]) for name, tensor in tensors.items())
