"""A task from outside of the repository, registered in Python or by an installed package, and nothing else changed."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge
from edge import tasks
from edge.check import check
from edge.errors import EdgeError
from edge.manifest import parse
from edge.runtime import open_runtime
from tests.edge import packing
from tests.edge.conftest import HERE
from tests.edge.networks import changed
from tests.edge.pictures import grey_ramp, png
from tests.edge.processes import environment

SOURCE = Path(__file__).with_name("multilabel.py")
FLOAT = {"type": "float32", "operators": {"CONV_2D": 2, "MEAN": 1, "FULLY_CONNECTED": 1}}


def installed(folder: Path, value: str = "own_tasks:Multilabel", name: str = "multilabel") -> Path:
    """A folder as a package is installed in it, with an entry point for the task."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "own_tasks.py").write_text(SOURCE.read_text())
    info = folder / "own_tasks-1.0.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: own-tasks\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{tasks.GROUP}]\n{name} = {value}\n")
    return folder


def infer(*words: object, packages: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    found = environment()
    found["PYTHONPATH"] = os.pathsep.join([str(packages), found.get("PYTHONPATH", "")])
    command = [sys.executable, "-m", "edge", *map(str, words)]
    return subprocess.run(command, env=found, cwd=cwd, capture_output=True, text=True, check=False, timeout=60)


def manifest(flatbuffer: bytes, *outputs: dict[str, Any], **changes: Any) -> dict[str, Any]:
    raw = packing.manifest(flatbuffer, name="signs", task="multilabel", runtime=FLOAT, **changes)
    return {**raw, "outputs": list(outputs)}


def output(*labels: str, thresholds: list[float] | None = None) -> dict[str, Any]:
    return {"labels": list(labels), "activation": "sigmoid", "thresholds": thresholds or [0.5] * len(labels)}


SIGNS = output("opacity", "device", thresholds=[0.2, 0.9])
GROUPS = (SIGNS, output(*(f"feature {number}" for number in range(8))))


@pytest.fixture
def model(tmp_path: Path, float_flatbuffer: bytes) -> Path:
    path = tmp_path / "signs.tflite"
    path.write_bytes(packing.pack(float_flatbuffer, manifest(float_flatbuffer, SIGNS)))
    return path


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> type[tasks.Task]:
    """The task, registered in this process."""
    monkeypatch.setattr(tasks, "_registered", {})
    spec = importlib.util.spec_from_file_location("own_tasks", SOURCE)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "own_tasks", module)
    spec.loader.exec_module(module)
    tasks.register(module.Multilabel)
    return module.Multilabel


def two_outputs() -> bytes:
    """The tiny float network, whose last features are an output as well: (1, 2) and (1, 8)."""

    def change(network: Any, graph: Any) -> None:
        graph.outputs = [graph.outputs[0], graph.operators[-1].inputs[0]]
        network.signatureDefs = []

    return changed("tiny-float", change)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, dict[str, Any], dict[str, bytes]]:
    """A model file of a network with two outputs and a golden vector; its manifest and members."""
    flatbuffer = two_outputs()
    grey = np.random.default_rng(1).integers(0, 256, (24, 24), np.uint8)
    spec = parse(packing.manifest(b"x"), "m").inputs[0]
    tensor = np.repeat(((grey / 255 - spec.mean[0]) / spec.std[0]).astype(np.float32)[None, :, :, None], 3, axis=3)
    raws = open_runtime(flatbuffer, "litert").run(tensor)
    members = {"golden/0.png": png(grey)} | {f"golden/0.{n}": raw.tobytes() for n, raw in enumerate(raws)}
    vector = {
        "inputs": [{"image": "golden/0.png", "sha256": hashlib.sha256(tensor.tobytes()).hexdigest()}],
        "outputs": {"xnnpack": ["golden/0.0", "golden/0.1"]},
        "tolerance": 0.25,
    }
    raw = manifest(flatbuffer, *GROUPS, golden=[vector])
    path = tmp_path / "pair.tflite"
    path.write_bytes(packing.pack(flatbuffer, raw, members))
    return path, raw, members


