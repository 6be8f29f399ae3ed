"""`edge-compress pack` on files of other tools: what it takes off, fills in, refuses; and a device runs the rest."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

import edge
from compress import cli
from compress.convert.model_file import strip, write
from compress.convert.packing import pack
from compress.convert.packing.manifest import Path as Field
from compress.convert.packing.manifest import fields, needed, shown
from compress.convert.packing.network import examine, without_comments
from edge import flatbuffer as flatbuffers
from edge.check import BIT_EXACT, check
from edge.errors import EdgeError
from edge.manifest import parse
from edge.model import read
from edge.network import Network
from edge.runtime import Runtime
from tests.compress.conftest import environment
from tests.edge import packing
from tests.edge.conftest import HERE
from tests.edge.networks import ended
from tests.edge.pictures import grey_ramp

INPUT = {"color": "grey", "fit": "stretch", "mean": [0.5], "std": [0.25]}
LEAST = {
    "name": "tiny",
    "title": "Tiny",
    "task": "classification",
    "inputs": [INPUT],
    "outputs": [{"labels": ["no", "yes"], "decision": None}],
}
MASK = packing.changed(
    LEAST,
    task="segmentation",
    labels=["polyp"],
    input={**INPUT, "color": "rgb"},
    decision={"label": "polyp", "threshold": 0.5, "minimum_area": 0.01},
)


def network(name: str = "tiny") -> bytes:
    return (HERE / f"data/{name}.tflite").read_bytes()


def packed(folder: Path, data: bytes, raw: dict[str, Any], **changes: Any) -> Path:
    path = folder / "out/m.tflite"
    pack(data, packing.changed(raw, **changes), path, "net.tflite", "m.json")
    return path


def refusal(folder: Path, data: bytes, raw: dict[str, Any], **changes: Any) -> EdgeError:
    with pytest.raises(EdgeError) as error:
        packed(folder, data, raw, **changes)
    assert not list(folder.iterdir()), "something was left behind"
    return error.value


@pytest.mark.parametrize(
    ("name", "raw", "activation"),
    [
        ("tiny", LEAST, "softmax"),
        ("tiny-float", LEAST, "softmax"),
        ("tiny-scores", LEAST, "none"),
        ("tiny-scores-float", LEAST, "none"),
        ("tiny-mask", MASK, "sigmoid"),
        ("tiny-mask-float", MASK, "sigmoid"),
        ("tiny-mask-scores", MASK, "none"),
        ("tiny-mask-scores-float", MASK, "none"),
    ],
)
def test_what_the_network_says_is_filled_in_and_a_device_runs_it(
    tmp_path: Path, name: str, raw: dict[str, Any], activation: str
) -> None:
    path = packed(tmp_path, network(name), raw)
    manifest = read(path).manifest
    assert [output.activation for output in manifest.outputs] == [activation]
    (spec,) = manifest.inputs
    assert (spec.height, spec.width, spec.channels) == (24, 24, 3)
    assert manifest.type == ("float32" if "float" in name else "int8")
    assert manifest.operators == {"CONV_2D": 1} or manifest.operators["CONV_2D"] >= 1
    engine = edge.load(path, threads=1)
    verdicts = check(engine)
    assert [verdict.verdict for verdict in verdicts] == [BIT_EXACT] * 4
    assert len({vector.inputs[0].sha256 for vector in manifest.golden}) == 4
    assert engine(grey_ramp()).decision in ("no", "yes", "polyp", "no polyp")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one = packed(tmp_path / "a", network(), LEAST).read_bytes()
    other = packed(tmp_path / "b", network(), dict(reversed(LEAST.items()))).read_bytes()
    assert one == other


def with_zip(data: bytes, **members: bytes) -> bytes:
    buffer = io.BytesIO(data)
    buffer.seek(0, 2)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


FOREIGN = {
    "TFLite Metadata": (
        lambda data: with_zip(data, **{"labels.txt": b"a\nb\n"}),
        "a zip of associated files (labels.txt)",
    ),
    "an empty zip": (lambda data: with_zip(data), "22 bytes behind"),
    "a zip in a zip": (lambda data: with_zip(with_zip(data, a=b"1"), b=b"2"), "associated files (a, b)"),
    "unknown bytes": (lambda data: data + b"signature:\x01\x02", "12 bytes behind the flatbuffer"),
    "packed": (
        lambda data: packing.pack(data, packing.manifest(data), {"golden/0.png": b"", "golden/1.png": b""}),
        "an earlier packing (manifest.json, labels.txt, golden/0.png and 1 more)",
    ),
    "padding": (lambda data: data + bytes(12), ""),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_behind_the_flatbuffer_is_taken_off(tmp_path: Path, name: str) -> None:
    make, said = FOREIGN[name]
    data = make(network())
    flatbuffer, taken_off = strip(data, "x")
    assert said in taken_off and bool(said) == bool(taken_off)
    assert flatbuffer == (data if name == "padding" else network())
    assert read(packed(tmp_path, data, LEAST)).flatbuffer == flatbuffer
    edge.load(packed(tmp_path, data, LEAST), threads=1)


@pytest.mark.parametrize("name", ["tiny", "tiny-float", "tiny-mask"])
def test_a_cut_flatbuffer_is_refused(tmp_path: Path, name: str) -> None:
    data = network(name)
    for end in (9, 100, len(data) // 2, len(data) - 64):
        error = refusal(tmp_path, data[:end], MASK if "mask" in name else LEAST)
        assert error.code == "model.network" and str(error).startswith("net.tflite has a network that is damaged")
        with pytest.raises(EdgeError, match="damaged"):
            write(tmp_path / "m.tflite", data[:end], packing.manifest(data), {})
    for data in (b"", b"PK\3\4", b"no flatbuffer at all"):
        assert refusal(tmp_path, data, LEAST).code == "model.format"


def other(entry: dict[str, Any], end: dict[str, Any], **graph: Any) -> Network:
    """Return the tiny network with other fields of its input and output."""
    first = flatbuffers.read(network(), "tiny").graphs[0]
    tensors = list(first.tensors)
    for number, changes in ((first.inputs[0], entry), (first.outputs[0], end)):
        tensors[number] = tensors[number]._replace(**changes)
    return Network((first._replace(tensors=tuple(tensors), **graph),), 0)


TWICE = other({}, {}, outputs=flatbuffers.read(network(), "tiny").graphs[0].outputs * 2)
UNFIT = {
    "int16": (other({"type": "INT16"}, {"type": "INT16"}), "its input is int16 and its output int16: expected int8 or"),
    "mixed": (other({}, {"type": "FLOAT32"}), "its input is int8 and its output float32: expected int8 or float32"),
    "int64": (other({}, {"type": "INT64"}), "its output int64: expected int8 or float32 of both"),
    "no scale": (other({"scales": (), "zero_points": ()}, {}), "int8 input or output has no quantization"),
    "channels first": (
        other({"shape": (1, 3, 24, 24)}, {}),
        r"\(1, 3, 24, 24\), channels first: .* to NHWC",
    ),
    "a batch": (other({"shape": (4, 24, 24, 3)}, {}), "expected a batch of 1"),
    "no size": (
        other({"shape": (1, 1, 1, 3), "is_open": (True, True, True, False)}, {}),
        r"\(\?, \?, \?, 3\): expected images of a fixed size",
    ),
    "a vector": (other({"shape": (1, 1728)}, {}), r"its input is \(1, 1728\): expected \(1, height, width, 1 or 3\)"),
    "four channels": (other({"shape": (1, 24, 24, 4)}, {}), r"expected \(1, height, width, 1 or 3\)"),
    "one output": (other({}, {"shape": (1, 1)}), "one score for two classes: expected one for each"),
    "flat": (other({}, {"shape": (2,)}), "flatten it in the network"),
    "not squeezed": (other({}, {"shape": (1, 1, 1, 2)}), "flatten it in the network"),
    "classes of pixels": (
        other({}, {"shape": (1, 12, 12, 5)}),
        r"its output is \(1, 12, 12, 5\): expected those of a task that is known here: classification, segmentation",
    ),
    "too large a mask": (other({}, {"shape": (1, 48, 48, 1)}), "its output is larger than its input"),
    "two outputs": (
        TWICE,
        "it has 2 outputs .*: expected those of a task that is known here",
    ),
    "no input": (other({}, {}, inputs=()), r"it has 0 inputs \(\): expected one"),
}


@pytest.mark.parametrize("name", UNFIT)
def test_a_network_that_edge_infer_can_not_run_is_refused(name: str) -> None:
    unfit, said = UNFIT[name]
    with pytest.raises(EdgeError, match=f"net can't be packed, as edge-infer would not run it: .*{said}") as error:
        examine(unfit, "net")
    assert error.value.code == "model.tensors"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (
            "tiny-uint8",
            "its input is uint8 and its output uint8: expected int8 or float32 of both; convert it",
        ),
        ("tiny-edgetpu", "compiled for an Edge TPU already: pack the network before that"),
    ],
)
def test_files_of_two_kinds_get_a_plain_answer(tmp_path: Path, name: str, said: str) -> None:
    error = refusal(tmp_path, network(name), LEAST)
    assert said in str(error) and error.code == "model.tensors"
    with pytest.raises(EdgeError):
        write(tmp_path / "m.tflite", network(name), packing.manifest(network(name)), {})
    assert not list(tmp_path.iterdir())


def test_every_missing_field_is_named_at_once(tmp_path: Path) -> None:
    error = refusal(tmp_path, network(), {})
    names = [shown(path) for path in needed(examine(flatbuffers.read(network(), "net"), "net"))]
    assert names[3:] == ["outputs[0].labels", "outputs[0].decision", *(f"inputs[0].{key}" for key in INPUT)]
    assert f"it lacks {', '.join(names)}; correct it" in str(error) and error.code == "model.manifest"


def test_everything_wrong_is_named_at_once(tmp_path: Path) -> None:
    wrong = {
        "version": 2,
        "name": "Tiny",
        "title": "",
        "outputs": [{"labels": ["a", "b", "c"], "decision": {"label": "d", "threshold": 2}, "activation": "none"}],
        "inputs": [{"height": 32, "channels": 1, "color": "blue", "fit": "squeeze", "mean": "half", "std": [0]}],
        "targets": 3,
        "measured": {"accuracy": None},
        "runtime": {"type": "float32", "operators": {"CONV_2D": 7}},
    }
    said = str(refusal(tmp_path, network(), wrong))
    for words in (
        "lacks task",
        "version 2",
        "name = 'Tiny'",
        "title = ''",
        "has 3 labels, and the network has 2 outputs",
        "outputs[0].decision.threshold = 2",
        'its outputs[0].activation is "none", and the network ends in FULLY_CONNECTED, so its outputs are logits: ',
        ': expected "softmax"',
        "inputs[0].height is 32, and the network's is 24",
        "inputs[0].channels is 1, and the network's is 3",
        "inputs[0].color = 'blue'",
        "inputs[0].fit = 'squeeze'",
        "inputs[0].mean = 'half'",
        "inputs[0].std = [0.0]",
        "targets = 3",
        "measured.accuracy = null",
        "runtime.type is 'float32'",
        "runtime.operators are not the network's",
    ):
        assert words in said, words
    assert "build the model file again" not in said


BROKEN = [None, 7, "x", [], {}, [1], {"x": 1}, True, float("nan"), float("inf"), "é\x1b", "\ud800"]


DECISION: Field = ("outputs", 0, "decision")
PLACES = [
    *fields(examine(flatbuffers.read(network(), "tiny"), "tiny")),
    *((*DECISION, "label"), (*DECISION, "threshold"), ("inputs", 0), ("outputs", 0)),
]


@pytest.mark.parametrize("field", PLACES, ids=shown)
def test_no_value_of_a_field_is_a_traceback(tmp_path: Path, field: Field) -> None:
    for value in BROKEN:
        raw: Any = packing.manifest(network(), golden=[])
        holder = raw
        for key in field[:-1]:
            holder = holder[key]
        holder[field[-1]] = value
        try:
            path = packed(tmp_path, network(), raw)
        except EdgeError as error:
            assert "Traceback" not in str(error) and error.code == "model.manifest", (field, value)
        else:
            edge.load(path, threads=1)


def test_bits_are_short_for_a_window(tmp_path: Path) -> None:
    done = pack(network(), {**LEAST, "inputs": [{**INPUT, "bits": 12}]}, tmp_path / "m.tflite", "net", "m.json")
    assert done.filled_in[0] == "inputs[0].window [0, 4095] (for its bits)" and not done.notes
    kept = read(tmp_path / "m.tflite").manifest
    assert kept.inputs[0].window == (0, 4095) and "bits" not in kept.raw["inputs"][0]
    (tmp_path / "m.tflite").unlink()
    for wrong in ({"bits": 17}, {"bits": "12"}, {"bits": 12, "window": [0, 4095]}):
        error = refusal(tmp_path, network(), {**LEAST, "inputs": [{**INPUT, **wrong}]})
        assert error.code == "model.manifest" and "bits" in str(error)


def test_fields_that_nobody_knows_are_said(tmp_path: Path) -> None:
    raw = {**LEAST, "lables": ["a"], "_comment": "x", "inputs": [{**INPUT, "widht": 3, "_note": {"a": 1}}]}
    raw["outputs"] = [{**LEAST["outputs"][0], "treshold": 1}]
    done = pack(network(), raw, tmp_path / "m.tflite", "net", "m.json")
    assert [note.split(":")[0] for note in done.notes] == [
        "no reader knows the field lables",
        "no reader knows the field inputs[0].widht",
        "no reader knows the field outputs[0].treshold",
    ]
    kept = read(tmp_path / "m.tflite").manifest.raw
    assert "_comment" not in kept and "_note" not in kept["inputs"][0]
    assert without_comments({"a": {"_b": 1, "c": [{"_d": 2}]}}) == {"a": {"c": [{}]}}


@pytest.mark.parametrize(
    ("name", "raw", "activation", "end"),
    [
        ("tiny-scores", LEAST, "softmax", "SOFTMAX"),
        ("tiny-mask-scores", MASK, "sigmoid", "LOGISTIC"),
    ],
)
def test_scores_are_not_made_of_scores(
    tmp_path: Path, name: str, raw: dict[str, Any], activation: str, end: str
) -> None:
    error = refusal(tmp_path, network(name), raw, activation=activation)
    assert f'its outputs[0].activation is "{activation}", and the network ends in {end}' in str(error)
    assert 'scores would be made of scores: expected "none"' in str(error)


def test_logarithms_of_scores_take_softmax(tmp_path: Path) -> None:
    data = ended("tiny-float", "LOG_SOFTMAX")
    assert read(packed(tmp_path, data, LEAST)).manifest.outputs[0].activation == "softmax"
    with pytest.raises(EdgeError, match='outputs are logarithms of scores: expected "softmax"'):
        packed(tmp_path, data, LEAST, activation="none")


def test_an_end_that_tells_nothing_has_to_be_said(tmp_path: Path) -> None:
    data = ended("tiny-float", "ABS")
    error = refusal(tmp_path, data, LEAST)
    assert (
        'it lacks outputs[0].activation: say "softmax" if its outputs are logits, and "none" if they are scores'
        in str(error)
    )
    assert read(packed(tmp_path, data, LEAST, activation="softmax")).manifest.outputs[0].activation == "softmax"
    with pytest.raises(EdgeError, match="is no score: expected values from 0 to 1") as wrong:
        packed(tmp_path, data, LEAST, activation="none")
    assert wrong.value.code == "model.output"


def test_scores_that_only_the_outputs_show(tmp_path: Path) -> None:
    data = ended("tiny-scores-float", "ABS")
    with pytest.raises(EdgeError, match=r'from 0 to 1 and add up to 1 for every image.*say "none" there') as error:
        packed(tmp_path, data, LEAST, activation="softmax")
    assert error.value.code == "model.output"
    assert edge.load(packed(tmp_path, data, LEAST, activation="none"), threads=1)(grey_ramp()).results


def test_the_manifest_of_a_packed_file_can_be_packed_again(tmp_path: Path) -> None:
    first = packed(tmp_path, network(), LEAST, measured={"file_bytes": 1, "accuracy": 0.5})
    raw = dict(read(first).manifest.raw)
    data = first.read_bytes()
    assert raw["measured"]["file_bytes"] == len(data)
    assert packed(tmp_path, data, {**raw, "edgetpu": {}}).read_bytes() == data


def test_a_task_that_is_not_the_networks(tmp_path: Path) -> None:
    assert "its task is segmentation, and the network's output is that of a classification" in str(
        refusal(tmp_path, network(), MASK)
    )
    assert "its task is classification, and the network's output is that of a segmentation" in str(
        refusal(tmp_path, network("tiny-mask"), LEAST)
    )


def test_a_file_that_would_be_refused_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = packed(tmp_path, network(), LEAST)
    before = path.read_bytes()

    def refuse(self: Runtime, *_: object) -> None:
        raise EdgeError("the runtime has had enough", "runtime.refused")

    monkeypatch.setattr("edge.engine.Engine.__init__", refuse)
    with pytest.raises(
        EdgeError, match=r"m\.tflite was not written, as it would be refused: the runtime has had enough"
    ):
        write(path, network(), packing.manifest(network()), {})
    with pytest.raises(EdgeError):
        write(tmp_path / "new/deep/m.tflite", network(), packing.manifest(network()), {})
    assert path.read_bytes() == before
    assert sorted(item.name for item in tmp_path.rglob("*")) == ["m.tflite", "out"]


def words_of(command: str) -> list[str]:
    """Return a command's words as a shell takes them."""
    done = subprocess.run(
        ["bash", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}
    )
    return done.stdout.decode().split("\0")[:-1]


