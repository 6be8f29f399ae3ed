"""What is kept is what was given; nothing changes; nights keep the order of their names."""

from __future__ import annotations

import dataclasses
import datetime
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.history.store import Store, open_store
from benchmarks.measurement import (
    CANARY_AFTER,
    CANARY_BEFORE,
    CONFIRMATION,
    Cell,
    Identity,
    Measurement,
    Sample,
    State,
    Verdict,
    Word,
)
from edge.errors import EdgeError
from tests.benchmarks.history.samples import CELL, FIRST, IDENTITY, OTHER, SECOND, THIRD, start, verdict


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with open_store(tmp_path / "history.sqlite") as opened:
        yield opened


def test_what_is_kept_is_what_was_given(store: Store) -> None:
    kept = [start(0), start(1, identity=None, fault="measure.failed"), start(0, cell=OTHER, role=CONFIRMATION)]
    store.begin(FIRST, {"models": ["bpcp"]})
    for each in kept:
        store.add(FIRST, each)
    store.add_verdict(FIRST, verdict(Word.MISSED, OTHER))
    store.add_verdict(FIRST, verdict(Word.PASS, CELL))
    with open_store(store.path) as again:
        assert again.measurements(FIRST) == kept
        assert again.verdicts(FIRST) == [verdict(Word.PASS, CELL), verdict(Word.MISSED, OTHER)]
        assert again.cells() == [CELL, OTHER]


numbers = st.floats(allow_nan=False, allow_infinity=False)
words = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
maybe = st.none() | words
identities = st.builds(Identity, st.dictionaries(words, words), maybe, maybe, maybe, maybe, maybe, maybe, st.booleans())
states = st.builds(State, words, numbers, maybe, st.none() | st.lists(numbers, max_size=2), st.none() | numbers)
cells = st.builds(Cell, words, words, words, st.integers(1, 8))


@settings(max_examples=60)
@given(
    st.builds(
        Measurement,
        cells,
        words,
        st.integers(0, 9),
        words,
        st.dictionaries(words, numbers, max_size=3),
        states=st.lists(states, max_size=2),
        identity=st.none() | identities,
        fault=st.none() | st.fixed_dictionaries({"code": words, "message": words}),
    ),
    st.builds(Verdict, cells, st.sampled_from(Word), words, st.dictionaries(words, numbers | words, max_size=3)),
)
def test_any_measurement_and_verdict_come_back(measured: Measurement, judged: Verdict) -> None:
    with open_store(Path(":memory:")) as store:
        store.begin(FIRST, {})
        store.add(FIRST, measured)
        store.add_verdict(FIRST, judged)
        assert store.measurements(FIRST) == [measured]
        assert store.verdicts(FIRST) == [judged]


def test_a_measurement_has_columns_for_whoever_asks_with_sql(store: Store) -> None:
    store.begin(FIRST, {})
    store.add(FIRST, start(2, 1.75))
    asked = "SELECT night, device, model, runtime, threads, role, start, p50_ms, model_sha256, program, release, "
    asked += "runtime_version, machine, kernel, emulated, fault FROM measured"
    with sqlite3.connect(store.path) as connection:
        (row,) = connection.execute(asked)
    connection.close()
    versions = ("45ff" * 16, "0.1.0", "2026.11", "2.1.0", "0123", "6.6.31", 0)
    assert row == (FIRST, "pi4", "bpcp", "native", 1, "model", 2, 1.75, *versions, None)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE measurements SET p50_ms = 1",
        "DELETE FROM measurements",
        "UPDATE records SET record = '{}'",
        "UPDATE verdicts SET word = 'PASS'",
        "DELETE FROM verdicts",
    ],
)
def test_nothing_changes_what_was_kept(store: Store, statement: str) -> None:
    store.begin(FIRST, {})
    store.add(FIRST, start())
    store.add_verdict(FIRST, verdict())
    connection = sqlite3.connect(store.path)
    with pytest.raises(sqlite3.IntegrityError, match=r"do not change|stay|go with"):
        connection.execute(statement)
    connection.close()


