"""A flatbuffer is verified before LiteRT sees it, by both programs alike; and none of what they let pass ends them."""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from edge import flatbuffer as reader
from edge import tflite_schema
from edge.errors import EdgeError
from edge.model import read, shipped
from tests.edge import packing
from tests.edge.conftest import HERE
from tests.edge.flatbuffers import Editor
from tests.edge.processes import ROOT, environment
from tests.edge.test_flatbuffer import DAMAGE, TINY
from tests.firmware_bridge.damage import damaged
from tests.firmware_bridge.graphs import Data, Step, build
from tests.firmware_bridge.native.test_manifests import Native

NETWORKS = {path.stem: path.read_bytes() for path in sorted((HERE / "data").glob("*.tflite"))}
# Loads and runs each of the files in turn; a crash ends it, and with it the list of what it says.
RUNS = """
import sys
import numpy as np
import edge
from edge.errors import EdgeError
for path in sys.argv[1:]:
    try:
        edge.load(path, threads=1)(np.zeros((24, 24, 3), np.uint8))
        print("ok", flush=True)
    except EdgeError as error:
        print(error.code, flush=True)
"""


@pytest.fixture(scope="module")
def native(build: Path) -> Iterator[Callable[[bytes], str]]:
    asked = Native(build / "edge-probe", "network")
    yield asked
    asked.end()


def python(data: bytes) -> str:
    try:
        reader.read(data, "m.tflite")
    except EdgeError as error:
        return error.code
    return "ok"


def test_networks_that_run_are_taken_by_both(native):
    for data in [*NETWORKS.values(), *(read(path).flatbuffer for path in shipped())]:
        assert python(data) == native(data) == "ok"


def test_each_kind_of_damage_is_refused_by_both(native):
    for what, (change, _) in DAMAGE.items():
        editor = Editor(TINY)
        change(editor)
        assert python(bytes(editor.data)) == native(bytes(editor.data)) == "model.network", what


def test_random_damage_is_taken_or_refused_by_both_alike(native):
    generator = random.Random(3)
    said = []
    for number in range(1500):
        data = damaged(generator.choice(list(NETWORKS.values())), generator)
        said.append(python(data))
        assert native(data) == said[-1], number
    assert 150 < said.count("ok") < 1200


def sealed(folder: Path, count: int) -> list[Path]:
    """Return model files of damaged networks that are taken, sealed as whole ones."""
    generator, paths = random.Random(5), []
    while len(paths) < count:
        name = generator.choice(["tiny", "tiny-float", "tiny-mask", "tiny-mask-float"])
        data = damaged(NETWORKS[name], generator)
        if data == NETWORKS[name] or python(data) != "ok":
            continue
        make = packing.mask_manifest if "mask" in name else packing.manifest
        runtime = {"type": "float32" if "float" in name else "int8", "operators": {}}
        paths.append(folder / f"{len(paths)}.tflite")
        paths[-1].write_bytes(packing.pack(data, make(data, runtime=runtime)))
    return paths


