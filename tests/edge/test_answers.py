"""What `edge-infer` prints: records, errors, warnings, and how much of it."""

from __future__ import annotations

import json
import re
import time

import pytest

from edge import __version__, engine, record
from edge.cli import main
from edge.errors import ImageWarning
from tests.edge import packing
from tests.edge.pictures import blobs, grey_ramp, png

GREY = png(grey_ramp())


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, data in {
        "in/a.png": GREY,
        "in/b.png": GREY[: len(GREY) // 2],
        "in/c.png": GREY,
        "in/notes.txt": b"",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


class Said:
    def __init__(self, status, shown):
        self.status, self.out, self.err = status, shown.out, shown.err

    @property
    def records(self):
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def ask(model, capsys):
    def asked(*words):
        given = [] if "--model" in words or "-m" in words else ["-m", str(model)]
        return Said(main([*given, *map(str, words)]), capsys.readouterr())

    return asked


@pytest.fixture
def doubtful(monkeypatch):
    """Let answers about images whose name has a b in it warn."""

    def call(self, source, repeat, max_pixels, name, warmup):
        answer = usual(self, source, repeat, max_pixels, name, warmup)
        two = (ImageWarning("image.depth", "almost\x1b black"), ImageWarning("image.small", "small"))
        answer.warnings = two if "b" in name else ()
        return answer

    usual = engine.Engine.__call__
    monkeypatch.setattr(engine.Engine, "__call__", call)


def test_every_image_asked_for_has_a_record(there, ask):
    done = ask("-j", "in", "gone.png", "no/*.png", "in/a.png")
    images = [row["image"] for row in done.records]
    assert images == ["in/a.png", "in/b.png", "in/c.png", "gone.png", "no/*.png", "in/a.png"] and done.status == 2
    failed = [row for row in done.records if "error" in row]
    assert [row["image"] for row in failed] == ["in/b.png", "gone.png", "no/*.png"]
    for row in failed:
        assert list(row) == ["image", "error"] and list(row["error"]) == ["code", "message"]
        assert f"edge-infer: {row['error']['message']}\n" in done.err
    assert failed[2]["error"]["code"] == "image.missing"


def test_a_record_names_file_program_threshold_and_time(there, ask, model, model_bytes):
    before = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    (row,) = ask("--json", "in/a.png").records
    assert row["model"] == {"name": "tiny", "sha256": model_bytes[-64:].decode(), "bytes": len(model_bytes)}
    assert row["program"] == {"name": "edge-infer", "version": __version__, "implementation": "python"}
    assert row["threshold"] == 0.4 and row["release"] is None and row["warnings"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["time"]) and before <= row["time"]


def test_without_a_rule_there_is_no_threshold(there, ask, flatbuffer):
    raw = packing.manifest(flatbuffer, decision=None)
    (there / "m.tflite").write_bytes(packing.pack(flatbuffer, raw))
    assert ask("-m", "m.tflite", "--json", "in/a.png").records[0]["threshold"] is None


RELEASE = "format: edge-infer release 1\nversion: 0.1.0-3\ntarget: pi5\narchitecture: aarch64\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (RELEASE, "edge-infer-0.1.0-3-pi5"),
        (RELEASE.replace("release 1", "release 2"), None),
        (RELEASE.replace("target", "goal"), None),
        ("", None),
        (RELEASE + "é", None),
        (None, None),
    ],
)
def test_the_release_that_the_program_lies_in(tmp_path, text, name):
    package = tmp_path / "lib/python/edge"
    package.mkdir(parents=True)
    if text is not None:
        (tmp_path / "release").write_text(text)
    assert record.release(package) == name


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["--json"], "arguments.invalid"),
        (["--check", "in/a.png", "--js"], "arguments.invalid"),
        (["in/a.png", "-qj", "--repeat", "0"], "arguments.invalid"),
        (["in/a.png", "-j", "--nonsense"], "arguments.invalid"),
        (["-5", "-j"], "arguments.invalid"),
        (["--check", "-j", "-m", "no-such-model"], None),
    ],
)
def test_what_is_refused_without_an_image_is_one_object(there, ask, words, code):
    done = ask(*words)
    (row,) = done.records
    assert list(row) == ["error"] and done.status == 2 and done.err == f"edge-infer: {row['error']['message']}\n"
    assert code in (None, row["error"]["code"])


@pytest.mark.parametrize("words", [["-mj"], ["--", "--json"], ["-oj", "x.png"], ["--model", "x"]])
def test_without_json_there_is_none(there, ask, words):
    assert not ask(*words, "--nonsense" if "--" not in words else "x.png").out.startswith("{")


def test_output_that_is_refused_is_every_images_error(there, ask):
    done = ask("-j", "in/a.png", "in/c.png", "-o", "in/a.png/deep")
    assert [row["image"] for row in done.records] == ["in/a.png", "in/c.png"] and done.status == 2
    assert {row["error"]["code"] for row in done.records} == {"output.unwritable"} and done.err.count("\n") == 1


