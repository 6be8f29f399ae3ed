"""The reader of TFLite flatbuffers, which checks every offset, index and size before a runtime sees the file.

A runtime trusts much of what a flatbuffer says and ends the process where it should not have. This module reads by the
schema (`edge.tflite_schema`) with the standard library alone, and refuses what is damaged, too large, or newer than the
schema; `edge.operator_rules` then looks at the single operators. The native program's flatbuffer.c does the same: one
file is accepted or refused by both.
"""

from __future__ import annotations

from math import inf, prod
from struct import Struct, unpack_from
from typing import Any

from edge import tflite_schema as schema
from edge.errors import EdgeError
from edge.network import Graph, Network, Operator, Tensor
from edge.operator_rules import fault

IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
MAX_TABLES = 100_000
MAX_WORK = 2**22  # elements of the vectors that are looked at: one vector may be named by very many tables
MAX_GRAPHS = 256
MAX_ENDS = 1024  # inputs of a graph, and outputs
MAX_RANK = 8
LEAST_SCALE = 2.0**-126  # of what is computed: the least normal float
MAX_TENSOR_BYTES = 2**30

_CONVERT = "get the file again, or convert the network again"
_UPGRADE = "upgrade edge-infer and the runtime, or convert the network again with an older converter"
_WIDTHS = {"?": 1, "b": 1, "B": 1, "i": 4, "I": 4, "f": 4, "q": 8, "Q": 8}
_TABLE, _STRING = -1, 0  # what an offset leads to, else a vector of elements of so many bytes
_ONE = {letter: Struct(f"<{letter}").unpack_from for letter in _WIDTHS}
_I32, _U32 = _ONE["i"], _ONE["I"]
# Of the types that LiteRT takes in Python and in C, from 2.1 on.
_BITS = {
    "FLOAT32": 32, "FLOAT16": 16, "INT32": 32, "UINT8": 8, "INT64": 64, "BOOL": 8, "INT16": 16, "INT8": 8, "UINT32": 32,
    "INT4": 4, "INT2": 2,
}  # fmt: skip
_ZERO_POINTS = {"INT8": (-128, 127), "UINT8": (0, 255), "INT16": (-(2**15), 2**15 - 1)}


class _Fault(Exception):
    """What is wrong; the message goes on "NAME has a network ..."."""


def read(data: bytes | memoryview, where: str, far_weights: bool = False) -> Network:
    """Return what the flatbuffer `data` holds; `where` names the file in messages.

    Args:
        far_weights: whether weights may lie behind the flatbuffer, where large ones have to (`Buffer.offset`); a
            runtime on a device is given none of these.

    Raises EdgeError ("model.network") where an offset, an index, a size, a name or a number in it can't be right, where
    it is larger than any network for a board, and where it uses what this program's schema does not have.
    """
    try:
        network = _Reader(data, far_weights).network()
        for graph in network.graphs:
            for number, operator in enumerate(graph.operators):
                wrong = fault(operator, graph.tensors, data)
                if wrong:
                    raise _Fault(f"whose operator {number} ({operator.name}) {wrong}: {_CONVERT}")
    except _Fault as error:
        raise EdgeError(f"{where} has a network {error}", "model.network") from None
    return network


def _damaged(what: str) -> _Fault:
    return _Fault(f"that is damaged ({what}): {_CONVERT}")


class _Kind:
    """How the fields of one kind of table are, read from the schema's line."""

    def __init__(self, line: str) -> None:
        self.names: list[str] = []
        self.codes: list[str] = []
        self.limits: list[int] = []
        self.defaults: list[Any] = []
        for field in line.split()[1:]:
            name, _, code = field.partition(":")
            code, _, default = code.partition("=")
            code, _, limit = code.partition("<")
            self.names.append(name)
            self.codes.append(code)
            self.limits.append(int(limit or 0))
            self.defaults.append(int(default or 0) if code in _WIDTHS else None)


