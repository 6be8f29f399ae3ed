"""`edge-deploy coral`, and Coral's compiler by a program that stands in for it: the real one was never run here."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("tflite")
from compress.convert import model_file
from edge.errors import EdgeError
from edge.model import read
from edge.runtime import open_runtime
from firmware_bridge.coral import edgetpu_compiler
from tests.edge import packing
from tests.edge.processes import Ended, environment, run
from tests.firmware_bridge.stand_in_compiler import PART

HERE = Path(__file__).parents[1]
DATA = HERE.parent / "edge/data"
COMPILED = (DATA / "tiny-edgetpu.tflite").read_bytes()


@pytest.fixture
def own(tmp_path: Path, model_bytes: bytes) -> Path:
    """A copy of the tiny model file that a test may change."""
    path = tmp_path / "own" / "tiny.tflite"
    path.parent.mkdir()
    path.write_bytes(model_bytes)
    return path


@pytest.fixture
def deploy(tmp_path: Path) -> Callable[..., Ended]:
    """`edge-deploy coral`; `compiler` is the stand-in's mode, or None where no compiler is installed."""

    def run(*words: object, compiler: str | None = None) -> Ended:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        env = environment(PATH=f"{folder}:/usr/bin:/bin", TMPDIR=str(tmp_path / "work"))
        (tmp_path / "work").mkdir(exist_ok=True)
        if compiler is not None:
            program = folder / "edgetpu_compiler"
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "stand_in_compiler.py"}" "$@"\n')
            program.chmod(0o755)
            env["EDGE_STAND_IN_COMPILER"] = compiler
        command = [sys.executable, "-m", "firmware_bridge", "coral", *map(str, words)]
        done = Ended(subprocess.run(command, capture_output=True, env=env, timeout=60))
        assert not os.listdir(tmp_path / "work"), "the folder that the compiler worked in is left"
        return done

    return run


def refused(done: Ended) -> str:
    """Hold that one sentence was said and nothing else; return it."""
    assert done.status == 2 and done.out == "" and len(done.err.splitlines()) == 1
    assert done.err.startswith("edge-deploy: ")
    return done.err


def test_what_would_map_is_told(deploy, own):
    done = deploy(own)
    assert done.status == 0
    assert done.out.startswith("tiny: 4 of 4 operators and 100 % of 0.1 M MACs would map to the Edge TPU\n")
    assert "not yet: --compile" in done.out
    record = json.loads(deploy(own, "--json").out)
    assert record["operators"] == {"mapped": 4, "of": 4} and record["not_mapped"] == []
    assert record["macs"]["share"] == 1 and record["compiled"] is None


def test_the_documentation_quotes_what_is_said(deploy):
    said = deploy("pneumonia").out
    assert said and f"```\n{said}```\n" in (HERE.parents[1] / "docs/coral.md").read_text()


def test_what_would_not_map_is_told_with_the_reason(deploy, tmp_path):
    flatbuffer = (DATA / "tiny-float.tflite").read_bytes()
    path = tmp_path / "float.tflite"
    raw = packing.manifest(flatbuffer, runtime={"type": "float32", "operators": {"CONV_2D": 2}})
    path.write_bytes(packing.pack(flatbuffer, raw))
    done = deploy(path)
    assert done.status == 0 and "0 of 4 operators and 0 % of" in done.out
    assert "     2  CONV_2D          a tensor of float32: expected 8-bit integers\n" in done.out
    rows = json.loads(deploy(path, "--json").out)["not_mapped"]
    assert [row["operator"] for row in rows] == ["CONV_2D", "CONV_2D", "MEAN", "FULLY_CONNECTED"]
    assert sum(row["macs"] for row in rows) == json.loads(deploy(path, "--json").out)["macs"]["of"]


def test_the_table_of_tensors_stays_in_the_model_file(deploy, own):
    file = read(own)
    golden = {name: file.member(name) for vector in file.manifest.golden for name in vector.members()}
    model_file.write(own, file.flatbuffer, file.manifest.raw, golden | {"tensors.json": b"{}"})
    assert deploy(own, "--compile", compiler="part").status == 0
    assert read(own).member("tensors.json") == b"{}"


