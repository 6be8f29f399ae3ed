"""`edge-bench report`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from benchmarks.cli import main
from tests.benchmarks.page.nights import NIGHTS, every_word, history


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with history(tmp_path / "h.sqlite") as store:
        every_word(store)
    return tmp_path / "h.sqlite"


def report(*words: object) -> int:
    return main(["report", *map(str, words)])


def test_the_page_and_a_summary_are_written(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page, summary = tmp_path / "out/page.html", tmp_path / "out/summary.md"
    assert report("--history", file, "--output", page, "--markdown", summary) == 0
    assert page.read_text().startswith("<!doctype html>")
    assert "night of 2026-11-20 02:00 UTC</title>" in page.read_text()
    assert "REGRESSED" in summary.read_text()
    said = capsys.readouterr().out.splitlines()
    assert said[:2] == [str(page), str(summary)]
    assert said[2].startswith(f"night {NIGHTS[19]}: 1 REGRESSED")
    assert sorted(path.name for path in page.parent.iterdir()) == ["page.html", "summary.md"]


def test_the_summary_goes_to_standard_output(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--history", file, "--output", tmp_path / "p.html", "--markdown", "-") == 0
    assert capsys.readouterr().out.startswith("# edge-bench, night 2026")


def test_another_night(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--history", file, "--output", tmp_path / "p.html", "--night", NIGHTS[4]) == 0
    assert f"night {NIGHTS[4]}: 6 PASS" in capsys.readouterr().out


def test_defaults_are_beside_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with history(Path("build/bench/history.sqlite")) as store:
        every_word(store)
    assert report() == 0
    assert Path("build/bench/report.html").is_file()


def test_an_empty_history_has_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with history(tmp_path / "h.sqlite"):
        pass
    assert report("--history", tmp_path / "h.sqlite", "--output", tmp_path / "p.html") == 0
    assert "No finished night" in capsys.readouterr().out
    assert "No finished night" in (tmp_path / "p.html").read_text()


def refused(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    assert report(*words) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.count("\n") == 1
    return said


def test_a_history_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--history", tmp_path / "no.sqlite", "--output", tmp_path / "p.html")
    assert "expected a history" in said and "edge-bench matrix" in said
    assert list(tmp_path.iterdir()) == []


def test_a_night_that_is_not_there(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "--history", file, "--output", tmp_path / "p.html", "--night", "yesterday")
    assert "'yesterday'" in said and NIGHTS[0] in said and "edge-bench history show" in said
    assert not (tmp_path / "p.html").exists()


def test_a_history_of_a_newer_version(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with sqlite3.connect(file) as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    assert "99" in refused(capsys, "--history", file, "--output", tmp_path / "p.html")


def test_a_damaged_history(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "h.sqlite").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    refused(capsys, "--history", tmp_path / "h.sqlite", "--output", tmp_path / "p.html")
    assert not (tmp_path / "p.html").exists()


def test_the_history_is_not_written_over(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_bytes()
    assert "a file for each" in refused(capsys, "--history", file, "--output", file)
    refused(capsys, "--history", file, "--output", tmp_path / "a", "--markdown", tmp_path / "b/../a")
    assert file.read_bytes() == before


def test_a_place_that_can_not_be_written(file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "folder").mkdir()
    assert "no ordinary file" in refused(
        capsys, "--history", file, "--output", tmp_path / "p.html", "--markdown", tmp_path / "folder"
    )
    assert not (tmp_path / "p.html").exists()
