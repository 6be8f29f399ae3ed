"""From networks to TFLite flatbuffers: ONNX, then a TensorFlow SavedModel, then one TFLite converter.

The TensorFlow half runs in a process of its own, one for all networks that are asked for together: it takes seconds to
start and gigabytes that come back only when a process ends, and it talks a lot; what it says goes to a log that an
error quotes.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import numpy as np
from torch import Tensor, nn

from compress.convert import onnx
from compress.convert.model_file import write_beside
from compress.inputs import Inputs, as_inputs
from edge.errors import EdgeError
from edge.scratch import scratch

KINDS = ("float32", "int8")
CACHE = "EDGE_CONVERSION_CACHE"  # a folder: what was converted from the same bytes is taken from there; for tests
TOOLS = ("onnx2tf", "tensorflow", "onnx", "onnxsim", "numpy")


class Request(NamedTuple):
    """A network, and what is to be made of it.

    Attributes:
        network: maps its inputs to logits; it is converted as it is in evaluation mode.
        calibration: for each input, float32 (N, channels, height, width) as the network reads them: their ranges, and
            those of every activation that they cause, become the quantization steps.
        kinds: "float32", "int8" or both. int8 is full-integer, inputs and outputs included.
    """

    network: nn.Module
    calibration: Tensor | Inputs
    kinds: Sequence[str]


class Converted(NamedTuple):
    """A flatbuffer with batch 1, NHWC in, logits out: of which request, of which kind, and the seconds it took."""

    request: int
    kind: str
    flatbuffer: bytes
    seconds: float


def to_tflite(network: nn.Module, calibration: Tensor | Inputs, quantize: bool) -> bytes:
    """Return a TFLite flatbuffer of `network`; see `Request` and `convert`."""
    (made,) = convert([Request(network, calibration, ["int8" if quantize else "float32"])])
    return made.flatbuffer


def convert(requests: Sequence[Request]) -> Iterator[Converted]:
    """Convert networks in one process, and yield each flatbuffer as soon as it is there.

    A network's ONNX and SavedModel are made once for all of its kinds. Their seconds count with the first of them.

    Raises EdgeError with the end of the converter's log where an operator can't be converted.
    """
    with scratch("convert") as work:
        begun = time.monotonic()
        digests, left = [], []
        for number, request in enumerate(requests):
            digests.append(_prepare(request, work / str(number)))
            left.append([kind for kind in request.kinds if not _is_kept(digests[number], kind)])
            for kind in set(request.kinds) - set(left[number]):
                yield Converted(number, kind, _kept(digests[number], kind).read_bytes(), time.monotonic() - begun)
                begun = time.monotonic()
        if not any(left):
            return
        (work / "requests.json").write_text(json.dumps(left))
        for number, kind in _converted(work, sum(map(len, left))):
            flatbuffer = (work / str(number) / f"{kind}.tflite").read_bytes()
            if CACHE in os.environ:
                write_beside(_kept(digests[number], kind), flatbuffer)
            yield Converted(number, kind, flatbuffer, time.monotonic() - begun)
            begun = time.monotonic()


def _prepare(request: Request, place: Path) -> bytes:
    """Write what the converter reads to the folder `place`; return a digest of it."""
    place.mkdir()
    calibration = as_inputs(request.calibration)
    onnx.export(request.network, tuple(x[:1] for x in calibration), place / "network.onnx")
    state = hashlib.sha256((place / "network.onnx").read_bytes())
    for name, x in zip(onnx.names("image", len(calibration)), calibration, strict=True):
        values = np.ascontiguousarray((x.permute(0, 2, 3, 1) if x.ndim == 4 else x).cpu().numpy())
        np.save(place / f"calibration.{name}.npy", values)
        state.update(repr((values.shape, values.dtype.str)).encode() + values.tobytes())
    return state.digest()


def _converted(work: Path, count: int) -> Iterator[tuple[int, str]]:
    """Run the converter in the folder `work`; yield which of `count` flatbuffers are there, as they are made."""
    path = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]  # onnx2tf calls onnxsim as a command
    environment = os.environ | {
        "PATH": os.pathsep.join(path),
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).resolve().parents[2]), os.environ.get("PYTHONPATH", "")]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    told, done = os.pipe()
    command = [sys.executable, "-m", "compress.convert.converter", str(work), str(done)]
    with open(work / "log", "w+") as log, open(told) as lines:
        try:
            process = subprocess.Popen(
                command, cwd=work, env=environment, stdout=log, stderr=subprocess.STDOUT, pass_fds=[done]
            )
        finally:
            os.close(done)
        try:
            for line in lines:
                number, kind = line.split()
                count -= 1
                yield int(number), kind
            status = process.wait()
        finally:
            process.kill()  # where nobody wants the rest
            process.wait()
        if count:
            log.seek(0)
            raise EdgeError(
                f"the network could not be converted to TFLite (exit status {status}): {_last_error(log.read())}; see "
                "which operators TFLite has, and write the layer with those"
            )


def _last_error(log: str) -> str:
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    marked = [line for line in lines if "rror" in line]
    return (marked or lines or ["no message"])[-1][:300]


def _kept(digest: bytes, kind: str) -> Path:
    """Return where the cache has what was made of what has this digest."""
    versions = [f"{name} {metadata.version(name)}" for name in TOOLS]
    return Path(os.environ[CACHE], f"{hashlib.sha256(digest + repr((kind, versions)).encode()).hexdigest()}.tflite")


def _is_kept(digest: bytes, kind: str) -> bool:
    return CACHE in os.environ and _kept(digest, kind).exists()
