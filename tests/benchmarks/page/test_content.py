"""From a history to the page's content."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from benchmarks.history.store import Store
from benchmarks.measurement import CANARY_BEFORE, CONFIRMATION, Cell, Measurement, Sample, State, Verdict, Word
from benchmarks.page.content import FIXED, content, natural
from benchmarks.page.document import document
from benchmarks.page.models import known_models
from benchmarks.page.numbers import clean, median, short
from benchmarks.page.trends import WHOLE, axis, places_of, step_ratio, trend
from edge.errors import EdgeError
from edge.model import find, read
from tests.benchmarks.page.nights import NIGHTS, add, down, every_word, history, identity, measured, no_steps

CELL = Cell("pi4", "net", "litert", 1)


def of(store: Store, **more: Any) -> dict[str, Any]:
    found = content(store, more.pop("steps", no_steps), **more)
    json.dumps(found, allow_nan=False)
    return found


def test_an_empty_history_is_a_content_without_a_night(tmp_path: Path) -> None:
    with history(tmp_path / "h.sqlite") as store:
        found = of(store)
        assert found["night"] is None
        assert found["cells"] == found["nights"] == found["devices"] == []
        with pytest.raises(EdgeError, match=r"no night '2026'.*edge-bench matrix") as error:
            of(store, night="2026")
    assert error.value.code == "page.night"


def test_a_night_that_is_not_finished_is_left_out(tmp_path: Path) -> None:
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(CELL, NIGHTS[0])])
        store.begin(NIGHTS[1], {})
        store.add(NIGHTS[1], measured(CELL, NIGHTS[1], p50=9.0))
        found = of(store)
    assert (found["night"], found["nights"]) == (NIGHTS[0], [NIGHTS[0]])


def test_the_night_is_the_medians_of_its_fresh_starts(tmp_path: Path) -> None:
    """The canary's and the confirmation's starts are no part of it."""
    with history(tmp_path / "h.sqlite") as store:
        starts = [measured(CELL, NIGHTS[0], start, p50) for start, p50 in enumerate((4.0, 5.0, 4.5))]
        others = [measured(CELL, NIGHTS[0], 0, 50.0, role=role) for role in (CANARY_BEFORE, CONFIRMATION)]
        canary = measured(Cell("pi4", "bpcp", "litert", 1), NIGHTS[0], role=CANARY_BEFORE)
        add(store, NIGHTS[0], [*starts, *others, canary], [Verdict(CELL, Word.PASS, "fine", {"ratio": 1.01234567})])
        (cell,) = of(store)["cells"]
    assert (cell["p50"], cell["starts"], cell["confirmation"]) == (4.5, [4, 5, 4.5], [50])
    assert (cell["latency"]["cold_start"], cell["memory"]["peak"], cell["trend"]) == (60, 60, [4.5])
    assert (cell["word"], cell["reason"], cell["evidence"]) == ("PASS", "fine", {"ratio": 1.012})


def test_an_earlier_night_knows_nothing_of_later_ones(tmp_path: Path) -> None:
    with history(tmp_path / "h.sqlite") as store:
        for night, p50 in zip(NIGHTS[:3], (4.0, 5.0, 6.0), strict=True):
            add(store, night, [measured(CELL, night, p50=p50)])
        add(store, NIGHTS[3], [measured(Cell("new", "net", "litert", 1), NIGHTS[3])])
        found = of(store, night=NIGHTS[1])
        with pytest.raises(EdgeError, match="it has 4, from"):
            of(store, night="2027-01-01T02:00:00Z")
    assert found["nights"] == NIGHTS[:2]
    assert [cell["trend"] for cell in found["cells"]] == [[4, 5]]


def test_a_cell_that_is_missing_tonight_keeps_its_trend(tmp_path: Path) -> None:
    other = Cell("pi5", "net", "litert", 1)
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(CELL, NIGHTS[0]), measured(other, NIGHTS[0])])
        add(store, NIGHTS[2], [measured(other, NIGHTS[2], p50=4.2)])
        gone, there = of(store)["cells"]
    assert "word" not in gone and "p50" not in gone
    assert (gone["trend"], there["trend"]) == ([4, None], [4, 4.2])


def test_a_device_that_is_down_says_why(tmp_path: Path) -> None:
    with history(tmp_path / "h.sqlite") as store:
        cells = every_word(store)
        found = of(store)
    (cell,) = [cell for cell in found["cells"] if cell["word"] == "DEVICE-DOWN"]
    assert cell["fault"] == {"code": "board.timeout", "message": "no answer within 60 s"}
    assert "p50" not in cell
    assert cell["trend"][-1] is None
    assert cell["marks"] == [[19, "DEVICE-DOWN"]]
    assert {
        (found["devices"][c["device"]]["name"], found["models"][c["model"]], c["threads"]) for c in found["cells"]
    } == {(c.device, c.model, c.threads) for c in cells}


def test_the_board_that_was_hot(tmp_path: Path) -> None:
    hot = [State("during", 1.0, "performance", [600.0], 81.0, ["throttled"], ["under-voltage"])]
    with history(tmp_path / "h.sqlite") as store:
        starts = [measured(CELL, NIGHTS[0]), measured(CELL, NIGHTS[0], 1, states=hot, identity=identity(emulated=True))]
        add(store, NIGHTS[0], [*starts, down(Cell("pi4", "other", "litert", 1), NIGHTS[0])])
        (device,) = of(store)["devices"]
    assert device["temperature"] == {"before": 48, "during": 81, "after": 61}
    assert (device["clock"], device["governor"]) == ([600, 1800], "ondemand then performance")
    assert (device["throttled"], device["occurred"]) == (["capped", "throttled"], ["under-voltage"])
    assert (device["emulated"], device["faults"], device["starts"]) == (True, 1, 3)


def target(measured_: float | None, met: bool | None, basis: str = "host", **more: Any) -> dict[str, Any]:
    return {"name": "speedup", "target": 8.0, "measured": measured_, "met": met, "basis": basis, **more}


def targets_of(tmp_path: Path, found: Sequence[Measurement]) -> list[dict[str, Any]]:
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], found)
        return of(store)["targets"]


def test_what_the_host_measured_is_one_row(tmp_path: Path) -> None:
    cells = [CELL, Cell("pi5", "net", "native", 2)]
    (row,) = targets_of(tmp_path, [measured(cell, NIGHTS[0], targets=[target(9.86, True)]) for cell in cells])
    assert (row["device"], row["low"], row["high"], row["met"], row["missed"]) == (None, 9.86, 9.86, 1, 0)
    assert row["better"] == "higher", "9.86 is met with 8 wanted"


def test_what_a_device_measured_is_a_row_of_its_own(tmp_path: Path) -> None:
    cells = [CELL, Cell("pi4", "net", "native", 1), Cell("pi5", "net", "native", 1)]
    values = [(9.0, False), (7.0, True), (None, None)]
    found = [
        measured(c, NIGHTS[0], targets=[target(v, met, "peak")]) for c, (v, met) in zip(cells, values, strict=True)
    ]
    first, second = targets_of(tmp_path, found)
    assert (first["device"], first["low"], first["high"], first["met"], first["missed"]) == ("pi4", 7, 9, 1, 1)
    assert first["better"] == "lower"
    assert (second["device"], second["low"], second["met"], second["missed"]) == ("pi5", None, 0, 0)


def test_directions_and_sources_come_with_the_target_or_the_manifest(tmp_path: Path) -> None:
    said = target(8.0, True, better="lower", source="a paper")
    (row,) = targets_of(tmp_path, [measured(CELL, NIGHTS[0], targets=[said])])
    assert (row["better"], row["source"]) == ("lower", "a paper")
    digest = read(find("polyp")).sha256
    shipped = measured(CELL, NIGHTS[0], targets=[target(8.0, True)], identity=identity(model_sha256=digest))
    (row,) = targets_of(tmp_path / "2", [shipped])
    assert (row["better"], row["source"]) == ("higher", "edge-infer")


def test_a_shipped_model_brings_what_its_maker_measured(tmp_path: Path) -> None:
    digest = read(find("polyp")).sha256
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(CELL, NIGHTS[0], identity=identity(model_sha256=digest))])
        found = of(store)
    assert found["digests"][found["cells"][0]["digest"]] == digest
    (host,) = found["hosts"]
    assert host["metrics"] == {"dice": 0.8763, "iou": 0.8082}
    assert host["data"].startswith("Kvasir-SEG")
    assert len(known_models()) == 4


def test_golden_vectors_are_counted_and_not_listed(tmp_path: Path) -> None:
    golden = {"kind": "golden", "passed": 3, "count": 4, "verdicts": [{"image": "a"}] * 4}
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(CELL, NIGHTS[0], accuracy=golden)])
        (cell,) = of(store)["cells"]
    assert cell["accuracy"] == {"kind": "golden", "passed": 3, "count": 4}


def test_runtimes_are_in_their_order_and_unknown_ones_behind_them(tmp_path: Path) -> None:
    cells = [Cell("pi4", "net", runtime, 1) for runtime in ("zig", "tflite", "native")]
    with history(tmp_path / "h.sqlite") as store:
        add(store, NIGHTS[0], [measured(cell, NIGHTS[0]) for cell in cells])
        found = of(store)
    assert found["runtimes"] == ["native", "tflite", "zig"]
    assert [cell["runtime"] for cell in found["cells"]] == found["runtimes"]


def test_names_are_sorted_as_people_do() -> None:
    assert sorted(["pi-10", "pi-9", "pi", "9", "a²b"], key=natural) == ["9", "a²b", "pi", "pi-9", "pi-10"]


def test_numbers_are_short() -> None:
    assert [short(value) for value in (4.19234, 523090000.0, 3.0, 0.00012345, float("nan"), float("inf"), None)] == [
        4.192,
        523100000,
        3,
        0.0001234,
        None,
        None,
        None,
    ]
    assert (median([5.0, 3.0, 1.0, 2.0, 9.0]), median([1.0, 2.0]), median([])) == (3, 1.5, None)
    assert clean({"a": True, "b": None})["a"] is True
    assert clean({"a": [float("nan"), True, {"b": object}], 1: None}, 2)["a"][:2] == [None, True]
    deep: list[Any] = []
    for _ in range(100):
        deep = [deep]
    assert len(json.dumps(clean(deep))) < 40


def samples(values: Sequence[float | None], word: Word = Word.PASS) -> list[Sample]:
    return [
        Sample(f"{index:04}", [] if value is None else [value], verdict=Verdict(CELL, word, ""))
        for index, value in enumerate(values)
    ]


def test_a_step_is_marked_at_its_night_with_its_size() -> None:
    found = samples([10.0] * 20 + [None] + [11.0] * 20)
    drawn = axis([sample.night for sample in found], 1, 10_000)
    row = trend(found, drawn, places_of(drawn), lambda series: [21])
    assert row["steps"] == [[21, 1.1]]
    assert row["trend"][19:22] == [10, None, 11]
    assert row["marks"] == []
    assert step_ratio([None], [None, 1.0]) is None


def test_a_step_is_as_large_as_the_levels_on_both_of_its_sides() -> None:
    """Three nights of heat are two steps, and not none."""
    found = samples([10.0] * 20 + [15.0] * 3 + [10.0] * 20)
    drawn = axis([sample.night for sample in found], 1, 10_000)
    row = trend(found, drawn, places_of(drawn), lambda series: [20, 23])
    assert row["steps"] == [[20, 1.5], [23, 0.6667]]


@pytest.mark.parametrize(
    ("nights", "series", "points"), [(365, 800, 150_000), (3650, 200, 150_000), (365, 9, 150_000), (70, 10**6, 9)]
)
def test_old_nights_are_thinned_and_new_ones_kept(nights: int, series: int, points: int) -> None:
    names = [f"{index:05}" for index in range(nights)]
    drawn = axis(names, series, points)
    assert [night for group in drawn.groups for night in group] == names
    assert all(len(group) == 1 for group in drawn.groups[-WHOLE:])
    assert max(map(len, drawn.groups)) == drawn.thinned
    assert len(drawn.groups) * series <= points or len(drawn.groups) <= WHOLE + 1


def test_thinned_nights_are_medians() -> None:
    found = samples([1.0, 2.0, 9.0, None, 4.0] + [7.0] * WHOLE)
    drawn = axis([sample.night for sample in found], 1, WHOLE + 2)
    row = trend(found, drawn, places_of(drawn), no_steps)
    assert (drawn.thinned, row["trend"][:3]) == (3, [2, 4, 7])


class Wide:
    """A year of more cells than a history that is made in a test can have."""

    def __init__(self, cells: int, nights: int) -> None:
        self._nights = [f"2025-{index:05}" for index in range(nights)]
        self._cells = [
            Cell(f"device-{n % 10}", f"model-{n // 60}", ("native", "litert", "tflite")[n // 10 % 3], n // 30 % 2)
            for n in range(cells)
        ]

    def nights(self) -> list[str]:
        return self._nights

    def measurements(self, night: str) -> list[Measurement]:
        return [measured(cell, night, 0, 4.1234 + index / 7) for index, cell in enumerate(self._cells)]

    def verdicts(self, night: str) -> list[Verdict]:
        evidence = {
            "p50_ms": 4.1234,
            "baseline_ms": 4.0123,
            "ratio": 1.0277,
            "interval": [0.9871, 1.0512],
            "threshold": 1.0432,
            "model_sha256": "ab" * 32,
            "targets": [
                {"name": "speedup", "target": 6, "measured": 3.84, "source": "who set it and why, in some words"}
            ],
        }
        return [
            Verdict(cell, Word.PASS, "4.12 ms against 4.01 ms before, a ratio of 1.028, inside of 4.3 %", evidence)
            for cell in self._cells
        ]

    def all_series(self, evidence: bool = True) -> dict[Cell, list[Sample]]:
        return {
            cell: [Sample(night, [4.1234 + index / 7]) for night in self._nights]
            for index, cell in enumerate(self._cells)
        }


def test_a_year_of_all_runtimes_and_threads_is_a_small_page() -> None:
    found = content(Wide(1200, 365), no_steps)
    assert len(found["cells"]) == 1200
    assert found["thinned"] > 1
    assert 2_600_000 < len(document({**found, "written": "", "program": ""}, "t", "s").encode()) <= 3_000_000


def test_what_the_page_is_made_of_has_the_room_that_is_kept_for_it() -> None:
    assert len(document({}, "t", "s").encode()) < FIXED
