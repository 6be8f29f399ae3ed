"""int8 against float, tensor by tensor: the table that a model file has with it, and `edge-compress show --tensors`.

It needs no tools of the host: a device can print the table of the file that it runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any, NamedTuple

from edge.errors import EdgeError, brief
from edge.model import ModelFile
from edge.strict_json import dumps, loads

MEMBER = "tensors.json"  # of the model file's zip
SAME_DB = 200.0  # from here on int8 holds the very values
WORST = 5  # tensors that are marked
NAME = 100  # letters of a tensor's name that are kept: converters put names of whole chains together
SHOWN = 36  # letters of it in the table
DIGITS = 6  # of scales and ranges: float32 has seven


class Row(NamedTuple):
    """One computed tensor of a network, in the order of its graph.

    Attributes:
        name: of the tensor, in a file at most 100 letters.
        module: path of the user's module that computes it; "" if unknown.
        operator: that writes it; "" for an input of the network.
        shape: with batch 1.
        type: "int8", "int16" or "float32". scale, zero_point: of the first two.
        low, high: the least and the largest value on the calibration images, in float.
        range: how the range of the integers was chosen: one of `compress.convert.quantize.choices.RANGES`, "fixed" or
            "shared"; "" of float32.
        snr_db: signal-to-noise ratio of int8 against float on the calibration images, -200 to 200.
    """

    name: str
    module: str
    operator: str
    shape: tuple[int, ...]
    type: str
    scale: float
    zero_point: int
    low: float
    high: float
    range: str
    snr_db: float

    @property
    def called(self) -> str:
        """What people call it: the module's path, or else the tensor's name, of those of a fused chain the first."""
        return self.module or self.name.split(";")[0]


def rows(reports: Iterable[Mapping[str, Any]]) -> list[Row]:
    """Return the table of a quantization.

    Args:
        reports: the fields of each row as the quantizer gives it: names and numbers in full length.
    """
    return [
        Row(**{name: one[name] for name in Row._fields})._replace(
            name=one["name"][:NAME],
            shape=tuple(one["shape"]),
            scale=_short(one["scale"]),
            low=_short(one["low"]),
            high=_short(one["high"]),
            snr_db=round(one["snr_db"], 2),
        )
        for one in reports
    ]


def _short(value: float) -> float:
    return float(f"{value:.{DIGITS}g}")


def member(table: Sequence[Row]) -> bytes:
    """Return the table as the member `tensors.json` of a model file: names of columns, and a list for each tensor."""
    lines = ",\n".join(dumps(row, "the table of tensors", ensure_ascii=False) for row in table)
    return f'{{"columns": {json.dumps(Row._fields)}, "rows": [\n{lines}\n]}}\n'.encode()


def read(file: ModelFile) -> list[Row]:
    """Return a model file's table.

    Raises EdgeError: "model.no-table" where it has none, "model.damaged" where it is none.
    """
    if not file.has(MEMBER):
        raise EdgeError(
            f"{file.path} has no table of its tensors: expected the member {MEMBER}, which a file has that "
            "edge-compress quantized; run its recipe again, or quantize its float file with `edge-compress convert "
            "FILE.tflite --data DIR`",
            "model.no-table",
        )
    try:
        return _parsed(loads(file.member(MEMBER)))
    except ValueError as error:
        raise EdgeError(
            f"{file.path} has a table of tensors that can't be read ({str(error)[:80]}): expected that of "
            "docs/model-file.md; build the model file again with edge-compress",
            "model.damaged",
        ) from None


def _parsed(raw: Any) -> list[Row]:
    if not isinstance(raw, dict) or not isinstance(raw.get("columns"), list) or not isinstance(raw.get("rows"), list):
        raise ValueError("no object of columns and rows")
    columns = raw["columns"]
    if missing := [name for name in Row._fields if name not in columns]:
        raise ValueError(f"no column {missing[0]}")
    places = [columns.index(name) for name in Row._fields]
    found = []
    for number, values in enumerate(raw["rows"]):
        if not isinstance(values, list) or len(values) != len(columns):
            raise ValueError(f"row {number} has not one value for each column")
        found.append(_row([values[place] for place in places], number))
    return found


def _row(values: Sequence[Any], number: int) -> Row:
    row = Row(*values)
    is_text = all(isinstance(value, str) for value in (row.name, row.module, row.operator, row.type, row.range))
    numbers = (row.scale, row.zero_point, row.low, row.high, row.snr_db)
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in numbers)
    is_shape = isinstance(row.shape, list) and all(type(size) is int and size >= 0 for size in row.shape)
    if not is_text or not is_number or not is_shape or not all(map(isfinite, numbers)):
        raise ValueError(f"row {number} has a value of another type")
    return row._replace(shape=tuple(row.shape))


def worst(table: Sequence[Row], count: int = WORST) -> list[int]:
    """Return the rows whose int8 values are farthest from float, the worst first; of few rows about a quarter.

    None that int8 holds exactly is among them.
    """
    noisy = [number for number, row in enumerate(table) if row.snr_db < SAME_DB]
    return sorted(noisy, key=lambda number: table[number].snr_db)[: min(count, 1 + len(noisy) // 4)]


def lines(table: Sequence[Row]) -> Iterator[str]:
    """Yield the table for people, in the order of the graph; the worst tensors have a star, and a line at the end."""
    marked = worst(table)
    yield (
        f"{'':<6}{'module, or tensor':<{SHOWN}} {'operator':<20.20} {'shape':<16} {'type':<8}"
        f"{'from':>11} {'to':>10} {'scale':>10}  {'range':<10} {'SNR':>8}"
    )
    for number, row in enumerate(table):
        star = "*" if number in marked else " "
        yield (
            f"{star}{number:>4} {_cut(row.called):<{SHOWN}} {row.operator or 'input':<20.20} "
            f"{_shape(row):<16.16} {row.type:<8.8}{row.low:>11.4g} {row.high:>10.4g} {row.scale:>10.4g}  "
            f"{row.range:<10.10} {decibels(row):>8}"
        )
    if marked:
        yield f"worst: {named(table)}"


def named(table: Sequence[Row], count: int = WORST) -> str:
    """Return the worst tensors in words: place in the graph, module or name, operator, ratio."""
    return ", ".join(
        f"{number} {brief(table[number].called, 60)} ({table[number].operator or 'input'}) {decibels(table[number])} dB"
        for number in worst(table, count)
    )


def _cut(name: str) -> str:
    """Return a name's end where it is long: its beginning is that of many others."""
    return name if len(name) <= SHOWN else f"..{name[-SHOWN + 2 :]}"


def _shape(row: Row) -> str:
    return "x".join(map(str, row.shape))


def decibels(row: Row) -> str:
    """Return a row's ratio in dB; where int8 holds the very values, or is float, that."""
    return "exact" if row.snr_db >= SAME_DB else f"{row.snr_db:.1f}"


def as_json(table: Sequence[Row]) -> str:
    """Return the table as a JSON list of objects, in ASCII."""
    return dumps([row._asdict() for row in table], "the table of tensors", indent=1)
