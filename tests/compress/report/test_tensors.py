"""The table of int8 against float: in the model file, printed, as a chart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from compress import cli
from compress.report import chart, tensors
from edge.model import find, read
from tests.edge import packing
from tests.edge.conftest import HERE

TINY = (HERE / "data/tiny.tflite").read_bytes()
CONV = tensors.Row(
    "net/conv;net/bn", "stem.conv", "CONV_2D", (1, 8, 8, 4), "int8", 0.0123456789, -128, 0.0, 3.25, "mse", 31.234
)


def report(number: int, **changes: Any) -> dict[str, Any]:
    return CONV._replace(name=f"t{number}")._asdict() | changes


def network(count: int, **worst: float) -> list[tensors.Row]:
    """A table of a network of four parts, in which the named tensors are the worst: t3=9.0."""
    return tensors.rows(
        report(n, module=f"part{4 * n // count}.conv{n}", snr_db=worst.get(f"t{n}", 40.0 - n / count))
        for n in range(count)
    )


def model_file(path: Path, member: bytes | None) -> Path:
    raw = packing.manifest(TINY)
    labels = "".join(f"{label}\n" for label in raw["outputs"][0]["labels"]).encode()
    members = {"manifest.json": json.dumps(raw).encode(), "labels.txt": labels}
    path.write_bytes(packing.pack_members(TINY, members | ({tensors.MEMBER: member} if member is not None else {})))
    return path


number = st.floats(allow_nan=False, allow_infinity=False, width=32)
text = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=30)


@given(st.lists(st.builds(
    tensors.Row, text, text, text, st.lists(st.integers(0, 10**6), max_size=5).map(tuple), text, number,
    st.integers(-(2**31), 2**31), number, number, text, st.floats(-200, 200),
), max_size=5))  # fmt: skip
def test_a_table_comes_back_as_it_was(tmp_path_factory: pytest.TempPathFactory, table: list[tensors.Row]) -> None:
    path = tmp_path_factory.getbasetemp() / "table.tflite"
    assert tensors.read(read(model_file(path, tensors.member(table)))) == table


def test_rows_are_short() -> None:
    (row,) = tensors.rows([report(1, name="n" * 5000)])
    assert len(row.name) == tensors.NAME
    assert (row.scale, row.snr_db, row.shape, row.module) == (0.0123457, 31.23, (1, 8, 8, 4), "stem.conv")


def test_show_prints_the_table_in_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = network(20, t3=9.0, t11=2.5, t17=200.0)
    path = model_file(tmp_path / "m.tflite", tensors.member(table))
    assert cli.main(["show", "--tensors", str(path)]) == 0
    _, *lines, last = capsys.readouterr().out.splitlines()
    assert [line.split()[-9] for line in lines] == [row.module for row in table]
    assert [n for n, line in enumerate(lines) if line.startswith("*")] == [3, 11, 16, 18, 19]
    assert lines[3].split()[-1] == "9.0" and lines[17].split()[-1] == "exact"
    assert last.startswith("worst: 11 part2.conv11 (CONV_2D) 2.5 dB, 3 part0.conv3 (CONV_2D) 9.0 dB, ")


def test_show_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = network(3)
    path = model_file(tmp_path / "m.tflite", tensors.member(table))
    assert cli.main(["show", "--tensors", "--json", str(path)]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [tensors.Row(**one)._replace(shape=tuple(one["shape"])) for one in found] == table


def test_names_of_others_are_escaped(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = [tensors.rows([report(0, module="\x1b[31mred\n\u202e", name="x")])[0]]
    path = model_file(tmp_path / "m.tflite", tensors.member(table))
    assert cli.main(["show", "--tensors", str(path)]) == 0
    assert all(letter.isprintable() or letter == "\n" for letter in capsys.readouterr().out)


def test_a_file_without_a_table_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model_file(tmp_path / "m.tflite", None)
    assert cli.main(["show", "--tensors", str(path)]) == 2
    said = capsys.readouterr().err
    assert "no table of its tensors" in said and "edge-compress convert" in said


GOOD = json.loads(tensors.member(network(2)))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"[]",
        b"{}",
        b"\xff",
        b'{"columns": [], "rows": []}',
        json.dumps(GOOD | {"rows": [[1]]}).encode(),
        json.dumps(GOOD | {"rows": [7]}).encode(),
        json.dumps(GOOD | {"rows": [[*GOOD["rows"][0][:-1], "much"]]}).encode(),
        json.dumps(GOOD | {"rows": [[*GOOD["rows"][0][:-1], True]]}).encode(),
        json.dumps(GOOD | {"rows": [[*GOOD["rows"][0][:3], "1x2", *GOOD["rows"][0][4:]]]}).encode(),
        json.dumps(GOOD | {"rows": [[None, *GOOD["rows"][0][1:]]]}).encode(),
        b"[" * 100_000,
    ],
)
def test_a_damaged_table_is_refused(tmp_path: Path, damaged: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    path = model_file(tmp_path / "m.tflite", damaged)
    assert cli.main(["show", "--tensors", str(path)]) == 2
    assert "has a table of tensors that can't be read" in capsys.readouterr().err
    assert cli.main(["show", str(path)]) == 0, "the rest of the file is as good as ever"


def test_columns_that_are_not_known_are_ignored(tmp_path: Path) -> None:
    raw = {"columns": ["new", *GOOD["columns"]], "rows": [[0, *row] for row in GOOD["rows"]]}
    path = model_file(tmp_path / "m.tflite", json.dumps(raw).encode())
    assert tensors.read(read(find(path))) == network(2)


def test_parts_of_the_network() -> None:
    table = tensors.rows(report(n, module=module) for n, module in enumerate(["", "a.x", "", "a.y", "b.x", "b.z"]))
    assert chart.bands(table) == [("a.x", 1, 3), ("a.y", 3, 4), ("b.x", 4, 5), ("b.z", 5, 6)]
    many = tensors.rows(report(n, module=f"{'ab'[n // 40]}.block{n}") for n in range(80))
    assert chart.bands(many) == [("a", 0, 40), ("b", 40, 80)]


@pytest.mark.parametrize("count", [0, 1, 40])
def test_the_chart_is_the_same_every_time(tmp_path: Path, count: int) -> None:
    table = network(count, t3=9.0, t11=2.5) if count else []
    for name in ("a.png", "b.png"):
        chart.draw(table, "A network", tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert Image.open(tmp_path / "a.png").size[0] > 600
