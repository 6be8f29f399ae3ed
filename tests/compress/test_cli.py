from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from compress import cli
from edge import __version__
from edge.model import read
from tests.compress.conftest import command, edge_compress, environment, refused
from tests.edge import packing
from tests.edge.processes import usual_ends

TINY = Path(__file__).parents[1] / "edge/data/tiny.tflite"


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """The tiny network as a whole model file."""
    path = tmp_path / "tiny-model.tflite"
    path.write_bytes(packing.pack(TINY.read_bytes(), packing.manifest(TINY.read_bytes())))
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """A manifest for it, in a file of its own."""
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(packing.manifest(TINY.read_bytes())))
    return path


def run(own: Path, data: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return edge_compress("run", "recipe.toml", "--data", data, "--output", "out", *more, cwd=own)


def test_help_names_every_command() -> None:
    done = edge_compress("--help")
    assert done.returncode == 0
    for word in ("run", "show", "pack", "phantoms", "not a medical device"):
        assert word in " ".join(done.stdout.split())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: COMMAND; see edge-compress --help"),
        (["runn"], "invalid choice: 'runn' "),
        (["run", "phantom", "--data", "x"], "are required: --output; see edge-compress run --help"),
        (["phantoms", "x", "--size", "big"], "--size: invalid int value: 'big'; see edge-compress phantoms --help"),
        (["show"], "are required: MODEL; see edge-compress show --help"),
        (["route", "xla"], "ROUTE: invalid choice: 'xla' (choose from 'litert'); see edge-compress route --help"),
    ],
)
def test_a_wrong_usage_is_one_sentence(words: list[str], said: str) -> None:
    done = edge_compress(*words)
    assert said in refused(done) and done.stderr.count("\n") == 1 and done.stderr.endswith("--help\n")


@pytest.mark.parametrize("name", ["run", "show", "pack", "phantoms"])
def test_every_command_says_what_it_does_and_every_default_that_it_is_one(name: str) -> None:
    told = edge_compress(name, "--help").stdout
    line = re.search(rf"^    {name} +(.+)$", edge_compress("--help").stdout, re.MULTILINE)
    assert line and f"\n\n{line[1][0].upper()}{line[1][1:]}.\n\n" in told
    assert not re.search(r"\((?!default: |docs/)[^)]*\)", told.replace("(.toml)", ""))


def test_version() -> None:
    assert edge_compress("--version").stdout == f"edge-compress {__version__}\n"


def test_a_missing_data_folder_is_named(own: Path, tmp_path: Path) -> None:
    refused(run(own, tmp_path / "nowhere"), str(tmp_path / "nowhere"), "does not exist", "--data")
    assert not (own / "out").exists()


def test_an_unknown_recipe_lists_the_shipped_ones(tmp_path: Path) -> None:
    done = edge_compress("run", "pnuemonia", "--data", tmp_path, "--output", tmp_path / "out")
    refused(done, "'pnuemonia'", "shipped are bpcp, cpgresnet50, ")


def test_a_mistake_in_a_recipe_is_named(own: Path, phantoms: Path) -> None:
    recipe = own / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 3", "epoch = 3"))
    refused(run(own, phantoms), "recipe.toml", "steps[1]", "'epoch'", "'epochs'")


def copy_of(phantoms: Path, folder: Path) -> Path:
    """A data set of links, so that a test can spoil some."""
    for path in sorted(phantoms.rglob("*.png")):
        link = folder / path.relative_to(phantoms)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)
    return folder


