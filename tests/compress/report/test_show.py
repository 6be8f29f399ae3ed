"""`edge-compress show`: the words of a file are others', and a terminal takes none of them for a command."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from compress import cli
from edge.command import Progress
from tests.compress.conftest import command, environment
from tests.edge import packing
from tests.edge.conftest import HERE

TINY = (HERE / "data/tiny.tflite").read_bytes()
RED = "\x1b[31mred\x1b[0m \x9b2J \x07 \u202e two\nlines\ttab \x7f"


@pytest.fixture
def show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """`edge-compress show` of the tiny network's manifest, changed; what it printed."""

    def run(*words: str, **changes: Any) -> str:
        path = tmp_path / "m.tflite"
        raw = packing.manifest(TINY, **changes)
        text = json.dumps(raw).encode()
        labels = "".join(f"{label}\n" for label in raw["outputs"][0]["labels"]).encode()
        path.write_bytes(packing.pack_members(TINY, {"manifest.json": text, "labels.txt": labels}))
        assert cli.main(["show", str(path), *words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("words", [[], ["--json"]])
def test_escape_codes_are_escaped(show: Callable[..., str], words: list[str]) -> None:
    out = show(*words, provenance={RED: RED, "list": [RED, {RED: RED}], "object": {RED: RED}})
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert out.count("[31mred") >= 5
    if words:
        assert json.loads(out)["provenance"][RED] == RED


def test_long_words_are_cut(show: Callable[..., str]) -> None:
    long = 100_000
    out = show(provenance={"notes": "n" * long, "k" * long: 1, "list": ["x" * long]})
    assert max(map(len, out.splitlines())) < 1100 and out.count("... (100,00") == 3


def test_many_entries_are_counted(show: Callable[..., str]) -> None:
    labels = [f"label {number}" for number in range(60)]
    out = show(
        labels=labels,
        decision=None,
        provenance={"list": list(range(500)), **{f"key {number}": 1 for number in range(150)}},
        measured={f"m{number}": number for number in range(120)},
    )
    assert "label 19 and 40 more" in out and "label 20" not in out
    assert "and 400 more, which --json shows" in out and "and 20 more, which --json shows" in out
    assert "  and 51 more, which --json shows" in out


LOCALES = [
    {},
    {"LC_ALL": "C"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
]


@pytest.mark.parametrize("locale", LOCALES)
def test_no_locale_is_a_traceback(tmp_path: Path, locale: dict[str, str]) -> None:
    path = tmp_path / "m\udcff\U0001f600.tflite"
    raw = packing.manifest(TINY, title="Grüße 肺 \U0001f600", provenance={"a": "Grüße 肺", "ß": ["ü"]})
    path.write_bytes(packing.pack(TINY, raw))
    for words in ([], ["--json"]):
        done = subprocess.run(
            command("show", path, *words), env=environment() | locale, capture_output=True, check=False, cwd=tmp_path
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"e" in done.stdout


def test_a_lone_surrogate_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "m.tflite"
    text = json.dumps(packing.manifest(TINY, provenance={"a": "half \ud83d of a pair"})).encode()
    path.write_bytes(packing.pack_members(TINY, {"manifest.json": text, "labels.txt": b"normal\nopacity\n"}))
    for words in ([], ["--json"]):
        done = subprocess.run(
            command("show", path, *words), env=environment(), capture_output=True, text=True, check=False
        )
        assert done.returncode in (0, 2) and "Traceback" not in done.stderr
        assert done.returncode == 2 or "half \\ud83d of a pair" in done.stdout


def test_progress_escapes_names(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress()
    progress.INTERVAL = 0.0
    progress("reading \x1b]0;title\x07.png")
    progress("kept \x1b[2J\n")
    progress.log("result \x1b[2J\nand a second line")
    out = capsys.readouterr()
    assert out.err == "reading \\x1b]0;title\\x07.png\nkept \\x1b[2J\n"
    assert out.out == "result \\x1b[2J\nand a second line\n"


def test_progress_may_be_for_terminals_alone_or_for_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Progress, "INTERVAL", 0.0)
    for progress in (Progress(elsewhere=False), Progress(shown=False)):
        progress("sent 1 MB")
    Progress(elsewhere=False)("kept\n")
    Progress(shown=False)("kept by nobody\n")
    assert capsys.readouterr().err == "kept\n"
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    said: list[str] = []
    for progress in (Progress(elsewhere=False), Progress(shown=False)):
        progress("sent 1 MB")
        progress.log("done", said.append)
    assert capsys.readouterr().err == "\r\x1b[Ksent 1 MB\r\x1b[K" and said == ["done", "done"]
