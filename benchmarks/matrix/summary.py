"""What a night found, on standard output: a line a cell that is not PASS, one a model that misses targets; or JSON."""

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
    if rows := _rows(verdicts):
        lines += ["", *columns([("verdict", "cell", "", "why"), *rows], left=(0, 1, 2, 3))]
    return "\n".join(map(one_line, lines))


def objects(verdicts: Sequence[Verdict]) -> list[str]:
    """Return each verdict as a line of JSON."""
    return [dumps(verdict.record(), f"the verdict on {verdict.cell}", "history.invalid") for verdict in verdicts]


def _rows(verdicts: Sequence[Verdict]) -> list[tuple[str, str, str, str]]:
    """Return the table's rows; what misses a target is missed on most devices, and said once for each model."""
    rows = []
    for word in ORDER[:-1]:
        cells = sorted((verdict for verdict in verdicts if verdict.word is word), key=lambda verdict: verdict.cell)
        if word is Word.MISSED:
            models = sorted({verdict.cell.model for verdict in cells})
            rows += [_missed(name, [verdict for verdict in cells if verdict.cell.model == name]) for name in models]
        else:
            rows += [(word.value, one_line(str(each.cell)), _alarm([each]), one_line(each.reason)) for each in cells]
    return rows


def _missed(model: str, verdicts: Sequence[Verdict]) -> tuple[str, str, str, str]:
    """Return the row of a model's cells that miss targets: of each target the least and the most that was measured."""
    if len(verdicts) == 1:
        return Word.MISSED.value, one_line(str(verdicts[0].cell)), _alarm(verdicts), one_line(verdicts[0].reason)
    measured: dict[tuple[str, float], list[float]] = {}
    for verdict in verdicts:
        for row in verdict.evidence.get("targets", []):
            measured.setdefault((row["name"], row["target"]), []).append(row["measured"])
    said = [
        f"{name} {'' if min(found) == max(found) else f'{min(found):g} to '}{max(found):g} (target {target:g})"
        for (name, target), found in measured.items()
    ]
    cells = f"{model}: {len(verdicts)} cells on {', '.join(sorted({verdict.cell.device for verdict in verdicts}))}"
    return Word.MISSED.value, one_line(cells), _alarm(verdicts), one_line(f"misses {', '.join(said)}")


def _alarm(verdicts: Sequence[Verdict]) -> str:
    return "alarm" if any(verdict.evidence.get("alarm") for verdict in verdicts) else ""