def test_an_unreadable_training_image_is_named(own: Path, phantoms: Path, tmp_path: Path) -> None:
    data = copy_of(phantoms, tmp_path / "data")
    bad = sorted((data / "train/opacity").iterdir())[3]
    content = bad.read_bytes()
    bad.unlink()
    bad.write_bytes(content[: len(content) // 2])
    refused(run(own, data), str(bad))


def test_a_class_folder_with_one_image_is_named(own: Path, phantoms: Path, tmp_path: Path) -> None:
    data = copy_of(phantoms, tmp_path / "data")
    for path in sorted((data / "train/clear").iterdir())[1:]:
        path.unlink()
    refused(run(own, data), "train/clear", "1 image")


def test_an_impossible_number_of_threads_is_named(own: Path, phantoms: Path) -> None:
    refused(run(own, phantoms, "--threads", -1), "-1 threads", "1 or more")


def test_a_line_break_in_a_name_stays_in_the_sentence(own: Path, tmp_path: Path) -> None:
    sentence = refused(run(own, tmp_path / "two\nlines"), "does not exist")
    assert "lines" in sentence


def test_a_positive_label_that_the_data_has_not_is_named(own: Path, phantoms: Path) -> None:
    recipe = own / "recipe.toml"
    recipe.write_text(recipe.read_text().replace('"opacity"', '"opacities"'))
    refused(run(own, phantoms), "'opacities'", "clear, opacity")


def test_a_network_that_is_not_there_is_named(own: Path, phantoms: Path) -> None:
    (own / "own_network.py").unlink()
    refused(run(own, phantoms), "own_network:build", "can't be imported")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 32 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    options = ["-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if os.geteuid() or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("only root can make a small disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def left_behind(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_full_disk_ends_a_run_in_a_sentence(own: Path, phantoms: Path, small_disk: Path) -> None:
    done = edge_compress("run", "recipe.toml", "--data", phantoms, "--output", small_disk, cwd=own)
    refused(done, "No space left on device", "free some space")
    assert left_behind(small_disk) == []


def test_a_full_disk_leaves_no_part_of_a_model_file(manifest: Path, small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(bytes(28 * 1024))
    done = edge_compress("pack", TINY, "--manifest", manifest, "--output", small_disk / "x.tflite")
    refused(done, "No space left on device", "free some space")
    assert left_behind(small_disk) == ["filler"]


def test_an_output_that_is_a_file_is_named(own: Path, phantoms: Path) -> None:
    (own / "out").write_text("a file")
    refused(run(own, phantoms), "out")


def test_ctrl_c_says_how_to_go_on(own: Path, phantoms: Path) -> None:
    recipe = own / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("epochs = 3", "epochs = 5000"))
    words = command("run", "recipe.toml", "--data", phantoms, "--output", "out")
    how = {"cwd": own, "env": environment(), "text": True, "stderr": subprocess.PIPE, "preexec_fn": usual_ends}
    with subprocess.Popen(words, **how) as process:
        assert process.stderr is not None
        said = ""
        while not re.search(r"epoch 2/5000 .*AUC", said):
            line = process.stderr.readline()
            assert line, said
            said += line
        process.send_signal(signal.SIGINT)
        said += process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.endswith("edge-compress: interrupted; the same command goes on from the last checkpoint\n")
    assert list((own / "out/checkpoints").glob("*.epochs.pt"))


def test_show_says_what_is_in_a_model_file(packed: Path) -> None:
    done = edge_compress("show", packed)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in (
        "tiny: A tiny network for tests",
        f"{packed.stat().st_size:,} bytes, manifest version 1",
        "task       classification",
        "output     normal, opacity",
        'decision {"label": "opacity", "threshold": 0.4}',
        "24x24, grey in 3 channels, stretch; int8",
        "CONV_2D 2",
        "parameters       816",
        "latency_ms       <= 10,000  (tests)",
        "data             none",
        "0 images",
    ):
        assert words in done.stdout


def test_show_gives_the_manifest_as_json(packed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["show", str(packed), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == packing.manifest(TINY.read_bytes())


def test_show_refuses_a_plain_tflite_file() -> None:
    refused(edge_compress("show", TINY), "without a manifest", "edge-compress pack")


def test_show_into_a_closed_pipe_is_quiet(packed: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        command("show", packed), env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, "")


def test_show_into_a_full_disk_says_so(packed: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            command("show", packed), env=environment(), stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    refused(done, "No space left on device")
    assert "Exception ignored" not in done.stderr


def test_pack_adds_a_manifest_and_golden_vectors(manifest: Path, tmp_path: Path) -> None:
    assert cli.main(["pack", str(TINY), "--manifest", str(manifest), "--output", str(tmp_path / "x.tflite")]) == 0
    raw = dict(read(tmp_path / "x.tflite").manifest.raw)
    golden = raw.pop("golden")
    assert raw | {"golden": []} == packing.manifest(TINY.read_bytes(), measured=raw["measured"])
    assert len(golden) == 4 and raw["measured"]["file_bytes"] == (tmp_path / "x.tflite").stat().st_size


@pytest.mark.parametrize(
    "content, words",
    [
        ("{", ["manifest.json is no JSON"]),
        ("[]", ["has a list", "JSON object"]),
        (
            "{}",
            ["it lacks name, title, task, outputs[0].labels, outputs[0].decision, inputs[0].color"],
        ),
        (json.dumps(packing.manifest(b"x", labels=["one"])), ["has 1 labels, and the network has 2 outputs"]),
    ],
)
def test_pack_refuses_a_bad_manifest(content: str, words: list[str], manifest: Path, tmp_path: Path) -> None:
    manifest.write_text(content)
    done = edge_compress("pack", TINY, "--manifest", manifest, "--output", tmp_path / "x.tflite")
    refused(done, *words)
    assert left_behind(tmp_path) == ["manifest.json"]


@pytest.mark.parametrize("missing", ["model", "manifest"])
def test_pack_names_a_missing_file(missing: str, manifest: Path, tmp_path: Path) -> None:
    paths = {"model": TINY, "manifest": manifest} | {missing: tmp_path / "nothing"}
    done = edge_compress("pack", paths["model"], "--manifest", paths["manifest"], "--output", tmp_path / "x.tflite")
    refused(done, str(tmp_path / "nothing"))


def test_phantoms_are_drawn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["phantoms", str(tmp_path / "p"), "--train", "2", "--test", "1", "--size", "32"]) == 0
    assert len(list((tmp_path / "p").rglob("*.png"))) == 6
    assert capsys.readouterr().out == f"{tmp_path / 'p'}\n"


@pytest.mark.parametrize("option, value", [("--size", "8"), ("--train", "0"), ("--test", "-1")])
def test_impossible_phantoms_are_refused(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["phantoms", str(tmp_path / "p"), option, value]) == 2
    assert "expected at least 1 image of each kind, and a size from 16" in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


BLOCKED = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "tflite"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Blocker())
from compress.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_the_hosts_tools_it_says_how_to_get_them(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, "run", "phantom", "--data", ".", "--output", "x"],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    refused(done, "is not installed", "pip install '.[host]'")


def test_show_needs_no_host_tools(packed: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, "show", str(packed)],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny: A tiny network" in done.stdout
