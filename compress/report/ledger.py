"""The ledger: one row for each step of a run, printed as it grows, kept as JSON, drawn as a chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from edge.files import write_beside
from edge.strict_json import dumps


@dataclass(frozen=True)
class Row:
    """What one step left behind.

    Attributes:
        step: the step's kind. detail: what it did, in a few words.
        parameters, macs: see `compress.cost`.
        bytes: of the weights in float32, and of the model itself once it is a file.
        metric: the task's measure on the validation images: AUC, Dice. Dice is judged by the model's own decision,
            as soon as that is known.
        seconds: the step took, when it was run; the model's: its conversions, the plain files' too.
    """

    step: str
    detail: str
    parameters: int
    macs: int
    bytes: int
    metric: float
    seconds: float


def header(metric: str) -> str:
    """Return the line of headings."""
    short = metric if len(metric) <= 4 else f"{metric[:3]}."
    return f"{'step':<12} {'':<34} {'parameters':>11} {'MACs':>9} {'size':>9} {f'val. {short}':>9} {'time':>8}"


def line(row: Row) -> str:
    """Return the row as it is printed under `header`."""
    return (
        f"{row.step:<12} {row.detail:<34.34} {row.parameters:>11,} {row.macs / 1e6:>7.1f} M {row.bytes / 1e6:>6.2f} MB "
        f"{row.metric:>9.4f} {row.seconds:>6.0f} s"
    )


class Ledger:
    """The rows so far; each new one is said at once. `metric` is the name of the rows' measure."""

    def __init__(self, log: Callable[[str], None], metric: str):
        self.rows: list[Row] = []
        self.metric, self._say = metric, log

    def add(self, row: Row) -> None:
        """Append and print a row."""
        if not self.rows:
            self._say(header(self.metric))
        self.rows.append(row)
        self._say(line(row))

    def lines(self) -> list[str]:
        """Return the whole ledger as it is printed."""
        return [header(self.metric), *map(line, self.rows)]

    def save(self, path: Path) -> None:
        """Write the rows as a JSON list."""
        write_beside(path, (dumps([asdict(row) for row in self.rows], "the ledger", indent=1) + "\n").encode())


def draw(ledger: Ledger, title: str, path: Path) -> None:
    """Draw parameters, MACs and the metric over the steps as a PNG."""
    rows = ledger.rows
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    names = [f"{n}. {row.step}" for n, row in enumerate(rows)]
    places = range(len(rows))
    figure, axes = plt.subplots(3, 1, figsize=(8, 7.5), sharex=True, constrained_layout=True)
    panels = (
        ("parameters (M)", [row.parameters / 1e6 for row in rows], "#4878a8"),
        ("MACs (M)", [row.macs / 1e6 for row in rows], "#d08040"),
    )
    for axis, (label, values, color) in zip(axes, panels, strict=False):
        bars = axis.bar(places, values, color=color, width=0.62)
        axis.bar_label(bars, [f"{value:,.0f}" if value >= 100 else f"{value:.3g}" for value in values], fontsize=8)
        axis.set_ylabel(label)
        axis.margins(y=0.18)
    metric = [row.metric for row in rows]
    axes[2].plot(places, metric, "o-", color="#3a8a5a")
    for place, value in zip(places, metric, strict=True):
        axes[2].annotate(f"{value:.3f}", (place, value), (0, 7), textcoords="offset points", ha="center", fontsize=8)
    axes[2].set_ylabel(f"validation {ledger.metric}")
    axes[2].margins(y=0.25)
    axes[2].set_xticks(list(places), names, rotation=25, ha="right")
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    write_beside(path, buffer.getvalue())
