"""What a TFLite flatbuffer says of its network: graphs, operators, tensors. `edge.flatbuffer` reads it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Tensor(NamedTuple):
    """A tensor of the graph.

    Attributes:
        shape: sizes, each from 0; NHWC where there are four.
        is_open: of each size whether the converter left it open; it is 1 in `shape` then.
        type: the schema's name: "INT8", "FLOAT32", ...
        scales, zero_points: real = (q - zero_point) * scale; one of each for the whole tensor, one for each index of
            the dimension `axis`, or none.
        begin, bytes: where a constant's bytes are in the file, and how many; 0 and 0 of what is computed.
        is_variable: whether it keeps its content from one run to the next.
    """

    name: str
    shape: tuple[int, ...]
    is_open: tuple[bool, ...]
    type: str
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int
    begin: int
    bytes: int
    is_variable: bool


class Operator(NamedTuple):
    """One operator.

    Attributes:
        name: the schema's name, "CONV_2D".
        custom: of a "CUSTOM" operator its own name, else "".
        inputs, outputs: numbers of tensors; an optional input that is left out is -1.
        options: the fields of its options by the schema's names, numbers only; empty where it has none.
        options_name: the options' table, "Conv2DOptions"; "" where it has none.
    """

    name: str
    custom: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: dict[str, Any]
    options_name: str


class Graph(NamedTuple):
    """A graph; `inputs` and `outputs` are numbers of tensors, operators are in the order of execution."""

    tensors: tuple[Tensor, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    operators: tuple[Operator, ...]


class Network(NamedTuple):
    """A checked flatbuffer.

    Attributes:
        graphs: the first one is what runs; others are parts of its control flow and composites.
        end: the number of bytes from the file's beginning that it refers to; what follows is padding or foreign.
    """

    graphs: tuple[Graph, ...]
    end: int

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        return tuple(self.graphs[0].tensors[number] for number in self.graphs[0].inputs)

    @property
    def outputs(self) -> tuple[Tensor, ...]:
        return tuple(self.graphs[0].tensors[number] for number in self.graphs[0].outputs)
