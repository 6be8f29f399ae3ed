"""LiteRT: what edge-infer runs, and what all others are compared with."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

from benchmarks.peers import tflite_runner
from benchmarks.peers.runner import Runner

TITLE = "LiteRT"
REQUIREMENTS = ("ai-edge-litert==2.3.0", "numpy==2.4.6")
KINDS = ("int8", "float")
NOTE = "int8: the shipped file"
NOT_ON_ARM = ""
convert = tflite_runner.convert


def load(path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    from ai_edge_litert.interpreter import Interpreter

    return tflite_runner.load(Interpreter, version("ai-edge-litert"), path, threads)
