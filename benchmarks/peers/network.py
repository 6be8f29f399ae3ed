"""The folder of one network that is compared: graph, files and images, made once from a model file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from benchmarks.peers import float_tflite, graph, onnx_files, reading
from edge.files import write_beside
from edge.image import decode
from edge.model import ModelFile, read
from edge.preprocess import int8_table, look_up, pixels

INPUTS = "inputs.npy"
# As they change: folders that an earlier program made are made again.
FORM = 1


def make(model: str, parent: Path) -> Path:
    """Return the folder of a model file's network, made where there is none of this file yet.

    It has `graph.json` and `weights.npz`; `int8.tflite` (the shipped flatbuffer) and `float.tflite`; `float.onnx`,
    `int8.onnx` and `uint8.onnx` with steps of their ends in `.json`; `inputs.npy`, the golden images as the network's
    input in real numbers.

    Raises EdgeError where the network is none of the shipped models' form.
    """
    file = read(model)
    folder = parent / f"{file.manifest.raw['name']}-{file.sha256[:16]}-{FORM}"
    if folder.exists():
        return folder
    beside = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    found = reading.graph(file)
    graph.write(found, beside)
    write_beside(beside / "int8.tflite", file.flatbuffer)
    write_beside(beside / "float.tflite", float_tflite.to_float(file.flatbuffer))
    onnx_files.write(found, beside / "float.onnx", None)
    ends = {"input": found.tensors[found.input], "output": found.tensors[found.output]}
    for kind, more in (("int8", 0), ("uint8", 128)):
        onnx_files.write(found, beside / f"{kind}.onnx", kind)
        steps = {end: (tensor.scale, tensor.zero_point + more) for end, tensor in ends.items()}
        (beside / f"{kind}.json").write_text(json.dumps(steps))
    np.save(beside / INPUTS, images(file, ends["input"]))
    beside.rename(folder)
    return folder


def images(file: ModelFile, tensor: graph.Tensor) -> np.ndarray:
    """Return the golden images as float32 (images, height, width, channels): what the int8 input stands for."""
    spec = file.manifest.inputs[0]
    table = int8_table(spec, tensor.scale, tensor.zero_point)
    steps = []
    for golden in file.manifest.golden:
        picture = decode(file.member(golden.image), golden.image, spec)
        steps.append(look_up(pixels(picture, spec), table))
    whole = np.concatenate(steps) if steps[0].ndim == 4 else np.stack(steps)
    return (whole.astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)
