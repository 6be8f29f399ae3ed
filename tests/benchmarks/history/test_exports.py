"""What other programs read: each format by its own rules, with names that would break a careless writer."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import jsonschema
import pytest

from benchmarks.history.exports import FORMATS
from benchmarks.history.store import Store, open_store
from benchmarks.measurement import CANARY_BEFORE, Cell, Word
from edge.errors import EdgeError
from tests.benchmarks.history.samples import CELL, FIRST, IDENTITY, SECOND, edge_bench, start, verdict

HOSTILE = Cell('=HYPERLINK("x")', "../\x1b]]><b>&\"'\n,;\ufffe", "native", 2)
WORDS = (Word.PASS, Word.REGRESSED, Word.IMPROVED, Word.NOISY, Word.DEVICE_DOWN, Word.MISSED)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Two nights: a cell of each verdict on two devices, one that is down, a canary, and the hostile one."""
    with open_store(tmp_path / "history.sqlite") as opened:
        with opened.together():
            for night, factor in ((FIRST, 1.0), (SECOND, 2.0)):
                opened.begin(night, {})
                opened.add(night, start(0, 7.0, Cell("pi4", "bpcp", "native", 4), CANARY_BEFORE))
                for place, word in enumerate(WORDS):
                    cell = Cell(f"pi{4 + place % 2}", f"model-{place}", "native", 1)
                    for number, p50 in enumerate((1.0, 1.5, 3.0)):
                        if word != Word.DEVICE_DOWN:
                            opened.add(night, start(number, p50 * factor, cell))
                        else:
                            opened.add(night, start(number, cell=cell, identity=None, fault="board.lost"))
                    opened.add_verdict(night, verdict(word, cell, alarm=word in (Word.REGRESSED, Word.DEVICE_DOWN)))
                opened.add(night, start(0, 1.0, HOSTILE))
                opened.add_verdict(night, verdict(Word.REGRESSED, HOSTILE, "=1+1 \x00\x1b<!-- ]]> -->"))
                opened.finish(night)
        yield opened


def written(store: Store, name: str, nights: list[str] | None = None) -> bytes:
    (data,) = FORMATS[name].files(store, nights or store.nights(), Path("out")).values()
    return data


def test_csv_has_a_line_a_start_and_no_formulas(store: Store) -> None:
    data = written(store, "csv")
    assert data.count(b"\r\n") == data.count(b"\n"), "RFC 4180 ends lines with CR LF"
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline=""), strict=True))
    assert len(rows) == len(store.measurements(FIRST)) + len(store.measurements(SECOND))
    assert all(None not in row and None not in row.values() for row in rows), "each line has each field"
    first = rows[1]
    assert {name: first[name] for name in ("night", "device", "model", "threads", "role", "start", "p50_ms")} == {
        "night": FIRST,
        "device": "pi4",
        "model": "model-0",
        "threads": "1",
        "role": "model",
        "start": "0",
        "p50_ms": "1.0",
    }
    assert (first["accuracy"], first["throttled"], first["temperature_c"]) == ("golden 8/8", "throttled", "44.5")
    assert (first["model_sha256"], first["kernel"], first["verdict"]) == ("45ff" * 16, "6.6.31", "PASS")
    assert {row["fault"] for row in rows} == {"", "board.lost: the model failed"}
    assert rows[-1]["device"] == "'" + HOSTILE.device
    assert rows[-1]["reason"] == "'=1+1 \\x00\\x1b<!-- ]]> -->"
    assert not [value for row in rows for value in row.values() if value.startswith(("=", "+", "@", "\t", "\r"))]


