from __future__ import annotations

from pathlib import Path

import numpy as np

from compress.classification import Classification
from compress.data import Split
from compress.golden import COUNT, golden, installed
from compress.model_file import write
from compress.verify import edge_logits, latency, open_engine
from edge.check import BIT_EXACT, check
from edge.engine import Engine
from edge.manifest import parse
from edge.model import read
from edge.preprocess import int8_table
from edge.runtime import open_runtime
from tests.edge import packing
from tests.edge.conftest import RUNTIMES

DATA = Path(__file__).parents[1] / "edge/data"
FLATBUFFER = (DATA / "tiny.tflite").read_bytes()


def test_latency_times_every_model() -> None:
    times = latency({"int8": FLATBUFFER, "float32": (DATA / "tiny-float.tflite").read_bytes()}, rounds=3)
    assert list(times) == ["int8", "float32"]
    assert all(0 < value < 1000 for value in times.values())


def model_file(folder: Path) -> Path:
    """A model file with golden vectors, as a run makes it."""
    how = parse(packing.manifest(FLATBUFFER), "test").input
    runtimes = [open_runtime(FLATBUFFER, name) for name in installed()]
    entry = runtimes[0].input
    entries, members = golden(how, int8_table(how, entry.scale, entry.zero_point), Classification().golden, runtimes)
    assert parse(packing.manifest(FLATBUFFER, golden=entries), "test").golden
    write(folder / "tiny.tflite", FLATBUFFER, packing.manifest(FLATBUFFER, golden=entries), members)
    return folder / "tiny.tflite"


def test_golden_vectors_pass_the_devices_check(tmp_path: Path) -> None:
    file = read(model_file(tmp_path))
    assert len(file.manifest.golden) == COUNT
    for name in RUNTIMES:
        runtime = open_runtime(file.data, name, 1)
        assert all(runtime.kernel_path in vector.outputs for vector in file.manifest.golden)
        verdicts = check(Engine(file, runtime))
        assert [verdict.verdict for verdict in verdicts] == [BIT_EXACT] * COUNT


def test_golden_pictures_are_of_different_inputs(tmp_path: Path) -> None:
    vectors = read(model_file(tmp_path)).manifest.golden
    assert len({vector.input_sha256 for vector in vectors}) == COUNT


def test_logits_are_the_engines(tmp_path: Path) -> None:
    engine = open_engine(model_file(tmp_path))
    pixels = np.random.default_rng(0).integers(0, 256, (51, 24, 24, 1), np.uint8)
    said: list[str] = []
    found = edge_logits(engine, Split(pixels, np.zeros(51, np.int64), ("x",) * 51), said.append)
    assert said == ["running the model file on image 50/51"]
    assert found.shape == (51, 2)
    np.testing.assert_array_equal(found[3], engine.logits(pixels[3]))
    assert np.ptp(found) > 0