def test_an_installed_package_adds_a_task(tmp_path: Path, model: Path) -> None:
    (tmp_path / "a.png").write_bytes(png(grey_ramp()))
    packages = installed(tmp_path / "packages")
    done = infer("--model", model, "a.png", "--json", "--output", "out", packages=packages, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    keys = list(record)
    assert keys[keys.index("task") : keys.index("warnings")] == ["task", "results", "decision", "found"]
    assert record["task"] == "multilabel" and "threshold" not in record
    assert [row["label"] for row in record["results"]] == ["opacity", "device"]
    found = [row["label"] for row in record["results"] if row["score"] >= row["threshold"]]
    assert record["found"] == found and record["decision"] == (", ".join(found) or "nothing")
    assert json.loads((tmp_path / "out/a.json").read_text())["files"] == ["a.scores.csv"]
    assert (tmp_path / "out/a.scores.csv").read_text().startswith("opacity,0.")
    told = infer("--model", model, "a.png", packages=packages, cwd=tmp_path)
    assert "  opacity  0." in told.stdout and f"decision: {record['decision']} (of 2 labels)" in told.stdout


def test_the_scores_are_the_networks(registered: type[tasks.Task], model: Path, float_flatbuffer: bytes) -> None:
    engine = edge.load(model, threads=1)
    array = np.random.default_rng(0).integers(0, 256, (24, 24), np.uint8)
    (raw,) = open_runtime(float_flatbuffer).run(engine.tensor(array[:, :, None]))
    answer = engine(array)
    expected = 1 / (1 + np.exp(-raw[0].astype(float)))
    assert [row["score"] for row in answer.results] == pytest.approx(expected)
    assert answer.latency_ms["total"] > 0 and answer.warm_ms == ()


def test_nobody_knows_a_task_that_nobody_adds(tmp_path: Path, model: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    done = infer("--model", model, "a.png", "--json", packages=empty, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "model.manifest"
    assert 'task = \'multilabel\': expected "classification" or "segmentation"' in error["message"]


@pytest.mark.parametrize(
    "name", ["own_tasks:Multilabel", "own_tasks", "os:system", "edge.tasks.classification", "Classification", "a b"]
)
def test_nothing_is_imported_by_the_name_in_a_model_file(tmp_path: Path, float_flatbuffer: bytes, name: str) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    for module in ("own_tasks.py", "multilabel.py", "os.system.py"):
        (packages / module).write_text(f"open({str(tmp_path / 'imported')!r}, 'w')\n")
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(float_flatbuffer, {**manifest(float_flatbuffer, SIGNS), "task": name}))
    done = infer("--model", path, "a.png", packages=packages, cwd=tmp_path)
    assert done.returncode == 2 and "Traceback" not in done.stderr and "task = " in done.stderr
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("value", "name", "words"),
    [
        ("own_tasks:Nothing", "multilabel", "has no attribute 'Nothing'"),
        ("no_such_module:Task", "multilabel", "No module named 'no_such_module'"),
        ("own_tasks:SOURCE", "multilabel", "SOURCE"),
        ("json:JSONDecoder", "multilabel", "it lacks name, endings, parse"),
        ("own_tasks:Multilabel", "other", "the task calls itself multilabel"),
    ],
)
def test_a_package_that_breaks_its_word(
    tmp_path: Path, float_flatbuffer: bytes, value: str, name: str, words: str
) -> None:
    packages = installed(tmp_path / "packages", value, name)
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(float_flatbuffer, {**manifest(float_flatbuffer, SIGNS), "task": name}))
    done = infer("--model", path, "a.png", packages=packages, cwd=tmp_path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and words in done.stderr
    assert f"the task {name} can't be loaded from {value}" in done.stderr


def test_what_is_no_task_is_not_registered(registered: type[Any]) -> None:
    def other(**members: Any) -> type[Any]:
        return type("Other", (registered,), {"name": "other", **members})

    tasks.register(registered)  # again
    with pytest.raises(TypeError, match="is no task: it lacks name, endings, parse, example, check"):
        tasks.register(object)  # type: ignore[arg-type]
    for name in ("Other", "", "two words", 3, "../x"):
        with pytest.raises(ValueError, match="expected lower-case letters"):
            tasks.register(other(name=name))
    for ending in (".json", "mask.png", ".png", ".a/b.png", ".A.png", ".a.b.c"):
        with pytest.raises(ValueError, match="expected one like"):
            tasks.register(other(endings=(ending,)))
    for taken in ("classification", "segmentation", "multilabel"):
        with pytest.raises(ValueError, match=f"there is a task {taken} already"):
            tasks.register(other(name=taken))
    assert tasks.find("other") is None and tasks.find("multilabel") is registered
    assert {"classification", "segmentation", "multilabel"} <= set(tasks.names())


def test_a_network_with_two_outputs_answers(registered: type[tasks.Task], pair: Any) -> None:
    path, _, _ = pair
    engine = edge.load(path, "litert", 1)
    array = np.random.default_rng(2).integers(0, 256, (24, 24), np.uint8)
    raws = open_runtime(two_outputs(), "litert").run(engine.tensor(array[:, :, None]))
    assert [raw.shape for raw in raws] == [(1, 2), (1, 8)]
    expected = 1 / (1 + np.exp(-np.concatenate([raw[0] for raw in raws]).astype(float)))
    answer = engine(array)
    assert [row["score"] for row in answer.results] == pytest.approx(expected)
    assert [row["label"] for row in answer.results] == [*GROUPS[0]["labels"], *GROUPS[1]["labels"]]
    assert engine.file.member("labels.txt") == b"opacity\ndevice\n"
    assert [len(values) for values in engine.outputs(array[:, :, None])] == [2, 8]


def test_golden_vectors_of_two_outputs_are_checked(registered: type[tasks.Task], pair: Any) -> None:
    path, raw, members = pair
    flatbuffer = two_outputs()

    def verdict(second: bytes, *, elsewhere: bool = False) -> Any:
        changed_raw = copy.deepcopy(raw)
        if elsewhere:
            outputs = changed_raw["golden"][0]["outputs"]
            outputs["other"] = outputs.pop("xnnpack")
        path.write_bytes(packing.pack(flatbuffer, changed_raw, {**members, "golden/0.1": second}))
        (found,) = check(edge.load(path, "litert", 1))
        return found

    own = members["golden/0.1"]
    values = np.frombuffer(own, np.float32)
    assert verdict(own).verdict == "bit-exact"
    assert verdict(own, elsewhere=True).verdict == "within tolerance"
    near = verdict((values + 0.125).tobytes())  # above 0 before and behind: no label is decided otherwise
    assert values.min() > 0 and near.verdict == "within tolerance" and near.max_difference == pytest.approx(0.125)
    assert verdict((values + 1).tobytes()).verdict == "failed"
    assert verdict(np.full_like(values, np.nan).tobytes()).verdict == "failed"
    assert "the stored output has 3 bytes" in verdict(b"123").reason
    flipped = values.copy()
    flipped[np.abs(values).argmin()] *= -1
    raw["golden"][0]["tolerance"] = 100
    turned = verdict(flipped.tobytes())
    assert turned.verdict == "failed" and turned.reason.endswith(", and other labels are found")


@pytest.mark.parametrize(
    ("outputs", "words"),
    [
        ([SIGNS], "has a network with 2 outputs, and a manifest with 1"),
        ([*GROUPS, SIGNS], "has a network with 2 outputs, and a manifest with 3"),
        ([GROUPS[1], SIGNS], r"output is float32 \(1, 2\) and float32 \(1, 8\), .* float32 \(1, 8\) and \(1, 2\)"),
    ],
)
def test_outputs_that_do_not_fit_are_refused(
    registered: type[tasks.Task], tmp_path: Path, outputs: list[dict[str, Any]], words: str
) -> None:
    flatbuffer = two_outputs()
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(flatbuffer, manifest(flatbuffer, *outputs)))
    with pytest.raises(EdgeError, match=words) as caught:
        edge.load(path, threads=1)
    assert caught.value.code == "model.tensors"