def test_a_start_and_a_verdict_are_kept_once(store: Store) -> None:
    store.begin(FIRST, {})
    store.add(FIRST, start(0, 1.5))
    with pytest.raises(EdgeError, match=r"start 0 \(model\) of bpcp on pi4") as raised:
        store.add(FIRST, start(0, 99.0))
    assert raised.value.code == "history.twice"
    store.add_verdict(FIRST, verdict())
    with pytest.raises(EdgeError, match="a verdict on bpcp on pi4") as raised:
        store.add_verdict(FIRST, verdict(Word.NOISY))
    assert raised.value.code == "history.twice"
    assert [each.latency_ms["p50"] for each in store.measurements(FIRST)] == [1.5]
    assert store.verdicts(FIRST) == [verdict()]


def test_after_a_fault_a_start_may_come_again(store: Store) -> None:
    store.begin(FIRST, {})
    for each in (start(0, fault="board.lost"), start(0, fault="board.lost"), start(0, 1.5)):
        store.add(FIRST, each)
    assert len(store.measurements(FIRST)) == 3
    assert store.series(CELL)[0].p50_ms == [1.5]


def test_a_number_that_json_lacks_is_refused_and_nothing_is_kept(store: Store) -> None:
    store.begin(FIRST, {})
    with pytest.raises(EdgeError, match=r"latency_ms\.p50 is nan"):
        store.add(FIRST, start(0, float("nan")))
    assert store.measurements(FIRST) == []
    assert store.cells() == []


def test_what_fails_in_the_midst_leaves_nothing(store: Store) -> None:
    store.begin(FIRST, {})
    with pytest.raises(ZeroDivisionError), store.together():
        store.add(FIRST, start(0))
        store.add_verdict(FIRST, verdict(cell=OTHER))
        _ = 1 / 0
    assert (store.measurements(FIRST), store.verdicts(FIRST), store.cells()) == ([], [], [])


def test_what_is_added_together_is_read_there(store: Store) -> None:
    with store.together():
        store.begin(FIRST, {})
        store.add(FIRST, start(0, 1.5))
        assert store.series(CELL)[0].p50_ms == [1.5]
        assert len(store.summary()) == 1
        with open_store(store.path) as other:
            assert other.all_nights() == [], "others see it when all is there"
    with open_store(store.path) as other:
        assert len(other.measurements(FIRST)) == 1


# Nights


def test_an_unfinished_night_is_found_with_its_plan(store: Store) -> None:
    assert store.unfinished() is None
    store.begin(FIRST, {"models": ["bpcp"], "starts": 3})
    with open_store(store.path) as again:
        assert again.unfinished() == (FIRST, {"models": ["bpcp"], "starts": 3})
        assert again.nights() == []
        again.finish(FIRST)
    assert store.unfinished() is None
    assert store.nights() == [FIRST]


def test_a_night_that_a_later_one_follows_is_given_up(store: Store) -> None:
    store.begin(FIRST, {})
    store.begin(SECOND, {})
    store.finish(SECOND)
    assert store.unfinished() is None
    assert store.nights() == [SECOND]
    assert store.all_nights() == [FIRST, SECOND]


@pytest.mark.parametrize("later", [FIRST, SECOND])
def test_a_clock_that_jumps_back_makes_no_night_in_the_past(store: Store, later: str) -> None:
    store.begin(later, {})
    with pytest.raises(EdgeError, match="correct the clock") as raised:
        store.begin(FIRST, {})
    assert raised.value.code == "history.order"
    jumped = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
    name = store.new_night(jumped)
    assert name == later.replace("00Z", "01Z")
    store.begin(name, {})
    assert store.all_nights() == [later, name]


def test_a_night_is_named_by_utc(store: Store) -> None:
    east = datetime.timezone(datetime.timedelta(hours=5))
    assert store.new_night(datetime.datetime(2026, 11, 28, 7, 0, 0, tzinfo=east)) == THIRD
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M")
    assert store.new_night() >= now


