"""A task from outside of the native program, built into it from one file; networks with several outputs."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable
from typing import Any

import flatbuffers
import numpy as np
import pytest
from tensorflow.lite.python import schema_py_generated as schema

from edge.runtime import open_runtime
from tests.edge import packing
from tests.edge.pictures import grey_ramp, png
from tests.edge.processes import Ended, environment
from tests.edge.tasks.test_own_task import installed
from tests.firmware_bridge.comparison import same_records, same_text
from tests.firmware_bridge.graphs import Data, Step
from tests.firmware_bridge.graphs import build as graph
from tests.firmware_bridge.native.test_manifests import Native

IMAGE = np.zeros((24, 24, 3), np.uint8) + np.array([255, 128, 40], np.uint8)
INPUT = {
    "height": 24, "width": 24, "color": "rgb", "channels": 3, "fit": "stretch", "mean": [0.5], "std": [0.25],
}  # fmt: skip
FIRST = {"labels": ["red"], "activation": "sigmoid", "thresholds": [0.5]}
REST = {"labels": ["green", "blue"], "activation": "sigmoid", "thresholds": [0.5, 0.4]}
ALL = {"labels": ["red", "green", "blue"], "activation": "sigmoid", "thresholds": [0.5, 0.5, 0.4]}
MEAN = Step("MEAN", [0, 1], [2], "ReducerOptions", {"keepDims": False})


def one_output() -> bytes:
    """The mean of each channel, as logits: (1, 3)."""
    return graph([Data((1, 24, 24, 3)), np.array([1, 2], np.int32), Data((1, 3))], [MEAN])


def two_outputs(signature: list[int] | None = None) -> bytes:
    """The mean of the first channel (1, 1), and of the others (1, 2); a signature has them in this order."""
    axis, sizes = np.array(1, np.int32), np.array([1, 2], np.int32)
    split = Step("SPLIT_V", [2, 3, 4], [5, 6], "SplitVOptions", {"numSplits": 2})
    tensors = [Data((1, 24, 24, 3)), np.array([1, 2], np.int32), Data((1, 3)), sizes, axis, Data((1, 1)), Data((1, 2))]
    network = graph(tensors, [MEAN, split])
    if signature is None:
        return network
    model = schema.ModelT.InitFromPackedBuf(network, 0)
    named = schema.SignatureDefT()
    named.signatureKey, named.subgraphIndex = "serving_default", 0
    named.inputs, named.outputs = [maps("x", 0)], [maps(f"out{at}", 5 + at) for at in signature]
    model.signatureDefs = [named]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def maps(name: str, tensor: int) -> Any:
    made = schema.TensorMapT()
    made.name, made.tensorIndex = name, tensor
    return made


def manifest(network: bytes, outputs: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    return packing.manifest(
        network,
        task="multilabel",
        inputs=[INPUT],
        outputs=outputs,
        runtime={"type": "int8", "operators": {"MEAN": 1}},
        **changes,
    )


def expected(image: np.ndarray) -> list[float]:
    """The scores by hand: the int8 input of step 0.5, its mean, the sigmoid."""
    steps = np.rint((image / 255 - 0.5) / 0.25 / 0.5)
    return [1 / (1 + math.exp(-0.5 * value)) for value in np.rint(steps.mean((0, 1)))]


@pytest.fixture
def native(programs: dict[str, Callable[..., Ended]]) -> Callable[..., Ended]:
    return programs["native"]


@pytest.mark.parametrize(
    ("network", "outputs"),
    [
        (one_output(), [ALL]),
        (two_outputs(), [FIRST, REST]),
        (two_outputs([0, 1]), [FIRST, REST]),
        (two_outputs([1, 0]), [FIRST, REST]),
    ],
    ids=["one output", "two", "with a signature", "with a signature in another order"],
)
def test_a_task_from_outside_answers_with_fields_of_its_own(native, tmp_path, network, outputs):
    model, image = tmp_path / "m.tflite", tmp_path / "image.png"
    model.write_bytes(packing.pack(network, manifest(network, outputs)))
    image.write_bytes(png(IMAGE))
    done = native("--model", model, image, "--json", "--output", tmp_path / "out")
    assert done.status == 0, done.err
    record = json.loads(done.out)
    scores = expected(IMAGE)
    assert record["task"] == "multilabel" and "threshold" not in record
    assert [row["label"] for row in record["results"]] == ["red", "green", "blue"]
    assert np.allclose([row["score"] for row in record["results"]], scores, rtol=1e-9)
    assert record["found"] == ["red", "green"] and record["decision"] == "red, green"
    rows = [line.split(",") for line in (tmp_path / "out/image.scores.csv").read_text().splitlines()]
    assert [name for name, _ in rows] == ["red", "green", "blue"]
    assert [float(score) for _, score in rows] == pytest.approx(scores, abs=1e-6)
    assert json.loads((tmp_path / "out/image.json").read_text())["files"] == ["image.scores.csv"]
    assert "  decision: red, green (of 3 labels)\n" in native("--model", model, image).out
    assert native("--model", model, image, "--quiet").out == f"{image}: red, green\n"


def test_what_it_drew_is_replaced_and_nothing_else(native, tmp_path):
    network = one_output()
    model, image, out = tmp_path / "m.tflite", tmp_path / "image.png", tmp_path / "out"
    model.write_bytes(packing.pack(network, manifest(network, [ALL])))
    image.write_bytes(png(IMAGE))
    words = ("--model", model, image, "--output", out)
    assert native(*words).status == 0
    image.write_bytes(png(np.zeros((24, 24, 3), np.uint8)))
    assert native(*words).status == 0 and "red,0.1" in (out / "image.scores.csv").read_text()
    (out / "image.json").unlink()
    assert native(*words).status == 2  # whose it is, nobody knows any more
    # A record that names files that are none of ours takes nothing along.
    (out / "image.scores.csv").unlink()
    assert native(*words).status == 0
    record = json.loads((out / "image.json").read_text())
    for name in ("image.tflite", "other.mask.png", "image.mask.png/../../image.png", "image.json"):
        (out / "image.json").write_text(json.dumps({**record, "files": [name]}))
        (out / "image.tflite").write_bytes(b"mine")
        (out / "image.scores.csv").unlink(missing_ok=True)
        assert native(*words).status == 0
        assert (out / "image.tflite").read_bytes() == b"mine" and image.exists() and (out / "image.json").exists()


def golden(network: bytes, members: list[bytes] | None = None) -> tuple[dict[str, bytes], list[dict[str, Any]]]:
    """A golden vector of the two outputs as Python's runtime computes them, or with these members."""
    plane = np.rint((IMAGE / 255 - 0.5) / 0.25 / 0.5).astype(np.int8)[None]
    names = ["golden/0.first", "golden/0.rest"]
    if members is None:
        steps = np.rint(plane.mean((0, 1, 2))).astype(np.int8)
        members = [steps[:1].tobytes(), steps[1:].tobytes()]
    entry = {
        "inputs": [{"image": "golden/0.png", "sha256": hashlib.sha256(plane.tobytes()).hexdigest()}],
        "outputs": {"xnnpack": names},
        "tolerance": 2,
    }
    return {"golden/0.png": png(IMAGE), **dict(zip(names, members, strict=True))}, [entry]