def test_a_second_input_is_refused_when_it_is_loaded(registered: type[tasks.Task], tmp_path: Path) -> None:
    """The manifest may have it, where the task does not mind; a call takes one image."""

    def change(network: Any, graph: Any) -> None:
        graph.tensors.append(copy.deepcopy(graph.tensors[graph.inputs[0]]))
        graph.tensors[-1].name = b"second"
        graph.inputs = [graph.inputs[0], len(graph.tensors) - 1]
        network.signatureDefs = []

    flatbuffer = changed("tiny-float", change)
    raw = manifest(flatbuffer, SIGNS)
    raw["inputs"] *= 2
    assert len(parse(raw, "m").inputs) == 2
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(flatbuffer, raw))
    with pytest.raises(EdgeError, match="network with 2 inputs: expected one, as a call takes one image") as caught:
        edge.load(path, threads=1)
    assert caught.value.code == "model.tensors"


def test_a_manifest_for_it_is_checked_by_it(registered: type[tasks.Task], float_flatbuffer: bytes) -> None:
    raw = manifest(float_flatbuffer, {**SIGNS, "thresholds": [0.5]})
    with pytest.raises(EdgeError, match=r"m has outputs\[0\]\.thresholds = \[0\.5\]: expected 2 numbers; build"):
        parse(raw, "m")
    with pytest.raises(EdgeError, match=r"lacks the field outputs\[0\]\.thresholds"):
        parse(manifest(float_flatbuffer, {"labels": ["a"], "activation": "sigmoid"}), "m")


