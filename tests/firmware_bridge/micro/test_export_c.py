"""`edge-deploy export-c`: C that compilers take, bytes that stay the same, and what tflite-micro makes of it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("tflite")
from edge.errors import EdgeError
from edge.manifest import parse
from edge.model import read
from edge.runtime import Tensor
from firmware_bridge.micro import export_c, micro
from tests.edge import packing
from tests.edge.processes import ROOT, Ended, environment

DATA = ROOT / "tests/edge/data"
TINY = (DATA / "tiny.tflite").read_bytes()

needs_micro = pytest.mark.skipif(
    importlib.util.find_spec("tflite_micro") is None, reason="tflite-micro is not installed"
)


@pytest.fixture
def export(tmp_path: Path) -> Callable[..., Ended]:
    """`edge-deploy export-c MODEL --output out`."""

    def run(model: object, *words: object, **more: str) -> Ended:
        command = [sys.executable, "-m", "firmware_bridge", "export-c", str(model)]
        command += list(map(str, words or ["--output", tmp_path / "out"]))
        return Ended(subprocess.run(command, capture_output=True, env=environment(**more), cwd=tmp_path, timeout=300))

    return run


@pytest.fixture(params=["cc", "c++"])
def compiler(request: pytest.FixtureRequest) -> list[str]:
    """A C and a C++ compiler, strict."""
    program = shutil.which(request.param)
    if program is None:
        pytest.skip(f"{request.param} is not installed")
    language = ["-std=c11"] if request.param == "cc" else ["-std=c++17", "-x", "c++"]
    return [program, *language, "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def trial(shape: tuple[int, ...] = (1, 24, 24, 3)) -> micro.Trial:
    return micro.Trial("0.test", 4672, Tensor(shape, "int8", 0.25, -7), Tensor((1, 2), "int8", 0.5, 3), [])


def model_file(path: Path, **changes: Any) -> Path:
    path.write_bytes(packing.pack(TINY, packing.manifest(TINY, **changes)))
    return path


PRINTER = """
#include "{name}.h"
#include <stdio.h>
int main(void) {{
    static const float mean[] = {upper}_INPUT_MEAN;
    printf("%d %d %d %d %d\\n", {upper}_ARENA_BYTES, {upper}_INPUT_HEIGHT, {upper}_INPUT_WIDTH,
           {upper}_INPUT_CHANNELS, {upper}_OUTPUT_ELEMENTS);
    printf("%.9g %d %.9g %d %.9g\\n", (double){upper}_INPUT_SCALE, {upper}_INPUT_ZERO_POINT,
           (double){upper}_OUTPUT_SCALE, {upper}_OUTPUT_ZERO_POINT, (double)mean[0]);
    printf("%d %.9g\\n", {upper}_DECISION_LABEL, (double){upper}_DECISION_THRESHOLD);
    printf("%d\\n", (int)((uintptr_t){word}_model % 16));
    for (int i = 0; i < {upper}_LABELS; i++) printf("%s%c", {word}_labels[i], 0);
    fwrite({word}_model, 1, {word}_model_bytes, stdout);
    return 0;
}}
"""


def printed(compiler: list[str], folder: Path, name: str) -> list[bytes]:
    """Compile NAME.c with a program that prints what it defines; return lines, and the labels and the array at last."""
    word = export_c.identifier(name)
    (folder / "main.c").write_text(PRINTER.format(name=name, word=word, upper=word.upper()))
    sources = [folder / "main.c", folder / f"{name}.c"]
    subprocess.run([*compiler, "-I", folder, "-o", folder / "main", *sources], check=True)
    done = subprocess.run([folder / "main"], capture_output=True, check=True)
    return done.stdout.split(b"\n", 4)


def test_the_compiled_array_is_the_flatbuffer(compiler, tmp_path):
    file = read(model_file(tmp_path / "tiny.tflite"))
    export_c.write({tmp_path / "tiny.h": export_c.header(file, trial()), tmp_path / "tiny.c": export_c.source(file)})
    sizes, quantization, decision, alignment, rest = printed(compiler, tmp_path, "tiny")
    assert sizes == b"4672 24 24 3 2" and alignment == b"0"
    assert quantization == b"0.25 -7 0.5 3 0.5" and decision.startswith(b"1 0.4")
    assert rest == b"normal\0opacity\0" + TINY


def test_a_window_of_values_is_told(tmp_path):
    assert "WINDOW" not in export_c.header(read(model_file(tmp_path / "tiny.tflite")), trial())
    raw = packing.manifest(TINY)
    raw["inputs"][0]["window"] = [100, 4095]
    header = export_c.header(read(model_file(tmp_path / "windowed.tflite", input=raw["inputs"][0])), trial())
    assert "TINY_INPUT_WINDOW_LOW 100" in header and "TINY_INPUT_WINDOW_HIGH 4095" in header
    assert "floor((510 * (v - 100) + 3995) / 7990)" in header


@pytest.mark.parametrize("name", ["3d", "my-net", "int", "_x", "-"])
def test_every_name_becomes_an_identifier(compiler, tmp_path, name):
    file = read(model_file(tmp_path / "m.tflite", name=name))
    export_c.write(
        {tmp_path / f"{name}.h": export_c.header(file, trial()), tmp_path / f"{name}.c": export_c.source(file)}
    )
    assert printed(compiler, tmp_path, name)[4].endswith(TINY)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1).filter(
    str.isprintable
)


@settings(max_examples=10)
@given(labels=st.lists(TEXT, min_size=2, max_size=4, unique=True), title=TEXT)
def test_labels_and_titles_of_any_letters(labels, title, tmp_path_factory):
    check_words(labels, title, tmp_path_factory.mktemp("words"))


@pytest.mark.parametrize("word", ['"', "\\", "*/ int x; /*", "??/", "%s", "\\n", "é7", "日本", "a\\"])
def test_labels_and_titles_that_mean_something_in_c(word, tmp_path):
    check_words([word, "other"], word, tmp_path)


def check_words(labels: list[str], title: str, folder: Path) -> None:
    program = shutil.which("cc")
    if program is None:
        pytest.skip("a C compiler is not installed")
    decision = {"label": labels[1], "threshold": 0.5}
    file = read(model_file(folder / "m.tflite", labels=labels, title=title, decision=decision))
    export_c.write({folder / "tiny.h": export_c.header(file, trial()), folder / "tiny.c": export_c.source(file)})
    rest = printed([program, "-std=c11", "-Wall", "-Wextra", "-Werror"], folder, "tiny")[4]
    assert rest == b"".join(label.encode() + b"\0" for label in labels) + TINY


@given(st.floats(0, 2**100, width=32, allow_subnormal=False))
def test_constants_are_read_back_as_they_are(value):
    text = export_c._float(value)
    assert text.endswith("f") and np.float32(text[:-1]) == np.float32(value)


@pytest.mark.parametrize(
    ("activation", "said"),
    [("softmax", "2, logits; softmax after it gives scores.\n"), ("none", "2, scores from 0 to 1.\n")],
)
def test_the_header_says_what_the_outputs_are(activation, said, tmp_path):
    header = export_c.header(read(model_file(tmp_path / "m.tflite", activation=activation)), trial())
    assert f" * Output: 1 x {said}" in header


def test_a_folder_that_can_not_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="can't be written"):
        export_c.write({tmp_path / "file/x.h": "", tmp_path / "file/x.c": ""})


def test_both_files_or_none(tmp_path):
    """A folder lies in the second's place: the first is not begun, and nothing lies about."""
    (tmp_path / "tiny.c").mkdir()
    with pytest.raises(EdgeError, match="no ordinary file"):
        export_c.write({tmp_path / "tiny.h": "new", tmp_path / "tiny.c": "new"})
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.c"]