@pytest.mark.parametrize(
    ("members", "verdict"),
    [
        (None, "bit-exact"),
        ([bytes([4]), bytes([1, 255 - 2])], "within tolerance"),
        ([bytes([4]), bytes([0, 250])], "failed"),
        ([bytes([4]), bytes([255, 253])], "failed"),
        ([bytes([4]), bytes([0])], "failed"),
    ],
    ids=["the same", "near", "far in the second output", "near but another label", "too short"],
)
def test_golden_vectors_of_two_outputs(native, tmp_path, members, verdict):
    network = two_outputs()
    content, entries = golden(network, members)
    model = tmp_path / "m.tflite"
    model.write_bytes(packing.pack(network, manifest(network, [FIRST, REST], golden=entries), content))
    done = native("--model", model, "--check", "--json")
    record = json.loads(done.out)
    assert (record["verdict"], done.status) == (verdict, 1 if verdict == "failed" else 0), record


def test_both_programs_answer_the_same_by_it(programs, tmp_path):
    """Python's side of the task comes from an installed package, this one's from the build."""
    packages = installed(tmp_path / "packages")
    env = {"PYTHONPATH": os.pathsep.join([str(packages), environment().get("PYTHONPATH", "")])}
    network = two_outputs()
    content, entries = golden(network)
    model = tmp_path / "m.tflite"
    model.write_bytes(packing.pack(network, manifest(network, [FIRST, REST], golden=entries), content))
    (tmp_path / "a.png").write_bytes(png(IMAGE))
    (tmp_path / "b.png").write_bytes(png(np.random.default_rng(2).integers(0, 256, (50, 40, 3), np.uint8)))
    images = [tmp_path / "a.png", tmp_path / "b.png"]
    for words in (["--json", *images], ["--json", "--check"], ["--list", "--json"]):
        both = [programs[name]("--model", model, *words, env=env) for name in ("python", "native")]
        assert same_records(*both) and both[0].status == 0, both[0].err
    same_text(*(programs[name]("--model", model, *images, env=env) for name in ("python", "native")))
    model.write_bytes(packing.pack(network, manifest(network, [FIRST, {**REST, "thresholds": [0.5]}])))
    (record, _) = same_records(*(programs[name]("--model", model, "--json", *images, env=env) for name in programs))
    assert record["error"]["code"] == "model.manifest"


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_stored_output_that_is_no_number_is_valid_json(programs, tmp_path, float_flatbuffer, value):
    image = grey_ramp(24, 24)
    plane = np.repeat(((image / 255 - 0.5) / 0.25).astype(np.float32)[None, :, :, None], 3, axis=3)
    digest = hashlib.sha256(plane.tobytes()).hexdigest()
    raw = packing.manifest(
        float_flatbuffer,
        runtime={"type": "float32", "operators": {"CONV_2D": 2}},
        golden=[packing.vector("golden/0.png", digest, {"xnnpack": "golden/0"}, 0.1)],
    )
    stored = np.array([1, value], np.float32).tobytes()
    model = tmp_path / "m.tflite"
    model.write_bytes(packing.pack(float_flatbuffer, raw, {"golden/0.png": png(image), "golden/0": stored}))
    python, native = (programs[name]("--model", model, "--check", "--json") for name in ("python", "native"))
    assert 'max_difference": null' in native.out and "NaN" not in python.out and "Infinity" not in python.out
    assert same_records(python, native)[0]["verdict"] == "failed" and "difference" in json.loads(native.out)["reason"]


