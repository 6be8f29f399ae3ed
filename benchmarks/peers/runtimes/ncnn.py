"""ncnn. Its wheel has no tool that quantizes, so it runs in float."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import graph
from benchmarks.peers.graph import ADD, CONCAT, CONV, DENSE, DEPTHWISE, MAX_POOL, MEAN, RESIZE, Graph, Layer
from benchmarks.peers.runner import Runner

TITLE = "ncnn"
REQUIREMENTS = ("ncnn==1.0.20261020", "numpy==2.4.6")
KINDS = ("float",)
NOTE = "float32 is kept (no fp16, no bf16); Winograd and packed layouts as it is set up by default"
NOT_ON_ARM = ""
_MAGIC = 7767517
_FLOAT32 = np.zeros(1, "<u4").tobytes()  # before weights: they are float32
_RELU = 1


def convert(folder: Path, kind: str, machine: str) -> str:
    """Write its two files: `.param`, a layer a line, and `.bin`, the weights one behind the other."""
    network = graph.read(folder)
    lines, weights = _Writer(network).written()
    (folder / "ncnn.param").write_text("\n".join(lines) + "\n")
    (folder / "ncnn.bin").write_bytes(weights)
    return "ncnn.param"


class _Writer:
    """A tensor that several layers read is split first: ncnn's blobs have one reader each."""

    def __init__(self, network: Graph) -> None:
        self.network = network
        self.lines: list[str] = []
        self.blobs = 0
        self.weights: list[bytes] = []
        self.readers = dict.fromkeys(range(len(network.tensors)), 0)
        for layer in network.layers:
            for number in layer.inputs:
                self.readers[number] += 1
        self.waiting: dict[int, list[str]] = {}

    def written(self) -> tuple[list[str], bytes]:
        self._line("Input", "image", [], ["image"], "")
        self._made(self.network.input, "image")
        for place, layer in enumerate(self.network.layers):
            self._layer(place, layer)
        return [str(_MAGIC), f"{len(self.lines)} {self.blobs}", *self.lines], b"".join(self.weights)

    def _layer(self, place: int, layer: Layer) -> None:
        inputs = [self.waiting[number].pop() for number in layer.inputs]
        kind, words = self._words(place, layer)
        alone = layer.relu and layer.kind == ADD  # BinaryOp takes no activation
        name = f"layer{place}"
        self._line(kind, name, inputs, [f"t_{name}"], words)
        found = f"t_{name}"
        if alone:
            self._line("ReLU", f"{name}_relu", [found], [f"{found}_relu"], "0=0.0")
            found += "_relu"
        self._made(layer.output, "logits" if layer.output == self.network.output else found)
        if layer.output == self.network.output:
            self.lines[-1] = self.lines[-1].replace(f" {found} ", " logits ")

    def _made(self, number: int, name: str) -> None:
        readers = self.readers[number]
        names = [name] if readers < 2 else [f"{name}_{reader}" for reader in range(readers)]
        if readers > 1:
            self._line("Split", f"split_{name}", [name], names, "")
        self.waiting[number] = names

    def _line(self, kind: str, name: str, inputs: list[str], outputs: list[str], words: str) -> None:
        self.blobs += len(outputs)
        ends = " ".join([*inputs, *outputs])
        self.lines.append(f"{kind} {name} {len(inputs)} {len(outputs)} {ends} {words}")

    def _words(self, place: int, layer: Layer) -> tuple[str, str]:
        height, width = layer.kernel
        top, left, bottom, right = layer.pad
        down, across = layer.stride
        if layer.kind in (CONV, DEPTHWISE):
            count, size = self._weigh(place)
            words = f"0={count} 1={width} 11={height} 3={across} 13={down} 4={left} 15={right} 14={top} 16={bottom} "
            words += f"5=1 6={size} 9={int(layer.relu)}" + (f" 7={count}" if layer.kind == DEPTHWISE else "")
            return ("ConvolutionDepthWise" if layer.kind == DEPTHWISE else "Convolution"), words
        if layer.kind == DENSE:
            count, size = self._weigh(place)
            return "InnerProduct", f"0={count} 1=1 2={size} 9={int(layer.relu)}"
        if layer.kind == MAX_POOL:
            window = f"1={width} 11={height} 2={across} 12={down} 3={left} 14={right} 13={top} 15={bottom}"
            return "Pooling", f"0=0 {window} 5=1"
        if layer.kind == RESIZE:
            _, rows, columns, _ = self.network.tensors[layer.output].shape
            return "Interp", f"0=2 3={rows} 4={columns} 6=0"
        return {ADD: ("BinaryOp", "0=0"), CONCAT: ("Concat", "0=0"), MEAN: ("Pooling", "0=1 4=1")}[layer.kind]

    def _weigh(self, place: int) -> tuple[int, int]:
        """Put a layer's weights into the file; return its outputs, and how many weights."""
        weights, dense = self.network.weights[place], self.network.layers[place].kind == DENSE
        real = weights.real if dense else weights.real.transpose(0, 3, 1, 2)
        self.weights += [
            _FLOAT32,
            np.ascontiguousarray(real, "<f4").tobytes(),
            weights.real_bias.astype("<f4").tobytes(),
        ]
        return len(real), real.size


def load(path: Path, threads: int) -> Runner:
    """Return the loaded network."""
    import ncnn

    net = ncnn.Net()
    options = net.opt
    options.num_threads, options.lightmode = threads, True
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
    options.use_bf16_storage = False
    if net.load_param(str(path)) or net.load_model(str(path.with_suffix(".bin"))):
        raise RuntimeError(f"ncnn refuses {path.name}")

    def prepare(real: np.ndarray) -> Any:
        first = np.ascontiguousarray(np.moveaxis(real[0], 2, 0))  # a name: Mat doesn't keep what it was made from
        return ncnn.Mat(first).clone()

    def run(tensor: Any) -> Any:
        extractor = net.create_extractor()
        extractor.input("image", tensor)
        status, found = extractor.extract("logits")
        if status:
            raise RuntimeError(f"ncnn can't run the network (status {status})")
        return found

    def real(raw: Any) -> np.ndarray:
        found = np.array(raw)
        return np.moveaxis(found, 0, 2)[None] if found.ndim == 3 else found[None]

    return Runner(ncnn.__version__, prepare, run, real)