@given(st.integers(1, 10**7), st.integers(0, 10**7))
def test_the_smallest_arena(needed, more):
    most = (needed + more + 15) // 16 * 16
    found = micro.smallest(lambda size: size >= needed, most)
    assert found % 16 == 0 and needed <= found < needed + 16


@needs_micro
def test_exported_and_run(export, model, tmp_path):
    done = export(model)
    assert done.status == 0, done.err
    assert "2 of 2" not in done.err and done.out.count("within tolerance") == 2
    header = (tmp_path / "out/tiny.h").read_text()
    arena = int(re.search(r"TINY_ARENA_BYTES (\d+)", header)[1])
    assert f"{arena:,} bytes" in done.out
    # By tflite-micro itself: the arena is enough, and 16 bytes less are not.
    script = """
import sys, json, numpy as np
from tflite_micro import runtime
data, arena = open(sys.argv[1], "rb").read(), int(sys.argv[2])
interpreter = runtime.Interpreter.from_bytes(data, arena_size=arena)
interpreter.set_input(np.full((1, 24, 24, 3), 3, np.int8), 0)
interpreter.invoke()
print(json.dumps(interpreter.get_output(0).tolist()))
"""
    ran = [
        subprocess.run([sys.executable, "-c", script, DATA / "tiny.tflite", str(size)], capture_output=True)
        for size in (arena, arena - 16)
    ]
    assert ran[0].returncode == 0 and ran[1].returncode != 0
    from edge.runtime import open_runtime

    plain = open_runtime(TINY).run(np.full((1, 24, 24, 3), 3, np.int8))
    assert np.abs(np.array(json.loads(ran[0].stdout)) - plain).max() <= 3


