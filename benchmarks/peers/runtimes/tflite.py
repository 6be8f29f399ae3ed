"""tflite-runtime: the last one of TensorFlow Lite's own name, for 32-bit boards and old systems."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import tflite_runner
from benchmarks.peers.runner import Runner

TITLE = "tflite-runtime"
REQUIREMENTS = ("tflite-runtime==2.14.0", "numpy==1.26.4")
KINDS = ("int8", "float")
NOTE = "int8: the shipped file, with its own int8 kernels, as its wheel does not give them to XNNPACK"
NOT_ON_ARM = ""
convert = tflite_runner.convert


def load(path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    from tflite_runtime.interpreter import Interpreter

    return tflite_runner.load(Interpreter, version("tflite-runtime"), path, threads)
