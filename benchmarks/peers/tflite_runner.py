"""The interpreter that LiteRT and tflite-runtime share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.runner import Runner, quantized

FILES = {"int8": "int8.tflite", "float": "float.tflite"}


def convert(folder: Path, kind: str, machine: str) -> str:
    """Both files are in the folder already: the shipped one, and the same in float32."""
    return FILES[kind]


def load(interpreter_class: Any, version: str, path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    interpreter = interpreter_class(model_path=str(path), num_threads=threads)
    interpreter.allocate_tensors()
    (image,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()

    def prepare(real: np.ndarray) -> np.ndarray:
        return quantized(real, image["quantization"], np.int8) if image["dtype"] is np.int8 else real

    def run(tensor: np.ndarray) -> np.ndarray:
        interpreter.set_tensor(image["index"], tensor)
        interpreter.invoke()
        found: np.ndarray = interpreter.get_tensor(answer["index"])
        return found

    def real(raw: np.ndarray) -> np.ndarray:
        scale, zero_point = answer["quantization"]
        return (raw.astype(np.float32) - zero_point) * np.float32(scale) if raw.dtype == np.int8 else raw

    return Runner(version, prepare, run, real)
