"""A network in tflite-micro, TFLite's interpreter for microcontrollers: in how much memory, with what result?

tflite-micro prints what goes wrong and may end the process, so a child process runs it:
`python -m firmware_bridge.micro.micro MODEL`.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from signal import strsignal
from typing import Any, NamedTuple

import numpy as np

from edge.check import Verdict, check
from edge.engine import Engine
from edge.errors import EdgeError
from edge.model import ModelFile, read
from edge.runtime import Runtime, Tensor, first_line
from edge.strict_json import dumps

ALIGNMENT = 16
LIMIT_SECONDS = 1800.0

_MOST_ARENA = 2**28
_LACKS = re.compile(r"Failed to get registration from op code (\S+)")


class Trial(NamedTuple):
    """What came of running a network.

    Attributes:
        version: of tflite-micro.
        arena_bytes: the smallest arena with which it ran here, a multiple of 16.
        input, output: its tensors.
        verdicts: one for each golden vector of the model file.
    """

    version: str
    arena_bytes: int
    input: Tensor
    output: Tensor
    verdicts: list[Verdict]


class Micro(Runtime):
    """tflite-micro as one of the device's runtimes, so that `edge.check` can compare it with the golden vectors."""

    def __init__(self, flatbuffer: bytes, arena_bytes: int) -> None:
        self.name, self.version, self.threads = "tflite-micro", version("tflite-micro"), 1
        self.delegate, self.kernel_path = "none", "micro"
        self._interpreter = _interpreter(flatbuffer, arena_bytes)
        self.inputs = (_tensor(self._interpreter.get_input_details(0)),)
        self.outputs = (_tensor(self._interpreter.get_output_details(0)),)

    def run(self, *tensors: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the raw output for a raw input; EdgeError where tflite-micro fails."""
        try:
            self._interpreter.set_input(tensors[0], 0)
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(f"tflite-micro {self.version} can't run the network: {first_line(error)}") from None
        return (self._interpreter.get_output(0),)


def run(file: ModelFile) -> Trial:
    """Return what comes of running the model file's network in tflite-micro, in a child process.

    Raises EdgeError where tflite-micro is not installed, lacks an operator, fails or crashes.
    """
    if find_spec("tflite_micro") is None:
        raise EdgeError(
            "tflite-micro is not installed: expected it, to run what is exported; install it with "
            "pip install '.[micro]' in the project's folder"
        )
    root = str(Path(__file__).resolve().parents[2])
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "firmware_bridge.micro.micro", file.path]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        raise EdgeError(
            f"tflite-micro was not done with {file.path} after {LIMIT_SECONDS:g} seconds: export a smaller network"
        ) from None
    if done.returncode:
        how = strsignal(-done.returncode) if done.returncode < 0 else f"exit status {done.returncode}"
        raise EdgeError(
            f"tflite-micro crashed with the network of {file.path} ({how}): export a smaller or a simpler network"
        )
    result = json.loads(done.stdout)
    if "error" in result:
        raise EdgeError(result["error"])
    tensors = {name: Tensor(tuple(result[name][0]), *result[name][1:]) for name in ("input", "output")}
    verdicts = [Verdict(*verdict) for verdict in result["verdicts"]]
    return Trial(result["version"], result["arena_bytes"], tensors["input"], tensors["output"], verdicts)


def smallest(runs: Callable[[int], bool], most: int) -> int:
    """Return the smallest multiple of 16 up to `most`, itself one, from which on `runs` is true."""
    least = 0
    while most - least > ALIGNMENT:
        middle = (least + most) // (2 * ALIGNMENT) * ALIGNMENT
        if runs(middle):
            most = middle
        else:
            least = middle
    return most


def lacking(flatbuffer: bytes) -> list[str]:
    """Return the operators of the network that tflite-micro does not have, in the order in which it meets them.

    It names the first and gives up. So that one is replaced by ABS, which it has, and it is asked again; it looks up
    all operators before it looks at any of them closer.
    """
    from compress.convert.graph import replaced

    network, names = flatbuffer, list[str]()
    while (found := _LACKS.search(_complaint(network))) and found[1] not in names:
        names.append(found[1])
        network = replaced(network, found[1], "ABS")
    return names


def _interpreter(flatbuffer: bytes, arena_bytes: int) -> Any:
    from tflite_micro import runtime

    return runtime.Interpreter.from_bytes(flatbuffer, arena_size=arena_bytes)


def _fits(flatbuffer: bytes, arena_bytes: int) -> bool:
    try:
        _interpreter(flatbuffer, arena_bytes)
    except RuntimeError:
        return False
    return True


def _complaint(flatbuffer: bytes) -> str:
    """Return what tflite-micro prints where it can't load the network, however large the arena; "" where it can."""
    saved = os.dup(2)
    with tempfile.TemporaryFile() as said:
        os.dup2(said.fileno(), 2)
        try:
            fits = _fits(flatbuffer, _MOST_ARENA)
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        said.seek(0)
        return "" if fits else said.read().decode(errors="replace").strip() or "it does not say why"


def _tensor(details: dict[str, Any]) -> Tensor:
    parameters = details["quantization_parameters"]
    scale, zero_point = (float(next(iter(parameters[key]), 0)) for key in ("scales", "zero_points"))
    shape = tuple(int(size) for size in details["shape"])
    return Tensor(shape, np.dtype(details["dtype"]).name, scale, int(zero_point))


def _try(path: str) -> Trial:
    """What the child process does."""
    file = read(path)
    flatbuffer, installed = file.flatbuffer, version("tflite-micro")
    if complaint := _complaint(flatbuffer):
        if names := lacking(flatbuffer):
            raise EdgeError(
                f"{path} has operators that tflite-micro {installed} lacks ({', '.join(names)}): convert the network "
                "again with others (docs/coral.md names them)"
            )
        raise EdgeError(
            f"tflite-micro {installed} can't load the network of {path} ({complaint.splitlines()[-1][:200]}): "
            "convert it again with fixed sizes and smaller tensors"
        )
    _check_ends(file)
    arena_bytes = smallest(lambda size: _fits(flatbuffer, size), _MOST_ARENA)
    micro = Micro(flatbuffer, arena_bytes)
    engine = Engine(file, micro)
    if not file.manifest.golden:
        micro.run(*(np.zeros(tensor.shape, tensor.dtype) for tensor in micro.inputs))
    verdicts = check(engine) if file.manifest.golden else []
    return Trial(installed, arena_bytes, micro.inputs[0], micro.outputs[0], verdicts)


def _check_ends(file: ModelFile) -> None:
    inputs, outputs = len(file.manifest.inputs), len(file.manifest.outputs)
    if (inputs, outputs) != (1, 1):
        raise EdgeError(
            f"{file.path} has a network with {inputs} inputs and {outputs} outputs: expected one of each to export; "
            "convert the part of it that gives the answer"
        )


if __name__ == "__main__":
    try:
        answer = _try(sys.argv[1])._asdict()
    except EdgeError as error:
        answer = {"error": str(error)}
    print(dumps(answer, "the answer"))
