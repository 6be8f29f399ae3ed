"""The Edge TPU as a runtime, with a library that stands in for Coral's (stand_in_delegate.c): no device was there."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge
from edge import delegates, runtime
from edge.delegates import edgetpu
from edge.errors import EdgeError
from tests.edge import packing
from tests.edge.processes import Ended, environment, run

HERE = Path(__file__).parents[1]
TINY = (HERE / "data/tiny.tflite").read_bytes()
CUSTOM = (HERE / "data/tiny-edgetpu.tflite").read_bytes()


def told(compiled: bytes, **changes: Any) -> dict[str, Any]:
    """Return the manifest's field of a compiled network."""
    return {
        "bytes": len(compiled),
        "sha256": hashlib.sha256(compiled).hexdigest(),
        "compiler": "16.0.384591198",
        "operators": 4,
        "mapped": 3,
        "on_chip_bytes": 1000,
        "on_chip_free_bytes": 8000000,
        "off_chip_bytes": 0,
        "unmapped": [{"operator": "FULLY_CONNECTED", "times": 1, "reason": "Operation not supported"}],
    } | changes


@pytest.fixture
def compiled_model(tmp_path: Path, golden: Any) -> Callable[..., Path]:
    """Make a model file with a compiled network in it: by default the network itself, as it is."""

    def make(compiled: bytes = TINY, **changes: Any) -> Path:
        members, entries = golden
        raw = packing.manifest(TINY, golden=entries, edgetpu=told(compiled, **changes))
        path = tmp_path / "tiny.tflite"
        path.write_bytes(packing.pack(TINY, raw, {"edgetpu.tflite": compiled, **members}))
        return path

    return make


@pytest.fixture
def infer_on(stand_in: Path) -> Callable[..., Ended]:
    """`edge-infer --runtime edgetpu` with the stand-in in one of its modes."""

    def infer(mode: str, model: Path, *words: object) -> Ended:
        env = environment(EDGE_INFER_EDGETPU=str(stand_in), EDGE_STAND_IN=mode)
        return run("--runtime", "edgetpu", "--model", model, *words, env=env)

    return infer


@pytest.fixture(params=["tflite", "litert"])
def name(request: pytest.FixtureRequest, runtimes: list[str]) -> str:
    """Both runtimes that load delegates."""
    if request.param not in runtimes:
        pytest.skip(f"the runtime {request.param} is not installed")
    return request.param


@pytest.mark.parametrize(("mode", "delegate", "taken"), [("all", "edgetpu", 4), ("some", "edgetpu in part", 2)])
def test_what_it_took_is_said(infer_on, compiled_model, picture, runtimes, mode, delegate, taken):
    model = compiled_model()
    done = infer_on(mode, model, "--json", picture)
    assert done.status == 0 and not done.complaints
    ran = json.loads(done.out)["runtime"]
    expected = "tflite" if "tflite" in runtimes else "litert"
    assert (ran["name"], ran["delegate"]) == (expected, delegate)
    assert ran["operators"] == {"taken": taken, "of": 4}
    text = infer_on(mode, model, picture)
    assert f", delegate {delegate}, {taken} of 4 operators\n" in text.out


@pytest.mark.parametrize("mode", ["all", "some"])
def test_answers_are_those_of_the_network(infer_on, compiled_model, picture, mode, runtimes):
    """The stand-in calls the runtime's own kernels: to the bit what they give without it."""
    model = compiled_model()
    through = json.loads(infer_on(mode, model, "--json", picture).out)
    name = "tflite" if "tflite" in runtimes else "litert"
    plain = json.loads(run("--runtime", name, "--model", model, "--json", picture).out)
    if runtime.open_runtime(TINY, name).kernel_path == "builtin":
        assert through["results"] == plain["results"]
    assert through["decision"] == plain["decision"]


