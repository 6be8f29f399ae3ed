"""A network's time, predicted from a table of its operators' times.

Between the table's points the logarithm of the time is interpolated linearly over the logarithms of channels in,
channels out and side, one after the other; beyond them it grows with the work (as the channels, as the side's square),
and fewer channels than the least cost as many as that. Kernels work in tiles of channels (8 to 64 of them, by
processor), so between powers of two the time goes in steps: what those are is measured at one place in steps of 8
channels, and what the interpolation misses there corrects it elsewhere. A kernel that the table does not have takes the
nearest one's time by its number of multiplications.
"""

from __future__ import annotations

import bisect
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import NamedTuple

from benchmarks.latency.operators import (
    ADDITION,
    CALL,
    CHANNELS,
    CONCATENATION,
    CONVOLUTION,
    DEPTHWISE,
    FULLY_CONNECTED,
    MEAN,
    POOLING,
    RESAMPLING,
    STEP_CHANNELS,
    STEP_SIZE,
    STEPS,
    Operator,
)
from edge.errors import EdgeError
from edge.network import Graph, Network
from edge.network import Operator as Node

LEAST_MS = 1e-4  # of an operator: a tenth of a microsecond
FREE = {"RESHAPE", "SQUEEZE", "EXPAND_DIMS"}  # no byte moves
WORST_STEP = 3.0  # so many times the interpolated time at most: the rest would be a disturbed measurement
_CORRECTED = range(STEPS[0], STEPS[-1] + 1)


class Predicted(NamedTuple):
    """What a table says of a network.

    Attributes:
        ms: one invoke, with what each call costs.
        parts: kind of operator -> milliseconds.
        left_out: names of operators that the table knows nothing of -> how many; they are not in `ms`.
    """

    ms: float
    parts: dict[str, float]
    left_out: dict[str, int]


class Table:
    """Milliseconds of operators on one device, by one runtime, with so many threads."""

    def __init__(self, times: Mapping[Operator, float]) -> None:
        """`times` has at least one operator."""
        self.times = {operator: max(LEAST_MS, ms) for operator, ms in times.items()}
        self._families: dict[tuple[str, str], dict[tuple[int, int], _Grid]] = defaultdict(dict)
        grouped: dict[tuple[str, str, int, int], dict[tuple[int, int, int], float]] = defaultdict(dict)
        for operator, ms in self.times.items():
            if not _is_step(operator):
                place = operator.inputs, operator.outputs, operator.size
                grouped[operator.kind, operator.type, operator.kernel, operator.stride][place] = ms
        for (kind, type_, kernel, stride), points in grouped.items():
            self._families[kind, type_][kernel, stride] = _grid(points)

    def ms(self, operator: Operator) -> float:
        """Return an operator's milliseconds, measured or interpolated.

        Raises EdgeError ("latency.missing") where the table has no operator of its kind and type at all.
        """
        if operator in self.times:
            return self.times[operator]
        grids = self._families.get((operator.kind, operator.type))
        if not grids:
            raise EdgeError(
                f"the table has no {operator.kind} in {operator.type}: expected its times; run edge-bench latency to "
                "the end",
                "latency.missing",
            )
        kernel, stride = min(grids, key=lambda known: _distance(known, operator))
        ms = _interpolated(grids[kernel, stride], operator) * (operator.kernel / kernel) ** 2
        if operator.kind == CONVOLUTION:
            ms *= self._step(operator, kernel)
        return ms

    def predict(self, network: Network) -> Predicted:
        """Return what one invoke of a network takes; batch 1.

        Raises EdgeError ("latency.missing") where the table lacks a kind of operator that it should have.
        """
        graph = network.graphs[0]
        parts: dict[str, float] = defaultdict(float)
        left_out: Counter[str] = Counter()
        for node in graph.operators:
            operator = known(node, graph)
            if operator is not None:
                parts[operator.kind] += self.ms(operator)
            elif node.name not in FREE:
                left_out[node.custom or node.name] += 1
        shape = graph.tensors[graph.inputs[0]].shape
        side, channels = max(1, round(math.sqrt(math.prod(shape[1:-1])))), shape[-1] if shape else 1
        call = Operator(CALL, _type(graph, graph.inputs[0]), 1, 1, side, channels, channels)
        parts[CALL] += self.ms(call)
        return Predicted(sum(parts.values()), dict(parts), dict(left_out))

    def _step(self, operator: Operator, kernel: int) -> float:
        """Return what tiles of channels do to a convolution's interpolated time."""
        lines = self._steps.get((operator.type, kernel), ({}, {}))
        factor = 1.0
        for line, channels in zip(lines, (operator.inputs, operator.outputs), strict=True):
            if line and channels in _CORRECTED and channels not in CHANNELS:
                factor *= line[min(line, key=lambda c: (c < channels, abs(c - channels)))]
        return factor

    @cached_property
    def _steps(self) -> dict[tuple[str, int], tuple[dict[int, float], dict[int, float]]]:
        """For each type and kernel: what the time is, as a share of the interpolated one, by channels in and out."""
        found: dict[tuple[str, int], tuple[dict[int, float], dict[int, float]]] = {}
        for operator, ms in self.times.items():
            if not _is_step(operator):
                continue
            grid = self._families[CONVOLUTION, operator.type].get((operator.kernel, 1))
            if grid:
                lines = found.setdefault((operator.type, operator.kernel), ({}, {}))
                ratio = ms / _interpolated(grid, operator)
                along = operator.inputs == STEP_CHANNELS
                lines[along][operator.outputs if along else operator.inputs] = min(
                    max(ratio, 1 / WORST_STEP), WORST_STEP
                )
        return found


