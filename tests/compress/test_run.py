"""The end of a run, its converter replaced by one that takes no minute."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compress.recipe_parser import load
from compress.run import Run
from compress.steps.train import logits
from compress.tasks.segmentation import Segmentation
from edge.answer import Decision
from edge.errors import EdgeError
from tests.compress.own_network import build
from tests.compress.test_run_steps import OUTLINE, colons

__all__ = ["colons"]  # a fixture


def silent(text: str) -> None:
    pass


def users_run(folder: Path, data: Path, output: str = "out") -> Run:
    return Run(load(str(folder / "recipe.toml")), data, folder / output, silent, silent)


@pytest.fixture
def untrained(own: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's folder with a recipe that only prunes."""
    monkeypatch.syspath_prepend(str(own))
    head, _, _ = (own / "recipe.toml").read_text().partition("[[steps]]")
    steps = '[[steps]]\nkind = "prune"\ncriterion = "l2-norm"\nratios = { "features.[02]*" = 0.5 }\n'
    (own / "recipe.toml").write_text(head + steps)
    return own


@pytest.mark.train
def test_a_network_that_answers_the_same_always_is_refused_before_it_is_converted(
    untrained: Path, phantoms: Path
) -> None:
    network = build(2, 3)
    torch.nn.init.zeros_(network.out.weight)
    torch.save(network.state_dict(), untrained / "dead.pt")
    run = replace(load(str(untrained / "recipe.toml")), weights="dead.pt")
    with pytest.raises(EdgeError, match=r"the float network gives every image the same logits .*did not learn"):
        Run(run, phantoms, untrained / "out", silent, silent)()
    assert not list((untrained / "out").rglob("*.tflite"))


def test_the_ledger_of_a_segmentation_is_judged_by_the_models_decision(
    colons: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each row's network, whatever a step did to it, at the threshold and the least area that the file will have."""
    head, _, _ = OUTLINE.partition("[[steps]]")
    steps = """
[[steps]]
kind = "train"
epochs = 1
batch = 8
[[steps]]
kind = "prune"
criterion = "l2-norm"
macs = 0.4
[[steps]]
kind = "ghost"
layers = ["down.2.second.conv"]
samples = 4
"""
    (tmp_path / "recipe.toml").write_text(head + steps)
    run = users_run(tmp_path, colons)
    _, last = run.compress()
    before = list(run.ledger.rows)
    decision = Decision("polyp", 0.3, 0.01)
    run.judge(decision)
    assert [row.step for row in run.ledger.rows] == ["network", "train", "prune", "ghost"]
    expected = Segmentation().evaluate(logits(last.network, run.data.val, last.spec), run.data, decision)
    assert run.ledger.rows[-1].metric == expected
    assert [replace(row, metric=0) for row in run.ledger.rows] == [replace(row, metric=0) for row in before]
    assert [row.metric for row in run.ledger.rows] != [row.metric for row in before]
    again = users_run(tmp_path, colons)
    again.compress()
    monkeypatch.setattr(sys.modules[Run.__module__], "logits", lambda *_: pytest.fail("it was evaluated again"))
    again.judge(decision)
    assert again.ledger.rows == run.ledger.rows
