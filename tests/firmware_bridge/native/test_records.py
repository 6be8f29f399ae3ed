"""Both programs: the folder of --output, records, what is left out, how much is printed, how many cores are used."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image

from tests.edge.pictures import blobs, encoded, grey_ramp, png
from tests.edge.processes import ROOT, environment
from tests.edge.quotas import QUOTAS, made
from tests.edge.test_board import half_a_core  # noqa: F401  (a fixture)
from tests.firmware_bridge.comparison import same_record, same_records, same_text
from tests.firmware_bridge.conftest import library

GREY, OTHER, SCENE = png(grey_ramp()), png(255 - grey_ramp()), png(blobs())


@pytest.fixture
def both(programs):
    return lambda *words, **more: [programs[name](*words, **more) for name in ("python", "native")]


def fill(folder, **more):
    files = {"a/1.png": GREY, "a/sub/2.jfif": encoded(Image.fromarray(grey_ramp()), "JPEG"), "a/notes.txt": b"", **more}
    for name, data in {**files, "b/1.png": OTHER, "b/1.jpg": b"no image", "b/é é.png": SCENE}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def tree(folder):
    """Return file -> record, or None where it is none."""
    return {
        str(path.relative_to(folder)): json.loads(path.read_text()) if path.suffix == ".json" else None
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def within(path, folder):
    """Return a path below one of the folder's folders."""
    return path and path.removeprefix(f"{folder}/").partition("/")[2]


RUNS = [
    ["a"],
    ["b", "a/1.png", "gone.png", "no*"],
    ["a/*/../1.png", "./a/", "-"],
    ["--segment", "b", "a"],
    ["a//sub", "b/é é.png"],
    ["--segment", "a/s*", "b/1.png"],
    ["gone.png", "b", "--threads", "1"],
]


def test_a_folder_over_several_runs_is_the_same_by_either_program(programs, tmp_path, model, mask_model):
    """By one, by the other, and by the two in turns: each knows whose the other's answers are."""
    order = random.Random(4)
    ways = {"python": lambda: "python", "native": lambda: "native", "turns": lambda: order.choice(("python", "native"))}
    trees = []
    for way, choose in ways.items():
        where = tmp_path / way
        fill(where)
        (where / "out/sub").mkdir(parents=True)
        (where / "out/1.json").write_text('{"image": "mine"}')
        (where / "out/sub/2.mask.png").write_text("mine")
        seen = []
        for words in RUNS:
            used = mask_model if "--segment" in words else model
            words = [word for word in words if word != "--segment"]
            done = programs[choose()]("--model", used, *words, "-j", "-o", "out", cwd=where, stdin=GREY)
            seen.append((done.status, tree(where / "out")))
        assert (where / "out/1.json").read_text() == '{"image": "mine"}'
        trees.append(seen)
    for steps in zip(*trees, strict=True):
        (status, first), *others = steps
        for other_status, other in others:
            assert status == other_status and list(first) == list(other)
            for name, record in first.items():
                if record is None or "path" not in record:
                    continue
                assert record["path"] is None or record["path"].startswith(str(tmp_path))
                same_record(*({**one, "path": within(one["path"], tmp_path)} for one in (record, other[name])))


def test_an_image_that_fails_now_leaves_no_answer(program, mask_model, tmp_path):
    scene, out = tmp_path / "s.png", tmp_path / "out"
    for data, left in [(SCENE, 3), (SCENE[:-300], 1), (SCENE, 3), (None, 1), (SCENE, 3)]:
        scene.unlink(missing_ok=True)
        if data is not None:
            scene.write_bytes(data)
        done = program("--model", mask_model, scene, "--output", out)
        assert done.status == (0 if left == 3 else 2) and len(os.listdir(out)) == left
        assert ("error" in json.loads((out / "s.json").read_text())) == (left == 1)


def test_what_is_in_the_way_stays(both, programs, mask_model, tmp_path):
    for index, name in enumerate(("python", "native")):
        where = tmp_path / name
        fill(where, **{"s.png": SCENE, "x.json": SCENE})
        (where / "out/s.overlay.jpg").mkdir(parents=True)
        os.mkfifo(where / "out/1.json")
        (where / "out/1-2.json").symlink_to(where / "nowhere")
        done = programs[name]("--model", mask_model, "a/1.png", "s.png", "x.json", "-o", "out", "-j", cwd=where)
        codes = [json.loads(line).get("error", {}).get("code") for line in done.out.splitlines()]
        assert codes == [None, "output.foreign", None] and done.status == 2, index
        found = sorted(os.listdir(where / "out"))
        assert found[:5] == ["1-2.json", "1-3.json", "1-3.mask.png", "1-3.overlay.jpg", "1.json"]
        assert json.loads((where / "out/s.json").read_text())["error"]["code"] == "output.foreign"
        done = programs[name]("--model", mask_model, "x.json", "-o", ".", cwd=where)
        assert done.status == 0 and (where / "x.json").read_bytes() == SCENE and (where / "x-2.json").exists()


