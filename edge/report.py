"""What is said of a run: lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.answer import NOTICE, Answer
from edge.board import Board
from edge.engine import Engine
from edge.errors import one_line
from edge.record import spread
from edge.runtime import Runtime
from edge.targets import HOST, PEAK, Comparison
from edge.terminal import columns

if TYPE_CHECKING:
    from edge.check import Verdict  # only --check needs it

_PHASES = ("read", "decode", "preprocess", "invoke", "postprocess", "total")
_BOLD, _GREEN, _RED = "1", "32", "31"


class Text:
    """Lines for people, in colour or not."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def answer(self, image: str, engine: Engine, answer: Answer, first: bool) -> str:
        """Return the lines of one image; `first` says whether the engine's first invoke was for it."""
        lines = [self._paint(one_line(image), _BOLD)]
        task = engine.file.manifest.task
        lines += task.lines(answer)
        lines.append(f"  decision: {self._paint(answer.decision, _BOLD)} ({task.reason(answer)})")
        times = ", ".join(f"{name} {answer.latency_ms[name]:.2f}" for name in _PHASES)
        lines.append(f"  cost: {times} ms (invoke: {_how(len(answer.warm_ms), first)})")
        warm = spread(answer.warm_ms)
        if warm is not None and warm.pop("count") != 1:
            lines.append(f"  warm invokes: {', '.join(f'{name} {time:.2f}' for name, time in warm.items())} ms")
        return "\n".join(lines) + "\n"

    def short(self, image: str, answer: Answer) -> str:
        """Return the line that --quiet leaves of an answer."""
        return f"{one_line(image)}: {answer.decision}\n"

    def summary(
        self,
        engine: Engine,
        memory_mb: dict[str, float | None],
        targets: list[Comparison],
        board: Board,
        as_table: bool,
    ) -> str:
        """Return the lines that close a run; the targets in one line, or `as_table`."""
        lines = [
            f"first run: load {engine.load_ms:.2f}, first invoke {_time(engine.first_invoke_ms)} ms",
            f"memory: peak RSS {_size(memory_mb['peak'])} (model: {_size(memory_mb['model'])})",
            f"runtime: {runtime_line(engine.runtime)}",
            f"board: {board.line()}",
        ]
        if targets:
            lines += self._target_table(engine, targets) if as_table else [self._target_line(targets)]
        return "\n".join(lines) + f"\n{NOTICE}\n"

    def _target_line(self, targets: list[Comparison]) -> str:
        parts = []
        for met in (True, False, None):
            names = [row["name"] for row in targets if row["met"] is met]
            if names:
                shown = "" if met else f" ({', '.join(names)})"
                parts.append(f"{len(names)} {self._met(met)}{shown}")
        bases = [f"; {row['name']} judged on the {row['basis']}" for row in targets if row["basis"] not in (HOST, PEAK)]
        return f"targets: {', '.join(parts)}{''.join(bases)}"

    def _target_table(self, engine: Engine, targets: list[Comparison]) -> list[str]:
        better = {target.name: target.better for target in engine.file.manifest.targets}
        rows = [
            (
                row["name"],
                ("<= " if better[row["name"]] == "lower" else ">= ") + _number(row["target"]),
                "-" if row["measured"] is None else _number(row["measured"]),
            )
            for row in targets
        ]
        widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
        lines = [f"targets of {engine.file.manifest.name}:"]
        for (name, target, measured), row in zip(rows, targets, strict=True):
            aligned = f"{name:{widths[0]}}  {target:>{widths[1]}}  measured {measured:>{widths[2]}}"
            basis = "" if row["basis"] in (HOST, PEAK) else f", on the {row['basis']}"
            lines.append(f"  {aligned}  {self._met(row['met'])}{basis}")
        return lines

    def verdict(self, verdict: Verdict) -> str:
        """Return the line of one golden vector."""
        word = self._paint(verdict.verdict, _RED if verdict.failed else _GREEN)
        return f"{verdict.image}: {word}: {one_line(verdict.reason)}\n"

    def _met(self, met: bool | None) -> str:
        if met is None:
            return "not measured"
        return self._paint("met", _GREEN) if met else self._paint("missed", _RED)

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour else text


def runtime_line(runtime: Runtime) -> str:
    """Return what ran, as one line; of an Edge TPU also how many operators of the compiled network it took."""
    share = f", {runtime.taken} of {runtime.operators} operators" if _on_edgetpu(runtime) else ""
    return (
        f"{runtime.name} {runtime.version}, {runtime.threads} thread{'s' if runtime.threads > 1 else ''}, "
        f"delegate {runtime.delegate}{share}"
    )


def _on_edgetpu(runtime: Runtime) -> bool:
    return runtime.kernel_path == "edgetpu"


def model_table(rows: list[dict[str, Any]]) -> str:
    """Return the lines of `model_record`s, under one line of headings."""
    head = ("name", "task", "parameters", "macs", "bytes", "title")
    cells = [head, *(tuple(_cell(row[key]) for key in head) for row in rows)]
    return "".join(f"{line}\n" for line in columns(cells, (0, 1, 5)))


def _how(warm: int, first: bool) -> str:
    """Return of what the invoke time is one or the median."""
    if not warm:
        return "the first"
    return (f"median of {warm}" if warm > 1 else "one") + (" after the first" if first else "")


def _cell(value: object) -> str:
    return "-" if value is None else value if isinstance(value, str) else _number(value)  # type: ignore[arg-type]


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _time(milliseconds: float | None) -> str:
    return "-" if milliseconds is None else f"{milliseconds:.2f}"


def _size(megabytes: float | None) -> str:
    return "unknown" if megabytes is None else f"{megabytes:.1f} MB"
