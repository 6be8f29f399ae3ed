"""Operators written over with others, as the schema's readers see it."""

from __future__ import annotations

from pathlib import Path

import pytest

from compress.convert.graph import read, replaced
from compress.convert.model_file import operators

TINY = (Path(__file__).parents[2] / "edge/data/tiny.tflite").read_bytes()


def names(flatbuffer: bytes) -> list[str]:
    return [operator.name for operator in read(flatbuffer, "the network").operators]


@pytest.mark.parametrize("name", sorted(set(names(TINY))))
def test_one_operator_is_written_over_wherever_it_is(name: str) -> None:
    changed = replaced(TINY, name, "ABS")
    assert names(changed) == ["ABS" if one == name else one for one in names(TINY)]
    assert len(changed) == len(TINY) and read(changed, "it").inputs == read(TINY, "it").inputs


def test_an_operator_that_is_not_there_changes_nothing() -> None:
    assert replaced(TINY, "GELU", "ABS") == replaced(TINY, "NO_SUCH", "ABS") == TINY


def test_both_readers_count_the_same_operators() -> None:
    """The host's, by the schema's package, and the device's own."""
    counted = {name: names(TINY).count(name) for name in sorted(set(names(TINY)))}
    assert operators(TINY) == counted
