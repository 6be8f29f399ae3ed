"""The chart of a quantization: signal-to-noise over the order of the graph, the worst tensors named."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby, product
from pathlib import Path
from typing import Any

from compress.report.tensors import SAME_DB, Row, decibels, worst
from edge.errors import one_line
from edge.files import write_beside

NAMED = 3
BANDS = 14  # parts of the network that have room for a name
ROOM = 0.03  # of the chart's width, for a name
LETTERS = 60
COLORS = {"int8": "#4878a8", "int16": "#3a8a5a", "float32": "#888888"}


def draw(table: Sequence[Row], title: str, path: Path) -> None:
    """Draw the table (`compress.report.tensors.rows`) as a PNG; the same table gives the same bytes.

    Each tensor is a point at its place in the graph, a hollow one where int8 holds the very values; bands are parts of
    the network; the worst tensors are numbered and named.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    places = list(range(len(table)))
    top = max((row.snr_db for row in table if row.snr_db < SAME_DB), default=0.0)
    values = [min(row.snr_db, top) for row in table]
    figure, axis = plt.subplots(figsize=(10, 4.6), constrained_layout=True)
    _draw_bands(axis, table)
    axis.plot(places, values, color="#b8c4d0", linewidth=1, zorder=1)
    for (kind, color), is_exact in product(COLORS.items(), (False, True)):
        chosen = [n for n in places if table[n].type == kind and (table[n].snr_db >= SAME_DB) == is_exact]
        if chosen:
            label, filling = (f"{kind}, exact", "white") if is_exact else (kind, color)
            heights = [values[place] for place in chosen]
            axis.scatter(chosen, heights, s=16, color=filling, edgecolors=color, label=label, zorder=2)
    low, high = min(values, default=0.0), max(values, default=1.0)
    margin = 0.09 * max(high - low, 5.0)
    axis.set_ylim(low - (2 + NAMED) * margin, high + margin)
    _name_worst(axis, table)
    axis.set_xlim(-0.5, max(len(table), 1) - 0.5)
    axis.set_xlabel("tensor, in the order of the graph")
    axis.set_ylabel("int8 against float, dB")
    axis.spines[["top", "right"]].set_visible(False)
    if len({(row.type, row.snr_db >= SAME_DB) for row in table}) > 1:
        axis.legend(fontsize=8, loc="lower right", frameon=False)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    write_beside(path, buffer.getvalue())


def _draw_bands(axis: Any, table: Sequence[Row]) -> None:
    """Shade every other part of the network, and name those that there is room for."""
    free = -1.0
    for number, (name, begin, end) in enumerate(bands(table)):
        if number % 2 == 0:
            axis.axvspan(begin - 0.5, end - 0.5, color="#f0f0ea", zorder=0, linewidth=0)
        place, above = (begin + end - 1) / 2, axis.get_xaxis_transform()
        if place >= free:
            axis.text(place, 1.01, one_line(_short(name)), transform=above, fontsize=7, rotation=30, parse_math=False)
            free = place + ROOM * len(table)


def _name_worst(axis: Any, table: Sequence[Row]) -> None:
    """Number the worst tensors at their points, and name them in a list below the curve."""
    red = "#a03020"
    for line, place in enumerate(worst(table, NAMED)):
        row = table[place]
        axis.scatter([place], [row.snr_db], s=70, facecolors="none", edgecolors=red, zorder=3)
        below = {"xytext": (0, -13 - 9 * line), "textcoords": "offset points", "ha": "center", "fontsize": 8}
        axis.annotate(str(line + 1), (place, row.snr_db), color=red, **below)
        name = one_line(f"{line + 1}   {row.called[-LETTERS:]}   {row.operator or 'input'}   {decibels(row)} dB")
        height = 0.04 + 0.055 * (NAMED - 1 - line)
        axis.text(0.01, height, name, transform=axis.transAxes, fontsize=8, color=red, parse_math=False)


def bands(table: Sequence[Row]) -> list[tuple[str, int, int]]:
    """Return the parts of the network, (module, first row, row behind the last), in the order of the graph.

    Parts are the modules of the deepest level that gives no more than 14 of them; tensors of no known module belong to
    the part before them.
    """
    names: list[str] = []
    for row in table:
        names.append(row.module or (names[-1] if names else ""))
    found: list[tuple[str, int, int]] = []
    for level in range(1, 1 + max((name.count(".") + 1 for name in names), default=1)):
        finer = _bands(names, level)
        if found and len(finer) > BANDS:
            break
        found = finer
    return [band for band in found if band[0]] if len(found) <= BANDS else []


def _bands(names: Sequence[str], level: int) -> list[tuple[str, int, int]]:
    found, begin = [], 0
    for name, members in groupby(".".join(name.split(".")[:level]) for name in names):
        end = begin + len(list(members))
        found.append((name, begin, end))
        begin = end
    return found


def _short(name: str) -> str:
    return name if len(name) <= 16 else f"..{name[-14:]}"
