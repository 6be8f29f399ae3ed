"""The native program's installed models: which is meant where none is named, and which are checked; as in Python."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.edge import packing
from tests.edge.processes import Ended


def test_the_default_and_the_check_of_all(
    programs: dict[str, Callable[..., Ended]], tmp_path: Path, flatbuffer: bytes, golden: tuple, picture: Path
) -> None:
    members, entries = golden
    for name in ("pneumonia", "two"):
        manifest = packing.manifest(flatbuffer, name=name, golden=entries)
        (tmp_path / f"{name}.tflite").write_bytes(packing.pack(flatbuffer, manifest, members))

    def native(*words: object) -> Ended:
        return programs["native"](*words, env={"EDGE_INFER_MODELS": str(tmp_path)})

    done = native("--check")
    assert done.status == 0, done.err
    assert [line.partition(":")[0] for line in done.out.splitlines()] == ["pneumonia"] * 3 + ["two"] * 3
    assert '{"model": "two", "image": "golden/0.png", ' in native("--check", "--json").out
    assert native("--check", "--model", "two").out.startswith("golden/0.png: bit-exact")
    assert '"model": {"name": "pneumonia"' in native("--json", picture).out
    (tmp_path / "default").write_text("two\n")
    assert '"model": {"name": "two"' in native("--json", picture).out
    (tmp_path / "default").write_text("../gone\n")
    refused = native("--json", picture)
    assert refused.status == 2 and '"code": "model.unknown"' in refused.out and "'.._gone'" in refused.err
    (tmp_path / "default").unlink()
    (tmp_path / "two.tflite").write_bytes(b"cut short")
    done = native("--check")
    assert done.status == 2 and "pneumonia: 2 of 2" in done.out and len(done.complaints) == 1