CASES: dict[str, tuple[list[dict[str, Any]], str]] = {
    "too few thresholds": ([{**ALL, "thresholds": [0.5]}], "model.manifest"),
    "another activation": ([{**ALL, "activation": "softmax"}], "model.manifest"),
    "fewer labels than values": ([{**ALL, "labels": ["a", "b"], "thresholds": [0.5, 0.5]}], "model.tensors"),
    "two entries for one output": ([FIRST, REST], "model.tensors"),
}


@pytest.mark.parametrize("what", CASES)
def test_it_checks_what_its_entry_says(native, tmp_path, what):
    outputs, code = CASES[what]
    network = one_output()
    model, image = tmp_path / "m.tflite", tmp_path / "image.png"
    model.write_bytes(packing.pack(network, manifest(network, outputs)))
    image.write_bytes(png(IMAGE))
    done = native("--model", model, image, "--json")
    assert done.status == 2 and json.loads(done.out)["error"]["code"] == code


def test_the_known_tasks_take_one_input_and_one_output(build):
    ask = Native(build / "edge-probe", "manifest")
    classification = packing.manifest(b"x")
    (entry,), (spec,) = classification["outputs"], classification["inputs"]
    for changes in ({"inputs": [spec] * 2}, {"outputs": [entry] * 2}, {"inputs": []}, {"outputs": []}):
        assert ask(packing.dump({**classification, **changes})) == "model.manifest"
    many = manifest(b"x", [ALL] * 16)
    assert ask(packing.dump(many)) == "ok"
    assert ask(packing.dump({**many, "inputs": [INPUT] * 16})) == "ok"
    assert ask(packing.dump(manifest(b"x", [ALL] * 17))) == "model.manifest"
    assert ask(packing.dump({**many, "task": "detection"})) == "model.manifest"
    ask.end()


def test_python_gives_the_two_outputs_in_the_same_order():
    """What the expected scores rest on."""
    plane = np.rint((IMAGE / 255 - 0.5) / 0.25 / 0.5).astype(np.int8)[None]
    for order in (None, [0, 1], [1, 0]):
        outputs = open_runtime(two_outputs(order)).run(plane)
        assert [output.shape[-1] for output in outputs] == [1, 2]