def test_images_of_any_name_and_place(both, programs, model, tmp_path):
    """Some begin like a number or a hidden one, are long, deep, with quotes, brackets, a line's end, or no UTF-8."""
    names = [
        "-5.png",
        ".h.png",
        "x" * 200 + ".png",
        "d/" * 30 + "e.png",
        'q"u\\o.png',
        "[1].png",
        "n\nl.png",
        "t .png.png",
    ]
    for name in names:
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(GREY)
    with open(os.fsencode(tmp_path) + b"/in/\xff\xe9.png", "wb") as file:
        file.write(GREY)
    trees = []
    for name, run in programs.items():
        assert run("--model", model, "in", "-o", name, "-j", cwd=tmp_path).status == 0
        trees.append(sorted(os.walk(os.fsencode(tmp_path / name))))
        trees[-1] = [(folder.removeprefix(os.fsencode(tmp_path / name)), *rest) for folder, *rest in trees[-1]]
        for _, folders, files in trees[-1]:
            folders.sort()
            files.sort()
    assert trees[0] == trees[1]
    records = same_records(*both("--model", model, "in", "--json", cwd=tmp_path))
    assert len(records) == len(names)  # without the hidden one, with that of no UTF-8


def test_folders_are_looked_into_alike(both, model, tmp_path):
    fill(tmp_path, **{"a/n": b"", "a/.dot/x.png": GREY, "a/x.GIF": b"", "a/deep/y.TXT": b"", "a/z.": b"", "a/..x": b""})
    (tmp_path / "a/deep/up").symlink_to(tmp_path / "a")
    (tmp_path / "a/other.png").symlink_to(tmp_path / "b")
    (tmp_path / "a/loop").symlink_to(tmp_path / "a/loop")
    os.mkfifo(tmp_path / "a/pipe.png")
    for words in (
        ["a"],
        ["a*"],
        ["*/*"],
        ["a", "b", "-o", "a/deep"],
        ["**"],
        ["a/*", "a/pip*"],
        ["a/**/*.png"],
        ["no/such*"],
    ):
        python, native = both("--model", model, "-j", *words, cwd=tmp_path)
        assert len(same_records(python, native)) >= 1
        notes = [[line for line in done.err.splitlines() if line.startswith("note")] for done in (python, native)]
        assert notes[0] == notes[1], words
        for path in tmp_path.glob("a/deep/**/*.json"):
            path.unlink()
    assert notes[0] == []
    (note,) = (
        line for line in both("--model", model, "a", cwd=tmp_path)[1].err.splitlines() if line.startswith("note")
    )
    assert note == "note: a: 8 files were left out (3 without a suffix, 2 .txt, 2 hidden, 1 special)"


@pytest.mark.parametrize(
    "words",
    [
        ["P", "-q"],
        ["P", "gone.png", "-q"],
        ["P", "P", "--targets", "-r", "3"],
        ["P", "--warmup", "2"],
        ["P", "P", "-r", "1"],
        ["P", "-r", "2"],
        ["--list"],
        ["--list", "-q"],
        ["--check", "-q"],
        ["--check"],
    ],
    ids=" ".join,
)
def test_people_read_as_much(both, model, mask_model, tmp_path, words):
    (tmp_path / "p.png").write_bytes(SCENE)
    words = [str(tmp_path / "p.png") if word == "P" else word for word in words]
    same_text(*both("--model", model, *words))
    if "--check" not in words:
        same_text(*both("--model", mask_model, *words))


def test_the_table_of_targets_has_columns(program, model, tmp_path):
    (tmp_path / "p.png").write_bytes(SCENE)
    lines = program("--model", model, tmp_path / "p.png", "--targets").out.splitlines()
    rows = [re.match(r"(  .*[<>]= *[\d.,]+)(  measured +[\d.,-]+)  \w", line) for line in lines]
    ends = {(row.end(1), row.end(2)) for row in rows if row}
    assert sum(row is not None for row in rows) > 2 and len(ends) == 1


def test_warnings_and_strict(both, model, tmp_path):
    (tmp_path / "black.png").write_bytes(png(np.zeros((50, 60), np.uint8)))
    (tmp_path / "grey.png").write_bytes(GREY)
    python, native = both("--model", model, "-j", "black.png", "grey.png", cwd=tmp_path)
    black, grey = same_records(python, native)
    codes = [warning["code"] for warning in black["warnings"]]
    assert (
        "image.uniform" in codes and native.err.count("warning: black.png: ") == len(codes) and grey["warnings"] == []
    )
    for words in (["--strict"], ["--strict", "-o", "out"]):
        python, native = both("--model", model, "-j", "black.png", "grey.png", *words, cwd=tmp_path)
        failed, answered = same_records(python, native)
        assert failed["error"]["code"] == codes[0] and "decision" in answered and native.status == 2
    assert json.loads((tmp_path / "out/black.json").read_text())["error"]["code"] == codes[0]


