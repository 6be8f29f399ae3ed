"""LiteRT's own benchmark script beside the harness, in an environment that one call makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import table
from benchmarks.measuring import overhead

pytestmark = [pytest.mark.network, pytest.mark.timeout(600)]


def test_both_are_run_and_the_table_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # where the environment goes
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    words = ["--model", "bpcp", "--threads", "1", "--pairs", "6", "--invokes", "20"]
    monkeypatch.setattr("sys.argv", ["overhead", *words])
    overhead.main()
    page = (tmp_path / "overhead.md").read_text()
    row = next(line for line in page.splitlines() if line.startswith("| bpcp | 1 |"))
    _, _, _, script, harness, ratio, _, _, fastest, _ = (cell.strip() for cell in row.split("|"))
    assert float(script) > 0
    assert len(fastest.split(", ")) == 2
    assert float(harness) > 0
    assert 0.2 < float(ratio) < 5  # of one network on one machine, however busy that is
    assert "LiteRT 2.3.0 in both" in page
