"""Model files and images that the tests share. What is made here is small, and the same at every run."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from edge import runtime
from edge.errors import EdgeError
from tests.edge import packing
from tests.edge.pictures import grey_ramp, png
from tests.edge.processes import Ended, run

HERE = Path(__file__).parent

settings.register_profile("same-every-time", derandomize=True, deadline=None)
settings.load_profile("same-every-time")


def _installed(name: str) -> bool:
    try:
        runtime.open_runtime((HERE / "data/tiny.tflite").read_bytes(), name)
    except EdgeError:
        return False
    return True


RUNTIMES = [name for name in ("litert", "tflite") if _installed(name)]


@pytest.fixture(scope="session")
def runtimes() -> list[str]:
    """The runtimes that are installed, LiteRT first."""
    return RUNTIMES


@pytest.fixture(params=["litert", "tflite"])
def each_runtime(request: pytest.FixtureRequest) -> str:
    """Both runtimes, one after the other."""
    if request.param not in RUNTIMES:
        pytest.skip(f"the runtime {request.param} is not installed")
    return request.param


@pytest.fixture(scope="session")
def flatbuffer() -> bytes:
    """An int8 network, 24x24x3 to 2 labels (data/make_tiny.py)."""
    return (HERE / "data/tiny.tflite").read_bytes()


@pytest.fixture(scope="session")
def float_flatbuffer() -> bytes:
    """The same network in float32."""
    return (HERE / "data/tiny-float.tflite").read_bytes()


@pytest.fixture(scope="session")
def golden(flatbuffer: bytes) -> tuple[dict[str, bytes], list[dict[str, object]]]:
    """Members and manifest entries of two golden vectors, computed here by each runtime that is installed."""
    members: dict[str, bytes] = {}
    entries: list[dict[str, object]] = []
    scale, zero_point = 0.015676429495215416, 0
    for number in range(2):
        grey = np.random.default_rng(number).integers(0, 256, (24, 24), dtype=np.uint8)
        # The preprocessing of docs/model-file.md, pixel by pixel in float64 and independent of the program's table.
        x = np.float32((grey / 255 - 0.5) / 0.25).astype(np.float64)
        plane = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
        tensor = np.repeat(plane[None, :, :, None], 3, axis=3)
        outputs = {}
        for name in RUNTIMES:
            opened = runtime.open_runtime(flatbuffer, name)
            outputs[opened.kernel_path] = f"golden/{number}.{opened.kernel_path}"
            members[f"golden/{number}.{opened.kernel_path}"] = opened.run(tensor)[0].tobytes()
        members[f"golden/{number}.png"] = png(grey)
        digest = hashlib.sha256(tensor.tobytes()).hexdigest()
        entries.append(packing.vector(f"golden/{number}.png", digest, outputs, 3))
    return members, entries


@pytest.fixture(scope="session")
def model_bytes(flatbuffer: bytes, golden: tuple[dict[str, bytes], list[dict[str, object]]]) -> bytes:
    """A whole, valid model file."""
    members, entries = golden
    return packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=entries), members)


@pytest.fixture(scope="session")
def model(model_bytes: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of that file."""
    path = tmp_path_factory.mktemp("model") / "tiny.tflite"
    path.write_bytes(model_bytes)
    return path


@pytest.fixture(scope="session")
def mask_flatbuffer() -> bytes:
    """An int8 network, 24x24x3 to 12x12 logits: 3 times the mean of 2x2 pixels, so the mask is what is bright."""
    return (HERE / "data/tiny-mask.tflite").read_bytes()


@pytest.fixture(scope="session")
def mask_model(mask_flatbuffer: bytes, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The path of a model file with it."""
    path = tmp_path_factory.mktemp("model") / "tiny-mask.tflite"
    path.write_bytes(packing.pack(mask_flatbuffer, packing.mask_manifest(mask_flatbuffer)))
    return path


@pytest.fixture(scope="session")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that stands in for the Edge TPU's, built with the system's compiler (stand_in_delegate.c)."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("a C compiler is not installed")
    path = tmp_path_factory.mktemp("delegate") / "libstandin.so"
    flags = ["-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", path, HERE / "stand_in_delegate.c"], check=True)
    return path


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    """A grey image of 60 x 50 pixels."""
    path = tmp_path / "picture.png"
    path.write_bytes(png(grey_ramp()))
    return path


@pytest.fixture
def infer(model: Path) -> Callable[..., Ended]:
    """`edge-infer --model tiny.tflite ...` as a process."""
    return lambda *words, **more: run("--model", model, *words, **more)


@pytest.fixture
def outline(mask_model: Path) -> Callable[..., Ended]:
    """`edge-infer --model tiny-mask.tflite ...` as a process."""
    return lambda *words, **more: run("--model", mask_model, *words, **more)
