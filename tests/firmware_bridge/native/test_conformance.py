"""One suite for both programs: what `edge-infer` says, answers and ends with, in Python and native."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from tests.edge import packing
from tests.edge.pictures import blobs, encoded, grey_ramp, huge_png, png, turned
from tests.edge.processes import ROOT, Ended, environment, ignoring, usual_ends
from tests.firmware_bridge.comparison import same_records, same_text
from tests.firmware_bridge.conftest import library

GREY = grey_ramp()
NOISE = np.random.default_rng(3).integers(0, 256, (95, 130, 3), dtype=np.uint8)


GOOD = {
    "grey.png": png(GREY),
    "colour.png": png(NOISE),
    "alpha.png": encoded(Image.fromarray(NOISE).convert("RGBA"), "PNG"),
    "grey-alpha.png": encoded(Image.fromarray(GREY).convert("LA"), "PNG"),
    "deep.png": png((GREY.astype(np.uint16) << 8) + 129),
    "bits.png": png(GREY > 127),
    "palette.png": encoded(Image.fromarray(NOISE).quantize(37), "PNG"),
    "clear-palette.png": encoded(Image.fromarray(NOISE).quantize(8), "PNG", transparency=3),
    "dot.png": png(np.array([[7]], np.uint8)),
    "line.png": png(NOISE[:1]),
    "turned.png": encoded(Image.fromarray(NOISE), "PNG", exif=turned(6)),
    "grey.jpg": encoded(Image.fromarray(GREY), "JPEG"),
    "colour.jpg": encoded(Image.fromarray(NOISE), "JPEG", quality=80),
    "progressive.jpg": encoded(Image.fromarray(NOISE), "JPEG", progressive=True),
    "full-colour.jpg": encoded(Image.fromarray(NOISE), "JPEG", subsampling=0),
    "cmyk.jpg": encoded(Image.fromarray(NOISE).convert("CMYK"), "JPEG"),
    "large.jpg": encoded(Image.fromarray(NOISE).resize((701, 503)), "JPEG"),
    "turned.jpg": encoded(Image.fromarray(NOISE).resize((301, 203)), "JPEG", exif=turned(5)),
    "no-exif.jpg": encoded(Image.fromarray(NOISE), "JPEG", exif=b"Exif\0\0nonsense"),
    "no-exif.png": encoded(Image.fromarray(NOISE), "PNG", exif=b"Exif\0\0nonsense"),
    "density.jpg": encoded(Image.fromarray(NOISE), "JPEG", exif=b"Exif\0\0nonsense", dpi=(72, 72)),
}
BAD = {
    "missing.png": None,
    "empty.png": b"",
    "text.png": b"I am a text.\n",
    "quotes.png": b'it\'s "q"\x00\xff',
    "half.png": png(NOISE)[: len(png(NOISE)) // 2],
    "header.png": png(GREY)[:20],
    "changed.png": png(GREY)[:20] + b"\x07" + png(GREY)[21:],
    "half.jpg": encoded(Image.fromarray(GREY), "JPEG")[:-200],
    "header.jpg": encoded(Image.fromarray(GREY), "JPEG")[:40],
    "half-progressive.jpg": encoded(Image.fromarray(NOISE), "JPEG", progressive=True)[:-900],
    "huge.png": huge_png(20000, 20000),
}


@pytest.fixture
def pictures(tmp_path):
    for name, data in {**GOOD, **BAD}.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.fixture
def both(programs):
    return lambda *words, **more: [programs[name](*words, **more) for name in ("python", "native")]


def test_pictures_of_every_kind_are_answered_the_same(both, pictures, model):
    records = same_records(*both("--model", model, "--json", *(pictures / name for name in GOOD)))
    assert len(records) == len(GOOD)


@pytest.mark.parametrize("name", sorted(GOOD))
def test_people_read_the_same_numbers(both, pictures, model, name):
    same_text(*both("--model", model, pictures / name))


@pytest.mark.parametrize("name", sorted(BAD))
def test_a_bad_picture_is_the_same_code(both, pictures, model, name):
    python, native = both("--model", model, "--json", pictures / name)
    (record,) = same_records(python, native)
    assert native.status == 2 and native.err == f"edge-infer: {json.loads(native.out)['error']['message']}\n"
    assert record["image"] == str(pictures / name) and record["error"]["code"].startswith("image.")


def test_a_folder_of_good_and_bad(both, pictures, model):
    records = same_records(*both("--model", model, "--json", pictures, pictures / "missing.png"))
    assert len(records) == len(GOOD) + len(BAD)
    assert sum("error" in record for record in records) == len(BAD)


@pytest.mark.parametrize("name", ["bpcp", "cpgresnet50", "pneumonia", "polyp"])
def test_the_shipped_models(both, programs, name, tmp_path):
    big = tmp_path / "big.jpg"
    big.write_bytes(encoded(Image.fromarray(NOISE).resize((1300, 1100)), "JPEG"))
    same_records(*both("--model", name, "--json", ROOT / "docs/phantom.png", big))
    python, native = both("--model", name, "--check")
    same_text(python, native)
    assert native.out.count(": bit-exact: ") == 4
    same_records(*both("--model", name, "--check", "--json"))


def test_golden_vectors_that_fail(both, tmp_path, flatbuffer, golden):
    members, entries = golden
    changed = {name: bytes([data[0] ^ 3]) + data[1:] if "xnn" in name else data for name, data in members.items()}
    other = [{**entry, "inputs": [{**entry["inputs"][0], "sha256": "0" * 64}]} for entry in entries]
    far = {name: bytes(len(data)) if "xnn" in name else data for name, data in members.items()}
    short = {name: data[:1] if "xnn" in name else data for name, data in members.items()}
    cases = [(changed, entries), (members, other), (far, entries), (short, entries)]
    for number, (content, vectors) in enumerate(cases):
        path = tmp_path / f"{number}.tflite"
        path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=vectors), content))
        same_records(*both("--model", path, "--check", "--json"))
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer)))
    (record,) = same_records(*both("--model", path, "--check", "--json"))
    assert record["error"]["code"] == "model.golden"


def test_a_float_network(both, tmp_path, float_flatbuffer, pictures):
    raw = packing.manifest(float_flatbuffer, runtime={"type": "float32", "operators": {"CONV_2D": 2}}, decision=None)
    path = tmp_path / "float.tflite"
    path.write_bytes(packing.pack(float_flatbuffer, raw))
    python, native = both("--model", path, pictures / "grey.png", pictures / "colour.jpg")
    same_text(python, native)
    assert native.status == 0


def deep(flatbuffer, **changes):
    raw = packing.manifest(flatbuffer)
    raw["inputs"][0].update(changes)
    return packing.pack(flatbuffer, raw)


MODELS = {
    "short": lambda data, network: data[:-1],
    "half": lambda data, network: data[: len(data) // 2],
    "bare": lambda data, network: network,
    "changed": lambda data, network: data[:100] + bytes([data[100] ^ 1]) + data[101:],
    "empty": lambda data, network: b"",
    "picture": lambda data, network: png(GREY),
    "newer": lambda data, network: packing.pack(network, packing.manifest(network, version=9)),
    "bomb": lambda data, network: packing.pack_members(network, {"manifest.json": bytes(2**27)}, 8),
    "bomb-compiled": lambda data, network: packing.pack_members(network, {"edgetpu.tflite": bytes(2**26 + 1)}, 8),
    "no-manifest": lambda data, network: packing.pack_members(network, {"labels.txt": b""}),
    "no-json": lambda data, network: packing.pack_members(network, {"manifest.json": b"{,}", "labels.txt": b""}),
    "trailing": lambda data, network: packing.pack_members(network, {"manifest.json": b'{"a": 1,}', "labels.txt": b""}),
    "list": lambda data, network: packing.pack_members(network, {"manifest.json": b"[1, 2.5, null, true]"}),
    "other-network": lambda data, network: packing.pack(network, packing.manifest(network + b"x")),
    "other-labels": lambda data, network: packing.pack_members(
        network, {"manifest.json": packing.dump(packing.manifest(network)), "labels.txt": b"cat\ndog\n"}
    ),
    "deflated": lambda data, network: packing.pack_members(
        network,
        {"manifest.json": packing.dump(packing.manifest(network)), "labels.txt": b"normal\nopacity\n"},
        8,
    ),
    "other-size": lambda data, network: deep(network, height=25),
    "other-planes": lambda data, network: deep(network, channels=1),
    "other-type": lambda data, network: packing.pack(
        network, packing.manifest(network, runtime={"type": "float32", "operators": {}})
    ),
    "three-labels": lambda data, network: packing.pack(
        network, packing.manifest(network, labels=["a", "b", "opacity"])
    ),
    "no-golden": lambda data, network: packing.pack(
        network,
        packing.manifest(
            network,
            golden=[packing.vector("golden/é'.png", "0" * 64, {"xnnpack": "x"}, 1)],
        ),
    ),
    "many": lambda data, network: packing.pack_members(network, {f"m{number}": b"" for number in range(65)}),
}


@pytest.mark.parametrize("name", sorted(MODELS))
def test_a_bad_model_is_the_same_code(both, tmp_path, pictures, model_bytes, flatbuffer, name):
    path = tmp_path / "m.tflite"
    path.write_bytes(MODELS[name](model_bytes, flatbuffer))
    python, native = both("--model", path, "--json", pictures / "grey.png")
    (record,) = same_records(python, native)
    assert native.status == (0 if name == "deflated" else 2) and record["image"] == str(pictures / "grey.png")


FIELDS = [
    {"labels": ["a", "a"]},
    {"labels": "normal"},
    {"labels": ["a\n", "b"]},
    {"labels": ["a", 7]},
    {"name": "Tiny"},
    {"title": ""},
    {"task": "detection"},
    {"activation": "sigmoid"},
    {"decision": {"label": "opacity", "threshold": 1.5}},
    {"decision": {"label": "Opacity", "threshold": True}},
    {"decision": "opacity"},
    {"decision": None},
    {"targets": [{"name": "auc", "target": "high", "better": "higher", "source": "x"}]},
    {"targets": [{"name": "auc", "target": 1e3, "better": "more", "source": "x"}]},
    {"targets": [{"name": "größe", "target": 10**17, "better": "lower", "source": "x"}]},
    {"targets": []},
    {"targets": {}},
    {"measured": {"auc": None}},
    {"measured": {"parameters": 816, "accuracy": 0.123456789, "auc": -1e-7}},
    {"version": 0},
    {"version": "1"},
    {"version": 1.0},
    {"version": 10**30},
    {"model": {"bytes": 0, "sha256": "x"}},
    {"model": {"bytes": 1, "sha256": "x"}},
    {"model": []},
    {"runtime": {"type": "int8", "operators": {"CONV_2D": 0}}},
    {"runtime": {"type": ["int8", {"a": None, "b": "it's"}], "operators": {}}},
    {"golden": [packing.vector("a", "0" * 64, {}, 1)]},
    {"golden": [{**packing.vector("a", "0" * 64, {"xnnpack": "o"}, 1), "inputs": []}]},
    {"golden": [{**packing.vector("a", "0" * 64, {"xnnpack": "o"}, 1), "outputs": {"xnnpack": ["o", "p"]}}]},
    {"golden": [{**packing.vector("a", "0" * 64, {"xnnpack": "o"}, 1), "outputs": {"xnnpack": "o"}}]},
    {"inputs": []},
    {"inputs": {}},
    {"inputs": [7]},
    {"outputs": [{"labels": ["a", "b"], "activation": "softmax", "decision": None}] * 2},
    {"outputs": []},
    {"outputs": [{"labels": ["a", "b"], "activation": "softmax"}]},
    {"outputs": [{"activation": "softmax", "decision": None}]},
    {"outputs": [{"labels": ["a", "b"], "activation": 7, "decision": None}]},
    {"golden": [1.5e300]},
    {"format": None},
    {"labels": ["größer", "\U0001f600"], "decision": None},
]
INPUTS = [
    {"color": "gray"},
    {"channels": 2},
    {"std": [0.0]},
    {"std": []},
    {"mean": [0.5, 0.25]},
    {"mean": ["x"]},
    {"fit": 5},
    {"height": -1},
    {"mean": [0.1, 0.2, 0.3], "std": [1, 2, 3.5], "color": "rgb"},
    {"fit": "crop", "color": "rgb"},
    {"fit": "pad"},
]


@pytest.mark.parametrize("number", range(len(FIELDS) + len(INPUTS)))
def test_manifests_are_held_to_the_same_rules(both, tmp_path, pictures, flatbuffer, number):
    raw = packing.manifest(flatbuffer, **(FIELDS[number] if number < len(FIELDS) else {}))
    if number >= len(FIELDS):
        raw["inputs"][0].update(INPUTS[number - len(FIELDS)])
    path = tmp_path / "m.tflite"
    labels = raw["outputs"][0].get("labels", []) if raw["outputs"] else []
    labels = labels if isinstance(labels, list) else []
    path.write_bytes(
        packing.pack_members(
            flatbuffer,
            {"manifest.json": packing.dump(raw), "labels.txt": "".join(f"{label}\n" for label in labels).encode()},
        )
    )
    same_records(*both("--model", path, "--json", pictures / "colour.png", pictures / "turned.jpg"))


@pytest.mark.parametrize("key", ["outputs", "inputs", "task", "golden", "provenance", "runtime", "measured", "format"])
def test_fields_that_are_missing(both, tmp_path, pictures, flatbuffer, key):
    raw = packing.manifest(flatbuffer)
    del raw[key]
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack_members(flatbuffer, {"manifest.json": packing.dump(raw), "labels.txt": b""}))
    same_records(*both("--model", path, "--json", pictures / "grey.png"))


ARGUMENTS = [
    [],
    ["--help"],
    ["-h"],
    ["--version"],
    ["--vers"],
    ["P", "--repeat", "0"],
    ["P", "--repeat", "x"],
    ["P", "--repeat", "' \""],
    ["P", "--repeat"],
    ["P", "--max-pixels", "-5"],
    ["P", "--max-pixels=2999"],
    ["P", "--max", "3000"],
    ["P", "--threads", "0"],
    ["P", "--threads=-3"],
    ["P", "--threads", "65"],
    ["P", "--threads", "many"],
    ["P", "--threads", " 1_0 "],
    ["P", "--runtime", "onnx"],
    ["P", "--runtime"],
    ["P", "--runtime", "litert"],
    ["P", "--r", "2"],
    ["P", "--check"],
    ["--list", "P"],
    ["P", "--nonsense"],
    ["P", "-x", "--also=5"],
    ["P", "--json=5"],
    ["P", "-qr2", "-t", "1"],
    ["P", "-r"],
    ["P", "-r2x"],
    ["P", "--warmup", "2", "-r3"],
    ["P", "--warmup=-1"],
    ["P", "--strict", "--targets"],
    ["P", "--threads", "+2"],
    ["P", "-a b"],
    ["P", "--repeat", "1000001"],
    ["P", "-m"],
    ["P", "FOLDER/deep", "-o", "FOLDER/out"],
    ["FOLDER/*"],
    ["FOLDER/d*"],
    ["FOLDER/**"],
    ["FOLDER/*/"],
    ["FOLDER//deep"],
    ["P", "--json", "P"],
    ["P", "--", "--json"],
    ["--", "P", "P"],
    ["-5"],
    ["P", "--model", "nothing-of-this-name"],
    ["P", "--model", "nothing.tflite"],
    ["P", "--model", "/"],
    ["P", "--model", "/dev/zero"],
    ["P", "--output", "P"],
    ["P", "--output", "P/below"],
    ["FOLDER"],
    ["P", "FOLDER/*.png"],
    ["FOLDER/no*"],
    ["FOLDER/**/g*.png"],
    ["FOLDER/[fg]rey.png", "FOLDER/gre?.jpg"],
    ["FOLDER/empty"],
]


@pytest.mark.parametrize("words", ARGUMENTS, ids=" ".join)
def test_the_command_line_means_the_same(both, tmp_path, model, words):
    (tmp_path / "deep/empty").mkdir(parents=True)
    (tmp_path / "deep/.hidden.png").write_bytes(png(GREY))
    for name in ("grey.png", "deep/grey.png"):
        (tmp_path / name).write_bytes(png(GREY))
    names = {"P": str(tmp_path / "grey.png")}
    words = [names.get(word, word).replace("FOLDER", str(tmp_path)).replace("P/", names["P"] + "/") for word in words]
    given = ["--model", model] if words and "--model" not in words and words[0] != "--" else []
    python, native = both("--json", *given, *words)
    if words and words[0] in ("--help", "-h", "--version", "--vers"):
        assert (python.status, native.status) == (0, 0) and native.err == "" and native.out.startswith(python.out[:17])
        return
    records = same_records(python, native)
    assert native.status == (2 if any("error" in record for record in records) else 0) and records
    if native.status == 2:
        assert all(line.startswith(("edge-infer: ", "note: ", "Software")) for line in native.err.splitlines())


@pytest.mark.parametrize("name", ["tflite", "edgetpu"])
def test_runtimes_that_the_native_program_lacks(programs, model, tmp_path, name):
    """They are refused with what to do, and its help does not offer them."""
    (tmp_path / "p.png").write_bytes(png(GREY))
    run = programs["native"]
    done = run("--model", model, "--runtime", name, tmp_path / "p.png")
    assert (done.status, done.out) == (2, "") and done.err.count("\n") == 1
    assert f"the runtime {name} is not part of the native edge-infer: expected litert; use" in done.err
    assert name not in run("--help").out + run("--runtime", "onnx", "p.png").err


DEFAULTS = {
    "one": (["mine"], "mine"),
    "pneumonia": (["mine", "pneumonia"], "pneumonia"),
    "several": (["mine", "other"], "pneumonia is not installed: expected a shipped one (mine, other) or"),
    "none": ([], "pneumonia is not installed: expected a shipped one (none came with this installation) or"),
}


@pytest.mark.parametrize("name", sorted(DEFAULTS))
def test_which_model_answers_where_none_is_named(programs, tmp_path, flatbuffer, name):
    names, said = DEFAULTS[name]
    (tmp_path / "p.png").write_bytes(png(GREY))
    folder = tmp_path / "models"
    folder.mkdir()
    for item in names:
        data = packing.pack(flatbuffer, packing.manifest(flatbuffer, name=item))
        (folder / f"{item}.tflite").write_bytes(data)
    native = programs["native"]("--json", tmp_path / "p.png", env={"EDGE_INFER_MODELS": str(folder)})
    script = f"import sys, edge.model; edge.model.MODELS = {str(folder)!r}; from edge.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", script, "--json", tmp_path / "p.png"]
    python = Ended(subprocess.run(command, capture_output=True, env=environment(), timeout=60))
    records = same_records(python, native)
    if name in ("one", "pneumonia"):
        assert native.status == 0 and [record["model"]["name"] for record in records] == [said]
    else:
        assert native.status == 2 and native.err.count("\n") == 1 and "error" in records[0]
        assert f"no model was named, and {said} the path of a .tflite file; name it" in native.err


def test_list(both):
    same_text(*both("--list"))
    same_records(*both("--list", "--json"))


def test_standard_input_repeat_and_output(both, programs, tmp_path, model):
    for name in ("one/x.png", "two/X.png", "two/.y.z.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(GREY))
    words = ["-", tmp_path / "one", tmp_path / "two", "--json", "--repeat", 3, "--threads", 1]
    written = []
    for name in ("python", "native"):
        out = tmp_path / "out" / name
        done = programs[name]("--model", model, *words, "--output", out, stdin=png(GREY))
        assert done.status == 0
        written.append({item: json.loads((out / item).read_text())["results"] for item in sorted(os.listdir(out))})
    assert written[0] == written[1] and list(written[0]) == ["X-2.json", "stdin.json", "x.json"]
    same_text(*both("--model", model, "-", "--repeat", 2, stdin=png(GREY)))
    (record,) = same_records(*both("--model", model, "-", "--json", stdin=b""))
    assert record["image"] == "-" and record["error"]["code"] == "image.empty"


def test_names_that_would_command_a_terminal(both, tmp_path, model):
    (tmp_path / "bad\x1b[31m\n.png").write_bytes(b"")
    (tmp_path / "good\x1b[31m\n é \u202e.png").write_bytes(png(GREY))
    for done in both("--model", model, tmp_path):
        assert done.status == 2 and len(done.complaints) == 1 and done.out.splitlines()[0].endswith(".png")
        assert not set("\x1b\x07\u202e") & set(done.out + done.err) and " é " in done.out
    same_records(*both("--model", model, tmp_path, "--json"))
    name = os.fsencode(tmp_path) + b"/\xff\xe9.png"
    with open(name, "wb") as file:
        file.write(png(GREY))
    same_text(*both("--model", model, name))
    same_records(*both("--model", model, name, "--json"))


@pytest.mark.parametrize("words", [["--json"], [], ["--help"], ["--version"]])
def test_a_full_standard_output_is_one_sentence(program, model, tmp_path, words):
    (tmp_path / "p.png").write_bytes(png(GREY))
    with open("/dev/full", "wb") as full:
        done = program("--model", model, tmp_path / "p.png", *words, stdout=full)
    assert done.status == 2 and done.err.count("\n") == 1 and "standard output can't be written" in done.err


@pytest.mark.parametrize("words", [["--json"], [], ["--help"]])
def test_a_closed_standard_output_is_quiet(program, model, tmp_path, words):
    (tmp_path / "p.png").write_bytes(png(GREY))
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = program("--model", model, tmp_path / "p.png", *words, stdout=writer)
    finally:
        os.close(writer)
    assert done.status == 141 and done.err == ""


def test_results_among_the_pictures_are_refused(both, mask_model, tmp_path):
    (tmp_path / "blobs.png").write_bytes(png(blobs()))
    for words in ([tmp_path], [f"{tmp_path}/*.png"]):
        (record,) = same_records(*both("--model", mask_model, "--json", *words, "--output", tmp_path))
        assert record["error"]["code"] == "output.mixed" and os.listdir(tmp_path) == ["blobs.png"]


def test_the_longest_label(both, mask_flatbuffer, tmp_path):
    raw = packing.mask_manifest(mask_flatbuffer, labels=["x" * 200])
    raw["outputs"][0]["decision"]["label"] = "x" * 200
    (tmp_path / "m.tflite").write_bytes(packing.pack(mask_flatbuffer, raw))
    (tmp_path / "blobs.png").write_bytes(png(blobs()))
    python, native = both(
        "--model", tmp_path / "m.tflite", "--json", tmp_path / "blobs.png", "--output", tmp_path / "out"
    )
    same_records(python, native)
    assert native.status == 0 and 1000 < Image.open(tmp_path / "out/blobs.overlay.jpg").size[0] < 10_000


def test_links_that_lead_nowhere(both, model, tmp_path):
    (tmp_path / "a.png").write_bytes(png(GREY))
    (tmp_path / "b.png").symlink_to(tmp_path / "b.png")
    (tmp_path / "c.png").symlink_to(tmp_path / "gone.png")
    python, native = both("--model", model, "--json", tmp_path)
    assert ["error" in record for record in same_records(python, native)] == [False, True, True]
    assert native.status == 2 and "b.png can't be read (" in native.err and "c.png does not exist" in native.err


def test_logits_that_are_no_finite_numbers(both, float_flatbuffer, tmp_path):
    spec = packing.manifest(float_flatbuffer)["inputs"][0] | {"std": [1e-300]}
    raw = packing.manifest(float_flatbuffer, input=spec, runtime={"type": "float32", "operators": {"CONV_2D": 2}})
    (tmp_path / "m.tflite").write_bytes(packing.pack(float_flatbuffer, raw))
    (tmp_path / "a.png").write_bytes(png(GREY))
    python, native = both("--model", tmp_path / "m.tflite", "--json", tmp_path / "a.png")
    same_records(python, native)
    assert native.status == 2 and "NaN or infinite" in native.err


def test_a_picture_of_too_many_rows(both, model, tmp_path):
    (tmp_path / "tall.png").write_bytes(encoded(Image.new("L", (1, 2_700_000)), "PNG"))
    python, native = both("--model", model, "--json", tmp_path / "tall.png")
    same_records(python, native)
    assert native.status == 2 and "has 2700000 rows, too many" in native.err


def test_what_a_model_file_says_gives_no_command_to_a_terminal(both, flatbuffer, golden, tmp_path):
    members, entries = golden
    members_of_one = next(iter(entries[0]["outputs"].values()))
    vectors = [entries[0] | {"outputs": {"\x1b]0;taken\x07\npassed": members_of_one}}, *entries[1:]]
    (tmp_path / "m.tflite").write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=vectors), members))
    for words in ([], ["--json"]):
        python, native = both("--model", tmp_path / "m.tflite", "--check", *words)
        assert "\x1b" not in python.out + python.err + native.out + native.err and native.status == 2
    same_records(python, native)


def test_a_full_disk_leaves_no_half_file(program, model, tmp_path):
    resource = pytest.importorskip("resource")
    (tmp_path / "p.png").write_bytes(png(GREY))
    out = tmp_path / "out"
    done = program(
        "--model",
        model,
        tmp_path / "p.png",
        "--output",
        out,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50)),
    )
    assert done.status == 2 and len(done.complaints) == 1 and "can't be written" in done.err
    assert os.listdir(out) == []


def test_no_standard_output_or_error_at_all(build, model, tmp_path):
    (tmp_path / "p.png").write_bytes(png(GREY))
    for closing in (">&-", "2>&-", ">&- 2>&-", "<&-"):
        command = f'"{build}/edge-infer" --model "{model}" "{tmp_path}/p.png" {closing}'
        environ = environment(EDGE_INFER_LITERT=str(library()))
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environ, timeout=60)
        assert done.returncode == 0, (closing, done.stderr)


def test_ctrl_c_ends_quietly_unless_the_parent_ignores_it(build, model, tmp_path):
    (tmp_path / "p.png").write_bytes(png(GREY))
    pipe = subprocess.PIPE
    native = [str(build / "edge-infer")]
    for program in ([sys.executable, "-m", "edge"], native):
        for spec in ({"preexec_fn": usual_ends}, {}):
            command = [*program, "--model", model, tmp_path / "p.png", "-", "--json"]
            environ = environment(EDGE_INFER_LITERT=str(library()))
            with ignoring(signal.SIGINT):
                process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environ, **spec)
            assert process.stdout is not None and process.stdout.readline().startswith(b"{")
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)  # it waits for the image on standard input
            if spec:
                out, err = process.communicate(timeout=60)
                assert process.returncode == 130 and out == b"" and err == b""
            else:
                out, err = process.communicate(png(GREY), timeout=60)
                assert process.returncode == 0 and out.startswith(b"{"), err


def test_formats_that_the_native_program_does_not_read(programs, model, tmp_path):
    for form in ("GIF", "BMP", "TIFF", "WEBP"):
        path = tmp_path / f"p.{form.lower()}"
        path.write_bytes(encoded(Image.fromarray(GREY).convert("RGB"), form))
        done = programs["native"]("--model", model, path)
        assert done.status == 2 and done.err.count("\n") == 1
        assert f"is a {form} image" in done.err and "expected PNG, JPEG; convert it" in done.err


def test_a_library_that_is_missing_or_of_an_unknown_version(programs, model, tmp_path):
    (tmp_path / "p.png").write_bytes(png(GREY))
    run = programs["native"]
    name = tmp_path / "libLiteRt.so"
    done = run("--model", model, tmp_path / "p.png", env={"EDGE_INFER_LITERT": str(name)})
    assert done.status == 2 and "libLiteRt.so of ai-edge-litert 2.1 to 2.3" in done.err and done.err.count("\n") == 1
    name.write_bytes(library().read_bytes())
    done = run("--model", model, tmp_path / "p.png", env={"EDGE_INFER_LITERT": str(name)})
    assert done.status == 2 and "no known version" in done.err
    for version in ("2.4.0", "1.4.0"):
        versioned = tmp_path / f"libLiteRt.so.{version}"
        versioned.write_bytes(name.read_bytes())
        done = run("--model", model, tmp_path / "p.png", env={"EDGE_INFER_LITERT": str(versioned)})
        assert done.status == 2 and f"is of LiteRT {version}: expected 2.1, 2.2 or 2.3" in done.err


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize("threshold", [0.5, 0.31, 0.9, 0.0, 1.0])
@pytest.mark.parametrize("least", [0.001, 0.0])
def test_segmentations(both, tmp_path, mask_flatbuffer, outlined, fit, threshold, least):
    raw = packing.mask_manifest(
        mask_flatbuffer, decision={"label": "polyp", "threshold": threshold, "minimum_area": least}
    )
    raw["inputs"][0]["fit"] = fit
    path = tmp_path / "mask.tflite"
    path.write_bytes(packing.pack(mask_flatbuffer, raw))
    same_records(*both("--model", path, "--json", *outlined))
    same_text(*both("--model", path, *outlined))
