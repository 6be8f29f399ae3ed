from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from compress.report.ledger import Ledger, Row, draw, header, line

HEADER = header("AUC")
ROWS = [
    Row("network", "resnet50", 23_512_130, 4_087_136_256, 94_048_520, 0.5, 0.2),
    Row("prune", "bn-scale, 60% to 90%", 3_454_999, 523_090_000, 13_819_996, 0.98765, 12.6),
    Row("fold-grey", "three equal channels to one", 120, 999, 480, 1.0, 86_400.0),
]
COLUMNS = ("parameters", "MACs", "size", "val. AUC", "time")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.step)
def test_every_number_ends_under_its_title(row: Row) -> None:
    text = line(row)
    assert len(text) == len(HEADER)
    for title in COLUMNS:
        end = HEADER.index(title) + len(title)
        assert text[end - 1] != " ", title
        assert text[end : end + 1] in ("", " "), title


def test_a_line_says_the_rows_numbers() -> None:
    assert " ".join(line(ROWS[1]).split()) == "prune bn-scale, 60% to 90% 3,454,999 523.1 M 13.82 MB 0.9877 13 s"


def test_a_long_detail_is_cut() -> None:
    row = Row("ghost", "stage*.conv1, stage*.conv3, and many more layers", 1, 1, 1, 0.5, 1)
    assert len(line(row)) == len(HEADER)
    assert "stage*.conv1, stage*.conv3, and" in line(row)


def test_rows_are_said_when_they_are_added() -> None:
    said: list[str] = []
    ledger = Ledger(said.append, "AUC")
    assert said == []
    for number, row in enumerate(ROWS, 1):
        ledger.add(row)
        assert said == [HEADER, *map(line, ROWS[:number])]


def test_the_json_gives_the_rows_back(tmp_path: Path) -> None:
    ledger = Ledger(lambda text: None, "AUC")
    for row in ROWS:
        ledger.add(row)
    ledger.save(tmp_path / "x.json")
    assert [Row(**row) for row in json.loads((tmp_path / "x.json").read_text())] == ROWS
    assert [path.name for path in tmp_path.iterdir()] == ["x.json"]


def ledger(rows: list[Row], metric: str = "AUC") -> Ledger:
    made = Ledger(lambda text: None, metric)
    for row in rows:
        made.add(row)
    return made


def test_the_chart_is_a_picture_of_the_rows(tmp_path: Path) -> None:
    draw(ledger(ROWS), "A title", tmp_path / "a.png")
    draw(ledger(ROWS), "A title", tmp_path / "b.png")
    draw(ledger(ROWS[:2]), "A title", tmp_path / "c.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert (picture.format, picture.size) == ("PNG", (880, 825))
        pixels = np.asarray(picture.convert("L"))
    assert pixels.std() > 10
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "c.png").read_bytes()


def test_the_metric_has_its_name(tmp_path: Path) -> None:
    assert "val. Dice" in header("Dice")
    assert len(header("Dice")) == len(HEADER)
    draw(ledger(ROWS), "A title", tmp_path / "a.png")
    draw(ledger(ROWS, "Dice"), "A title", tmp_path / "b.png")
    assert (tmp_path / "a.png").read_bytes() != (tmp_path / "b.png").read_bytes()