def test_the_compiled_network_is_kept_in_the_model_file(deploy, own, model_bytes):
    done = deploy(own, "--compile", compiler="part")
    assert done.status == 0, done.err
    assert "by edgetpu_compiler 16.0.384591198: 3 of 6 operators mapped" in done.out
    assert "2,013,266 bytes of parameters cached, 1,792 free, 0 streamed" in done.out
    own.with_name("before.tflite").write_bytes(model_bytes)
    file, before = read(own), dict(read(own.with_name("before.tflite")).manifest.raw)
    assert file.member("edgetpu.tflite") == COMPILED
    assert file.manifest.raw["edgetpu"] == {
        "bytes": len(COMPILED),
        "sha256": hashlib.sha256(COMPILED).hexdigest(),
        "compiler": "16.0.384591198",
        "operators": 6,
        "mapped": 3,
        "on_chip_bytes": round(1.92 * 2**20),
        "on_chip_free_bytes": round(1.75 * 2**10),
        "off_chip_bytes": 0,
        "unmapped": [
            {
                "operator": "FULLY_CONNECTED",
                "times": 1,
                "reason": "Operation is otherwise supported, but not mapped due to some unspecified limitation",
            },
            {"operator": "QUANTIZE", "times": 2, "reason": "More than one subgraph is not supported"},
        ],
    }
    # All else is as it was, but for the size that the file says of itself.
    kept = {key: value for key, value in file.manifest.raw.items() if key != "edgetpu"}
    kept["measured"] = {**kept["measured"], "file_bytes": before["measured"]["file_bytes"]}
    assert kept == before
    assert file.manifest.measured["file_bytes"] == file.size == own.stat().st_size
    with zipfile.ZipFile(own) as archive:
        names = archive.namelist()
    assert names[:3] == ["manifest.json", "labels.txt", "edgetpu.tflite"] and len(names) > 3


def test_the_file_stays_a_tflite_model_that_other_runtimes_run(deploy, own, picture, runtimes):
    before = json.loads(run("--model", own, "--json", picture).out)["results"]
    deploy(own, "--compile", compiler="part")
    assert json.loads(run("--model", own, "--json", picture).out)["results"] == before
    assert run("--model", own, "--check").status == 0
    for name in runtimes:
        assert open_runtime(own.read_bytes(), name).inputs[0].shape == (1, 24, 24, 3)


def test_the_same_inputs_give_the_same_bytes(deploy, own, tmp_path):
    """Again, from the file that is compiled already, and to another place: the compiler's own times are not kept."""
    deploy(own, "--compile", compiler="part")
    once = own.read_bytes()
    deploy(own, "--compile", compiler="part")
    assert own.read_bytes() == once
    other = tmp_path / "other.tflite"
    deploy(own, "--compile", "--output", other, compiler="part")
    assert other.read_bytes() == once
    deploy(own, "--compile", compiler="whole")
    assert read(own).manifest.raw["edgetpu"]["mapped"] == 4


def test_compiled_and_run(deploy, own, picture, stand_in):
    """From the model file through both stand-ins to an answer."""
    deploy(own, "--compile", compiler="part")
    env = environment(EDGE_INFER_EDGETPU=str(stand_in), EDGE_STAND_IN="custom")
    done = run("--runtime", "edgetpu", "--model", own, "--json", picture, env=env)
    assert done.status == 0, done.err
    assert json.loads(done.out)["runtime"]["operators"] == {"taken": 1, "of": 2}


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        (None, "edgetpu_compiler is not installed"),
        ("fail", "(exit status 1): Compilation failed: Model not quantized; see"),
        ("silent", "could not compile"),
        ("none", "mapped none of the 2 operators"),
        ("garbage", "said what can't be read (the table of operators is missing)"),
        ("no flatbuffer", "made no TFLite file"),
    ],
)
def test_a_compiler_that_does_not_give_it_changes_nothing(deploy, own, model_bytes, mode, said):
    assert said in refused(deploy(own, "--compile", compiler=mode))
    assert own.read_bytes() == model_bytes and [path.name for path in own.parent.iterdir()] == ["tiny.tflite"]