class _Layout:
    """Where the fields of a table are: those that share a list of their places are read by one `Struct`."""

    def __init__(self, kind: _Kind, name: str, size: int, offsets: tuple[int, ...]) -> None:
        """Raises _Fault where a field lies outside of the table's `size` bytes or upon another one."""
        self.size, self.name, self.kind = size, name, kind
        self.slots: list[int] = []
        self.limited: list[tuple[int, int]] = []
        self.leading: list[tuple[int, int, int]] = []  # slot, offset, width of a vector's elements, or what it is
        self.wide: list[int] = []
        end, form = 0, ["<"]
        for offset, slot in sorted((offset, slot) for slot, offset in enumerate(offsets) if offset):
            code = kind.codes[slot]
            if not code:
                continue
            width = _WIDTHS.get(code, 4)
            if offset < max(end, 4) or offset + width > size or offset % min(width, 4):
                raise _damaged(f"the field {kind.names[slot]} of a {name} is not in its place")
            form.append(f"{offset - end}x{code if code in _WIDTHS else 'I'}")
            end = offset + width
            self.slots.append(slot)
            if kind.limits[slot]:
                self.limited.append((slot, kind.limits[slot]))
            if width == 8:
                self.wide.append(offset)
            if code not in _WIDTHS:
                what = _STRING if code == "s" else _WIDTHS.get(code[1:], 4) if code[0] == "[" else _TABLE
                self.leading.append((slot, offset, what))
        self.read = Struct("".join(form)).unpack_from


