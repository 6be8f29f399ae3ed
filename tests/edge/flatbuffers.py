"""Where the fields of a TFLite flatbuffer are, by the format alone: for tests that damage one of them."""

from __future__ import annotations

import struct


class Editor:
    """A flatbuffer that is changed in place; places are byte positions.

    `field` goes from a table to one of its fields by the field's slot in the schema, `follow` from there to the table,
    vector or string that it leads to, `item` to a table of a vector.
    """

    MODEL_VERSION, CODES, GRAPHS, BUFFERS = 0, 1, 2, 4
    TENSORS, INPUTS, OUTPUTS, OPERATORS = 0, 1, 2, 3
    SHAPE, TYPE, BUFFER, NAME, QUANTIZATION = 0, 1, 2, 3, 4
    SCALE, ZERO_POINT, DIMENSION = 2, 3, 6
    CODE, READS, GIVES, OPTIONS_TYPE, OPTIONS = 0, 1, 2, 3, 4

    def __init__(self, data: bytes) -> None:
        self.data = bytearray(data)
        self.model = self.follow(0)
        self.graph = self.item(self.follow(self.field(self.model, self.GRAPHS)), 0)

    def get(self, form: str, at: int) -> int:
        return struct.unpack_from(f"<{form}", self.data, at)[0]

    def put(self, form: str, at: int, value: float) -> None:
        struct.pack_into(f"<{form}", self.data, at, value)

    def follow(self, at: int) -> int:
        return at + self.get("I", at)

    def field(self, table: int, slot: int) -> int:
        offset = self.get("H", table - self.get("i", table) + 4 + 2 * slot)
        assert offset, "the table has no such field"
        return table + offset

    def item(self, vector: int, index: int) -> int:
        assert index < self.get("I", vector)
        return self.follow(vector + 4 + 4 * index)

    def tensor(self, number: int) -> int:
        return self.item(self.follow(self.field(self.graph, self.TENSORS)), number)

    def operator(self, number: int) -> int:
        return self.item(self.follow(self.field(self.graph, self.OPERATORS)), number)

    def code(self, number: int) -> int:
        return self.item(self.follow(self.field(self.model, self.CODES)), number)

    def options(self, number: int) -> int:
        return self.follow(self.field(self.operator(number), self.OPTIONS))

    def quantization(self, number: int) -> int:
        return self.follow(self.field(self.tensor(number), self.QUANTIZATION))

    def values(self, table: int, slot: int) -> int:
        """Where the elements of a vector begin."""
        return self.follow(self.field(table, slot)) + 4
