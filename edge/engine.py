"""A model that is loaded and answers images: the Python interface.

>>> engine = edge.load("pneumonia")
>>> answer = engine("image.png")
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from math import inf, prod
from threading import Lock

import numpy as np
from PIL import Image

from edge import delegates, meter
from edge import image as images
from edge.activation import check_activations
from edge.answer import Answer
from edge.board import usable_cores
from edge.errors import EdgeError
from edge.files import read_image
from edge.model import ModelFile, find, read
from edge.plausibility import uniform
from edge.preprocess import Picture, Preprocessing, float_table, int8_table, look_up, pixels
from edge.runtime import Runtime, Tensor, check_threads, import_runtime, open_runtime
from edge.shortage import hold_threads

_CORRECT = "correct the manifest and build the model file again with edge-compress"
USUAL_THREADS = 4  # more seldom pay on a board and heat it


class Engine:
    """A loaded model; made by `load`.

    Any number of threads may ask one engine. Images are read, decoded and preprocessed at the same time; the network
    runs for one after the other, and calls wait for it. The time that they wait is in no phase of `latency_ms`. For
    networks that run at the same time, load an engine for each thread.

    Attributes:
        file: the model file; `file.manifest` says what it holds.
        runtime: what runs it: name, version, threads, delegate, kernel path.
        load_ms: milliseconds to read, check and load the model, the import of the runtime left out.
        first_invoke_ms: milliseconds of the very first invoke; None before it.
        model_mb: megabytes by which loading and the first invoke let the process grow; None before it, and where the
            system does not say. Whatever an image needs is no part of it.
    """

    def __init__(self, file: ModelFile, runtime: Runtime) -> None:
        """Raises EdgeError where the network's tensors are not what the manifest says."""
        self.file, self.runtime = file, runtime
        self.load_ms = 0.0
        self.first_invoke_ms: float | None = None
        self.model_mb: float | None = None
        self._load_mb: float | None = None
        self._lock = Lock()  # a runtime has one input, one output and one state
        _check_tensors(file, runtime)
        spec, tensor = file.manifest.inputs[0], runtime.inputs[0]
        if tensor.dtype == "int8":
            self._table = int8_table(spec, tensor.scale, tensor.zero_point)
        else:
            self._table = float_table(spec)

    def __call__(
        self,
        source: str | os.PathLike[str] | bytes | Image.Image | np.ndarray,
        repeat: int = 1,
        max_pixels: int = images.MAX_PIXELS,
        name: str = "the image",
        warmup: int = 0,
    ) -> Answer:
        """Return the answer to one image, of the class that the model's task gives (`edge.tasks`).

        Args:
            source: a path, a file's bytes, a Pillow image, uint8 (height, width) grey or (height, width, 3) rgb, or
                uint16 (height, width) grey. The manifest's window is applied to the values of each of them.
                Prefer paths and bytes to a Pillow image: that is decoded by Pillow alone, which reads JPEGs with lost
                data.
            repeat: how often the network is invoked, at least 1. With 2 or more the very first invoke of this engine is
                left out of the median.
            max_pixels: files with more are refused before they are decoded.
            name: what messages call an image that is given as bytes or an array.
            warmup: how often the network is invoked before that, uncounted.

        Raises EdgeError where the image can't be read or is not one of these, where an output is no finite number,
        and where the manifest says that outputs are scores (activation "none") and one lies outside of 0..1.
        """
        if repeat < 1 or warmup < 0:
            raise EdgeError(
                f"{repeat} invokes after {warmup} were asked for: expected at least 1 and 0", code="arguments.invalid"
            )
        watch = meter.Stopwatch()
        if isinstance(source, (str, os.PathLike)):
            name = os.fspath(source)
            source = read_image(name)
        watch.lap("read")
        spec = self.file.manifest.inputs[0]
        if isinstance(source, bytes):
            image = images.decode(source, name, spec, max_pixels)
        else:
            image = _image(source, name, spec)
        watch.lap("decode")
        rows, columns, limit = image.image.height, spec.width, max(max_pixels, images.MAX_PIXELS)
        if rows * columns > limit:  # rows are resampled first
            raise EdgeError(
                f"{name} has {rows} rows, too many for a network that reads {columns} columns: expected at most "
                f"{limit // columns}; make it smaller",
                "image.too-large",
            )
        array = pixels(image, spec)
        tensor = self.tensor(array)
        watch.lap("preprocess")
        times = []
        with self._lock:
            watch.restart()
            for turn in range(warmup + repeat):
                first = self.first_invoke_ms is None
                raws = self._invoke(tensor)
                lap = watch.lap("invoke")
                if turn >= warmup and not first:
                    times.append(lap)
        answer = self._answer(raws, image.size)
        doubt = uniform(array, image.size, spec)
        answer.warnings = (*image.warnings, doubt) if doubt else image.warnings
        watch.lap("postprocess")
        answer.latency_ms, answer.warm_ms = watch.laps, tuple(times)
        watch.laps["invoke"] = meter.median(times or [self.first_invoke_ms or 0.0])
        watch.laps["total"] = sum(watch.laps.values())
        return answer

    def _answer(self, raws: Sequence[np.ndarray], size: tuple[int, int]) -> Answer:
        outputs = self.dequantize(raws)
        if not all(np.isfinite(output).all() for output in outputs):
            raise EdgeError(
                "the network's output holds values that are no finite numbers: expected logits or scores; convert the "
                "network again with edge-compress",
                "model.output",
            )
        manifest = self.file.manifest
        return manifest.task.answer(outputs, size, manifest.inputs)

    def tensor(self, array: np.ndarray) -> np.ndarray:
        """Return the network's input for uint8 (height, width, channels) as `edge.preprocess.pixels` makes them."""
        return look_up(array, self._table)

    def invoke(self, tensor: np.ndarray) -> tuple[np.ndarray, ...]:
        """Return the network's raw outputs, int8 or float32, for its raw input: (1, classes), (1, h, w, 1) ...

        Waits while another thread's call runs.
        """
        with self._lock:
            return self._invoke(tensor)

    def _invoke(self, tensor: np.ndarray) -> tuple[np.ndarray, ...]:
        if self.first_invoke_ms is not None:
            return self.runtime.run(tensor)
        before, watch = meter.now_mb(), meter.Stopwatch()
        raws = self.runtime.run(tensor)
        self.first_invoke_ms = watch.lap("invoke")
        grown = meter.growth_mb(before)
        self.model_mb = None if grown is None or self._load_mb is None else self._load_mb + grown
        return raws

    def dequantize(self, raws: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return float32 outputs, logits or scores, of raw ones, without their batch: (classes,), (h, w, 1) ..."""
        return [
            raw[0]
            if tensor.dtype == "float32"
            else (raw[0].astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)
            for raw, tensor in zip(raws, self.runtime.outputs, strict=True)
        ]

    def outputs(self, array: np.ndarray) -> list[np.ndarray]:
        """Return the network's outputs, as `dequantize` does, for pixels that are preprocessed already.

        `array` is uint8 (height, width, channels), as `edge.preprocess.pixels` returns it.
        """
        return self.dequantize(self.invoke(self.tensor(array)))


def load(model: str | os.PathLike[str] | None = None, runtime: str = "auto", threads: int | None = None) -> Engine:
    """Return an engine for a shipped model's name or a model file's path; any number of threads may ask it.

    Args:
        model: None takes pneumonia, or the only one there is.
        runtime: "litert", "tflite", "auto": LiteRT where it is installed, else tflite-runtime; or "edgetpu": the
            network that was compiled for a Coral Edge TPU, on that.
        threads: 1 to 64; None takes the cores that this process may use, at most 4.

    Raises EdgeError where the model file fails a check, the runtime is not installed or does not start, the two do not
    fit, or the Edge TPU was asked for and can't be had.
    """
    if threads is None:
        threads = min(usable_cores(), USUAL_THREADS)
    path = find(model)
    name, _, _ = import_runtime(runtime)
    before, watch = meter.now_mb(), meter.Stopwatch()
    file = read(path)
    network = file.network()
    check_activations(file.manifest.outputs, network, file.path)
    check_threads(threads)
    hold_threads(threads, len(file.data))
    opened: Runtime
    if runtime in delegates.RUNTIMES:
        opened = delegates.open_delegated(runtime, file, name, threads)
    else:
        opened = open_runtime(file.data, name, threads)
    for loaded, written in zip(opened.outputs, network.outputs, strict=False):  # how many there are is checked below
        if loaded.shape != written.shape:
            raise EdgeError(
                f"the network's output is {loaded.shape}, and its file says {written.shape}: expected one shape; "
                "convert the network again",
                "model.output",
            )
    engine = Engine(file, opened)
    engine.load_ms, engine._load_mb = watch.lap("load"), meter.growth_mb(before)
    return engine


def _image(source: object, name: str, spec: Preprocessing) -> Picture:
    if not isinstance(source, Image.Image):
        source = _of_array(source, name)
    if not prod(source.size):
        raise EdgeError(
            f"{name} has {source.width}x{source.height} pixels: expected at least one", code="image.unsupported"
        )
    return images.take(source, name, spec)


def _of_array(source: object, name: str) -> Image.Image:
    if not isinstance(source, np.ndarray):
        raise EdgeError(
            f"{name} is a {type(source).__name__}: expected a path, bytes, a Pillow image or a numpy array",
            code="image.unsupported",
        )
    shape = source.shape
    deep = source.dtype.kind == "u" and source.dtype.itemsize == 2  # in either byte order
    form = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3 and not deep)
    if not (source.dtype == np.uint8 or deep) or prod(shape) == 0 or not form:
        raise EdgeError(
            f"{name} is an array of {source.dtype} {shape}: expected uint8 (height, width) or (height, width, 3), or "
            "uint16 (height, width); convert it first",
            code="image.unsupported",
        )
    return Image.fromarray(source.astype(np.uint16) if deep else source)


def _check_tensors(file: ModelFile, runtime: Runtime) -> None:
    manifest = file.manifest
    ends = {"input": (runtime.inputs, manifest.inputs), "output": (runtime.outputs, manifest.outputs)}
    for name, (tensors, entries) in ends.items():
        if len(tensors) != len(entries):
            raise EdgeError(
                f"{file.path} has a network with {len(tensors)} {name}s, and a manifest with {len(entries)}: "
                f"{_CORRECT}",
                "model.tensors",
            )
    if len(manifest.inputs) > 1:
        raise EdgeError(
            f"{file.path} has a network with {len(manifest.inputs)} inputs: expected one, as a call takes one image; "
            "convert it with the others as constants, or run it with a program of your own",
            "model.tensors",
        )
    spec = manifest.inputs[0]
    read = (1, spec.height, spec.width, spec.channels)
    _check_end(file, "input", runtime.inputs, "" if runtime.inputs[0].shape == read else str(read), str(read))
    shapes = [tensor.shape for tensor in runtime.outputs]
    given = " and ".join(map(str, shapes))
    _check_end(file, "output", runtime.outputs, manifest.task.check(manifest.inputs, shapes), given)


def _check_end(file: ModelFile, name: str, tensors: Sequence[Tensor], expected: str, given: str) -> None:
    """Raise EdgeError where shapes (`expected` says which, "" where they are the `given` ones) or types are others."""
    kind = file.manifest.type
    if expected or any(tensor.dtype != kind for tensor in tensors):
        found = " and ".join(f"{tensor.dtype} {tensor.shape}" for tensor in tensors)
        raise EdgeError(
            f"{file.path} has a network whose {name} is {found}, and a manifest that says {kind} {expected or given}: "
            f"{_CORRECT}",
            "model.tensors",
        )
    for tensor in tensors:
        if tensor.dtype == "int8" and not 0 < tensor.scale < inf:
            raise EdgeError(
                f"{file.path} has a network whose int8 {name} has no quantization (scale {tensor.scale}): "
                "convert the network again with edge-compress",
                "model.tensors",
            )
