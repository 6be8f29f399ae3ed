"""Of the models that are installed: which is meant where none is named, and which are checked."""

from __future__ import annotations

import json

import pytest

from edge import cli
from edge import model as models
from edge.errors import EdgeError
from tests.edge import packing


@pytest.fixture
def installed(monkeypatch, tmp_path, flatbuffer, golden):
    """A folder of installed models, and a function that puts one there."""
    monkeypatch.setattr(models, "MODELS", str(tmp_path))
    members, entries = golden

    def put(name, change=b"", vectors=entries):
        held = {key: value if key.endswith(".png") else value + change for key, value in members.items()}
        manifest = packing.manifest(flatbuffer, name=name, golden=vectors)
        (tmp_path / f"{name}.tflite").write_bytes(packing.pack(flatbuffer, manifest, held if vectors else {}))

    put.folder = tmp_path
    return put


def test_the_default_is_what_the_installation_says(installed):
    for name in ("pneumonia", "other"):
        installed(name)
    assert models.find(None) == str(installed.folder / "pneumonia.tflite")
    (installed.folder / "default").write_text("other\n")
    assert models.find(None) == str(installed.folder / "other.tflite")


@pytest.mark.parametrize("text", ["gone\n", "", "\n", "../x\n", "x" * 300])
def test_a_default_that_is_not_there_is_said(installed, text):
    installed("pneumonia")
    (installed.folder / "default").write_text(text)
    if text.strip():
        with pytest.raises(EdgeError, match="the default model of this installation, ") as raised:
            models.find(None)
        assert raised.value.code == "model.unknown"
    else:
        assert models.find(None) == str(installed.folder / "pneumonia.tflite")


def test_all_that_are_installed_are_checked(installed, capsys):
    for name in ("one", "two"):
        installed(name)
    assert cli.main(["--check"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in out] == ["one"] * 3 + ["two"] * 3
    assert "two: golden/0.png: bit-exact" in out[3] and out[5].startswith("two: 2 of 2 golden vectors passed")
    assert cli.main(["--check", "--json"]) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [record["model"] for record in records] == ["one", "one", "two", "two"]
    assert cli.main(["--check", "--model", "one"]) == 0
    assert capsys.readouterr().out.startswith("golden/0.png: bit-exact")


def test_the_worst_of_them_is_the_status(installed, capsys):
    installed("one")
    installed("two", change=b"x")
    assert cli.main(["--check", "--quiet"]) == 1
    assert capsys.readouterr().out.count("two: golden/") == 2
    installed("three", vectors=[])
    assert cli.main(["--check"]) == 2
    told = capsys.readouterr()
    assert "no golden vectors" in told.err and "one: 2 of 2" in told.out and "two: 0 of 2" in told.out
