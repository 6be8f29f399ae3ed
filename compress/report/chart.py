"""The chart of a quantization: signal-to-noise over the order of the graph, the worst tensors named."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from compress.report.tensors import Row, decibels, worst
from edge.files import write_beside

MOST_DB = 80.0  # above it int8 is as good as exact: such tensors are drawn at the top
NAMED = 3
BANDS = 14  # parts of the network that have room for a name
LETTERS = 42
COLORS = {"int8": "#4878a8", "int16": "#3a8a5a", "float32": "#888888"}


def draw(table: Sequence[Row], title: str, path: Path) -> None:
    """Draw the table (`compress.report.tensors.rows`) as a PNG; the same table gives the same bytes.

    Each tensor is a point at its place in the graph; bands are the user's modules of the first levels.
    """
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    places = list(range(len(table)))
    values = [min(row.snr_db, MOST_DB) for row in table]
    figure, axis = plt.subplots(figsize=(10, 4.6), constrained_layout=True)
    for number, (name, begin, end) in enumerate(bands(table)):
        if number % 2 == 0:
            axis.axvspan(begin - 0.5, end - 0.5, color="#f0f0ea", zorder=0, linewidth=0)
        place, above = (begin + end - 1) / 2, axis.get_xaxis_transform()
        axis.text(place, 1.01, _short(name), transform=above, ha="left", va="bottom", fontsize=7, rotation=30)
    axis.plot(places, values, color="#b8c4d0", linewidth=1, zorder=1)
    for kind, color in COLORS.items():
        chosen = [place for place in places if table[place].type == kind]
        if chosen:
            axis.scatter(chosen, [values[place] for place in chosen], s=16, color=color, label=kind, zorder=2)
    low, high = min(values, default=0.0), max(values, default=MOST_DB)
    margin = 0.08 * max(high - low, 5.0)
    axis.set_ylim(low - 3.5 * margin, high + margin)
    _name_worst(axis, table, low, margin)
    axis.set_xlim(-0.5, max(len(table), 1) - 0.5)
    axis.set_xlabel("tensor, in the order of the graph")
    axis.set_ylabel("int8 against float, dB")
    axis.spines[["top", "right"]].set_visible(False)
    if len({row.type for row in table}) > 1:
        axis.legend(fontsize=8)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    write_beside(path, buffer.getvalue())


def _name_worst(axis: Any, table: Sequence[Row], low: float, margin: float) -> None:
    """Write the worst tensors' names below the curve, one under the other, so that none covers another."""
    for line, place in enumerate(worst(table, NAMED)):
        row = table[place]
        right = place > len(table) / 2
        axis.annotate(
            f"{place}  {row.called[-LETTERS:]}  {row.operator}  {decibels(row)} dB",
            (place, min(row.snr_db, MOST_DB)),
            (place + (-0.6 if right else 0.6), low - (1.0 + 0.9 * line) * margin),
            ha="right" if right else "left",
            va="center",
            fontsize=8,
            color="#a03020",
            arrowprops={"arrowstyle": "-", "color": "#a03020", "linewidth": 0.7},
        )


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