@needs_micro
def test_the_same_model_gives_the_same_bytes(export, model, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        export(model, "--output", folder)
    one, two = ({path.name: path.read_bytes() for path in folder.iterdir()} for folder in folders)
    assert one == two and sorted(one) == ["tiny.c", "tiny.h"]
    assert str(tmp_path).encode() not in one["tiny.c"] + one["tiny.h"]


@needs_micro
def test_a_segmentation_and_a_network_in_floats(export, mask_model, float_flatbuffer, tmp_path):
    done = export(mask_model)
    assert done.status == 0 and "not compared: the model file has no golden vectors" in done.out
    path = tmp_path / "float.tflite"
    raw = packing.manifest(float_flatbuffer, runtime={"type": "float32", "operators": {"CONV_2D": 2}})
    path.write_bytes(packing.pack(float_flatbuffer, raw))
    assert export(path).status == 0
    assert "SCALE" not in (tmp_path / "out/tiny.h").read_text()


@needs_micro
def test_a_network_that_computes_something_else(export, golden, tmp_path):
    members, entries = golden
    wrong = {name: b"\x7f\x80" if not name.endswith("png") else data for name, data in members.items()}
    path = tmp_path / "tiny.tflite"
    path.write_bytes(packing.pack(TINY, packing.manifest(TINY, golden=entries), wrong))
    done = export(path)
    assert done.status == 2 and "computes something else than the host for golden/0.png" in done.err
    assert not (tmp_path / "out").exists()


@needs_micro
@pytest.mark.train
@pytest.mark.timeout(300)
def test_operators_that_are_lacking_are_all_named(export, tmp_path):
    pytest.importorskip("tensorflow")
    from tests.firmware_bridge.graphs import Data, Step, build

    image = Data((1, 24, 24, 3))
    steps = [
        Step("GELU", [0], [1]),
        Step("HARD_SWISH", [1], [2]),
        Step("RELU_0_TO_1", [2], [3]),
        Step("GELU", [3], [4]),
        Step("FULLY_CONNECTED", [4, 5, 6], [7], "FullyConnectedOptions"),
    ]
    weights = [np.zeros((2, 24 * 24 * 3), np.int8), np.zeros(2, np.int32)]
    flatbuffer = build([image] * 5 + weights + [Data((1, 2))], steps)
    path = tmp_path / "odd.tflite"
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer)))
    done = export(path)
    assert done.status == 2 and len(done.err.splitlines()) == 1
    assert re.search(r"tflite-micro \S+ lacks \(GELU, RELU_0_TO_1\): convert", done.err)
    assert not (tmp_path / "out").exists()


@needs_micro
def test_a_damaged_network(export, tmp_path):
    flatbuffer = TINY[:8] + b"\xff" * 40 + TINY[48:]
    path = tmp_path / "tiny.tflite"
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer)))
    done = export(path)
    assert done.status == 2 and len(done.err.splitlines()) == 1 and not (tmp_path / "out").exists()


def test_without_tflite_micro_the_way_to_it_is_said(monkeypatch, model):
    monkeypatch.setattr(micro, "find_spec", lambda name: None)
    with pytest.raises(EdgeError, match=r"pip install '\.\[micro\]'"):
        micro.run(read(model))


def test_a_network_that_takes_too_long(monkeypatch, model):
    monkeypatch.setattr(micro, "find_spec", lambda name: name)
    monkeypatch.setattr(micro, "LIMIT_SECONDS", 0.001)
    with pytest.raises(EdgeError, match=r"after 0\.001 seconds"):
        micro.run(read(model))


@needs_micro
@pytest.mark.train
@pytest.mark.timeout(300)
def test_a_shipped_model(export, tmp_path):
    done = export("pneumonia")
    assert done.status == 0 and done.out.count("within tolerance") == 4
    text = (tmp_path / "out/pneumonia.c").read_text()
    numbers = re.search(r"_model\[\] = \{(.*?)\};", text, re.DOTALL)[1]
    array = bytes(int(number) for number in numbers.replace("\n", "").split(",") if number.strip())
    file = read(ROOT / "edge/models/pneumonia.tflite")
    assert hashlib.sha256(array).hexdigest() == file.manifest.model_sha256
    assert parse(dict(file.manifest.raw), "again").name == "pneumonia"