def known(node: Node, graph: Graph) -> Operator | None:
    """Return the table's word for an operator of a network; None where it has none."""
    out = graph.tensors[node.outputs[0]].shape
    shapes = [graph.tensors[number].shape for number in node.inputs if number >= 0]
    kind = _type(graph, node.inputs[0])
    if node.name in ("CONV_2D", "DEPTHWISE_CONV_2D"):
        grouped = node.name != "CONV_2D" or (shapes[1][3] == 1 and shapes[0][3] > 1)
        kernel = round(math.sqrt(shapes[1][1] * shapes[1][2]))
        stride = int(node.options["stride_h"])
        inputs = shapes[0][3] if grouped else shapes[1][3]  # that each output looks at
        return Operator(DEPTHWISE if grouped else CONVOLUTION, kind, kernel, stride, _side(out), inputs, out[3])
    if node.name == "FULLY_CONNECTED":
        return Operator(FULLY_CONNECTED, kind, 1, 1, 1, shapes[1][1], shapes[1][0])
    if node.name == "MEAN" and len(shapes[0]) == 4:
        return Operator(MEAN, kind, 1, 1, _side(shapes[0]), shapes[0][3], shapes[0][3])
    if len(shapes[0]) != 4 or len(out) != 4:
        return None
    if node.name in ("ADD", "MUL", "SUB"):
        return Operator(ADDITION, kind, 1, 1, _side(out), out[3], out[3])
    if node.name == "CONCATENATION":
        return Operator(CONCATENATION, kind, 1, 1, _side(out), max(1, out[3] // 2), out[3])
    if node.name == "RESIZE_BILINEAR":
        return Operator(RESAMPLING, kind, 1, 2, _side(out), out[3], out[3])
    if node.name in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        return Operator(POOLING, kind, int(node.options["filter_height"]), 2, _side(out), out[3], out[3])
    return None


def _type(graph: Graph, number: int) -> str:
    return graph.tensors[number].type.lower()


def _side(shape: Sequence[int]) -> int:
    return max(1, round(math.sqrt(shape[1] * shape[2])))


def _is_step(operator: Operator) -> bool:
    """Whether it is there for the tiles alone, and not a point of the grid."""
    line = operator.size == STEP_SIZE and STEP_CHANNELS in (operator.inputs, operator.outputs)
    between = operator.inputs not in CHANNELS or operator.outputs not in CHANNELS
    return operator.kind == CONVOLUTION and line and between and operator.inputs > STEPS[0] - 1


def _distance(known_shape: tuple[int, int], operator: Operator) -> tuple[bool, float]:
    kernel, stride = known_shape
    return stride != operator.stride, abs(math.log(kernel / operator.kernel))


# channels in -> channels out -> sides and milliseconds, as sorted logarithms of base 2
_Line = tuple[list[float], list[float]]
_Grid = dict[int, dict[int, _Line]]


def _grid(points: Mapping[tuple[int, int, int], float]) -> _Grid:
    grid: dict[int, dict[int, list[tuple[int, float]]]] = defaultdict(lambda: defaultdict(list))
    for (inputs, outputs, size), ms in points.items():
        grid[inputs][outputs].append((size, ms))
    return {
        inputs: {
            outputs: tuple([math.log2(pair[i]) for pair in sorted(pairs)] for i in (0, 1))  # type: ignore[misc]
            for outputs, pairs in rows.items()
        }
        for inputs, rows in grid.items()
    }


def _interpolated(grid: _Grid, operator: Operator) -> float:
    """Return milliseconds at a place of the grid."""
    wanted = math.log2(operator.inputs), math.log2(operator.outputs), math.log2(operator.size)
    one = all(len(rows) == 1 for rows in grid.values())  # channels out follow from channels in
    columns: Iterable[int] = [operator.inputs] if operator.inputs in grid else [c for c in grid if c not in (1, 3)]
    inputs, logs = [], []
    for count in sorted(columns or grid):
        rows = grid[count]
        outs = [math.log2(c) for c in sorted(rows)]
        each = [_at(*rows[c], wanted[2], 2.0) for c in sorted(rows)]
        inputs.append(math.log2(count))
        logs.append(each[0] if one else _at(outs, each, wanted[1], 1.0, flat=True))
    return float(2 ** _at(inputs, logs, wanted[0], 1.0, flat=True))


def _at(places: Sequence[float], values: Sequence[float], place: float, slope: float, flat: bool = False) -> float:
    """Return the value at a place: between two a straight line, outside one of this slope, or flat below the first."""
    if place >= places[-1]:
        return values[-1] + slope * (place - places[-1])
    if place <= places[0]:
        return values[0] if flat else values[0] + slope * (place - places[0])
    right = bisect.bisect_right(places, place)
    share = (place - places[right - 1]) / (places[right] - places[right - 1])
    return values[right - 1] + share * (values[right] - values[right - 1])