def test_options_stand_where_they_like(there, ask):
    assert [row["image"] for row in ask("in/a.png", "-j", "in/c.png", "-t1").records] == ["in/a.png", "in/c.png"]
    (there / "-j").write_bytes(GREY)
    assert [row["image"] for row in ask("-j", "in/a.png", "--", "-j").records] == ["in/a.png", "-j"]


def test_files_that_are_left_out_are_said(there, ask):
    assert "note: in: 1 file was left out (1 .txt)\n" in ask("in").err
    assert "note" not in ask("in", "-q").err


def test_quiet_is_one_line_an_image(there, ask):
    done = ask("in", "-q")
    assert done.out == "in/a.png: normal\nin/c.png: normal\n" and done.status == 2
    assert done.err.startswith("edge-infer: in/b.png is ") and done.err.count("\n") == 1
    assert ask("in/a.png", "-qj").err == ""
    assert ask("--check", "-q").out == ask("--check", "-q").err == ""
    assert ask("--list", "-q").out.splitlines() == ["bpcp", "cpgresnet50", "pneumonia", "polyp"]


def test_warnings_are_said_and_recorded(there, ask, doubtful):
    (there / "in/b.png").write_bytes(GREY)
    done = ask("in/a.png", "in/b.png")
    lines = ["warning: in/b.png: almost\\x1b black", "warning: in/b.png: small"]
    assert done.status == 0 and done.err.splitlines() == lines
    assert ask("in/b.png", "-q").err.splitlines() == lines  # an answer that is doubtful is never quiet about it
    one, other = ask("in/a.png", "in/b.png", "-j").records
    assert one["warnings"] == []
    assert other["warnings"] == [
        {"code": "image.depth", "message": "almost\x1b black"},
        {"code": "image.small", "message": "small"},
    ]


def test_strict_makes_warnings_invalid_input(there, ask, doubtful):
    (there / "in/b.png").write_bytes(GREY)
    assert ask("in", "-o", "out").status == 0
    done = ask("in", "--strict", "-j", "-o", "out")
    assert done.status == 2
    one, failed, other = done.records
    assert failed == {
        "image": "in/b.png",
        "error": {"code": "image.depth", "message": "in/b.png: almost\x1b black; small (--strict)"},
    }
    assert "decision" in one and "decision" in other
    assert json.loads((there / "out/b.json").read_text())["error"] == failed["error"]
    done = ask("in", "--strict")
    assert "in/b.png: almost\\x1b black; small (--strict)\n" in done.err and "\nin/b.png\n" not in done.out


def test_repeat_says_how_the_times_are_spread(there, ask):
    row, again = ask("in/a.png", "in/c.png", "-j", "-r", "5").records
    spread = row["warm_invoke_ms"]
    assert list(spread) == ["count", "least", "p50", "p90", "p99", "most"] and spread["count"] == 4
    assert spread["least"] <= spread["p50"] <= spread["p90"] <= spread["p99"] <= spread["most"]
    assert row["latency_ms"]["invoke"] == spread["p50"] and again["warm_invoke_ms"]["count"] == 5
    text = ask("in/a.png", "in/c.png", "-r", "5").out
    assert "(invoke: median of 4 after the first)" in text and "(invoke: median of 5)" in text
    assert re.search(r"\n  warm invokes: least [\d.]+, p50 [\d.]+, p90 [\d.]+, p99 [\d.]+, most [\d.]+ ms\n", text)


def test_the_first_invoke_stays_apart(there, ask):
    first, second = ask("in/a.png", "in/c.png", "-j").records
    assert first["warm_invoke_ms"] is None and second["warm_invoke_ms"]["count"] == 1
    assert first["latency_ms"]["invoke"] == first["latency_ms"]["first_invoke"]
    basis = [next(line for line in row["targets"] if line["name"] == "latency_ms")["basis"] for row in (first, second)]
    assert basis == ["first invoke", "warm median"]
    (row,) = ask("in/a.png", "-j", "--warmup", "2").records
    assert row["warm_invoke_ms"]["count"] == 1
    assert "(invoke: one after the first)" in ask("in/a.png", "--warmup", "1").out
    assert ask("in/a.png", "--warmup", "3", "-r", "7", "-j").records[0]["warm_invoke_ms"]["count"] == 7


def test_targets_are_one_line_unless_asked_for(there, ask):
    line = "targets: 2 met, 2 missed (accuracy, memory_mb), 1 not measured (auc); latency_ms judged on the {}\n"
    done = ask("in/a.png")
    assert line.format("first invoke") in done.out and "targets of" not in done.out
    assert line.format("warm median") in ask("in/a.png", "-r", "3").out
    table = ask("in/a.png", "--targets").out
    assert "targets of tiny:\n" in table and re.search(r"\n  latency_ms .* met, on the first invoke\n", table)


def test_a_segmentation_has_the_same_keys(there, mask_model, capsys):
    (there / "s.png").write_bytes(png(blobs()))
    assert main(["-m", str(mask_model), "s.png", "-j"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert row["threshold"] == 0.5 and row["model"]["name"] == "tiny-mask" and row["warnings"] == []