def test_what_is_taken_ends_no_program(tmp_path, programs, picture):
    """Both answer it, or both refuse it; before flatbuffers were verified 11 of 240 such files ended one of them."""
    paths = sealed(tmp_path, 25)
    done = subprocess.run(
        [sys.executable, "-c", RUNS, *paths], capture_output=True, text=True, env=environment(), cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    for path, said in zip(paths, done.stdout.split(), strict=True):
        ended = programs["native"]("--model", path, picture)
        assert ended.status == (0 if said == "ok" else 2), (path, said, ended.err)
        assert ended.err.count("\n") <= 1 or said == "ok"


def test_a_network_of_common_operators_is_taken(native):
    """Weights, pools, joins and moves as converters write them; another schema wrote the file."""
    rng = np.random.default_rng(0)

    def weights(*shape: int) -> np.ndarray:
        return rng.integers(-100, 100, shape).astype(np.int8)

    convolution = {"padding": 0, "strideW": 1, "strideH": 1, "dilationWFactor": 1, "dilationHFactor": 1}
    pool = {"padding": 1, "strideW": 2, "strideH": 2, "filterWidth": 2, "filterHeight": 2}
    tensors = [
        Data((1, 8, 8, 4)), weights(6, 3, 3, 4), Data((1, 8, 8, 6)), weights(1, 3, 3, 6), Data((1, 8, 8, 6)),
        Data((1, 4, 4, 6)), Data((1, 4, 4, 6)), Data((1, 4, 4, 12)), np.array([1, 2], np.int32), Data((1, 12)),
        weights(3, 12), Data((1, 3)), Data((1, 3)), Data((1, 1, 1, 3)), np.array([1, 1, 1, 3], np.int32),
    ]  # fmt: skip
    steps = [
        Step("CONV_2D", [0, 1, -1], [2], "Conv2DOptions", convolution),
        Step("DEPTHWISE_CONV_2D", [2, 3, -1], [4], "DepthwiseConv2DOptions", {**convolution, "depthMultiplier": 1}),
        Step("MAX_POOL_2D", [4], [5], "Pool2DOptions", pool),
        Step("AVERAGE_POOL_2D", [4], [6], "Pool2DOptions", pool),
        Step("CONCATENATION", [5, 6], [7], "ConcatenationOptions", {"axis": 3}),
        Step("MEAN", [7, 8], [9], "ReducerOptions"),
        Step("FULLY_CONNECTED", [9, 10, -1], [11], "FullyConnectedOptions"),
        Step("SOFTMAX", [11], [12], "SoftmaxOptions", {"beta": 1.0}),
        Step("RESHAPE", [12, 14], [13], "ReshapeOptions", {"newShape": [1, 1, 1, 3]}),
    ]
    data = build(tensors, steps)
    assert reader.read(data, "m.tflite").graphs[0].operators[0].name == "CONV_2D"
    assert native(data) == "ok"


def test_the_native_tables_are_made_of_these(tmp_path):
    command = [sys.executable, str(ROOT / "firmware_bridge/native/tools/make_schema.py"), str(tmp_path)]
    subprocess.run(command, check=True, env=environment(), cwd=ROOT)
    for name in ("schema.h", "operators.h"):
        assert (ROOT / "firmware_bridge/native/model" / name).read_text() == (tmp_path / name).read_text(), (
            f"{name} is not what make_schema.py writes: run it"
        )


def test_the_schema_is_that_of_litert():
    pytest.importorskip("flatbuffers")
    schema = pytest.importorskip("ai_edge_litert.schema_py_generated")

    def named(kind: type) -> list[str]:
        numbers = {value: name for name, value in vars(kind).items() if isinstance(value, int)}
        return [numbers[index] for index in range(len(numbers))]

    assert named(schema.TensorType) == tflite_schema.TENSOR_TYPES
    assert named(schema.BuiltinOperator) == tflite_schema.OPERATORS
    assert named(schema.BuiltinOptions) == tflite_schema.OPTIONS
    assert named(schema.BuiltinOptions2) == tflite_schema.OPTIONS_2
    assert named(schema.QuantizationDetails) == tflite_schema.QUANTIZATION_DETAILS
    limits = {schema.Padding: 2, schema.ActivationFunctionType: 6, schema.TensorType: 20}
    assert all(len(named(kind)) == limit for kind, limit in limits.items())
    lines = tflite_schema.TABLES.replace("\n ", " ").strip().split("\n")
    tables = {line.split()[0]: line.split()[1:] for line in lines}
    assert {*tflite_schema.OPTIONS, *tflite_schema.OPTIONS_2} - {"NONE"} <= set(tables)
    for name, fields in tables.items():
        # The object of a table has its fields in the order of their slots, each at its default.
        known = vars(getattr(schema, f"{name}T")())
        mine = {}
        for field in fields:
            word, _, code = field.partition(":")
            if code:
                code, _, default = code.partition("=")
                scalar = code.split("<")[0] in ("?", "b", "B", "i", "I", "q", "Q", "f")
                mine[word.replace("_", "")] = float(default or 0) if scalar else None
        assert list(mine) == [word.lower() for word in known], name
        assert list(mine.values()) == [None if value is None else float(value) for value in known.values()], name
