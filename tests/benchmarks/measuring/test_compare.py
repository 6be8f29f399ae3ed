"""Two models in turns: real answers of real processes, their times made longer or shorter by a known share."""

from __future__ import annotations

import dataclasses
import json
import random
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cli import main
from benchmarks.devices.device import Ran
from benchmarks.measurement import Cell
from benchmarks.measuring import models
from benchmarks.measuring.compare import FASTER, SLOWER, UNKNOWN, Comparison, compare, lines
from benchmarks.measuring.measure import Effort
from edge.model import find
from tests.benchmarks.measuring.stand_in import Again

CELL = Cell("here", "bpcp", "litert", 1)
EFFORT = Effort(10, 1, 60)
NOISE = 0.03

Change = Callable[[str, dict[str, Any]], object]


class Replay(Again):
    """Asks each thing once; afterwards it says the same with other times: those of `factor`, and 3 % of noise."""

    def __init__(self, factor: dict[str, float], change: Change = lambda name, row: None) -> None:
        super().__init__()
        self.factor, self.replace = factor, change
        self.order: list[str] = []
        self.random = random.Random(7)

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        name = Path(words[words.index("--model") + 1]).stem
        # Both files are of one network, so that one process answers for both.
        ran = super().infer(runtime, [*words[:2], find("bpcp"), *words[3:]], image, seconds, power)
        row = json.loads(ran.output)
        if row["warm_invoke_ms"]:
            self.order.append(name)
            share = self.factor[name] * (1 + self.random.gauss(0, NOISE))
            spread = row["warm_invoke_ms"]
            row["warm_invoke_ms"] = {"count": spread["count"]} | dict.fromkeys(
                ("least", "p50", "p90", "p99", "most"), share
            )
        self.replace(name, row)
        return dataclasses.replace(ran, output=json.dumps(row).encode())


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("models")
    for name in ("old", "new"):
        shutil.copy(find("bpcp"), folder / f"{name}.tflite")
    return folder / "old.tflite", folder / "new.tflite"


def compared(files: tuple[Path, Path], session: Replay, pairs: int = 12) -> Comparison:
    return compare((session, session), (CELL, CELL), files, pairs, EFFORT, lambda text: None, seed=3)


@pytest.mark.parametrize(("factor", "verdict", "status"), [(1.2, SLOWER, 1), (0.8, FASTER, 0), (1.0, UNKNOWN, 0)])
def test_a_known_difference_is_found(files: tuple[Path, Path], factor: float, verdict: str, status: int) -> None:
    found = compared(files, Replay({"old": 1.0, "new": factor}))
    assert (found.verdict, found.status) == (verdict, status)
    row = found.rows[0]
    assert row.ratio.low < factor < row.ratio.high
    assert row.ratio.ratio == pytest.approx(factor, rel=0.03)
    assert (found.images, found.differ) == (4, [])
    assert [row.name for row in found.rows] == ["invoke p50, ms", "cold start, ms", "peak memory, MB"]
    assert lines(found)[-1].startswith(f"NEW: {verdict} (")
    assert json.loads(json.dumps(found.record()))["verdict"] == verdict


def test_starts_are_in_turns_and_in_random_order(files: tuple[Path, Path]) -> None:
    session = Replay({"old": 1.0, "new": 1.0})
    compared(files, session)
    pairs = [tuple(session.order[n : n + 2]) for n in range(0, len(session.order), 2)]
    assert len(pairs) == 13
    assert set(pairs) == {("old", "new"), ("new", "old")}


def test_decisions_that_differ_are_named(files: tuple[Path, Path]) -> None:
    decided: list[str] = []
    listening = Replay({"old": 1.0, "new": 1.0}, lambda name, row: decided.append(row["decision"]))
    compared(files, listening, pairs=6)
    golden = decided[-8::2]
    wrong = golden[-1]

    def changed(name: str, row: dict[str, Any]) -> None:
        if name == "new" and row["decision"] == wrong:
            row["decision"] = "toad"

    found = compared(files, Replay({"old": 1.0, "new": 0.8}, changed), pairs=6)
    assert found.differ == [f"golden image {n}: {wrong}, toad" for n, word in enumerate(golden) if word == wrong]
    assert (found.verdict, found.status) == (FASTER, 1)
    assert any("are decided differently" in line for line in lines(found))


def _program(folder: Path, name: str, p50: float) -> Path:
    """Return a program that says what edge-infer once said here, with a median of `p50` and 1 % of noise."""
    path = folder / name / "bin" / "edge-infer"
    path.parent.mkdir(parents=True)
    for kind, more in (("cold", []), ("0", ["--repeat", "5"]), ("1", ["--repeat", "5"]), ("2", ["--repeat", "5"])):
        words = ["--json", "--model", find("bpcp"), "--threads", "1", *more, "-"]
        row = json.loads(Again().infer("litert", words, models.read(Path(find("bpcp"))).image, 60).output)
        row["latency_ms"] = dict.fromkeys(row["latency_ms"], 0.5)  # a shell is faster than Python
        if more:
            share = p50 * (0.99 + int(kind) / 100)
            row["warm_invoke_ms"] = {"count": 5} | dict.fromkeys(("least", "p50", "p90", "p99", "most"), share)
        (folder / name / f"{kind}.json").write_text(json.dumps(row) + "\n")
    path.write_text(
        f"#!/bin/sh\ncd {folder / name} || exit 1\ncat >image\n"
        'case "$*" in *--repeat*) cat $(($$ % 3)).json ;; *) cat cold.json ;; esac\n'
    )
    path.chmod(0o755)
    return path


def test_two_programs_are_compared_by_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = _program(tmp_path, "old", 1.0), _program(tmp_path, "new", 1.25)
    words = ["compare", str(old), str(new.parent.parent), "--model", "bpcp", "--pairs", "10"]
    assert main([*words, "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["names"] == [str(old), str(new)]
    assert found["rows"]["invoke p50, ms"]["ratio"] == pytest.approx(1.25, rel=0.02)
    assert (found["cells"][0]["runtime"], found["verdict"]) == ("litert", SLOWER)
    assert (found["images"], found["differ"]) == (4, [])
    assert (tmp_path / "new/image").read_bytes() in models.read(Path(find("bpcp"))).golden
    assert main(["compare", str(new), str(old), *words[3:]]) == 0
    out = capsys.readouterr().out
    assert f"NEW {old}" in out
    assert "NEW: faster (" in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["{program}", "bpcp"], "expected two of a kind"),
        (["{program}", "{program}", "--device", "pi"], "on this machine"),
        (["bpcp", "nothing"], "there is no model 'nothing'"),
        (["bpcp", "bpcp", "--model", "polyp"], "--model is for two programs"),
        (["bpcp", "bpcp", "--pairs", "2"], "from 6 to 1000"),
        (["{broken}", "{broken}"], "with status 3 and 0 answers (pneumonia, edge-infer)"),
    ],
)
def test_what_can_not_be_compared_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    broken = _program(tmp_path, "broken", 1.0)
    broken.write_text("#!/bin/sh\nexit 3\n")
    places = {"{program}": str(_program(tmp_path, "good", 1.0)), "{broken}": str(broken)}
    assert main(["compare", *(places.get(word, word) for word in words)]) == 2
    assert said in capsys.readouterr().err
