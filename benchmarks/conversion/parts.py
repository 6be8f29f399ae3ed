"""What stays float in an int8 file, and what that saves: latency of float, full int8, and int8 with float parts.

    python -m benchmarks.conversion.parts [NAME ...]

NAME is one of `OPERATORS` below, a network of `benchmarks.conversion.networks`, or a float32 file. The first two are
converted by the route litert. Times are the thread's processor time on one core, so that other processes count little.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import table
from benchmarks.conversion.networks import NETWORKS, built
from compress.convert.float32 import to_float32
from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.model import read
from compress.convert.routes import Source
from edge.errors import EdgeError
from edge.runtime import Runtime, open_runtime


def _depthwise(taps: int) -> nn.Module:
    return nn.Conv2d(96, 96, taps, 1, taps // 2, groups=96)


# Layers on 28x28 pixels of 96 channels, but for those that read an image of 224x224.
OPERATORS: Mapping[str, nn.Module] = MappingProxyType(
    {
        "hard-swish": nn.Hardswish(),
        "GELU": nn.GELU(),
        "PReLU": nn.PReLU(96),
        "leaky ReLU": nn.LeakyReLU(0.1),
        "sigmoid": nn.Sigmoid(),
        "softmax": nn.Softmax(1),
        "average pooling": nn.AvgPool2d(2),
        "LayerNorm of channels": nn.GroupNorm(1, 96),
        "depthwise 3x3": _depthwise(3),
        "depthwise 5x5": _depthwise(5),
        "depthwise 7x7": _depthwise(7),
        "convolution 3x3, 96 to 96": nn.Conv2d(96, 96, 3, 1, 1),
        "convolution 3x3 / 2, 3 to 32": nn.Conv2d(3, 32, 3, 2, 1),
    }
)
_ROUNDS = 51


def float32(name: str) -> bytes:
    """Return a float32 file by the name that it has here."""
    if name.endswith(".tflite"):
        return Path(name).read_bytes()
    network, images = _layer(name) if name in OPERATORS else built(name)
    for _, made in to_float32([Source(network, (images[:1],))], (), "litert"):
        if isinstance(made, EdgeError):
            raise made
        return made.flatbuffer
    raise AssertionError(name)


def _layer(name: str) -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    layer = OPERATORS[name].eval()
    shape = (3, 224, 224) if name.endswith("3 to 32") else (96, 28, 28)
    return layer, torch.randn(1, *shape)


def processor_time(flatbuffers: Mapping[str, bytes]) -> dict[str, float]:
    """Return name -> median milliseconds of the processor for an invoke on one thread, the files taking turns."""
    runners = {name: open_runtime(flatbuffer, "litert", 1) for name, flatbuffer in flatbuffers.items()}
    inputs = {name: _noise(runner) for name, runner in runners.items()}
    times: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(_ROUNDS):
        for name, runner in runners.items():
            begun = time.thread_time()
            runner.run(*inputs[name])
            times[name].append((time.thread_time() - begun) * 1e3)
    return {name: statistics.median(values[1:]) for name, values in times.items()}


def _noise(runner: Runtime) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [
        random.integers(-128, 128, tensor.shape, np.int8)
        if tensor.dtype == "int8"
        else random.standard_normal(tensor.shape, np.float32)
        for tensor in runner.inputs
    ]


def row(name: str) -> list[object]:
    """Return the name, milliseconds of float, full int8 and int8 as by default, and how many operators stay float."""
    file = float32(name)
    model = read(file, name)
    random = np.random.default_rng(0)
    calibration = [random.standard_normal((4, *model.shape(end)[1:])).astype(np.float32) for end in model.inputs]
    files, refused = {"float": file}, ""
    for way in ("full", "default"):
        try:
            made = quantize(file, calibration, Choices("min-max", False, False, full=way == "full"), name)
        except EdgeError:
            refused = "refused"
        else:
            files[way] = made.flatbuffer
    times = processor_time(files)
    stay = sum(one.type == "float32" for one in made.tensors if one.operator)
    cells = [f"{times[way]:.3f}" if way in times else refused for way in ("float", "full", "default")]
    return [Path(name).stem if name.endswith(".tflite") else name, *cells, f"{stay} of {len(model.operators)}"]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("names", nargs="*", default=[*OPERATORS, *NETWORKS], metavar="NAME")
    rows = []
    for name in parser.parse_args(arguments).names:
        rows.append(row(name))
        print(*rows[-1], flush=True)
    header = ["network", "float, ms", "int8 throughout, ms", "int8, ms", "operators that stay float"]
    table.show("What stays float, and what it saves", header, rows)


if __name__ == "__main__":
    main()
