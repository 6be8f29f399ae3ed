"""A night as Markdown for a CI's summary: what needs a look first, every cell behind it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measurement import Word
from edge.errors import one_line

MOST = 1000  # rows of a table: GitHub takes 1 MiB of summary a step
ORDER = (Word.REGRESSED, Word.DEVICE_DOWN, Word.MISSED, Word.NOISY, Word.IMPROVED, Word.PASS)
NOTHING = "No finished night is in the history yet: `edge-bench matrix` measures one."
# These begin markup, a link, a mention or an emoji somewhere in GitHub's Markdown; as entities they are letters.
_MARKUP = {ord(letter): f"&#{ord(letter)};" for letter in "\\`*_{}[]<>()#+!|~@:&$\"'"}
_HEADER = ("verdict", "model", "device", "runtime", "threads", "p50 ms", "against baseline", "why")


def markdown(content: Mapping[str, Any]) -> str:
    """Return the summary of `benchmarks.page.content.content`'s night."""
    if content["night"] is None:
        return f"# edge-bench\n\n{NOTHING}\n"
    judged = [cell for cell in content["cells"] if "word" in cell]
    judged.sort(key=lambda cell: _rank(cell["word"]))
    look = [cell for cell in judged if cell["word"] != Word.PASS.value]
    parts = [f"# edge-bench, night {escaped(content['night'])}", f"{counts(content)}."]
    if look:
        parts.append(_table([_row(content, cells) for cells in _alike(look)]))
    if judged:
        everything = _table([_row(content, [cell]) for cell in judged])
        parts.append(f"<details><summary>All {len(judged)} cells</summary>\n\n{everything}\n\n</details>")
    emulated = [escaped(device["name"]) for device in content["devices"] if device.get("emulated")]
    if emulated:
        parts.append(f"Emulated, so that its times are nobody's latency: {', '.join(emulated)}.")
    return "\n\n".join(parts) + "\n"


def counts(content: Mapping[str, Any]) -> str:
    """Return "1 REGRESSED, 7 PASS" of the night, and how many cells the history knows that were not judged in it."""
    found = Counter(cell["word"] for cell in content["cells"] if "word" in cell)
    words = sorted(found, key=_rank)
    parts = [f"{found[word]} {word}" for word in words]
    others = len(content["cells"]) - sum(found.values())
    if others:
        parts.append(f"{others} without a verdict")
    return ", ".join(parts)


def escaped(text: object) -> str:
    """Return text as Markdown shows it letter by letter, on one line."""
    return one_line(str(text)).translate(_MARKUP).replace("www.", "www&#46;")


def _rank(word: str) -> int:
    return [known.value for known in ORDER].index(word)


def _alike(cells: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return cells of one device of which the same was said together: a device that is down is one line."""
    groups: dict[tuple[str, int, str], list[Mapping[str, Any]]] = {}
    for cell in cells:
        groups.setdefault((cell["word"], cell["device"], cell["reason"]), []).append(cell)
    return list(groups.values())


def _table(rows: Sequence[Sequence[object]]) -> str:
    lines = [f"| {' | '.join(_HEADER)} |", "| --- | --- | --- | --- | ---: | ---: | ---: | --- |"]
    lines += [f"| {' | '.join(map(escaped, row))} |" for row in rows[:MOST]]
    if len(rows) > MOST:
        lines.append(f"\n{len(rows) - MOST} more are left out here.")
    return "\n".join(lines)


def _row(content: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> Sequence[object]:
    """Return a line of one cell, or of several that share word, device and reason."""
    first = cells[0]
    ratio = first.get("evidence", {}).get("ratio")
    change = f"{(ratio - 1) * 100:+.1f} %" if isinstance(ratio, (int, float)) else "-"
    return (
        first["word"],
        _one_or_count([content["models"][cell["model"]] for cell in cells], "models"),
        content["devices"][first["device"]]["name"],
        _one_or_count([cell["runtime"] for cell in cells], "runtimes"),
        _one_or_count([cell["threads"] for cell in cells], "numbers"),
        first.get("p50", "-") if len(cells) == 1 else "-",
        change if len(cells) == 1 else "-",
        first["reason"],
    )


def _one_or_count(values: Sequence[object], what: str) -> object:
    different = {*values}
    return values[0] if len(different) == 1 else f"{len(different)} {what}"