def test_junit_has_a_test_case_a_verdict(store: Store) -> None:
    """The rules are those of Apache Ant's schema, which asks for the most."""
    root = ElementTree.fromstring(written(store, "junit", [SECOND]))
    assert root.tag == "testsuites"
    suites = list(root)
    assert [suite.get("id") for suite in suites] == ["0", "1", "2"]
    for suite in suites:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.attrib["timestamp"])
        assert {"name", "package", "hostname"} <= set(suite.keys())
        assert float(suite.attrib["time"]) >= 0
        assert [child.tag for child in suite if child.tag != "testcase"] == ["properties", "system-out", "system-err"]
        cases = suite.findall("testcase")
        assert int(suite.attrib["tests"]) == len(cases)
        for kind in ("failure", "error", "skipped"):
            counted = suite.attrib[{"failure": "failures", "error": "errors"}.get(kind, kind)]
            assert int(counted) == len(suite.findall(f"testcase/{kind}"))
        for case in cases:
            assert set(case.keys()) == {"name", "classname", "time"}
            assert len(case) <= 1, "a test case has one outcome at most"
            assert all(outcome.get("type") for outcome in case)
    found = {case.attrib["name"].split(",")[0]: [outcome.tag for outcome in case] for case in root.iter("testcase")}
    outcomes = [found[f"model-{place}"] for place in range(len(WORDS))]
    assert outcomes == [[], ["failure"], [], ["skipped"], ["error"], ["skipped"]]
    case = root.find("testsuite[@name='pi4']/testcase[@name='model-0, native, 1 thread']")
    assert case is not None
    assert float(case.attrib["time"]) == pytest.approx(0.003)


def test_a_steps_first_night_fails_no_build(tmp_path: Path) -> None:
    with open_store(tmp_path / "history.sqlite") as store:
        for night, alarm in ((FIRST, False), (SECOND, True)):
            store.begin(night, {})
            store.add_verdict(night, verdict(Word.REGRESSED, alarm=alarm))
        outcomes = [
            [
                outcome.tag
                for outcome in ElementTree.fromstring(written(store, "junit", [night])).iterfind(".//testcase/*")
            ]
            for night in (FIRST, SECOND)
        ]
    assert outcomes == [["skipped"], ["failure"]]


# https://github.com/benchmark-action/github-action-benchmark, "Custom benchmarks"
GITHUB: dict[str, Any] = {
    "type": "array",
    "minItems": 1,
    "items": {
        "type": "object",
        "required": ["name", "unit", "value"],
        "additionalProperties": False,
        "properties": {
            "name": {"type": "string"},
            "unit": {"type": "string"},
            "value": {"type": "number"},
            "range": {"type": "string"},
            "extra": {"type": "string"},
        },
    },
}
# https://bencher.dev/bmf.json
BENCHER: dict[str, Any] = {
    "type": "object",
    "patternProperties": {
        ".+": {
            "type": "object",
            "patternProperties": {
                ".+": {
                    "type": "object",
                    "required": ["value"],
                    "properties": {name: {"type": "number"} for name in ("value", "lower_value", "upper_value")},
                }
            },
        }
    },
}


def test_github_gets_the_median_of_the_last_night(store: Store) -> None:
    entries = json.loads(written(store, "github", [SECOND]))
    jsonschema.validate(entries, GITHUB)
    by_name = {entry["name"]: entry for entry in entries}
    assert len(by_name) == len(entries), "a name is one series there"
    entry = by_name["model-0 on pi4, native, 1 thread: p50"]
    assert (entry["value"], entry["unit"], entry["range"]) == (3.0, "ms", "± 2")
    assert entry["extra"].startswith("PASS: 1.5 ms against 1.5 ms")
    assert not [name for name in by_name if name.startswith("model-4 on")], "the device was down"


def test_github_refuses_an_empty_list_and_so_do_we(store: Store, tmp_path: Path) -> None:
    with open_store(tmp_path / "empty.sqlite") as empty:
        empty.begin(FIRST, {})
        with pytest.raises(EdgeError, match="has no times") as raised:
            written(empty, "github", [FIRST])
    assert raised.value.code == "export.nothing"


def test_bencher_gets_nanoseconds_and_bytes(store: Store) -> None:
    found = json.loads(written(store, "bencher", [FIRST]))
    jsonschema.validate(found, BENCHER)
    measures = found["model-0 on pi4, native, 1 thread"]
    assert measures["latency"] == {"value": 1.5e6, "lower_value": 1e6, "upper_value": 3e6}
    assert measures["file-size"]["value"] == 158_095
    assert measures["peak-memory"]["value"] == 12.5e6
    assert all(len(name) <= 1024 and re.fullmatch(r"[a-z-]+", measure) for name in found for measure in found[name])


def test_an_emulators_times_are_marked(tmp_path: Path) -> None:
    identity = IDENTITY.__class__(**{**vars(IDENTITY), "emulated": True})
    with open_store(tmp_path / "history.sqlite") as store:
        store.begin(FIRST, {})
        store.add(FIRST, start(identity=identity))
        assert list(json.loads(written(store, "bencher", [FIRST]))) == [f"{CELL} (emulated)"]