def test_a_release_is_named(build, model, tmp_path):
    (tmp_path / "p.png").write_bytes(GREY)
    (tmp_path / "bin").mkdir()
    shutil.copy2(build / "edge-infer", tmp_path / "bin")
    command = [tmp_path / "bin/edge-infer", "--model", model, "-j", tmp_path / "p.png"]
    environ = environment(EDGE_INFER_LITERT=str(library()))
    text = "format: edge-infer release 1\nversion: 0.1.0-3\ntarget: pi5\narchitecture: aarch64\n"
    cases = {text: "edge-infer-0.1.0-3-pi5", text[:40]: None, text.replace("release 1", "release 2"): None}
    for content, name in {**cases, text.replace("target: ", "goal: "): None, text + "é": None}.items():
        (tmp_path / "release").write_text(content)
        done = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60)
        assert json.loads(done.stdout)["release"] == name, content
    assert json.loads(done.stdout)["model"]["sha256"] == model.read_bytes()[-64:].decode()


@pytest.mark.parametrize("name", QUOTAS)
def test_a_quota_is_the_number_of_cores(build, tmp_path, name):
    files, cores = QUOTAS[name]
    done = subprocess.run([build / "edge-probe", "cores", made(tmp_path, files)], capture_output=True, text=True)
    assert done.stdout == f"{min(cores, len(os.sched_getaffinity(0)))}\n"


def test_a_real_quota_of_half_a_core_is_one_thread(build, half_a_core):  # noqa: F811
    command = f'echo $$ >{half_a_core}/cgroup.procs; exec "{build}/edge-probe" cores ""'
    assert subprocess.run(["sh", "-c", command], capture_output=True, text=True).stdout == "1\n"


@pytest.mark.parametrize("share", [0, 0.5, 0.9, 0.99, 1])
def test_percentiles_are_numpys_usual_ones(build, share):
    for count in (1, 2, 5, 100):
        values = np.random.default_rng(count).uniform(0, 1000, count)
        words = [build / "edge-probe", "percentile", share, *map(repr, values.tolist())]
        done = subprocess.run(list(map(str, words)), capture_output=True, text=True)
        assert abs(float(done.stdout) - np.quantile(values, share)) < 1e-9


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_native_run_that_is_ended_leaves_whole_files_only(build, mask_model, tmp_path, number):
    for index in range(200):
        (tmp_path / f"in/{index}.png").parent.mkdir(exist_ok=True)
        (tmp_path / f"in/{index}.png").write_bytes(png(blobs(300, 400)))
    command = [build / "edge-infer", "--model", mask_model, "in", "--output", "out", "-q"]
    environ = environment(EDGE_INFER_LITERT=str(library()))

    def usual():
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.SIG_DFL)

    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environ, cwd=tmp_path, stdout=pipe, stderr=pipe, preexec_fn=usual)
    assert process.stdout is not None and process.stdout.readline()
    time.sleep(0.05)
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -number) and err == b""
    answers = [name for name in os.listdir(tmp_path / "out") if name.endswith(".json")]
    assert answers and not [name for name in os.listdir(tmp_path / "out") if name.startswith(".")]
    for name in answers:
        for beside in json.loads((tmp_path / "out" / name).read_text())["files"]:
            with Image.open(tmp_path / "out" / beside) as image:
                image.load()


def test_a_model_that_is_cut_while_it_is_used_is_in_every_record(build, model_bytes, tmp_path):
    """The file is mapped; where it ends early the kernel sends a signal."""
    (tmp_path / "m.tflite").write_bytes(model_bytes)
    (tmp_path / "p.png").write_bytes(GREY)
    os.mkfifo(tmp_path / "pipe")
    command = [build / "edge-infer", "--model", "m.tflite", "-j", "p.png", "pipe", "p.png"]
    environ = environment(EDGE_INFER_LITERT=str(library()))
    process = subprocess.Popen(
        command, env=environ, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and json.loads(process.stdout.readline())["image"] == "p.png"
    time.sleep(0.2)
    process.send_signal(signal.SIGBUS)  # as the kernel does
    with contextlib.suppress(OSError):
        os.close(os.open(tmp_path / "pipe", os.O_WRONLY | os.O_NONBLOCK))
    out, err = process.communicate(timeout=60)
    rest = [json.loads(line) for line in out.splitlines()]
    assert [row["image"] for row in rest] == ["pipe", "p.png"] and process.returncode == 2
    assert {row["error"]["code"] for row in rest} == {"model.damaged"} and err.count("\n") == 1
    assert err.startswith("edge-infer: the model file was cut short while it was used")


def test_the_shipped_models_are_named_in_their_records(both):
    for path in sorted((ROOT / "edge/models").glob("*.tflite")):
        (record,) = same_records(*both("--model", path.stem, "-j", ROOT / "docs/phantom.png"))
        data = path.read_bytes()
        assert record["model"] == {"name": path.stem, "sha256": data[-64:].decode(), "bytes": len(data)}