def test_scores_of_any_output_are_not_made_twice(registered: type[tasks.Task], tmp_path: Path) -> None:
    flatbuffer = (HERE / "data/tiny-scores-float.tflite").read_bytes()
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack(flatbuffer, manifest(flatbuffer, SIGNS)))
    with pytest.raises(EdgeError, match=r'ends in SOFTMAX, .* "sigmoid": expected "none"'):
        edge.load(path, threads=1)


def test_pack_makes_a_file_of_it(registered: type[tasks.Task], tmp_path: Path) -> None:
    """Golden vectors of both outputs as well; without the task's name classification is taken for such a shape."""
    packing_of = pytest.importorskip("compress.convert.packing")
    spec = {"color": "grey", "fit": "stretch", "mean": [0.5], "std": [0.25]}
    raw = {"name": "signs", "title": "Signs", "task": "multilabel", "inputs": [spec]}
    raw["outputs"] = [{key: entry[key] for key in ("labels", "thresholds")} for entry in GROUPS]
    raw["outputs"][1]["activation"] = "sigmoid"  # its graph ends in MEAN, which does not tell
    packed = packing_of.pack(two_outputs(), raw, tmp_path / "m.tflite", "net", "m.json")
    assert 'outputs[0].activation "sigmoid" (the network ends in FULLY_CONNECTED)' in packed.filled_in
    engine = edge.load(tmp_path / "m.tflite", threads=1)
    assert [verdict.verdict for verdict in check(engine)] == ["bit-exact"] * 4
    assert [len(names) for names in engine.file.manifest.golden[0].outputs.values()] == [2] * len(
        engine.file.manifest.golden[0].outputs
    )
    raw["outputs"][1]["labels"] = ["too", "few"]
    with pytest.raises(EdgeError, match="it has 2 labels, and the network has 8 outputs"):
        packing_of.pack(two_outputs(), raw, tmp_path / "n.tflite", "net", "m.json")