@pytest.mark.parametrize(
    "name", ["", "last night", "2026-13-28T02:00:00Z", "2026-11-28 02:00:00", "2026-11-28T02:00:00Z\n"]
)
def test_a_name_that_would_not_sort_is_refused(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match=r"night|does not match"):
        store.begin(name, {})
    assert store.all_nights() == []


def test_an_unknown_night_is_named(store: Store) -> None:
    for action in (
        lambda: store.add(FIRST, start()),
        lambda: store.measurements(FIRST),
        lambda: store.verdicts(FIRST),
        lambda: store.finish(FIRST),
        lambda: store.series(CELL, until=FIRST),
    ):
        with pytest.raises(EdgeError, match="has no night 2026-11-26") as raised:
            action()
        assert raised.value.code == "history.night"


# Series


def test_a_series_has_starts_confirmation_canaries_and_verdict(store: Store) -> None:
    canary = Cell("pi4", "bpcp", "native", 4)
    store.begin(FIRST, {})
    for number, p50 in enumerate((3.0, 3.1, 2.9)):
        store.add(FIRST, start(number, p50, OTHER))
        store.add(FIRST, start(number, p50 / 2, canary, CANARY_BEFORE))
        store.add(FIRST, start(number, p50 / 3, canary, CANARY_AFTER))
    store.add(FIRST, start(0, 4.0, OTHER, CONFIRMATION))
    store.add(FIRST, start(0, 77.0, Cell("pi5", "bpcp", "native", 4), CANARY_BEFORE))  # another device's
    store.add(FIRST, start(3, cell=OTHER, fault="measure.failed"))
    store.add_verdict(FIRST, verdict(Word.NOISY, OTHER))
    assert store.series(OTHER) == [
        Sample(
            FIRST,
            [3.0, 3.1, 2.9],
            [4.0],
            [1.5, 3.1 / 2, 2.9 / 2],
            [1.0, 3.1 / 3, 2.9 / 3],
            IDENTITY,
            verdict(Word.NOISY, OTHER),
        )
    ]
    assert store.cells() == [OTHER], "a canary is no cell of the matrix"
    assert store.series(canary) == []


def test_a_missing_night_and_a_device_that_is_down(store: Store) -> None:
    for night in (FIRST, SECOND, THIRD):
        store.begin(night, {})
    store.add(FIRST, start(0, 1.0))
    store.add(THIRD, start(0, identity=None, fault="board.unreachable"))
    store.add_verdict(THIRD, verdict(Word.DEVICE_DOWN))
    found = store.series(CELL)
    assert [(each.night, each.p50_ms, each.identity) for each in found] == [(FIRST, [1.0], IDENTITY), (THIRD, [], None)]
    assert [each.night for each in store.series(CELL, until=SECOND)] == [FIRST]


def test_a_verdict_alone_makes_a_night_of_a_cell(store: Store) -> None:
    for night in (FIRST, SECOND):
        store.begin(night, {})
    store.add_verdict(FIRST, verdict(Word.DEVICE_DOWN))
    store.add(SECOND, start(0, 1.0))
    assert [(each.night, each.p50_ms) for each in store.series(CELL)] == [(FIRST, []), (SECOND, [1.0])]


def test_a_replaced_device_shows_in_the_identities(store: Store) -> None:
    faster = dataclasses.replace(IDENTITY, machine="4567", board={"model": "Raspberry Pi 5", "cores": 4})
    store.begin(FIRST, {})
    store.add(FIRST, start(0, 10.0))
    store.begin(SECOND, {})
    store.add(SECOND, start(0, 4.0, identity=None))
    store.add(SECOND, start(1, 4.1, identity=faster))
    assert [each.identity for each in store.series(CELL)] == [IDENTITY, faster]


