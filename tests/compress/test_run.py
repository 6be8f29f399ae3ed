"""The end of a run, its converter replaced by one that takes no minute."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from compress.convert import tflite as convert
from compress.recipe import load
from compress.run import Run, State
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


def test_what_the_conversions_took_is_kept(untrained: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, converted = [100.0], []

    def in_a_minute(network: torch.nn.Module, images: np.ndarray, quantize: bool) -> bytes:
        clock[0] += 60
        converted.append(quantize)
        return b"flatbuffer"

    monkeypatch.setattr(convert, "to_tflite", in_a_minute)
    monkeypatch.setattr("compress.run.time.monotonic", lambda: clock[0])
    run = users_run(untrained, phantoms)
    flatbuffers, seconds = run._flatbuffers(*run.compress())
    assert (sorted(flatbuffers), seconds, converted) == (
        ["baseline.float32", "float32", "int8"],
        180,
        [False, False, True],
    )
    again = users_run(untrained, phantoms)
    assert again._flatbuffers(*again.compress()) == (flatbuffers, 180)
    assert len(converted) == 3


def test_a_network_without_a_smaller_one_is_converted_once(
    own: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    converted: list[bool] = []
    monkeypatch.setattr(convert, "to_tflite", lambda network, images, quantize: converted.append(quantize) or b"")
    monkeypatch.syspath_prepend(str(own))
    run = users_run(own, phantoms)
    state = State(build(2, 3), run.recipe.input, "key")
    run._flatbuffers(state, state)
    assert converted == [False, True]


def test_a_network_that_answers_the_same_always_is_refused_before_it_is_converted(
    untrained: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build(2, 3)
    torch.nn.init.zeros_(network.out.weight)
    torch.save(network.state_dict(), untrained / "dead.pt")
    run = replace(load(str(untrained / "recipe.toml")), weights="dead.pt")
    monkeypatch.setattr(convert, "to_tflite", lambda *_: pytest.fail("it was converted"))
    with pytest.raises(EdgeError, match=r"the float network gives every image the same logits .*did not learn"):
        Run(run, phantoms, untrained / "out", silent, silent)()
    assert not list((untrained / "out").glob("*.tflite"))


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
    monkeypatch.setattr("compress.run.logits", lambda *_: pytest.fail("it was judged again"))
    again.judge(decision)
    assert again.ledger.rows == run.ledger.rows