@pytest.mark.parametrize(
    "name", ["plain.tflite", 'it\'s a "net" $HOME.tflite', "-x.tflite", "two\nlines\x1b[31m.tflite"]
)
def test_advice_is_a_command_that_runs_as_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    from edge.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(network("tiny-scores"))
    assert main([f"--model={name}", "x.png"]) == 2
    said = capsys.readouterr().err
    assert "\x1b" not in said and said.count("\n") == 1
    command = said.split("`")[1]
    words = words_of(command)
    assert words[:2] == ["edge-compress", "pack"] and cli.main(words[1:]) == 0
    out = capsys.readouterr()
    assert "\x1b" not in out.err + out.out
    example = next(tmp_path.glob("*.manifest.json"))
    raw = json.loads(example.read_text())
    following = words_of(out.err.split("then: ")[1].rstrip("\n"))
    assert (
        cli.main(following[1:]) == 2
        and "lacks inputs[0].color, inputs[0].fit, inputs[0].mean, inputs[0].std" in capsys.readouterr().err
    )
    raw["inputs"][0] |= {"color": "grey", "fit": "pad", "mean": [0.5], "std": [0.25]}
    example.write_text(json.dumps(raw))
    assert cli.main(following[1:]) == 0, capsys.readouterr().err
    output = tmp_path / following[-1]
    assert main(["--model", str(output), "--check"]) == 0


