"""The networks of single operators: written by the schema, read by the project's own reader, run by a runtime."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import edge.model
from benchmarks.latency import networks
from benchmarks.latency.operators import CALL, TYPES, Operator, grid
from benchmarks.latency.prediction import known
from edge.runtime import open_runtime

KINDS = sorted({operator.kind for operator in grid()})


def smallest(kind: str, type_: str) -> Operator:
    return min((o for o in grid() if (o.kind, o.type) == (kind, type_)), key=lambda o: (o.elements, o.macs))


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("kind", KINDS)
def test_an_operator_is_in_its_network_four_times_and_runs(tmp_path: Path, kind: str, type_: str) -> None:
    """What the reader finds behind the first convolutions is the operator that was asked for."""
    operator = smallest(kind, type_)
    path = tmp_path / "operator.tflite"
    networks.write(path, operator)
    file = edge.model.read(path)
    graph = file.network().graphs[0]
    found = Counter(known(node, graph) for node in graph.operators)
    if kind != CALL:
        assert found[operator] >= networks.COPIES
    runtime = open_runtime(file.flatbuffer, "litert")
    assert runtime.delegate == "xnnpack"  # the whole: no copy between two kernel libraries is timed
    (tensor,) = runtime.inputs
    assert (tensor.dtype, tensor.shape[1]) == (type_, operator.side)
    assert runtime.run(np.zeros(tensor.shape, type_))[0].shape == (1, 2)


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {CALL}))
def test_what_stands_before_an_operator_is_its_network_without_it(tmp_path: Path, kind: str) -> None:
    operator = smallest(kind, "int8")
    names = []
    for number, what in enumerate((operator, networks.baseline(operator))):
        path = tmp_path / f"{number}.tflite"
        networks.write(path, what)
        names.append(Counter(node.name for node in edge.model.read(path).network().graphs[0].operators))
    whole, before = names
    more, fewer = whole - before, before - whole
    more.pop("RESHAPE", None)  # at the end, where it is needed
    fewer.pop("RESHAPE", None)
    assert not fewer
    assert list(more.values()) == [networks.COPIES]


def test_the_same_operator_has_the_same_bytes_and_a_name_of_its_own(tmp_path: Path) -> None:
    operators = grid()
    assert len({networks.name(operator) for operator in operators}) == len(operators)
    assert [networks.operator(networks.name(operator)) for operator in operators] == operators
    first, second = tmp_path / "first.tflite", tmp_path / "second.tflite"
    for path in (first, second):
        networks.write(path, operators[0])
    assert first.read_bytes() == second.read_bytes()
