"""The end of a run, its converter replaced by one that takes no minute."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from compress.convert import tflite as convert
from compress.recipe_parser import load
from compress.run import Run
from compress.state.stage import State
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
    calls = in_a_minute(monkeypatch)
    run = users_run(untrained, phantoms)
    flatbuffers, seconds = run._flatbuffers(*run.compress())
    assert (sorted(flatbuffers), seconds, calls) == (
        ["baseline.float32", "float32", "int8"],
        180,
        [[["float32"], ["float32", "int8"]]],
    )
    again = users_run(untrained, phantoms)
    assert again._flatbuffers(*again.compress()) == (flatbuffers, 180)
    assert len(calls) == 1


def in_a_minute(monkeypatch: pytest.MonkeyPatch, most: int = 9) -> list[list[list[str]]]:
    """Let a conversion take a minute and make nothing, and fail behind `most`; return the kinds of each call."""
    calls: list[list[list[str]]] = []
    left = iter(range(most))

    def made(requests: list[convert.Request]) -> Iterator[convert.Converted]:
        calls.append([list(request.kinds) for request in requests])
        for number, kinds in enumerate(calls[-1]):
            for kind in kinds:
                if next(left, None) is None:
                    raise EdgeError("cut off")
                yield convert.Converted(number, kind, f"{number} {kind}".encode(), 60.0)

    monkeypatch.setattr(convert, "convert", made)
    return calls


def test_what_was_converted_before_a_failure_is_not_converted_again(
    untrained: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_minute(monkeypatch, most=2)
    run = users_run(untrained, phantoms)
    with pytest.raises(EdgeError, match="cut off"):
        run._flatbuffers(*run.compress())
    calls = in_a_minute(monkeypatch)
    again = users_run(untrained, phantoms)
    flatbuffers, seconds = again._flatbuffers(*again.compress())
    assert calls == [[["int8"]]]
    assert (flatbuffers["float32"], flatbuffers["int8"], seconds) == (b"1 float32", b"0 int8", 180)


def test_a_network_without_a_smaller_one_is_converted_once(
    own: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = in_a_minute(monkeypatch)
    monkeypatch.syspath_prepend(str(own))
    run = users_run(own, phantoms)
    state = State(build(2, 3), run.recipe.input, "key")
    run._flatbuffers(state, state)
    assert calls == [[["float32", "int8"]]]


def test_a_network_that_answers_the_same_always_is_refused_before_it_is_converted(
    untrained: Path, phantoms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = build(2, 3)
    torch.nn.init.zeros_(network.out.weight)
    torch.save(network.state_dict(), untrained / "dead.pt")
    run = replace(load(str(untrained / "recipe.toml")), weights="dead.pt")
    monkeypatch.setattr(convert, "convert", lambda *_: pytest.fail("it was converted"))
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
    monkeypatch.setattr(sys.modules[Run.__module__], "logits", lambda *_: pytest.fail("it was evaluated again"))
    again.judge(decision)
    assert again.ledger.rows == run.ledger.rows
