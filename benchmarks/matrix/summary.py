"""What a night found, on standard output: a line a cell that is not PASS, the rest counted; or JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from benchmarks.measurement import Verdict, Word
from edge.errors import one_line
from edge.strict_json import dumps
from edge.terminal import columns

# The worst first.
ORDER = (Word.DEVICE_DOWN, Word.REGRESSED, Word.MISSED, Word.NOISY, Word.IMPROVED, Word.PASS)


def table(night: str, verdicts: Sequence[Verdict]) -> str:
    """Return the night as lines for people."""
    counts = Counter(verdict.word for verdict in verdicts)
    said = ", ".join(f"{counts[word]} {word.value}" for word in reversed(ORDER) if counts[word])
    lines = [f"night {night}: {said or 'nothing was measured'}"]
    shown = sorted(
        (verdict for verdict in verdicts if verdict.word is not Word.PASS),
        key=lambda verdict: (ORDER.index(verdict.word), verdict.cell),
    )
    if shown:
        lines += ["", *columns([("verdict", "cell", "", "why"), *map(_row, shown)], left=(0, 1, 2, 3))]
    return "\n".join(map(one_line, lines))


def objects(verdicts: Sequence[Verdict]) -> list[str]:
    """Return each verdict as a line of JSON."""
    return [dumps(verdict.record(), f"the verdict on {verdict.cell}", "history.invalid") for verdict in verdicts]


def _row(verdict: Verdict) -> tuple[str, str, str, str]:
    alarm = "alarm" if verdict.evidence.get("alarm") else ""
    return verdict.word.value, one_line(str(verdict.cell)), alarm, one_line(verdict.reason)
