"""A run's conversions: done once, kept as they come, rehearsed before anything is trained. No converter is started."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from compress.convert.float32 import Made
from compress.convert.proof import Proof
from compress.convert.quantize import Quantized
from compress.convert.quantize.result import Gain
from compress.convert.routes import Source
from compress.data.split import DataSet
from compress.recipe import Conversion, Recipe
from compress.recipe_parser import load
from compress.run import Run
from compress.state import conversion
from compress.state.stage import State
from edge.errors import EdgeError
from tests.compress.conftest import HEAD
from tests.compress.own_network import build

SAY = conversion.Say(lambda text: None, lambda text: None)


@pytest.fixture
def run(phantoms: Path, tmp_path: Path) -> Run:
    steps = '[[steps]]\nkind = "prune"\ncriterion = "l2-norm"\nratios = { "features.[02]*" = 0.5 }\n'
    head = HEAD.replace("own_network:build", "tests.compress.own_network:build")
    (tmp_path / "recipe.toml").write_text(head + steps)
    return Run(load(str(tmp_path / "recipe.toml")), phantoms, tmp_path / "out", SAY.log, SAY.progress)


@pytest.fixture
def states(run: Run) -> tuple[State, State]:
    torch.manual_seed(0)
    return State(build(2, 3), run.recipe.input, "larger"), State(build(2, 3), run.recipe.input, "smaller")


def in_a_minute(monkeypatch: pytest.MonkeyPatch, most: int = 9) -> list[Any]:
    """Let a conversion take a minute and make nothing, and fail behind `most`; return how many networks each call had.

    A quantization is noted as "int8".
    """
    calls: list[Any] = []
    left = iter(range(most))

    def made(sources: Sequence[Source], *_: Any, **__: Any) -> Iterator[tuple[int, Made]]:
        calls.append(len(sources))
        for number in range(len(sources)):
            if next(left, None) is None:
                raise EdgeError("cut off")
            yield number, Made(f"float {number}".encode(), "onnx2tf", Proof(1e-7, 1.0), 60.0, ())

    def quantized(_: nn.Module, flatbuffer: bytes, *__: Any) -> Quantized:
        calls.append("int8")
        gains = (
            Gain("range", True, 20.0, 22.5),
            Gain("equalize", False, 22.5, 22.4),
            Gain("correct_bias", True, 22.5, 23),
        )
        return Quantized(b"int8 of " + flatbuffer, (), gains)

    monkeypatch.setattr(conversion, "to_float32", made)
    monkeypatch.setattr(conversion, "to_int8", quantized)
    return calls


def converted(run: Run, states: tuple[State, State], recipe: Recipe | None = None) -> conversion.Converted:
    data: DataSet = run.data
    return conversion.convert(recipe or run.recipe, data, *states, run.checkpoints, lambda: None, SAY)


def test_what_was_converted_is_kept_with_how(
    run: Run, states: tuple[State, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = in_a_minute(monkeypatch)
    made = converted(run, states)
    assert made.flatbuffers == {
        "baseline.float32": b"float 0",
        "float32": b"float 1",
        "int8": b"int8 of float 1",
    }
    assert 120 <= made.seconds < 121
    assert made.record["route"] == "onnx2tf" and made.record["proof"] == {"largest": 1e-7, "cosine": 1.0}
    assert made.record["range"] == "measured" and [gain["taken"] for gain in made.record["gains"]] == [1, 0, 1]
    assert made.detail == "onnx2tf, +3.0 dB by range, correct_bias"
    assert converted(run, states) == made
    assert calls == [2, "int8"]


def test_what_was_converted_before_a_failure_is_not_converted_again(
    run: Run, states: tuple[State, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_minute(monkeypatch, most=1)
    with pytest.raises(EdgeError, match="cut off"):
        converted(run, states)
    calls = in_a_minute(monkeypatch)
    assert converted(run, states).flatbuffers["baseline.float32"] == b"float 0"
    assert calls == [1, "int8"]


def test_a_network_without_a_smaller_one_is_converted_once(
    run: Run, states: tuple[State, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = in_a_minute(monkeypatch)
    converted(run, (states[0], states[0]))
    assert calls == [1, "int8"]


def test_other_choices_quantize_again_and_another_route_converts_again(
    run: Run, states: tuple[State, State], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = in_a_minute(monkeypatch)
    converted(run, states)
    converted(run, states, replace(run.recipe, conversion=replace(run.recipe.conversion, range="min-max")))
    assert calls == [2, "int8", "int8"]
    converted(run, states, replace(run.recipe, conversion=replace(run.recipe.conversion, route="onnx2tf")))
    assert calls == [2, "int8", "int8", 2]  # to the same bytes


def test_a_network_that_can_not_be_converted_is_refused_before_it_is_trained(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_a_minute(monkeypatch, most=0)
    with pytest.raises(EdgeError, match="cut off"):
        run()
    assert len(list(run.output.rglob("*.pt"))) == 1  # of the network that it began with


class Spectral(nn.Module):
    """A network with an operation that ONNX does not have."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.fc = nn.Conv2d(3, 4, 3), nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.fft.fft2(self.conv(x)).real.mean((2, 3)))


def rehearsed(run: Run, network: nn.Module) -> None:
    recipe = replace(run.recipe, conversion=replace(run.recipe.conversion, route="onnx2tf"))
    conversion.rehearse(recipe, run.data, State(network.eval(), recipe.input, "key"), run.checkpoints, SAY)


def test_what_was_rehearsed_is_not_rehearsed_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    calls, loaded = in_a_minute(monkeypatch), []
    monkeypatch.setattr(conversion, "_run", loaded.append)
    network = build(2, 3)
    rehearsed(run, network)
    rehearsed(run, network)
    assert calls == [1, "int8"] and loaded == [b"int8 of float 0"]
    run.recipe = replace(run.recipe, conversion=Conversion(range="min-max"))
    rehearsed(run, network)
    assert calls == [1, "int8", 1, "int8"]


def test_an_int8_file_that_does_not_load_is_said_before_the_training(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    in_a_minute(monkeypatch)
    for _ in range(2):  # as a rehearsal that failed is not done
        with pytest.raises(EdgeError, match="can't load the network"):
            rehearsed(run, build(2, 3))


def test_an_operation_that_no_file_has_is_said_before_the_training(run: Run) -> None:
    with pytest.raises(EdgeError, match=r"ONNX export failed .*write the layer with those"):
        rehearsed(run, Spectral())


def test_a_full_disk_is_not_the_networks_fault(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "network.onnx")

    monkeypatch.setattr(torch.onnx, "export", full)
    with pytest.raises(OSError, match="No space left"):  # which the command says, with a way out
        rehearsed(run, build(2, 3))