@pytest.mark.parametrize("mode", ["all", "some"])
def test_golden_vectors_are_compared_with_a_tolerance(infer_on, compiled_model, mode):
    done = infer_on(mode, compiled_model(), "--check", "--json")
    verdicts = [json.loads(line) for line in done.out.splitlines()]
    assert done.status == 0 and len(verdicts) == 2
    # Nobody kept what an Edge TPU computes: another path's vectors are never called bit-exact, however near they are.
    assert {verdict["verdict"] for verdict in verdicts} == {"within tolerance"}
    assert {verdict["kernel_path"] for verdict in verdicts} <= {"builtin", "xnnpack"}


def test_a_wrong_answer_fails_the_check(infer_on, compiled_model):
    """The operator that copies its input instead of computing is the wrong network."""
    done = infer_on("custom", compiled_model(CUSTOM), "--check")
    assert done.status == 1 and "failed" in done.out


def test_the_compiled_network_is_what_runs(infer_on, compiled_model, picture):
    """Its custom operator is nobody else's: with it in the file, an answer came through the delegate."""
    done = infer_on("custom", compiled_model(CUSTOM), "--json", picture)
    ran = json.loads(done.out)["runtime"]
    assert (ran["delegate"], ran["operators"]) == ("edgetpu in part", {"taken": 1, "of": 2})


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("none", "took none of the network's 4 operators"),
        ("error", "can't be loaded (.*the stand-in finds no device)"),
        ("refuse", "can't load the compiled network .*the stand-in refuses"),
        ("fail", "can't run the network: the stand-in fails"),
        ("crash", "crashed in a child process that tried it (Aborted)"),
        ("exit", "ended a child process that tried it with exit status 3"),
    ],
)
def test_not_getting_it_is_an_error(infer_on, compiled_model, picture, mode, said):
    done = infer_on(mode, compiled_model(), "--json", picture)
    assert done.status == 2 and json.loads(done.out)["error"]["code"].startswith("runtime.")
    assert len(done.err.splitlines()) == len(done.complaints) == 1
    for words in said.split(".*"):
        assert words in done.complaints[0]
    assert "--runtime" in done.complaints[0]


def test_each_runtime_loads_it(monkeypatch, stand_in, compiled_model, name):
    monkeypatch.setenv("EDGE_INFER_EDGETPU", str(stand_in))
    monkeypatch.setenv("EDGE_STAND_IN", "all")
    opened = delegates.open_delegated("edgetpu", edge.model.read(compiled_model()), name, 2)
    assert (opened.name, opened.threads, opened.kernel_path) == (name, 2, "edgetpu")
    # Without a delegate these kernels are tflite-runtime's, and LiteRT's without XNNPACK.
    tensor = np.random.default_rng(3).integers(-128, 128, (1, 24, 24, 3), dtype=np.int8)
    reference = runtime.open_runtime(TINY, name)
    difference = np.abs(opened.run(tensor)[0].astype(int) - reference.run(tensor)[0].astype(int)).max()
    assert difference == 0 if reference.kernel_path == "builtin" else difference <= 3


def test_a_library_that_hangs_is_given_up(monkeypatch, stand_in, compiled_model, runtimes):
    monkeypatch.setenv("EDGE_INFER_EDGETPU", str(stand_in))
    monkeypatch.setenv("EDGE_STAND_IN", "hang")
    monkeypatch.setattr(edgetpu, "PROBE_SECONDS", 2.0)
    with pytest.raises(EdgeError, match=r"gave no answer within 2 seconds"):
        edge.load(compiled_model(), "edgetpu")


@pytest.mark.parametrize("missing", ["/nowhere/libedgetpu.so.1", None])
def test_a_library_that_is_not_there(compiled_model, picture, missing):
    env = environment(**({"EDGE_INFER_EDGETPU": missing} if missing else {}))
    env.pop("EDGE_INFER_EDGETPU" if not missing else "EDGE_STAND_IN", None)
    done = run("--runtime", "edgetpu", "--model", compiled_model(), picture, env=env)
    assert done.status == 2 and len(done.complaints) == 1 and done.out == ""
    assert (missing or "libedgetpu.so.1") in done.err and "EDGE_INFER_EDGETPU" in done.err