@pytest.mark.parametrize("name", ["tiny", "tiny-float", "tiny-scores", "tiny-mask", "tiny-mask-scores-float"])
def test_the_example_has_what_the_graph_says(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "Some Net (v2).tflite"
    model.write_bytes(with_zip(network(name), **{"readme.txt": b"x", "labelmap.txt": b"cat\r\ndog\n"}))
    assert cli.main(["pack", str(model), "--init"]) == 0
    path = tmp_path / "Some Net (v2).manifest.json"
    assert capsys.readouterr().out == f"{path}\n"
    raw = json.loads(path.read_text())
    assert raw["name"] == "some-net-v2" and (raw["inputs"][0]["height"], raw["inputs"][0]["channels"]) == (24, 3)
    (output,) = raw["outputs"]
    assert output["labels"] == (["thing"] if "mask" in name else ["cat", "dog"])
    assert output["activation"] == ("none" if "scores" in name else "sigmoid" if "mask" in name else "softmax")
    assert [key for key, value in raw["inputs"][0].items() if value is None] == ["color", "fit", "mean", "std"]
    raw["inputs"][0] |= INPUT
    pack(model.read_bytes(), raw, tmp_path / "m.tflite", "net", "m.json")
    edge.load(tmp_path / "m.tflite", threads=1)


def test_a_manifest_of_before_is_refused_with_the_way_out(tmp_path: Path) -> None:
    raw = {**LEAST, "input": INPUT, **LEAST["outputs"][0]}
    del raw["inputs"], raw["outputs"]
    error = refusal(tmp_path, network(), raw)
    assert "m.json has the field input: expected the lists inputs and outputs" in str(error)
    assert error.code == "model.manifest"


def test_an_example_replaces_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "net.tflite"
    model.write_bytes(network())
    mine = tmp_path / "net.manifest.json"
    mine.write_text("mine")
    assert cli.main(["pack", str(model), "--init"]) == 2
    assert mine.read_text() == "mine" and "exists already" in capsys.readouterr().err
    other = tmp_path / "deep/other.json"
    assert cli.main(["pack", str(model), "--init", "--manifest", str(other)]) == 0 and other.exists()
    model.write_bytes(network()[:900])
    assert cli.main(["pack", str(model), "--init", "--manifest", str(tmp_path / "new.json")]) == 2
    assert not (tmp_path / "new.json").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--manifest", "m.json"], "pack lacks --output FILE"),
        ([], "pack lacks --manifest FILE and --output FILE"),
        (["--init", "--output", "x"], "--output was given with --init"),
        (["--manifest", "m.json", "--output", "m.json"], "is the manifest and would be replaced"),
        (["--manifest", "no.json", "--output", "x"], "no.json does not exist"),
        (["--manifest", ".", "--output", "x"], "is not a file"),
    ],
)
def test_a_command_that_lacks_something(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.tflite").write_bytes(network())
    (tmp_path / "m.json").write_text(json.dumps(LEAST))
    assert cli.main(["pack", "net.tflite", *words]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.json", "net.tflite"]


DEVICE = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "tflite", "tensorflow", "flatbuffers", "onnx", "matplotlib", "scipy"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from compress.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_devices_own_installation_packs(tmp_path: Path) -> None:
    (tmp_path / "net.tflite").write_bytes(with_zip(network("tiny-scores"), **{"labels.txt": b"no\nyes\n"}))
    (tmp_path / "m.json").write_text(json.dumps(LEAST))

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", DEVICE, "pack", "net.tflite", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)

    done = run("--manifest", "m.json", "--output", "m.tflite")
    assert (done.returncode, done.stdout) == (0, "m.tflite\n"), done.stderr
    assert "taken off behind the flatbuffer: a zip of associated files (labels.txt)" in done.stderr
    assert "filled in: " in done.stderr and 'activation "none" (the network ends in SOFTMAX)' in done.stderr
    assert run("--init").returncode == 0 and (tmp_path / "net.manifest.json").exists()
    assert shlex.quote("m.tflite") in done.stderr
    assert parse(json.loads(json.dumps(read(tmp_path / "m.tflite").manifest.raw)), "it").labels == ("no", "yes")
