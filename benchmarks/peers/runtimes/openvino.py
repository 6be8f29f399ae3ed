"""OpenVINO's plugin for processors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers.runner import Runner, quantized, to_channels_first, to_channels_last

TITLE = "OpenVINO"
REQUIREMENTS = ("openvino==2026.4.1", "numpy==2.4.6")
KINDS = ("int8", "float")
NOTE = "int8: QDQ at the shipped file's scales"
NOT_ON_ARM = ""


def convert(folder: Path, kind: str, machine: str) -> str:
    """Write its own form (.xml, .bin) of the ONNX file."""
    import openvino

    source = "uint8.onnx" if kind == "int8" else "float.onnx"
    name = f"openvino-{kind}.xml"
    openvino.save_model(openvino.convert_model(folder / source), folder / name, compress_to_fp16=False)
    if kind == "int8":
        (folder / name).with_suffix(".json").write_text((folder / source).with_suffix(".json").read_text())
    return name


def load(path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    import openvino

    setting = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
    request = openvino.Core().compile_model(path, "CPU", setting).create_infer_request()
    side = path.with_suffix(".json")
    steps = json.loads(side.read_text()) if side.exists() else None

    def prepare(real: np.ndarray) -> np.ndarray:
        first = to_channels_first(real)
        return quantized(first, steps["input"], np.uint8) if steps else first

    def run(tensor: np.ndarray) -> Any:
        return request.infer([tensor], share_inputs=True)[0]

    def real(raw: np.ndarray) -> np.ndarray:
        last = to_channels_last(np.array(raw))
        if not steps:
            return last
        scale, zero_point = steps["output"]
        return (last.astype(np.float32) - zero_point) * np.float32(scale)

    return Runner(openvino.__version__.split("-")[0], prepare, run, real)