def test_all_series_are_the_series_of_finished_nights(store: Store) -> None:
    for night in (FIRST, SECOND):
        store.begin(night, {})
        for cell in (CELL, OTHER):
            store.add(night, start(0, 1.0, cell))
            store.add_verdict(night, verdict(cell=cell))
        store.finish(night)
    store.begin(THIRD, {})
    store.add(THIRD, start(0, 1.0))
    assert store.all_series() == {cell: store.series(cell, until=SECOND) for cell in (CELL, OTHER)}
    assert [each.night for each in store.series(CELL)] == [FIRST, SECOND, THIRD]
    spare = store.all_series(evidence=False)[CELL][0].verdict
    assert spare == dataclasses.replace(verdict(), evidence={})


# Latency tables


def test_latency_tables_are_kept_by_device(store: Store) -> None:
    rows = [{"operator": "conv", "channels": 8, "us": 12.5}, {"operator": "add", "us": 1.0}]
    store.add_latencies(SECOND, "pi4", IDENTITY, rows)
    store.add_latencies(FIRST, "pi4", None, [])
    store.add_latencies(FIRST, "pi5", IDENTITY, rows)
    found = store.latencies("pi4")
    assert [(table.night, table.identity, table.rows) for table in found] == [
        (FIRST, None, []),
        (SECOND, IDENTITY, rows),
    ]
    assert store.latencies("nobody") == []


# Retention


def test_what_is_old_goes_and_its_verdicts_stay(store: Store) -> None:
    for night, p50 in ((FIRST, 1.0), (SECOND, 2.0), (THIRD, 3.0)):
        store.begin(night, {})
        store.add(night, start(0, p50))
        store.add_verdict(night, verdict())
        store.add_latencies(night, "pi4", IDENTITY, [])
        store.finish(night)
    gone = store.prune(2)
    assert (gone.nights, gone.measurements, gone.latencies) == ([FIRST], 1, 1)
    assert store.measurements(FIRST) == []
    assert store.verdicts(FIRST) == [verdict()]
    assert [each.night for each in store.series(CELL)] == [SECOND, THIRD]
    assert [(night.pruned, night.measurements, night.words) for night in store.summary()] == [
        (True, 0, {"PASS": 1}),
        (False, 1, {"PASS": 1}),
        (False, 1, {"PASS": 1}),
    ]
    assert store.prune(2).nights == []
    with sqlite3.connect(store.path) as connection:
        assert connection.execute("SELECT count(*) FROM records").fetchone() == (2,)
    connection.close()


def test_a_clock_that_jumps_ahead_does_not_empty_the_history(store: Store) -> None:
    nights = [FIRST, SECOND, "2026-11-27T14:00:00Z", "2037-01-01T00:00:00Z", "2037-01-01T00:00:01Z"]
    for night in nights:
        store.begin(night, {})
        store.add(night, start())
    assert store.prune(3).nights == []
    assert store.prune(2).nights == [FIRST]
    assert [each.night for each in store.series(CELL)] == nights[1:]


def test_an_empty_history_has_nothing_to_prune(store: Store) -> None:
    assert store.prune(1).nights == []
    assert (store.nights(), store.cells(), store.all_series(), store.summary()) == ([], [], {}, [])


def test_the_file_becomes_smaller(store: Store) -> None:
    with store.together():
        store.begin(FIRST, {})
        for number in range(300):
            store.add(FIRST, start(number))
    store.begin(THIRD, {})
    before = store.path.stat().st_size
    assert store.prune(1).bytes == before - store.path.stat().st_size > before / 2


def test_half_of_a_surrogate_pair_is_refused_and_nothing_is_kept(store: Store) -> None:
    store.begin(FIRST, {})
    with pytest.raises(EdgeError, match="surrogate") as raised:
        store.add(FIRST, start(cell=Cell("pi\udcff", "bpcp", "native", 1)))
    assert raised.value.code == "history.invalid"
    assert (store.measurements(FIRST), store.cells()) == ([], [])
