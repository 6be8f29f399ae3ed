"""The summary for a CI."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.measurement import Cell, Verdict, Word
from benchmarks.page.content import content
from benchmarks.page.markdown import MOST, counts, escaped, markdown
from tests.benchmarks.page.nights import HOSTILE, NIGHTS, add, down, every_word, history, identity, measured, no_steps
from tests.benchmarks.page.test_content import Wide

MARKUP = "\\`*_{}[]<>()#+!|~@:&$\"'"


def test_what_needs_a_look_comes_first(tmp_path: Path) -> None:
    with history(tmp_path / "h.sqlite") as store:
        every_word(store)
        found = content(store, no_steps)
    text = markdown(found)
    look, everything = text.split("<details>")
    rows = [line.split(" | ") for line in look.splitlines() if line.startswith("| ")][2:]
    assert [row[0].strip("| ") for row in rows] == ["REGRESSED", "DEVICE-DOWN", "MISSED", "NOISY", "IMPROVED"]
    assert rows[0][5:7] == ["5.6", "&#43;12.0 %"]
    assert rows[1][5:7] == ["-", "-"]
    assert "All 6 cells" in everything and "because of PASS" in everything
    assert counts(found) == "1 REGRESSED, 1 DEVICE-DOWN, 1 MISSED, 1 NOISY, 1 IMPROVED, 1 PASS"


@pytest.mark.parametrize("name", [*HOSTILE, MARKUP, "a\nb | c", "www.example.org", "@team"])
def test_names_are_shown_letter_by_letter(tmp_path: Path, name: str) -> None:
    """Nothing of a name is markup: what is left of it is letters, spaces and entities."""
    said = escaped(name)
    bare = re.sub(r"&#\d+;", "", said)
    assert not set(bare) & set(MARKUP) and bare.isprintable() and "www." not in bare
    cell = Cell(name, name, "litert", 1)
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(cell, NIGHTS[0])], [Verdict(cell, Word.NOISY, name)])
        text = markdown(content(store, no_steps))
    rows = [line for line in text.splitlines() if "NOISY" in line and line.startswith("|")]
    assert {row.count("|") for row in rows} == {9}


def test_a_device_that_is_down_is_one_line(tmp_path: Path) -> None:
    cells = [Cell("pi4", model, "litert", threads) for model in ("a", "b", "c") for threads in (1, 2)]
    with history(tmp_path / "h.sqlite") as store:
        verdicts = [Verdict(cell, Word.DEVICE_DOWN, "no answer") for cell in cells]
        add(store, NIGHTS[0], [down(cell, NIGHTS[0]) for cell in cells], verdicts)
        look, everything = markdown(content(store, no_steps)).split("<details>")
    assert "| DEVICE-DOWN | 3 models | pi4 | litert | 2 numbers | - | - | no answer |" in look
    assert (look.count("DEVICE-DOWN |"), everything.count("DEVICE-DOWN |")) == (1, 6)


def test_an_empty_history_says_so(tmp_path: Path) -> None:
    with history(tmp_path / "h.sqlite") as store:
        assert "No finished night" in markdown(content(store, no_steps))


def test_emulated_devices_are_named_and_cells_without_a_verdict_counted(tmp_path: Path) -> None:
    cell = Cell("virtual", "net", "litert", 1)
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(cell, NIGHTS[0], identity=identity(emulated=True))])
        text = markdown(content(store, no_steps))
    assert "nobody's latency: virtual." in text
    assert "1 without a verdict." in text
    assert "| --- |" not in text


def test_a_long_table_is_cut_and_says_so() -> None:
    text = markdown(content(Wide(1200, 1), no_steps))
    assert f"{1200 - MOST} more are left out here." in text
    assert len(text) < 2**20