def test_a_compiler_that_hangs_is_ended(monkeypatch, own, tmp_path):
    program = tmp_path / "edgetpu_compiler"
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(edgetpu_compiler, "LIMIT_SECONDS", 0.5)
    with pytest.raises(EdgeError, match=r"was not done with .* after 0\.5 seconds"):
        edgetpu_compiler.compile_model(read(own))


def test_a_shipped_model_is_not_changed_where_it_lies(deploy):
    assert "--output FILE" in refused(deploy("pneumonia", "--compile", compiler="part"))


def test_an_output_without_compiling_is_refused(deploy, own, tmp_path):
    assert "--compile" in refused(deploy(own, "--output", tmp_path / "x.tflite"))


@pytest.mark.parametrize("words", [["nothing-like-it"], ["missing.tflite"]])
def test_a_model_that_is_not_there(deploy, words):
    refused(deploy(*words))


def test_the_commands_are_known_without_the_tools_of_the_host():
    """Schema readers and TensorFlow are imported by the commands that need them, not to tell which there are."""
    script = """
import sys
from firmware_bridge.cli import main
try:
    main(["--help"])
except SystemExit as end:
    assert end.code == 0
assert not {"tflite", "tensorflow", "torch", "tflite_micro"} & set(sys.modules)
"""
    done = Ended(subprocess.run([sys.executable, "-c", script], capture_output=True, env=environment(), timeout=60))
    assert done.status == 0, done.err
    assert "coral" in done.out and "export-c" in done.out


HEADER = "Operator                       Count      Status\n\n"
OUTPUT = """Edge TPU Compiler version 14.1.317412892
On-chip memory used for caching model parameters: {}
On-chip memory remaining for caching model parameters: {}
Off-chip memory used for streaming uncached model parameters: {}
"""


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["ADD", "CONV_2D", "TFLite_Detection_PostProcess", "RELU6"]),
            st.integers(1, 999),
            st.sampled_from(
                ["Mapped to Edge TPU", "More than one subgraph is not supported", "Operation not supported"]
            ),
        ),
        min_size=1,
    ),
    sizes=st.tuples(*[st.tuples(st.integers(0, 102399), st.sampled_from(["B", "KiB", "MiB"]))] * 3),
)
def test_reports_are_read_as_they_are_written(rows, sizes):
    words = [f"{number / 100:.2f}{unit}" for number, unit in sizes]
    log = "Edge TPU Compiler version 14.1.317412892\nInput: a\nOutput: b\n\n" + HEADER
    log += "".join(f"{name:<30} {times:<10} {status}\n" for name, times, status in rows)
    told = edgetpu_compiler.parse(OUTPUT.format(*words), log)
    assert told["compiler"] == "14.1.317412892"
    assert told["operators"] == sum(times for _, times, _ in rows)
    assert told["mapped"] == sum(times for _, times, status in rows if status.startswith("Mapped"))
    assert sorted(tuple(row.values()) for row in told["unmapped"]) == sorted(
        row for row in rows if not row[2].startswith("Mapped")
    )
    factors = {"B": 1, "KiB": 1024, "MiB": 1024 * 1024}
    for key, (number, unit) in zip(("on_chip_bytes", "on_chip_free_bytes", "off_chip_bytes"), sizes, strict=True):
        assert abs(told[key] - number / 100 * factors[unit]) <= 0.5


@pytest.mark.parametrize(
    ("output", "log", "missing"),
    [
        ("", "", "its version"),
        (OUTPUT.format("1.00B", "1.00B", "1.00B"), HEADER, "the table of operators"),
        (OUTPUT.format("1.00B", "much", "1.00B"), HEADER + PART, "On-chip memory remaining"),
    ],
)
def test_what_a_report_lacks_is_named(output, log, missing):
    with pytest.raises(EdgeError, match=missing):
        edgetpu_compiler.parse(output, log)
