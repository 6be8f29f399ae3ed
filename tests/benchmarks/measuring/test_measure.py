"""One fresh start: real processes, and devices that say what can't be."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.devices.device import Ran
from benchmarks.measurement import MODEL, Cell, measurement
from benchmarks.measuring.measure import Effort, accuracy, measure
from edge.errors import EdgeError
from edge.model import find, read
from tests.benchmarks.measuring.stand_in import Again, Here

EFFORT = Effort(invokes=20, warmup=2, seconds=60)
BPCP = Path(find("bpcp"))
CELL = Cell("here", "bpcp", "litert", 1)


def says(change: Callable[[dict[str, Any]], object]) -> Callable[[Ran], Ran]:
    """Return what changes each answer of a run."""

    def act(ran: Ran) -> Ran:
        rows = [json.loads(line) for line in ran.output.splitlines()]
        for row in rows:
            change(row)
        return dataclasses.replace(ran, output="".join(json.dumps(row) + "\n" for row in rows).encode())

    return act


def test_a_fresh_start_has_all_that_the_record_lists() -> None:
    session = Here()
    found = measure(session, CELL, BPCP, MODEL, 2, EFFORT)
    file = read(BPCP)
    times = found.latency_ms
    assert times["p50"] <= times["p90"] <= times["p99"]
    assert times["cold_start"] > times["load"] + times["first_invoke"]
    assert times["total"] == pytest.approx(
        sum(times[name] for name in ("read", "decode", "preprocess", "invoke", "postprocess"))
    )
    assert times["invoke"] == times["p50"]
    assert (found.cell, found.role, found.start, found.invokes) == (CELL, MODEL, 2, 20)
    assert found.sizes == {"file": BPCP.stat().st_size}
    assert found.memory_mb["peak"] > found.memory_mb["model"] > 0
    assert found.identity is not None
    assert (found.identity.model_sha256, found.identity.kernel) == (file.sha256, os.uname().release)
    assert found.identity.program and found.identity.runtime_version
    assert [state.when for state in found.states] == ["before", "during", "during", "after"]
    assert [state.seconds for state in found.states] == sorted(state.seconds for state in found.states)
    assert {"better", "source", "met", "measured"} <= set(found.targets[0])
    assert measurement(json.loads(json.dumps(found.record()))) == found
    assert "--repeat" not in session.asked[0]
    assert session.asked[1][session.asked[1].index("--repeat") + 1] == "20"


def test_a_network_that_takes_long_is_invoked_less() -> None:
    slow = says(lambda row: row["latency_ms"].update(first_invoke=2000.0))
    session = Again(slow)
    assert measure(session, CELL, BPCP, MODEL, 0, dataclasses.replace(EFFORT, invokes=40, budget=20.0)).invokes <= 10
    assert measure(session, CELL, BPCP, MODEL, 0, EFFORT).invokes == 5
    assert session.asked[-1][-4:-1] == ["5", "--warmup", "1"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        (lambda row: row["latency_ms"].update(load=-1.0), "measure.answer", "-1.0 as latency_ms.load"),
        (lambda row: row["latency_ms"].update(decode="fast"), "measure.answer", "latency_ms.decode"),
        (lambda row: row["latency_ms"].update(total=1e12), "measure.answer", "latency_ms.total"),
        (lambda row: row["latency_ms"].pop("read"), "measure.answer", "nothing as latency_ms.read"),
        (lambda row: row.update(targets={}), "measure.answer", "a list"),
        (lambda row: row["model"].update(name="\x1b[2J"), "measure.answer", "a line of text"),
        (lambda row: row["model"].update(sha256="0" * 64), "measure.model", "ran bpcp 000000000000"),
        (lambda row: row["runtime"].update(threads=2), "measure.settings", "with 2 threads"),
        (lambda row: row["runtime"].update(name="tflite"), "measure.settings", "ran on tflite"),
        (lambda row: row["latency_ms"].update(total=3_600_000.0), "measure.clock", "clock was set"),
    ],
)
def test_what_a_device_can_not_mean_is_a_fault(change: Any, code: str, words: str) -> None:
    with pytest.raises(EdgeError, match=words.replace("[", r"\[")) as raised:
        measure(Again(says(change)), CELL, BPCP, MODEL, 0, EFFORT)
    assert raised.value.code == code
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("wall", [-3_600_000.0, 0.0, 3_600_000.0, 5.0])
def test_a_clock_that_jumps_is_a_fault_and_no_number(wall: float) -> None:
    def jumped(ran: Ran) -> Ran:
        return dataclasses.replace(ran, wall_ms=wall)

    with pytest.raises(EdgeError, match="clock was set") as raised:
        measure(Again(jumped), CELL, BPCP, MODEL, 0, EFFORT)
    assert raised.value.code == "measure.clock"


def test_a_model_that_the_device_refuses_is_refused_in_its_words() -> None:
    def other(ran: Ran) -> Ran:
        error = {"image": "-", "error": {"code": "runtime.refused", "message": "no operator \x1b[1m"}}
        return dataclasses.replace(ran, status=2, output=json.dumps(error).encode())

    with pytest.raises(EdgeError, match="here: no operator") as raised:
        measure(Again(other), CELL, BPCP, MODEL, 0, EFFORT)
    assert raised.value.code == "runtime.refused"
    assert "\x1b" not in str(raised.value)


@pytest.mark.parametrize("output", [b"", b"\xff\n", b"[1]\n", b"{}\n", b"Segmentation fault\n", b'{"error": 1}\n'])
def test_what_is_no_answer_is_a_fault(output: bytes) -> None:
    with pytest.raises(EdgeError) as raised:
        measure(Again(lambda ran: dataclasses.replace(ran, output=output)), CELL, BPCP, MODEL, 0, EFFORT)
    assert raised.value.code in ("measure.answer", "measure.failed")


def test_a_process_that_ends_without_a_word_is_said_with_its_last_line() -> None:
    def killed(ran: Ran) -> Ran:
        return dataclasses.replace(ran, status=137, output=b"", complaints=["edge-infer: no memory"])

    with pytest.raises(EdgeError, match=r"status 137 and 0 answers \(edge-infer: no memory\)"):
        measure(Again(killed), CELL, BPCP, MODEL, 0, EFFORT)


def test_two_answers_to_one_image_are_a_fault() -> None:
    turns = iter(range(100))
    unsteady = says(lambda row: row.update(decision=f"cat {next(turns)}"))
    with pytest.raises(EdgeError, match="two answers") as raised:
        measure(Again(unsteady), CELL, BPCP, MODEL, 0, EFFORT)
    assert raised.value.code == "measure.unsteady"


def test_another_file_than_the_cell_names_is_a_fault() -> None:
    with pytest.raises(EdgeError) as raised:
        measure(Again(), dataclasses.replace(CELL, model="polyp"), BPCP, MODEL, 0, EFFORT)
    assert raised.value.code == "measure.model"


def test_golden_vectors_are_counted() -> None:
    found = accuracy(Again(), CELL, BPCP, None, 60)
    assert (found["kind"], found["passed"], found["count"]) == ("golden", 4, 4)
    assert {row["verdict"] for row in found["verdicts"]} <= {"bit-exact", "within tolerance"}


def test_a_golden_vector_that_fails_is_counted_as_failed() -> None:
    def failing(ran: Ran) -> Ran:
        return dataclasses.replace(says(lambda row: row.update(verdict="failed"))(ran), status=1)

    assert accuracy(Again(failing), CELL, BPCP, None, 60)["passed"] == 0


def test_what_was_timed_is_what_is_accurate() -> None:
    timed = measure(Again(), CELL, BPCP, MODEL, 0, EFFORT)
    assert accuracy(Again(), CELL, BPCP, None, 60, answer=timed.answer)["passed"] == 4
    with pytest.raises(EdgeError, match="another beside") as raised:
        accuracy(Again(), CELL, BPCP, None, 60, answer="0" * 64)
    assert raised.value.code == "measure.unsteady"
