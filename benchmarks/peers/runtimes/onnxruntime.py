"""onnxruntime with its own kernels for processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.runner import Runner, quantized, to_channels_first, to_channels_last

TITLE = "onnxruntime"
REQUIREMENTS = ("onnxruntime==1.32.0", "numpy==2.4.6")
KINDS = ("int8", "float")
NOTE = "int8: QDQ at the shipped file's scales; activations uint8 on x86 and int8 on Arm, as its documentation advises"
NOT_ON_ARM = ""
_KINDS: dict[str, Any] = {"tensor(int8)": np.int8, "tensor(uint8)": np.uint8}


def convert(folder: Path, kind: str, machine: str) -> str:
    """The files are in the folder already."""
    if kind == "float":
        return "float.onnx"
    return "int8.onnx" if machine == "aarch64" else "uint8.onnx"


def load(path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    (image,), (answer,) = session.get_inputs(), session.get_outputs()
    kind = _KINDS.get(image.type)
    steps = json.loads(path.with_suffix(".json").read_text()) if kind else {}

    def prepare(real: np.ndarray) -> np.ndarray:
        first = to_channels_first(real)
        return quantized(first, steps["input"], kind) if kind else first

    def run(tensor: np.ndarray) -> np.ndarray:
        return session.run([answer.name], {image.name: tensor})[0]

    def real(raw: np.ndarray) -> np.ndarray:
        last = to_channels_last(raw)
        if kind is None:
            return last
        scale, zero_point = steps["output"]
        return (last.astype(np.float32) - zero_point) * np.float32(scale)

    return Runner(onnxruntime.__version__, prepare, run, real)
