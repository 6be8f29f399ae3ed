"""Times between a table's points, and whole networks' times."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import edge.model
from benchmarks.latency.operators import (
    ADDITION,
    CALL,
    CONVOLUTION,
    FULLY_CONNECTED,
    MEAN,
    TYPES,
    Operator,
    grid,
)
from benchmarks.latency.prediction import Table, known
from edge import flatbuffer
from edge.errors import EdgeError
from tests.documents import ROOT

GRID = grid()


def made(law: Callable[[Operator], float]) -> Table:
    return Table({operator: law(operator) for operator in GRID})


def by_work(operator: Operator) -> float:
    """Milliseconds as the work: channels, pixels, kernel."""
    return 1e-3 * operator.kernel**2 * operator.inputs * operator.outputs**0.5 * operator.size**2


BY_WORK = made(by_work)


@given(
    st.sampled_from(TYPES),
    st.sampled_from([1, 3]),
    st.sampled_from([1, 2]),
    st.integers(8, 128),
    st.integers(8, 128),
    st.integers(8, 40),
)
def test_a_law_of_powers_is_met_between_the_points(
    type_: str, kernel: int, stride: int, inputs: int, outputs: int, size: int
) -> None:
    operator = Operator(CONVOLUTION, type_, kernel, stride, size, inputs, outputs)
    assert BY_WORK.ms(operator) == pytest.approx(by_work(operator), rel=1e-6)


@pytest.mark.parametrize("tile", [8, 16, 64])
def test_tiles_of_channels_are_met_at_every_step_of_eight(tile: int) -> None:
    """Kernels that work in tiles: 72 channels cost as 128 where a tile has 64."""

    def law(operator: Operator) -> float:
        tiles = math.ceil(operator.outputs / tile)
        return 1e-3 * operator.kernel**2 * operator.inputs * tiles * operator.size**2

    table = made(law)
    for size, inputs in ((16, 32), (14, 48), (28, 200), (7, 96)):
        for outputs in range(8, 257, 8):
            operator = Operator(CONVOLUTION, "int8", 3, 1, size, inputs, outputs)
            assert table.ms(operator) == pytest.approx(law(operator), rel=0.01), operator


def test_fewer_channels_than_the_least_cost_as_many_and_more_grow_with_the_work() -> None:
    operator = Operator(CONVOLUTION, "int8", 1, 1, 32, 4, 64)
    assert BY_WORK.ms(operator) == pytest.approx(BY_WORK.ms(operator._replace(inputs=8)))
    large = Operator(ADDITION, "int8", 1, 1, 256, 64, 64)
    assert BY_WORK.ms(large) == pytest.approx(4 * BY_WORK.ms(large._replace(size=128)))


def test_a_kernel_that_is_not_there_costs_by_its_multiplications() -> None:
    five = Operator(CONVOLUTION, "float32", 5, 1, 32, 16, 16)
    assert BY_WORK.ms(five) == pytest.approx(25 / 9 * BY_WORK.ms(five._replace(kernel=3)))


def test_the_shipped_networks_are_made_of_operators_of_the_table() -> None:
    for path in edge.model.shipped():
        found = BY_WORK.predict(edge.model.read(path).network())
        assert found.left_out == {}
        assert found.ms == pytest.approx(sum(found.parts.values()))
        assert {CONVOLUTION, CALL} <= set(found.parts)


def test_what_the_table_has_no_word_for_is_named() -> None:
    """A network with a softmax of its own, and one whose mean drops the sizes."""
    found = BY_WORK.predict(flatbuffer.read((ROOT / "tests/edge/data/tiny-scores.tflite").read_bytes(), "tiny-scores"))
    assert found.left_out == {"SOFTMAX": 1}
    assert MEAN in found.parts


def test_a_networks_time_is_the_sum_of_its_operators_and_one_call() -> None:
    network = edge.model.read(edge.model.find("bpcp")).network()
    graph = network.graphs[0]
    table = made(lambda operator: 1.0 if operator.kind in (FULLY_CONNECTED, CALL) else 1e-4)
    count = sum(known(node, graph) is not None for node in graph.operators)
    assert table.predict(network).ms == pytest.approx(2 + 1e-4 * (count - 1), rel=1e-3)


def test_a_table_without_a_kind_of_operator_is_refused() -> None:
    table = Table({operator: 1.0 for operator in GRID if operator.kind != ADDITION})
    with pytest.raises(EdgeError, match="has no addition in int8: expected its times") as error:
        table.predict(edge.model.read(edge.model.find("bpcp")).network())
    assert error.value.code == "latency.missing"


def test_times_below_what_is_measured_count_as_the_least() -> None:
    """Where the difference of two disturbed times is not above 0."""
    assert made(lambda _: -1.0).ms(GRID[0]) == 1e-4
