"""The folder of --output over several runs: whose answer lies there, and what is replaced."""

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

from edge import results
from edge.cli import main
from edge.errors import EdgeError
from edge.tasks.segmentation import MASK, OVERLAY
from tests.edge.pictures import blobs, encoded, grey_ramp, png
from tests.edge.processes import environment

GREY, OTHER = png(grey_ramp()), png(255 - grey_ramp())
DARK = png(np.zeros((30, 40, 3), np.uint8))


@pytest.fixture
def there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name, data in {"a/1.png": GREY, "a/sub/2.png": GREY, "b/1.png": OTHER, "b/1.jpg": b"no image"}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return tmp_path


@pytest.fixture
def ask(model, mask_model):
    def asked(*words, mask=False):
        return main(["--model", str(mask_model if mask else model), *map(str, words), "--output", "out"])

    return asked


def held(folder):
    """Return file -> the image that it is about, or its error's code, or its size."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix == ".json":
            record = json.loads(path.read_text())
            assert ("error" in record) != ("decision" in record)
            found[str(path.relative_to(folder))] = record.get("error", {}).get("code") or record["image"]
        elif path.is_file():
            found[str(path.relative_to(folder))] = "drawn"
    return found


def test_sub_folders_are_kept_and_names_are_numbered(there, ask):
    assert ask("a", "b/1.png") == 0
    assert held(there / "out") == {"1-2.json": "b/1.png", "1.json": "a/1.png", "sub/2.json": "a/sub/2.png"}


def test_an_image_that_is_asked_for_twice_has_one_answer(there, ask):
    """A second one would stay beside it when the image fails in a later run that asks for it once."""
    assert ask("a", "b/1.png", "./a/1.png", "a/1.png", mask=True) == 0
    assert {name: image for name, image in held(there / "out").items() if name.endswith(".json")} == {
        "1-2.json": "b/1.png",
        "1.json": "a/1.png",
        "sub/2.json": "a/sub/2.png",
    }
    (there / "a/1.png").write_bytes(b"no image")
    assert ask("b/1.png", "a/1.png", "a/1.png") == 2
    assert held(there / "out")["1.json"] == "image.format" and len(list((there / "out").glob("1*"))) == 2


def test_another_folders_image_is_kept_apart_in_later_runs_too(there, ask):
    assert ask("a") == 0 and ask("b") == 2
    expected = held(there / "out")
    assert "/" not in expected.pop("1-2.json")  # of b/1.jpg, which is no image
    assert expected == {"1.json": "a/1.png", "1-3.json": "b/1.png", "sub/2.json": "a/sub/2.png"}
    for words in (["b"], ["a"], ["b/1.png", "a/1.png"], [f"{there}/a/../b"]):
        ask(*words)
        now = held(there / "out")
        assert (
            set(now) == {*expected, "1-2.json"} and now["1-3.json"].endswith("b/1.png") and now["1.json"] == "a/1.png"
        )


def test_the_same_words_in_another_folder_are_other_images(there, ask, monkeypatch, model):
    (there / "out").mkdir()
    for folder in "ab":
        monkeypatch.chdir(there / folder)
        assert main(["--model", str(model), "1.png", "--output", "../out"]) == 0
    monkeypatch.chdir(there)
    (there / "link").symlink_to(there / "b")
    assert ask("link/1.png") == 0  # the same image by another way
    assert held(there / "out") == {"1.json": "1.png", "1-2.json": "link/1.png"}


def test_an_image_that_fails_now_leaves_no_answer_of_an_earlier_run(there, ask):
    (there / "scene.png").write_bytes(png(blobs()))
    assert ask("scene.png", mask=True) == 0
    before = {"scene.json": "scene.png", "scene.mask.png": "drawn", "scene.overlay.jpg": "drawn"}
    assert held(there / "out") == before
    record = json.loads((there / "out/scene.json").read_text())
    assert list(record)[:3] == ["image", "path", "files"] and record["path"] == str(there / "scene.png")
    assert record["files"] == ["scene.mask.png", "scene.overlay.jpg"]
    for spoil in (lambda path: path.write_bytes(b"half"), lambda path: path.unlink()):
        spoil(there / "scene.png")
        assert ask("scene.png", mask=True) == 2
        (code,) = held(there / "out").values()
        assert code.startswith(("image.", "invalid"))
        (there / "scene.png").write_bytes(png(blobs()))
        assert ask("scene.png", mask=True) == 0 and held(there / "out") == before


def test_an_answer_of_another_task_takes_the_drawings_along(there, ask):
    (there / "scene.png").write_bytes(png(blobs()))
    assert ask("scene.png", mask=True) == 0 and ask("scene.png") == 0
    assert held(there / "out") == {"scene.json": "scene.png"}


def test_a_model_that_is_refused_is_in_every_images_place(there, ask, capsys):
    assert ask("a") == 0
    capsys.readouterr()
    assert main(["--model", "nothing-of-this-name", "a", "b/1.png", "--json", "-o", "out"]) == 2
    shown = capsys.readouterr()
    records = [json.loads(line) for line in shown.out.splitlines()]
    assert [record["image"] for record in records] == ["a/1.png", "a/sub/2.png", "b/1.png"]
    assert len({json.dumps(record["error"]) for record in records}) == 1 and shown.err.count("\n") == 1
    code = records[0]["error"]["code"]
    assert held(there / "out") == {"1.json": code, "1-2.json": code, "sub/2.json": code}


def test_what_edge_infer_did_not_make_stays(there, ask):
    out = there / "out"
    for name, text in {"1.json": '{"mine": 1}', "sub/2.mask.png": "mine", "x-2.json": "mine", "x.json": "mine"}.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text)
    (there / "x.png").write_bytes(GREY)
    assert ask("a", "x.png") == 0
    assert (out / "1.json").read_text() == '{"mine": 1}' and (out / "x.json").read_text() == "mine"
    assert (out / "1-2.json").exists() and (out / "x-3.json").exists()
    assert ask("a", mask=True) == 2  # sub/2.mask.png is in the way
    assert (out / "sub/2.mask.png").read_text() == "mine" and json.loads((out / "sub/2.json").read_text())["error"]


def test_an_image_with_the_name_of_its_own_result(there, model):
    (there / "x.json").write_bytes(GREY)
    assert main(["--model", str(model), "x.json", "--output", "."]) == 0
    assert (there / "x.json").read_bytes() == GREY
    assert json.loads((there / "x-2.json").read_text())["image"] == "x.json"


def test_folders_pipes_and_links_in_the_way(there, ask):
    out = there / "out"
    (out / "1.json").mkdir(parents=True)
    os.mkfifo(out / "1-2.json")
    (out / "1-3.json").symlink_to(there / "nowhere")
    assert ask("b/1.png") == 0
    assert json.loads((out / "1-4.json").read_text())["image"] == "b/1.png" and not (there / "nowhere").exists()
    (out / "sub").write_text("a file")
    assert ask("a") == 2 and (out / "sub").read_text() == "a file"


def test_names_that_differ_in_case_only(there, ask):
    for name in ("c/x.png", "c/X.png", "c/é.png", "c/É.png"):
        (there / name).parent.mkdir(exist_ok=True)
        (there / name).write_bytes(GREY)
    assert ask("c") == 0
    assert held(there / "out") == {
        "X.json": "c/X.png",
        "x-2.json": "c/x.png",
        "é.json": "c/é.png",
        "É.json": "c/É.png",
    }


def test_standard_input_is_kept_apart(there, ask, monkeypatch):
    for data in (GREY, OTHER, GREY):
        reader, writer = os.pipe()
        os.write(writer, data)
        os.close(writer)
        with open(reader) as stdin:
            monkeypatch.setattr(sys, "stdin", stdin)
            assert ask("-") == 0
    names = ["stdin.json", "stdin-2.json", "stdin-3.json"]
    assert held(there / "out") == dict.fromkeys(names, "-")
    assert json.loads((there / "out/stdin.json").read_text())["path"] is None


@pytest.mark.parametrize(
    ("image", "root", "name"),
    [
        ("-", None, "stdin"),
        ("x.png", None, "x"),
        ("deep/x.y.png", None, "x.y"),
        ("deep/.x.png", None, ".x"),
        ("missing/", None, "missing"),
        ("/", None, "image"),
        ("..", None, "image"),
        ("in/a/x.png", "in", "a/x"),
        ("in//a/./x.png", "in/", "a/x"),
        ("in/a/../../x.png", "in/", "x"),
        ("a/x", "", "a/x"),
        ("in/x.png", "in//", "x"),
        ("/x.png", "/", "x"),
    ],
)
def test_names_never_lead_out_of_the_folder(image, root, name):
    assert results.result_name(image, root) == name


def test_a_folder_of_results_below_the_images_is_not_asked_for(there, mask_model, capsys):
    (there / "scenes").mkdir()
    (there / "scenes/s.png").write_bytes(png(blobs()))
    for _ in range(2):
        assert main(["--model", str(mask_model), "scenes", "-o", "scenes/out"]) == 0
        assert "note" not in capsys.readouterr().err
    assert sorted(os.listdir("scenes/out")) == ["s.json", "s.mask.png", "s.overlay.jpg"]


def test_a_part_that_can_not_be_written_leaves_none(there, monkeypatch):
    made = results.Results("out")
    place = made.place("a/1.png", None)
    made.write(place, {"image": "a/1.png", "decision": 1}, {MASK: b"m", OVERLAY: b"o"})
    assert len(os.listdir("out")) == 3
    again = results.Results("out").place("a/1.png", None)
    assert again.owned == (results.JSON, MASK, OVERLAY)

    def full(*words):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(EdgeError, match="No space left") as caught:
        results.Results("out").write(again, {"image": "a/1.png", "decision": 2}, {MASK: b"n"})
    assert caught.value.code == "output.unwritable" and os.listdir("out") == []


@pytest.mark.parametrize(
    "foreign", ["1.png", "1.json.png/../../1.png", "../a/1.png", "1.mask.png/x", "1.MASK.png", "2.mask.png"]
)
def test_no_record_lays_claim_to_what_no_task_draws(there, foreign):
    """What an earlier record lists is removed; one that somebody wrote must not name an image."""
    folder = there / "out"
    folder.mkdir()
    path = json.dumps(str(there / "a/1.png"))
    listed = json.dumps(["1.mask.png", foreign])
    (folder / "1.json").write_text(f'{{"image": "a/1.png", "path": {path}, "files": {listed}, "x": 1}}')
    assert results.Results("out").place("a/1.png", None).owned == (results.JSON, MASK)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_run_that_is_ended_leaves_whole_files_only(there, mask_model, number):
    (there / "many").mkdir()
    for index in range(60):
        (there / f"many/{index}.png").write_bytes(png(blobs(200, 300)))
    command = [sys.executable, "-m", "edge", "--model", str(mask_model), "many", "--output", "out", "--quiet"]

    def usual():
        for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(one, signal.default_int_handler if one == signal.SIGINT else signal.SIG_DFL)

    process = subprocess.Popen(
        command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=usual
    )
    assert process.stdout is not None and process.stdout.readline()
    time.sleep(0.07)
    process.send_signal(number)
    err = process.communicate(timeout=60)[1]
    assert process.returncode == (130 if number == signal.SIGINT else -number) and err == b""
    answers = [name for name in os.listdir("out") if name.endswith(".json")]
    assert answers and not [name for name in os.listdir("out") if name.startswith(".")]
    for name in answers:
        for beside in json.loads((there / "out" / name).read_text())["files"]:
            with Image.open(there / "out" / beside) as image:
                image.load()


def test_overlays_are_of_the_image_that_the_record_names(there, ask):
    (there / "s.jpg").write_bytes(encoded(Image.fromarray(blobs()), "JPEG"))
    assert ask("s.jpg", mask=True) == 0
    (there / "s.jpg").write_bytes(DARK)
    assert ask("s.jpg", mask=True) == 0
    with Image.open(there / "out/s.mask.png") as mask:
        assert mask.size == (40, 30)