class _Reader:
    def __init__(self, data: bytes | memoryview, far_weights: bool = False) -> None:
        self.data, self.size, self.end = data, len(data), 8
        self.far_weights = far_weights
        self.tables = self.work = 0
        lines = schema.TABLES.replace("\n ", " ").split("\n")
        self._lines = {line.partition(" ")[0]: line for line in lines}
        self._kinds: dict[str, _Kind] = {}
        self._layouts: dict[tuple[int, str], _Layout] = {}

    # The format: tables, vectors, strings.

    def kind(self, name: str) -> _Kind:
        if name not in self._kinds:
            self._kinds[name] = _Kind(self._lines[name])
        return self._kinds[name]

    def reach(self, end: int) -> None:
        if end > self.end:
            if end > self.size:
                raise _damaged("it refers to bytes behind its end")
            self.end = end

    def follow(self, at: int) -> int:
        """Return where the offset at `at` leads; everything there begins with 4 aligned bytes."""
        target: int = at + _U32(self.data, at)[0]
        if target == at or target & 3 or target + 4 > self.size:
            raise _damaged("an offset leads nowhere")
        return target

    def _layout(self, vtable: int, kind: str) -> _Layout:
        if vtable < 8 or vtable % 2 or vtable + 4 > self.size:
            raise _damaged("a table without a list of its fields")
        length, size = unpack_from("<HH", self.data, vtable)
        if length < 4 or length % 2 or size < 4:
            raise _damaged("a table whose list of fields has no right length")
        self.reach(vtable + length)
        known = self.kind(kind)
        count = min(len(known.names), (length - 4) // 2)  # a newer file may have more
        return _Layout(known, kind, size, unpack_from(f"<{count}H", self.data, vtable + 4))

    def fields(self, at: int, kind: str) -> list[Any]:
        """Return the values of a table by slot.

        Of a scalar its value, of a string its words, of a vector where it begins and its length, of a table or a union
        where it lies; None where there is none.
        """
        self.tables += 1
        if self.tables > MAX_TABLES:
            raise _Fault(f"of more than {MAX_TABLES} tables: expected no more; {_CONVERT}")
        key = (at - _I32(self.data, at)[0], kind)
        layout = self._layouts.get(key)
        if layout is None:
            layout = self._layouts[key] = self._layout(*key)
        if at + layout.size > self.end:
            self.reach(at + layout.size)
        values = layout.kind.defaults.copy()
        for slot, value in zip(layout.slots, layout.read(self.data, at), strict=True):
            values[slot] = value
        for offset in layout.wide:
            if (at + offset) % 8:
                raise _damaged(f"a number of a {kind} is not aligned")
        for slot, limit in layout.limited:
            if not 0 <= values[slot] < limit:
                name = layout.kind.names[slot]
                raise _Fault(f"whose {kind} has {name} = {values[slot]}, which this program does not know: {_UPGRADE}")
        for slot, offset, what in layout.leading:
            target = at + offset + values[slot]
            if not values[slot] or target & 3 or target + 4 > self.size:
                raise _damaged("an offset leads nowhere")
            values[slot] = target
            if what == _TABLE:
                continue
            count = _U32(self.data, target)[0]
            end = target + 4 + count * (what or 1)
            if end > self.end:
                self.reach(end)
            if what == 8 and target & 7 != 4:
                raise _damaged("a vector is not aligned")
            values[slot] = (target + 4, count) if what else self.string(target + 4, count)
        return values

    def string(self, begin: int, count: int) -> str:
        self.reach(begin + count + 1)
        self.spend(count)
        try:
            text = str(self.data[begin : begin + count], "utf-8")
        except UnicodeDecodeError:
            raise _damaged("a name in it is not UTF-8") from None
        if self.data[begin + count]:
            raise _damaged("a name in it does not end")
        return text

    def spend(self, count: int) -> None:
        self.work += count
        if self.work > MAX_WORK:
            raise _Fault(f"whose vectors have more than {MAX_WORK} elements: expected no more; {_CONVERT}")

    def numbers(self, vector: tuple[int, int] | None, letter: str) -> tuple[Any, ...]:
        if vector is None:
            return ()
        begin, count = vector
        self.work += count
        if self.work > MAX_WORK:
            self.spend(0)
        if count == 1:
            return _ONE[letter](self.data, begin)
        return unpack_from(f"<{count}{letter}", self.data, begin)

    def each(self, vector: tuple[int, int] | None) -> list[int]:
        """Return where the tables of a vector lie."""
        if vector is None:
            return []
        begin, count = vector
        if count > MAX_TABLES:
            raise _Fault(f"of more than {MAX_TABLES} tables: expected no more; {_CONVERT}")
        return [self.follow(begin + 4 * index) for index in range(count)]

    # What a network is made of.

    def network(self) -> Network:
        if self.size < 8 or bytes(self.data[4:8]) != IDENTIFIER:
            raise _damaged("it does not begin as a TFLite file does")
        version, codes, graphs, _, buffers, old_metadata, metadata, signatures, *external = self.fields(
            self.follow(0), "Model"
        )
        if version != SCHEMA_VERSION:
            raise _Fault(f"of schema version {version}: expected {SCHEMA_VERSION}; {_UPGRADE}")
        if any(vector is not None and vector[1] for vector in external):
            raise _Fault(f"whose weights are in another file: expected all of it in one; {_CONVERT}")
        self.codes = [self._code(at) for at in self.each(codes)]
        self.buffers = [self._buffer(at) for at in self.each(buffers)]
        places = self.each(graphs)
        if not places:
            raise _damaged("it has no graph")
        if len(places) > MAX_GRAPHS:
            raise _Fault(f"of more than {MAX_GRAPHS} graphs: expected no more; {_CONVERT}")
        self.graph_count = len(places)
        self.calls: list[set[int]] = []
        checked = tuple(self._graph(number, at) for number, at in enumerate(places))
        self._check_calls()
        for buffer in self.numbers(old_metadata, "i"):
            self._index(buffer, len(self.buffers), "its metadata", "a buffer")
        for at in self.each(metadata):
            self._index(self.fields(at, "Metadata")[1], len(self.buffers), "its metadata", "a buffer")
        for at in self.each(signatures):
            self._signature(at, checked)
        return Network(checked, self.end)

    def _index(self, index: int, count: int, who: str, what: str) -> None:
        if not 0 <= index < count:
            raise _damaged(f"{who} names {what} {index} of {count}")

    def _code(self, at: int) -> tuple[str, str, int]:
        old, custom, version, new = self.fields(at, "OperatorCode")
        number = max(old, new)  # old files have the code in the field of one byte alone
        if number >= len(schema.OPERATORS):
            raise _Fault(f"with operator {number}, and this program knows {len(schema.OPERATORS)}: {_UPGRADE}")
        if old < 0 or new < 0 or version < 1:
            raise _damaged("an operator code is less than 0, or its version less than 1")
        name = schema.OPERATORS[number]
        if name == "CUSTOM" and not custom:
            raise _damaged("a custom operator has no name")
        return name, custom if name == "CUSTOM" else "", version

    def _buffer(self, at: int) -> tuple[int, int]:
        data, offset, size = self.fields(at, "Buffer")
        if offset > 1 or size > 1:  # 1 is what a converter writes first, to fill it in later
            if self.far_weights and size:
                self.reach(offset + size)
                return offset, size
            raise _Fault(f"whose weights are behind its flatbuffer: expected them in it; {_CONVERT}")
        return data if data is not None and data[1] else (0, 0)

    def _graph(self, number: int, at: int) -> Graph:
        tensors, inputs, outputs, operators, *_ = self.fields(at, "SubGraph")
        self.calls.append(set())
        self.tensors = [self._tensor(index, place) for index, place in enumerate(self.each(tensors))]
        if any(vector is not None and vector[1] > MAX_ENDS for vector in (inputs, outputs)):
            raise _Fault(f"of a graph with more than {MAX_ENDS} inputs or outputs: expected no more; {_CONVERT}")
        graph_inputs, graph_outputs = self.numbers(inputs, "i"), self.numbers(outputs, "i")
        for index in (*graph_inputs, *graph_outputs):
            self._index(index, len(self.tensors), f"graph {number}", "tensor")
        # What can be read: constants, what the graph is given, what earlier operators gave.
        self.given = [bool(tensor.bytes) or tensor.is_variable for tensor in self.tensors]
        for index in graph_inputs:
            if self.given[index]:
                raise _damaged(f"tensor {index} is an input twice, or an input and a constant")
            self.given[index] = True
        checked = tuple(self._operator(place, position) for position, place in enumerate(self.each(operators)))
        for index in graph_outputs:
            if not self.given[index]:
                raise _damaged(f"tensor {index} is an output, and no operator gives it")
        return Graph(tuple(self.tensors), graph_inputs, graph_outputs, checked)

    def _tensor(self, index: int, at: int) -> Tensor:
        shape, kind, buffer, name, quantization, *more = self.fields(at, "Tensor")
        is_variable, sparsity, signature, _, variants, external = more
        what, type_name = f"tensor {index}", schema.TENSOR_TYPES[kind]
        if type_name not in _BITS:
            raise _Fault(f"whose {what} is of {type_name}: expected float32, or whole numbers; {_CONVERT}")
        if sparsity is not None:
            raise _Fault(f"whose {what} is sparse: expected every value; {_CONVERT}")
        if variants is not None and variants[1]:
            raise _damaged(f"{what} is of several types")
        if external:
            raise _Fault(f"whose weights are in another file: expected all of it in one; {_CONVERT}")
        for vector in (shape, signature):
            if vector is not None and vector[1] > MAX_RANK:
                raise _Fault(f"whose {what} has {vector[1]} dimensions: expected at most {MAX_RANK}; {_CONVERT}")
        sizes, open_sizes = self.numbers(shape, "i"), self.numbers(signature, "i")
        if min(sizes, default=0) < 0 or min(open_sizes, default=0) < -1:
            raise _damaged(f"{what} has a negative size")
        if open_sizes and len(open_sizes) != len(sizes):
            raise _damaged(f"{what} has two numbers of dimensions")
        bits = _BITS[type_name]
        bytes_wanted = (prod(sizes) * bits + 7) // 8
        if bytes_wanted > MAX_TENSOR_BYTES:
            raise _Fault(
                f"whose {what} has {bytes_wanted} bytes: expected at most {MAX_TENSOR_BYTES}; make the network smaller"
            )
        self._index(buffer, len(self.buffers), what, "buffer")
        begin, count = self.buffers[buffer]
        if count and (buffer == 0 or is_variable):
            raise _damaged(f"{what} can't be a constant and is one")
        if count and count != bytes_wanted:
            raise _damaged(f"{what} has {count} bytes and is said to have {bytes_wanted}")
        if begin % min(max(bits // 8, 1), 4):
            raise _damaged(f"{what} is not aligned")
        scales, zero_points, axis = self._quantization(what, sizes, type_name, quantization)
        # A constant may be all zeros.
        if not count and type_name in _ZERO_POINTS and min(scales, default=1) < LEAST_SCALE:
            raise _damaged(f"{what} has a quantization step of 0, or next to it")
        is_open = tuple([size < 0 for size in open_sizes or sizes])
        return Tensor(name or "", sizes, is_open, type_name, scales, zero_points, axis, begin, count, is_variable)

    def _quantization(
        self, what: str, sizes: tuple[int, ...], kind: str, at: int | None
    ) -> tuple[tuple[float, ...], tuple[int, ...], int]:
        if at is None:
            return (), (), 0
        _, _, scale, zero_point, details_kind, details, axis = self.fields(at, "QuantizationParameters")
        if details_kind:
            if details_kind >= len(schema.QUANTIZATION_DETAILS):
                raise _Fault(f"whose {what} is quantized in a way that this program does not know: {_UPGRADE}")
            raise _Fault(f"whose {what} is quantized in blocks or in a way of its own: expected by channel; {_CONVERT}")
        if details is not None:
            raise _damaged(f"{what} has a quantization without a kind")
        scales, zero_points = self.numbers(scale, "f"), self.numbers(zero_point, "q")
        if not scales and not zero_points:
            return (), (), 0
        if len(scales) != len(zero_points):
            raise _damaged(f"{what} has {len(scales)} scales and {len(zero_points)} zero points")
        if len(scales) > 1 and not (0 <= axis < len(sizes) and sizes[axis] == len(scales)):
            raise _damaged(f"{what} has {len(scales)} scales, and no such dimension")
        if not (sum(scales) < inf and min(scales) >= 0):  # a NaN is in the sum
            raise _damaged(f"{what} has a scale that is negative or not finite")
        low, high = _ZERO_POINTS.get(kind, (-(2**31), 2**31 - 1))
        if not low <= min(zero_points) <= max(zero_points) <= high:
            raise _damaged(f"{what} has a zero point that its type can't hold")
        return scales, zero_points, axis

    def _operator(self, at: int, position: int) -> Operator:
        code, inputs, outputs, kind, table, _, _, *more = self.fields(at, "Operator")
        mutating, intermediates, far_offset, far_size, kind_2, table_2, _ = more
        what = f"operator {position}"
        self._index(code, len(self.codes), what, "operator code")
        name, custom, version = self.codes[code]
        if far_offset > 1 or far_size > 1:
            raise _Fault(f"whose options are behind its flatbuffer: expected them in it; {_CONVERT}")
        reads, gives = self.numbers(inputs, "i"), self.numbers(outputs, "i")
        if mutating is not None and mutating[1] not in (0, len(reads)):
            raise _damaged(f"{what} has another number of inputs that it changes than of inputs")
        for index in reads:
            if index == -1:
                continue
            self._index(index, len(self.tensors), what, "tensor")
            if not self.given[index]:
                raise _damaged(f"{what} reads tensor {index}, which nothing before it gives")
        for index in gives:
            self._index(index, len(self.tensors), what, "tensor")
            if self.given[index]:
                raise _damaged(f"{what} gives tensor {index}, which is there already")
            self.given[index] = True
        for index in self.numbers(intermediates, "i"):
            self._index(index, len(self.tensors), what, "tensor")
        first, options = self._options(what, schema.OPTIONS, kind, table)
        second, options_2 = self._options(what, schema.OPTIONS_2, kind_2, table_2)
        if first and second:
            raise _damaged(f"{what} has options twice")
        options.update(options_2)
        self._note_calls(what, options)
        return Operator(name, custom, version, reads, gives, options, first or second)

    def _options(self, what: str, union: list[str], kind: int, at: int | None) -> tuple[str, dict[str, Any]]:
        if kind >= len(union):
            raise _Fault(f"whose {what} has options {kind}, and this program knows {len(union)}: {_UPGRADE}")
        if (kind == 0) != (at is None):
            raise _damaged(f"{what} has options of no kind, or a kind and no options")
        if at is None:
            return "", {}
        values = self.fields(at, union[kind])
        names, found = self.kind(union[kind]), {}
        for slot, code in enumerate(names.codes):
            value = values[slot]
            if code in _WIDTHS:
                found[names.names[slot]] = value
            elif code[:1] == "[" and code[1:] in _WIDTHS:
                found[names.names[slot]] = self.numbers(value, code[1:])
        return union[kind], found

    # Graphs that operators run.

    def _note_calls(self, what: str, options: dict[str, Any]) -> None:
        for name, value in options.items():
            if "subgraph" in name:
                for graph in value if isinstance(value, tuple) else (value,):
                    self._index(graph, self.graph_count, what, "graph")
                    self.calls[-1].add(graph)

    def _check_calls(self) -> None:
        """Raise where a graph runs itself, by way of others or not."""
        left = {number: set(called) for number, called in enumerate(self.calls)}
        while left:
            done = {number for number, called in left.items() if not called}
            if not done:
                raise _damaged("a graph runs itself")
            left = {number: called - done for number, called in left.items() if number not in done}

    def _signature(self, at: int, graphs: tuple[Graph, ...]) -> None:
        inputs, outputs, key, _, graph = self.fields(at, "SignatureDef")
        self._index(graph, len(graphs), "a signature", "graph")
        if key is None:
            raise _damaged("a signature has no name")
        for maps, known in ((inputs, graphs[graph].inputs), (outputs, graphs[graph].outputs)):
            places = self.each(maps)
            if len(places) != len(known):
                raise _damaged("a signature and its graph differ in their inputs or outputs")
            names = set()
            for place in places:
                name, tensor = self.fields(place, "TensorMap")
                if name is None or tensor not in known or name in names:
                    raise _damaged(
                        "a signature names a tensor that its graph does not take or give, or two by one name"
                    )
                names.add(name)
