from __future__ import annotations

import errno
import os
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from compress.convert.model_file import operators, write, write_beside
from edge.errors import EdgeError
from edge.model import read
from tests.edge import packing

FLATBUFFER = (Path(__file__).parents[2] / "edge/data/tiny.tflite").read_bytes()
GOLDEN = {"golden/1.png": b"one", "golden/0.xnnpack": b"\0\1", "golden/0.png": b"nought"}


def manifest(**changes: Any) -> dict[str, Any]:
    raw = packing.manifest(FLATBUFFER, **changes)
    del raw["model"]
    return raw


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "folder/tiny.tflite"
    write(path, FLATBUFFER, manifest(), GOLDEN)
    return path


def test_the_same_content_gives_the_same_bytes(written: Path, tmp_path: Path) -> None:
    raw = dict(reversed(manifest().items()))
    write(tmp_path / "other.tflite", FLATBUFFER, raw, dict(reversed(GOLDEN.items())))
    assert (tmp_path / "other.tflite").read_bytes() == written.read_bytes()


def test_the_bytes_are_those_of_a_packer_written_from_the_specification(written: Path) -> None:
    assert written.read_bytes() == packing.pack(FLATBUFFER, packing.manifest(FLATBUFFER), GOLDEN)


def test_zip_tools_open_it(written: Path) -> None:
    with zipfile.ZipFile(written) as archive:
        assert archive.testzip() is None
        rows = archive.infolist()
        assert [row.filename for row in rows] == [
            "manifest.json",
            "labels.txt",
            "golden/0.png",
            "golden/0.xnnpack",
            "golden/1.png",
        ]
        assert archive.read("labels.txt") == b"normal\nopacity\n"
        assert archive.read("golden/1.png") == b"one"
    for row in rows:
        assert row.date_time == (1980, 1, 1, 0, 0, 0)
        assert row.compress_type == zipfile.ZIP_STORED
        assert (row.create_system, row.external_attr >> 16 & 0o777) == (3, 0o644)


def test_the_device_reads_it(written: Path) -> None:
    file = read(written)
    assert file.flatbuffer == FLATBUFFER
    assert file.manifest.labels == ("normal", "opacity")
    assert file.member("golden/0.xnnpack") == b"\0\1"


def test_tflite_opens_the_whole_file_as_a_model(written: Path) -> None:
    outputs = []
    for opened in (Interpreter(model_path=str(written)), Interpreter(model_content=FLATBUFFER)):
        opened.allocate_tensors()
        entry = opened.get_input_details()[0]
        opened.set_tensor(entry["index"], np.full(entry["shape"], 7, np.int8))
        opened.invoke()
        outputs.append(opened.get_tensor(opened.get_output_details()[0]["index"]))
    assert (outputs[0] == outputs[1]).all()


def test_operators_are_those_that_the_interpreter_lists() -> None:
    opened = Interpreter(
        model_content=FLATBUFFER, experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    )
    opened.allocate_tensors()
    listed = Counter(entry["op_name"] for entry in opened._get_ops_details())
    assert operators(FLATBUFFER) == dict(listed)
    assert list(operators(FLATBUFFER)) == sorted(listed)


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"labels": ["one"]}, "labels"),
        ({"version": 2}, "version 2"),
        ({"title": "two\nlines"}, "title"),
        ({"decision": {"label": "neither", "threshold": 0.5}}, "decision.label"),
        ({"measured": {"accuracy": float("nan")}}, "measured.accuracy"),
        ({"golden": [{"inputs": [{"image": "golden/0.png"}]}]}, "outputs"),
    ],
)
def test_a_manifest_that_a_reader_would_refuse_is_not_written(
    changes: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(EdgeError, match=words):
        write(tmp_path / "folder/tiny.tflite", FLATBUFFER, manifest(**changes), {})
    assert not list(tmp_path.iterdir())


LOST = packing.vector("golden/9.png", "0" * 64, {"xnnpack": "golden/9.xnnpack"}, 0)


@pytest.mark.parametrize(
    "golden, members",
    [([LOST], {}), ([], {f"golden/{n}.png": b"" for n in range(63)}), ([], {"golden/0.png": bytes(2**23 + 1)})],
    ids=["a member that is not there", "too many members", "a member that is too large"],
)
def test_members_that_a_reader_would_refuse_are_not_written(
    golden: list[Any], members: dict[str, bytes], tmp_path: Path
) -> None:
    with pytest.raises(EdgeError):
        write(tmp_path / "folder/tiny.tflite", FLATBUFFER, manifest(golden=golden), members)
    assert not list(tmp_path.iterdir())


def test_what_is_no_tflite_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="no TFLite flatbuffer"):
        write(tmp_path / "x.tflite", b"no flatbuffer at all", manifest(), {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_other(
    broken: str, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = written.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(OSError):
        write(written, FLATBUFFER, manifest(title="Another"), {})
    monkeypatch.undo()
    assert [path.name for path in written.parent.iterdir()] == [written.name]
    assert written.read_bytes() == before


def test_a_folder_in_the_way_stays(tmp_path: Path) -> None:
    (tmp_path / "x").mkdir()
    with pytest.raises(EdgeError, match="no ordinary file"):
        write_beside(tmp_path / "x", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


PEOPLE_ONLY = {
    "a number that is none": ({"loss": float("nan")}, "provenance.x.loss is nan"),
    "an infinity": ([1.0, float("inf")], r"provenance.x\[1\] is inf"),
    "half of a surrogate pair": ("\ud800", "surrogates"),
    "a zero": ("a\0b", "zero character"),
    "a whole number beyond 64 bits": (2**63, "64 bits"),
}


@pytest.mark.parametrize("what", PEOPLE_ONLY)
def test_what_no_reader_takes_is_not_written_either(tmp_path: Path, what: str) -> None:
    """Nor where it is for people only: one grammar holds for the whole manifest."""
    value, words = PEOPLE_ONLY[what]
    with pytest.raises(EdgeError, match=f"can't be written.*{words}") as caught:
        write(tmp_path / "m.tflite", FLATBUFFER, manifest(provenance={"x": value}), {})
    assert caught.value.code == "model.manifest" and list(tmp_path.iterdir()) == []


def test_forty_levels_are_not_written(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(40):
        deep = [deep]
    with pytest.raises(EdgeError, match="more than 32 levels"):
        write(tmp_path / "m.tflite", FLATBUFFER, manifest(provenance={"x": deep}), {})
    assert list(tmp_path.iterdir()) == []
