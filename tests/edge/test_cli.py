"""`edge-infer` as a user meets it: a process with arguments, two outputs and an exit status."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.edge import packing
from tests.edge.pictures import encoded, grey_ramp, huge_png, png
from tests.edge.processes import Ended, environment, ignoring, run, usual_ends

GREY = grey_ramp()
NOTICE = "not a medical device"
KEYS = [
    *("image", "model", "program", "release", "time", "task", "results", "decision", "threshold", "warnings"),
    *("latency_ms", "warm_invoke_ms", "memory_mb", "targets", "runtime", "board"),
]


def objects(done):
    return [json.loads(line) for line in done.out.splitlines()]


def test_people_see_answer_cost_and_targets(infer, picture):
    done = infer(picture)
    assert done.status == 0 and done.err == ""
    for word in (str(picture), "normal", "opacity", "decision: ", "threshold 0.4", "preprocess", "total", "peak"):
        assert word in done.out
    for word in ("first invoke", "runtime: ", "delegate", "board: ", "targets: ", "met", "missed", "not measured"):
        assert word in done.out
    assert done.out.count(NOTICE) == 1 and "\x1b" not in done.out and done.out.isascii()


def test_json_is_one_object_a_line_and_nothing_else(infer, picture, each_runtime):
    done = infer(picture, picture, "--json", "--repeat", 3, "--threads", 2, "--runtime", each_runtime)
    assert done.status == 0 and done.err.count("\n") == 1 and NOTICE in done.err
    first, second = objects(done)
    assert list(first) == KEYS and first["results"] == second["results"]
    assert first["image"] == str(picture) and first["model"]["name"] == "tiny" and first["task"] == "classification"
    assert first["decision"] in ("normal", "opacity")
    assert set(first["latency_ms"]) == {
        "load",
        "first_invoke",
        "read",
        "decode",
        "preprocess",
        "invoke",
        "postprocess",
        "total",
    }
    assert set(first["memory_mb"]) == {"peak", "model"}
    assert [set(row) for row in first["targets"]] == [{"name", "target", "measured", "met", "basis"}] * 5
    assert set(first["runtime"]) == {"name", "version", "threads", "delegate"}
    assert (first["runtime"]["name"], first["runtime"]["threads"]) == (each_runtime, 2)
    assert first["board"]["cores"] >= 1


def test_standard_input_folders_and_patterns(infer, tmp_path):
    (tmp_path / "in").mkdir()
    for name in ("b.png", "a.png"):
        (tmp_path / "in" / name).write_bytes(png(GREY))
    done = infer("-", tmp_path / "in", f"{tmp_path}/in/b*", "--json", stdin=png(GREY))
    assert done.status == 0
    assert [row["image"].rpartition("/")[2] for row in objects(done)] == ["-", "a.png", "b.png", "b.png"]
    assert len({json.dumps(row["results"]) for row in objects(done)}) == 1


BAD = {
    "missing.png": (None, "does not exist"),
    "empty.png": (b"", "is empty"),
    "text.png": (b"I am a text.\n", "not an image"),
    "half.png": (png(GREY)[: len(png(GREY)) // 2], "damaged or cut short"),
    "half.jpg": (encoded(Image.fromarray(GREY), "JPEG")[:-200], "damaged or cut short"),
    "huge.png": (huge_png(20000, 20000), "--max-pixels 400000000"),
}
GOOD = {
    "deep.png": png((GREY.astype(np.uint16) << 8) + 1),
    "bits.png": png(GREY > 127),
    "palette.png": encoded(Image.fromarray(GREY).convert("RGB").quantize(8), "PNG"),
    "grey.png": png(GREY),
    "alpha.png": encoded(Image.fromarray(GREY).convert("RGBA"), "PNG"),
    "cmyk.jpg": encoded(Image.fromarray(GREY).convert("CMYK"), "JPEG"),
    "moving.gif": encoded(Image.fromarray(GREY), "GIF", save_all=True, append_images=[Image.new("L", (60, 50))]),
    "dot.png": png(np.array([[7]], np.uint8)),
    "tagged.tif": encoded(Image.fromarray(GREY), "TIFF"),
    "web.webp": encoded(Image.fromarray(GREY).convert("RGB"), "WEBP"),
}


def test_bad_pictures_are_named_and_good_ones_answered(infer, tmp_path):
    for name, data in {**GOOD, **{name: data for name, (data, _) in BAD.items()}}.items():
        if data is not None:
            (tmp_path / name).write_bytes(data)
    done = infer(tmp_path, tmp_path / "missing.png", "--json")
    assert done.status == 2
    answered = [row["image"] for row in objects(done) if "error" not in row]
    assert answered == sorted(str(tmp_path / name) for name in GOOD)
    assert len(done.complaints) == len(BAD)
    failed = {row["image"]: row["error"]["message"] for row in objects(done) if "error" in row}
    assert len(failed) == len(BAD)
    for name, (_, reason) in BAD.items():
        (complaint,) = (line for line in done.complaints if f"/{name} " in line)
        assert reason in complaint and failed[str(tmp_path / name)] in complaint


@pytest.mark.parametrize("name", sorted(BAD))
def test_one_bad_picture_is_one_sentence(infer, tmp_path, name):
    data, reason = BAD[name]
    if data is not None:
        (tmp_path / name).write_bytes(data)
    done = infer(tmp_path / name)
    assert (done.status, done.out) == (2, "") and done.err.count("\n") == 1 and reason in done.err


def test_the_limit_of_pixels_is_adjustable(infer, picture):
    done = infer(picture, "--max-pixels", 2999)
    assert done.status == 2 and "60x50" in done.err and "2999" in done.err
    assert infer(picture, "--max-pixels", 3000).status == 0


def test_an_upright_and_a_turned_picture_answer_the_same(infer, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "turned.png").write_bytes(encoded(Image.fromarray(np.rot90(GREY)), "PNG", exif=exif))
    (tmp_path / "upright.png").write_bytes(png(GREY))
    first, second = objects(infer(tmp_path, "--json"))
    assert first["results"] == second["results"]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data, flatbuffer: data[:-1], "cut short"),
        (lambda data, flatbuffer: data[: len(data) // 2], "cut short"),
        (lambda data, flatbuffer: data[:100] + bytes([data[100] ^ 1]) + data[101:], "changed"),
        (lambda data, flatbuffer: flatbuffer, "edge-compress pack"),
        (lambda data, flatbuffer: packing.pack(flatbuffer, packing.manifest(flatbuffer, version=9)), "upgrade"),
        (lambda data, flatbuffer: b"", "is empty"),
        (lambda data, flatbuffer: png(GREY), "not a TFLite file"),
        (
            lambda data, flatbuffer: packing.pack_members(flatbuffer, {"manifest.json": bytes(2**27)}, 8),
            "134217728 bytes",
        ),
    ],
)
def test_a_bad_model_is_one_sentence(tmp_path, picture, model_bytes, flatbuffer, damage, reason):
    path = tmp_path / "m.tflite"
    path.write_bytes(damage(model_bytes, flatbuffer))
    done = run(picture, "--model", path)
    assert (done.status, done.out) == (2, "") and done.err.count("\n") == 1 and reason in done.err


def test_bad_arguments_are_said(infer, picture, tmp_path):
    for words, reason in [
        ([], "no IMAGE"),
        ([picture, "--repeat", "0"], "from 1 to 1000000"),
        ([picture, "--repeat", "x"], "from 1 to 1000000"),
        ([picture, "--max-pixels", "-5"], "at least 1"),
        ([picture, "--threads", "0"], "1 to 64"),
        ([picture, "-t", "65"], "1 to 64"),
        ([picture, "--warmup", "-1"], "from 0 to 1000000"),
        ([picture, "--threads", "many"], "--threads"),
        ([picture, "--runtime", "onnx"], "onnx"),
        ([picture, "--check"], "take no IMAGE"),
        ([picture, "--nonsense"], "--nonsense"),
        ([picture, "--model", "nothing-of-this-name"], "there is no model"),
        ([picture, "--output", picture], "can't be made a folder"),
    ]:
        done = infer(*words)
        assert (done.status, done.out) == (2, "") and reason in done.err, words
        assert len(done.complaints) == done.err.count("\n") == 1, words


def test_a_usage_that_is_wrong_ends_with_where_to_read_more(infer, picture):
    for words in ([], [picture, "--repeat", "x"], [picture, "--nonsense"], [picture, "--check"], [picture, "--r", "2"]):
        assert infer(*words).err.endswith("; see edge-infer --help\n"), words


def test_list_works_with_none_and_with_some(tmp_path, model_bytes):
    script = "import sys, pathlib, edge.model; edge.model.MODELS = pathlib.Path({!r}); import edge.cli; " + (
        "sys.exit(edge.cli.main(sys.argv[1:]))"
    )

    def listed(*words):
        command = [sys.executable, "-c", script.format(str(tmp_path)), *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment(), timeout=60)

    assert "no models" in listed("--list").stdout and listed("--list", "--json").stdout == ""
    (tmp_path / "tiny.tflite").write_bytes(model_bytes)
    (tmp_path / "broken.tflite").write_bytes(model_bytes[:-5])
    done = listed("--list")
    assert done.returncode == 2 and "broken.tflite was cut short" in done.stderr
    for word in ("tiny", "A tiny network for tests", "classification", "816", "52,000", f"{len(model_bytes):,}"):
        assert word in done.stdout
    broken, row = [json.loads(line) for line in listed("--list", "--json").stdout.splitlines()]
    assert set(broken) == {"error"} and "broken.tflite was cut short" in broken["error"]["message"]
    assert list(row) == ["name", "title", "task", "parameters", "macs", "bytes"] and row["bytes"] == len(model_bytes)


def test_version_and_help():
    assert run("--version").out == "edge-infer 0.1.0\n"
    done = run("--help")
    assert done.status == 0 and "--max-pixels" in done.out and NOTICE in " ".join(done.out.split())


def test_output_writes_one_file_a_picture(infer, tmp_path):
    for name in ("one/x.png", "two/x.png", "two/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(png(GREY))
    out = tmp_path / "deep" / "out"
    done = infer(tmp_path / "one", tmp_path / "two", "--output", out, "--json")
    assert done.status == 0
    assert sorted(os.listdir(out)) == ["x-2.json", "x.json", "y.json"]
    written = {json.loads(path.read_text())["image"] for path in out.iterdir()}
    assert written == {row["image"] for row in objects(done)} and len(written) == 3


def test_a_full_disk_leaves_no_half_file(infer, tmp_path, picture):
    resource = pytest.importorskip("resource")

    def nearly_full():
        resource.setrlimit(resource.RLIMIT_FSIZE, (50, 50))

    out = tmp_path / "out"
    done = infer(picture, "--output", out, preexec_fn=nearly_full)
    assert done.status == 2 and len(done.complaints) == 1 and "can't be written" in done.err
    assert os.listdir(out) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")
@pytest.mark.parametrize("words", [["--json"], [], ["--help"], ["--version"]])
def test_a_full_standard_output_is_one_sentence(infer, picture, words):
    with open("/dev/full", "wb") as full:
        done = infer(picture, *words, stdout=full)
    assert done.status == 2 and done.err.count("\n") == 1 and "standard output can't be written" in done.err


@pytest.mark.parametrize("words", [["--json"], [], ["--help"]])
def test_a_closed_standard_output_is_quiet(infer, picture, words):
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = infer(picture, *words, stdout=writer)
    finally:
        os.close(writer)
    assert done.status == 141 and done.err == ""


def test_no_standard_output_or_error_at_all(model, picture):
    for closing in (">&-", "2>&-", ">&- 2>&-", "<&-"):
        command = f'"{sys.executable}" -m edge --model "{model}" "{picture}" {closing}'
        done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment(), timeout=60)
        assert done.returncode == 0 and "Traceback" not in done.stderr, (closing, done.stderr)


def interrupted(model, picture, **spec):
    """A process that was sent a Ctrl-C while it waited for the image on standard input."""
    command = [sys.executable, "-m", "edge", "--model", model, picture, "-", "--json"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment(), **spec)
    assert process.stdout is not None and process.stdout.readline().startswith(b"{")
    process.send_signal(signal.SIGINT)
    return process


def test_ctrl_c_ends_without_traceback(model, picture):
    with ignoring(signal.SIGINT):  # as where the tests run under nohup
        process = interrupted(model, picture, preexec_fn=usual_ends)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130 and out == b"" and err == b""


def test_a_ctrl_c_that_the_parent_ignores_is_ignored(model, picture):
    with ignoring(signal.SIGINT):
        process = interrupted(model, picture)
    out, err = process.communicate(picture.read_bytes(), timeout=60)
    assert process.returncode == 0 and out.startswith(b"{"), err


def test_colour_is_for_terminals_only(model, picture):
    pty = pytest.importorskip("pty")

    def shown(**more):
        leader, follower = pty.openpty()
        command = [sys.executable, "-m", "edge", "--model", model, picture]
        with subprocess.Popen(command, stdout=follower, env=environment(TERM="xterm", **more)) as process:
            os.close(follower)
            text = b""
            while True:
                try:
                    part = os.read(leader, 65536)
                except OSError:  # how Linux says that the other end is closed
                    break
                if not part:
                    break
                text += part
        os.close(leader)
        assert process.returncode == 0
        return text

    assert b"\x1b[1m" in shown() and b"\x1b" not in shown(NO_COLOR="1")


def test_names_that_no_encoding_knows(infer, tmp_path):
    name = os.fsencode(tmp_path) + b"/\xff\xe9.png"
    try:
        with open(name, "wb") as file:
            file.write(png(GREY))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    for words in (["--json"], []):
        assert infer(os.fsdecode(name), *words, env=environment(PYTHONIOENCODING="ascii")).status == 0


def test_names_that_would_command_a_terminal(infer, tmp_path):
    (tmp_path / "bad\x1b[31m\n.png").write_bytes(b"")
    (tmp_path / "good\x1b[31m\n.png").write_bytes(png(GREY))
    done = infer(tmp_path)
    assert done.status == 2 and "\x1b" not in done.out + done.err and done.err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "status", "said"),
    [
        ("raise ImportError('relaunch your interpreter') from KeyboardInterrupt()", 130, ""),
        ("raise ModuleNotFoundError('No module named numpy', name='numpy')", 2, "`pip install numpy pillow`"),
    ],
)
def test_imports_that_end_early(model, picture, tmp_path, line, status, said):
    (tmp_path / "numpy.py").write_text(line + "\n")
    environ = environment()
    environ["PYTHONPATH"] = os.pathsep.join([str(tmp_path), environ["PYTHONPATH"]])
    done = run("--model", model, picture, env=environ)
    assert done.status == status and done.out == "" and said in done.err


# The second image is of a form whose decoder was not imported yet; native modules turn a Ctrl-C in there into this.
INTERRUPTED_DECODER = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "PIL.JpegImagePlugin":
            raise ImportError("relaunch your interpreter") from KeyboardInterrupt()
sys.meta_path.insert(0, Finder())
from edge.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_a_ctrl_c_while_a_decoder_is_imported_is_one(model, picture, tmp_path):
    (tmp_path / "KeyboardInterrupt.jpg").write_bytes(encoded(Image.fromarray(GREY), "JPEG"))
    words = ["--model", model, picture, tmp_path / "KeyboardInterrupt.jpg", "--json"]
    command = [sys.executable, "-c", INTERRUPTED_DECODER, *map(str, words)]
    done = Ended(subprocess.run(command, capture_output=True, env=environment(), timeout=60))
    assert done.status == 130 and done.out.count("\n") == 1 and done.err == ""


def test_a_file_of_that_name_is_no_ctrl_c(infer, tmp_path):
    (tmp_path / "KeyboardInterrupt.png").write_bytes(b"\x89PNG\r\n\x1a\nKeyboardInterrupt")
    assert infer(tmp_path / "KeyboardInterrupt.png", tmp_path / "KeyboardInterrupt.jpg").status == 2


def test_standard_input_that_can_not_be_read_is_said(model, tmp_path, picture):
    command = [sys.executable, "-m", "edge", "--model", str(model), "-", str(picture)]
    with (tmp_path / "written").open("wb") as written:
        done = Ended(subprocess.run(command, stdin=written, capture_output=True, env=environment(), cwd=tmp_path))
    assert done.status == 2 and "standard input can't be read (Bad file descriptor)" in done.err
    assert "decision: " in done.out  # the other one is answered


def test_a_picture_that_fills_the_memory_is_named_and_the_others_answered(monkeypatch, capsys, model, tmp_path):
    from edge import cli, engine

    def full(self, source, *rest):
        if source == b"large":
            raise MemoryError
        return answer(self, source, *rest)

    answer = engine.Engine.__call__
    monkeypatch.setattr(engine.Engine, "__call__", full)
    (tmp_path / "a.png").write_bytes(b"large")
    (tmp_path / "b.png").write_bytes(png(GREY))
    assert cli.main(["--model", str(model), "--json", str(tmp_path)]) == 2
    shown = capsys.readouterr()
    failed, answered = [json.loads(line) for line in shown.out.splitlines()]
    assert "a.png does not fit into memory" in shown.err and failed["error"]["code"] == "image.memory"
    assert answered["image"] == str(tmp_path / "b.png") and "decision" in answered
