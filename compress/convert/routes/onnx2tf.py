"""The route onnx2tf: ONNX, then a Keras network, then TensorFlow's converter, whose float32 half alone is used.

The TensorFlow half runs in a process of its own, one for all networks that are asked for together.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path

from compress.convert import onnx
from compress.convert.repairs import repaired
from compress.convert.routes import process
from compress.convert.routes.route import Float32, Source
from edge.errors import EdgeError
from edge.files import write_beside
from edge.scratch import scratch

CACHE = "EDGE_CONVERSION_CACHE"  # a folder: what was converted from the same bytes is taken from there; for tests
_TOOLS = ("onnx2tf", "tensorflow", "onnx", "onnxsim", "numpy")


class Onnx2tf:
    """The route; see `compress.convert.routes.route.Route`."""

    name = "onnx2tf"
    install = "make .venv/ready"

    def is_installed(self) -> bool:
        return all(importlib.util.find_spec(name) is not None for name in _TOOLS)

    def tools(self) -> Mapping[str, str]:
        return {name: metadata.version(name) for name in ("torch", *_TOOLS)}

    def convert(self, sources: Sequence[Source]) -> Iterator[Float32]:
        if not self.is_installed():
            missing = [name for name in _TOOLS if importlib.util.find_spec(name) is None]
            raise EdgeError(
                f"the route {self.name} is not installed (no {', '.join(missing)}): expected the tools that compress "
                f"networks, on Python 3.11; install them with `{self.install}`",
                "conversion.missing",
            )
        begun = time.monotonic()
        with scratch("convert") as work:
            digests = [_prepare(source, work / str(number)) for number, source in enumerate(sources)]
            kept = {number: path for number, digest in enumerate(digests) if (path := _kept(digest)).is_file()}
            left = [number for number in range(len(sources)) if number not in kept]
            (work / "numbers").write_text("\n".join(map(str, left)))
            told = process.made(self.name, _command(), work, len(left), _variables())
            for number, digest in enumerate(digests):
                if number in kept:
                    flatbuffer = kept[number].read_bytes()
                else:
                    next(told)
                    flatbuffer = (work / f"{number}.tflite").read_bytes()
                    if CACHE in os.environ:
                        write_beside(_kept(digest), flatbuffer)
                yield Float32(flatbuffer, time.monotonic() - begun)
                begun = time.monotonic()


def _prepare(source: Source, place: Path) -> bytes:
    """Write a network as ONNX to the folder `place`; return a digest of it."""
    place.mkdir()
    network = repaired(source.network, Onnx2tf.name, source.examples)
    onnx.export(network, source.examples, place / "network.onnx")
    return hashlib.sha256((place / "network.onnx").read_bytes()).digest()


def _kept(digest: bytes) -> Path:
    """Return where the cache has what was made of what has this digest; a place where nothing is without a cache."""
    versions = [f"{name} {metadata.version(name)}" for name in _TOOLS]
    made = hashlib.sha256(digest + _WORKER.read_bytes() + repr(versions).encode()).hexdigest()
    return Path(os.environ.get(CACHE, os.devnull), f"{made}.tflite")


_WORKER = Path(__file__).with_name("onnx2tf_worker.py")


def _command() -> list[str]:
    return [sys.executable, "-P", str(_WORKER)]


def _variables() -> dict[str, str]:
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # onnx2tf calls onnxsim as a command
    return os.environ | {
        "PATH": os.pathsep.join(path),
        "PYTHONHASHSEED": "0",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