def test_asv_gets_nights_as_commits(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "asv"
    for path in FORMATS["asv"].files(store, store.nights(), folder):
        assert path.resolve().is_relative_to(folder), "a device's name leads nowhere else"
    done = edge_bench("history", "export", "--history", store.path, "--format", "asv", "--output", folder)
    assert done.status == 0, done.err
    git = ["git", "-C", str(folder / "nights.git")]
    assert subprocess.run([*git, "fsck", "--strict"], capture_output=True, check=True).stderr == b""
    log = subprocess.run([*git, "log", "--format=%H %at %s"], capture_output=True, check=True, text=True).stdout
    commits = [line.split() for line in log.splitlines()]
    assert [commit[2] for commit in commits] == [SECOND, FIRST]
    result = json.loads((folder / "results" / "pi4" / f"{commits[0][0][:8]}-edge-bench.json").read_bytes())
    assert result["version"] == 2
    assert (result["commit_hash"], result["date"]) == (commits[0][0], int(commits[0][1]) * 1000)
    p50, params, *_ = result["results"]["invoke.time_p50"]
    assert dict(zip(params[0], p50, strict=True))["'model-0'"] == pytest.approx(0.003)
    machine = json.loads((folder / "results" / "pi4" / "machine.json").read_bytes())
    assert (machine["version"], machine["machine"], machine["cpu"]) == (1, "pi4", "Raspberry Pi 4 Model B")


def test_a_later_export_for_asv_adds_to_the_same_commits(store: Store) -> None:
    before = FORMATS["asv"].files(store, store.nights(), Path("out"))
    store.begin("2026-12-01T02:00:00Z", {})
    store.add("2026-12-01T02:00:00Z", start())
    store.finish("2026-12-01T02:00:00Z")
    after = FORMATS["asv"].files(store, store.nights(), Path("out"))
    changed = {path.name for path in before if before[path] != after.get(path)}
    assert changed == {"nights", "benchmarks.json"}


# The command


@pytest.fixture
def history(tmp_path: Path) -> Path:
    path = tmp_path / "history.sqlite"
    with open_store(path) as store:
        for night in (FIRST, SECOND):
            store.begin(night, {})
            store.add(night, start())
            store.add_verdict(night, verdict())
            store.finish(night)
    return path


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_the_command_writes_each_format(history: Path, tmp_path: Path, name: str) -> None:
    done = edge_bench("history", "export", "--history", history, "--format", name, "--output", tmp_path / "out")
    assert done.status == 0, done.err
    assert done.out == f"{tmp_path / 'out'}: {'2 nights' if name in ('asv', 'csv') else '1 night'} as {name}\n"
    assert (tmp_path / "out").is_dir() == (name == "asv")
    assert not list(tmp_path.glob(".*"))


def test_an_export_is_of_the_night_that_is_asked_for(history: Path, tmp_path: Path) -> None:
    words = ("history", "export", "--history", history, "--format", "csv", "--output", tmp_path / "out.csv", "--night")
    assert edge_bench(*words, FIRST).status == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert {row["night"] for row in csv.DictReader(lines)} == {FIRST}
    (tmp_path / "out.csv").unlink()
    done = edge_bench(*words, "2020-01-01T00:00:00Z")
    assert done.status == 2
    assert "has no night 2020-01-01T00:00:00Z" in done.err
    assert not (tmp_path / "out.csv").exists()


def test_an_export_does_not_replace_the_history(history: Path, tmp_path: Path) -> None:
    before = history.read_bytes()
    for name, output in (("csv", history), ("asv", history), ("junit", tmp_path)):
        done = edge_bench("history", "export", "--history", history, "--format", name, "--output", output)
        assert done.status == 2, name
    assert history.read_bytes() == before


def test_a_history_without_a_finished_night_has_nothing_to_export(tmp_path: Path) -> None:
    with open_store(tmp_path / "history.sqlite") as store:
        store.begin(FIRST, {})
    words = ("--history", tmp_path / "history.sqlite", "--format", "csv", "--output", tmp_path / "out")
    done = edge_bench("history", "export", *words)
    assert done.status == 2
    assert "has no finished night" in done.err
