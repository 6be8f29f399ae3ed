"""What the papers' measurements share."""

from __future__ import annotations

import sys

import pytest

from benchmarks.papers import turns


def test_all_have_their_turn_in_each_round_and_the_first_round_does_not_count() -> None:
    said: list[str] = []
    actions = {name: (lambda name=name: said.append(name) or len(said)) for name in ("a", "b")}  # type: ignore[misc]
    assert turns.in_turns(actions, 2) == {"a": [3, 5], "b": [4, 6]}
    assert said == ["a", "b"] * 3


def test_a_disturbed_round_does_not_move_how_many_times_less() -> None:
    assert turns.times([10, 20, 90], [5, 10, 10]) == 2


def test_a_process_gives_its_output_and_what_it_took() -> None:
    program = "import sys; block = bytearray(200_000_000); print(len(block)); print('no', file=sys.stderr)"
    done = turns.process([sys.executable, "-c", program])
    assert done.output == b"200000000\n"
    assert done.wall > 1
    assert done.memory > 200


def test_a_process_that_fails_ends_the_measurement() -> None:
    with pytest.raises(SystemExit, match="failed with status 3"):
        turns.process([sys.executable, "-c", "raise SystemExit(3)"])
