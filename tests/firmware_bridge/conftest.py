"""Both programs: `edge-infer` in Python, and the native one, which is built here; and a board."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.lab import debian
from tests.edge.conftest import (  # noqa: F401  (fixtures)
    flatbuffer,
    float_flatbuffer,
    golden,
    mask_flatbuffer,
    mask_model,
    model,
    model_bytes,
    picture,
    runtimes,
    stand_in,
)
from tests.edge.pictures import blobs, encoded, png, turned
from tests.edge.processes import ROOT, Ended, call, environment
from tests.firmware_bridge.boards import LocalBoard
from tests.firmware_bridge.places import Place
from tests.once import once

SOURCE = ROOT / "firmware_bridge/native"
BUILT_WITH = {
    "cmake": "cmake",
    "make": "make",
    **debian.COMPILER,
    "/usr/include/png.h": "libpng-dev",
    "/usr/include/jpeglib.h": "libjpeg62-turbo-dev",
    "/usr/include/zlib.h": "zlib1g-dev",
    "/usr/include/jansson.h": "libjansson-dev",
}
SANITIZED = os.environ.get("EDGE_TEST_SANITIZED") == "1"  # slower; what the sanitizers find ends the program


def library() -> Path:
    """LiteRT's C library of this environment's ai-edge-litert."""
    found = importlib.util.find_spec("ai_edge_litert")
    if found is None or found.origin is None:
        pytest.skip("ai-edge-litert is not installed")
    return Path(found.origin).with_name("libLiteRt.so")


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built programs, which know a third task from a file outside of their sources."""
    try:
        debian.need(BUILT_WITH)
    except debian.Unavailable as error:
        pytest.skip(str(error))
    task = tmp_path_factory.mktemp("task") / "multilabel.c"
    shutil.copyfile(Path(__file__).with_name("native") / task.name, task)

    def make(folder: Path) -> None:
        options = ["-DEDGE_PROBE=ON", f"-DEDGE_SANITIZE={'ON' if SANITIZED else 'OFF'}", f"-DEDGE_TASKS={task}"]
        for command in (["cmake", "-S", SOURCE, "-B", folder, *options], ["cmake", "--build", folder, "-j2"]):
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr

    return once(tmp_path_factory, "native", make)


@pytest.fixture(scope="session")
def programs(build: Path) -> dict[str, Callable[..., Ended]]:
    """The two programs by name, each as a function from arguments to what came of it."""

    def runner(command: list[str], **more: str) -> Callable[..., Ended]:
        def run(*words: object, stdin: bytes = b"", stdout: object = subprocess.PIPE, **settings: object) -> Ended:
            extra = settings.pop("env", {})
            settings = {"env": environment(COLUMNS="80", **{**more, **extra}), "timeout": 60, **settings}
            words = [word if isinstance(word, bytes) else str(word) for word in words]
            return Ended(
                subprocess.run([*command, *words], input=stdin, stdout=stdout, stderr=subprocess.PIPE, **settings)
            )

        return run

    models = str(ROOT / "edge/models")
    native = {"EDGE_INFER_MODELS": models, "EDGE_INFER_LITERT": str(library())}
    if SANITIZED:
        # What LiteRT itself leaves behind is its own affair.
        native["LSAN_OPTIONS"] = "suppressions=" + str(Path(__file__).with_name("litert.supp"))
    process = runner([sys.executable, "-m", "edge"])

    def python(*words: object, stdin: bytes = b"", **settings: object) -> Ended:
        """As a process of its own only where anything is said about it."""
        return process(*words, stdin=stdin, **settings) if settings else call(*words, stdin=stdin, COLUMNS="80")

    return {
        "python": python,
        "native": runner([str(build / "edge-infer")], **native),
    }


@pytest.fixture(params=["python", "native"])
def program(request: pytest.FixtureRequest, programs: dict[str, Callable[..., Ended]]) -> Callable[..., Ended]:
    """One program after the other."""
    return programs[request.param]


@pytest.fixture
def outlined(tmp_path: Path) -> list[Path]:
    """Images in which a segmentation finds much, little and nothing."""
    noise = np.random.default_rng(9).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    names = {
        "blobs.png": png(blobs()),
        "small.png": png(blobs(9, 11)),
        "dark.png": png(np.zeros((40, 30), np.uint8)),
        "bright.png": png(np.full((70, 30), 255, np.uint8)),
        "noise.png": encoded(Image.fromarray(noise).resize((333, 217), Image.Resampling.NEAREST), "PNG"),
        "noise.jpg": encoded(
            Image.fromarray(noise).resize((640, 480), Image.Resampling.BICUBIC), "JPEG", exif=turned(8)
        ),
        "wide.png": png(np.repeat(blobs(10, 40), 12, axis=1)),
        "dot.png": png(np.array([[200]], np.uint8)),
    }
    for name, data in names.items():
        (tmp_path / name).write_bytes(data)
    return [tmp_path / name for name in names]


@pytest.fixture(scope="session")
def local_board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalBoard]:
    """This machine, reached over a real sshd."""
    board = LocalBoard(tmp_path_factory.mktemp("board"))
    yield board
    board.stop()


@pytest.fixture
def place(local_board: LocalBoard, tmp_path: Path) -> Place:
    place = Place(local_board, tmp_path)
    assert place("trust", "board", "--key", f"{local_board.signer}.pub").status == 0
    return place


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Mount a small file system; it is gone after the test."""
    mounted: list[Path] = []

    def mounts(options: str) -> Path:
        folder = tmp_path / f"mount{len(mounted)}"
        folder.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", folder], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"file systems can't be mounted here: {done.stderr.strip()}")
        mounted.append(folder)
        return folder

    if shutil.which("mount") is None or os.geteuid() != 0:
        pytest.skip("only root can mount file systems")
    yield mounts
    for folder in mounted:
        subprocess.run(["umount", "-l", folder], check=True)