def test_a_library_that_is_no_delegate(monkeypatch, compiled_model):
    monkeypatch.setenv("EDGE_INFER_EDGETPU", "libc.so.6")
    with pytest.raises(EdgeError, match=r"libc\.so\.6 can't be loaded .*tflite_plugin_create_delegate"):
        edge.load(compiled_model(), "edgetpu")


@pytest.mark.parametrize("threads", [0, -1, 1000])
def test_threads_have_limits(compiled_model, threads):
    with pytest.raises(EdgeError, match="1 to 64"):
        edge.load(compiled_model(), "edgetpu", threads)


def test_no_plain_network_runs_in_its_place():
    with pytest.raises(EdgeError, match=r"edge\.load"):
        runtime.open_runtime(TINY, "edgetpu")


def test_a_model_that_was_not_compiled(infer_on, model, picture):
    done = infer_on("all", model, picture)
    assert done.status == 2 and "edge-deploy coral tiny.tflite --compile" in done.complaints[0]


def test_another_network_than_the_manifest_says(infer_on, compiled_model, picture):
    done = infer_on("all", compiled_model(TINY, sha256="0" * 64), picture)
    assert done.status == 2 and "digests differ" in done.complaints[0]


def test_other_runtimes_leave_it_alone(compiled_model, picture, runtimes, stand_in):
    """Neither the delegate nor a child process: the mode that crashes does not matter to them."""
    env = environment(EDGE_INFER_EDGETPU=str(stand_in), EDGE_STAND_IN="crash")
    for name in ["auto", *runtimes]:
        done = run("--runtime", name, "--model", compiled_model(CUSTOM), "--json", picture, env=env)
        assert done.status == 0 and "operators" not in json.loads(done.out)["runtime"]


def test_the_manifest_field_is_checked(tmp_path):
    def refused(**changes: Any) -> str:
        raw = packing.manifest(TINY, edgetpu=told(TINY, **changes))
        path = tmp_path / "tiny.tflite"
        path.write_bytes(packing.pack(TINY, raw, {"edgetpu.tflite": TINY}))
        with pytest.raises(EdgeError) as error:
            edge.model.read(path)
        return str(error.value)

    assert "edgetpu.mapped = 5: expected at most the 4" in refused(mapped=5)
    for key in ("bytes", "operators", "mapped", "on_chip_bytes", "on_chip_free_bytes", "off_chip_bytes"):
        assert f"edgetpu.{key} = -1" in refused(**{key: -1})
    for key in ("sha256", "compiler"):
        assert f"edgetpu.{key} = 7" in refused(**{key: 7})
    assert "edgetpu.unmapped[0].times = 0" in refused(unmapped=[{"operator": "ADD", "times": 0, "reason": "no"}])


def test_a_member_that_is_missing_or_too_large(tmp_path, monkeypatch):
    path = tmp_path / "tiny.tflite"
    path.write_bytes(packing.pack(TINY, packing.manifest(TINY, edgetpu=told(TINY))))
    with pytest.raises(EdgeError, match=r"lacks the member 'edgetpu\.tflite'"):
        edge.model.read(path)
    path.write_bytes(packing.pack(TINY, packing.manifest(TINY, edgetpu=told(TINY)), {"edgetpu.tflite": TINY}))
    edge.model.read(path)
    monkeypatch.setitem(edge.model.MAX_BYTES, "edgetpu.tflite", len(TINY) - 1)
    with pytest.raises(EdgeError, match=rf"'edgetpu\.tflite' that unpacks to {len(TINY)} bytes"):
        edge.model.read(path)


def test_nothing_is_imported_from_the_working_folder(monkeypatch, stand_in, compiled_model, tmp_path):
    work = tmp_path / "work"
    work.mkdir()
    for name in ("numpy", "subprocess"):
        (work / f"{name}.py").write_text("open('ran', 'w')\n")
    monkeypatch.setenv("EDGE_INFER_EDGETPU", str(stand_in))
    monkeypatch.setenv("EDGE_STAND_IN", "all")
    monkeypatch.chdir(work)
    assert edge.load(compiled_model(), "edgetpu", 1).runtime.taken == 4
    assert not (work / "ran").exists()
