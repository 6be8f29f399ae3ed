"""A model that is loaded and answers images: the Python interface.

>>> engine = edge.load("pneumonia")
>>> answer = engine("image.png")
"""

from __future__ import annotations

import os
from math import inf, prod
from threading import Lock
from typing import NamedTuple

import numpy as np
from PIL import Image

from edge import delegates, meter
from edge import image as images
from edge.activation import check_activation
from edge.board import usable_cores
from edge.classification import Result, decide, rank, scores, softmax
from edge.errors import EdgeError, ImageWarning
from edge.files import read_image
from edge.model import ModelFile, find, read
from edge.plausibility import uniform
from edge.preprocess import Picture, Preprocessing, float_table, int8_table, look_up, pixels
from edge.runtime import Runtime, check_threads, import_runtime, open_runtime
from edge.shortage import hold_threads

TYPE_CHECKING = False  # only models that segment need that module
if TYPE_CHECKING:
    from edge.segmentation import Mask, Region

USUAL_THREADS = 4  # more seldom pay on a board and heat it


class Answer(NamedTuple):
    """What a classification says of one image.

    Attributes:
        results: every label with its score (0..1; of a softmax they add up to 1), the highest first.
        decision: the label that the manifest's rule decides for.
        latency_ms: milliseconds of the phases "read", "decode", "preprocess", "invoke" (the median of those asked for),
            "postprocess" and their sum "total".
        warm_ms: milliseconds of each counted invoke; none where all that ran was the engine's first.
        warnings: what makes the answer doubtful (docs/answers.md lists the codes).
    """

    results: list[Result]
    decision: str
    latency_ms: dict[str, float]
    warnings: tuple[ImageWarning, ...] = ()
    warm_ms: tuple[float, ...] = ()


class SegmentationResult(NamedTuple):
    """What a segmentation says of one image.

    Attributes:
        results: the regions of the mask, the largest first; none is an answer, too.
        decision: the label where there is a region, else "no " and the label.
        latency_ms: as `Answer`'s.
        runs: the mask as `edge.segmentation.Mask`: share of the image, run-length encoding, array.
        warnings, warm_ms: as `Answer`'s.
        window: the stored values that the network saw as black and as white, to draw the image alike; None: all.
    """

    results: list[Region]
    decision: str
    latency_ms: dict[str, float]
    runs: Mask
    warnings: tuple[ImageWarning, ...] = ()
    warm_ms: tuple[float, ...] = ()
    window: tuple[int, int] | None = None

    @property
    def mask(self) -> np.ndarray:
        """The mask, bool (height, width), in the image's own size; made again at each use."""
        return self.runs.array()


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
        spec, tensor = file.manifest.input, runtime.input
        if tensor.dtype == "int8":
            self._table = int8_table(spec, tensor.scale, tensor.zero_point)
        else:
            self._table = float_table(spec)
        if file.manifest.task == "segmentation":
            from edge.segmentation import segment

            self._segment = segment

    def __call__(
        self,
        source: str | os.PathLike[str] | bytes | Image.Image | np.ndarray,
        repeat: int = 1,
        max_pixels: int = images.MAX_PIXELS,
        name: str = "the image",
        warmup: int = 0,
    ) -> Answer | SegmentationResult:
        """Return the answer to one image: an `Outline` where the model is a segmentation.

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
        manifest = self.file.manifest
        if isinstance(source, bytes):
            picture = images.decode(source, name, manifest.input, max_pixels)
        else:
            picture = _picture(source, name, manifest.input)
        watch.lap("decode")
        rows, columns, limit = picture.image.height, manifest.input.width, max(max_pixels, images.MAX_PIXELS)
        if rows * columns > limit:  # rows are resampled first
            raise EdgeError(
                f"{name} has {rows} rows, too many for a network that reads {columns} columns: expected at most "
                f"{limit // columns}; make it smaller",
                "image.too-large",
            )
        array = pixels(picture, manifest.input)
        tensor = self.tensor(array)
        watch.lap("preprocess")
        times = []
        with self._lock:
            watch.restart()
            for turn in range(warmup + repeat):
                first = self.first_invoke_ms is None
                raw = self._invoke(tensor)
                lap = watch.lap("invoke")
                if turn >= warmup and not first:
                    times.append(lap)
        logits = self.dequantize(raw)
        if not np.isfinite(logits).all():
            raise EdgeError(
                "the network's output holds values that are no finite numbers: expected logits or scores; convert the "
                "network again with edge-compress",
                "model.output",
            )
        doubt = uniform(array, picture.size, manifest.input)
        warnings = (*picture.warnings, doubt) if doubt else picture.warnings
        answer: Answer | SegmentationResult
        if manifest.task == "segmentation":
            assert manifest.decision is not None  # `edge.manifest.parse` holds it
            if manifest.activation == "none":
                logits = scores(logits, "sigmoid")
            regions, mask = self._segment(
                logits[:, :, 0], picture.size, manifest.decision, manifest.input, manifest.activation
            )
            label = manifest.decision.label
            decided = label if regions else f"no {label}"
            window = manifest.input.window
            answer = SegmentationResult(regions, decided, watch.laps, mask, warnings, tuple(times), window)
        else:
            found = softmax(logits) if manifest.activation == "softmax" else scores(logits, "softmax")
            ranked = rank(manifest.labels, found)
            decided = decide(ranked, manifest.decision)
            answer = Answer(ranked, decided, watch.laps, warnings, tuple(times))
        watch.lap("postprocess")
        watch.laps["invoke"] = meter.median(times or [self.first_invoke_ms or 0.0])
        watch.laps["total"] = sum(watch.laps.values())
        return answer

    def tensor(self, array: np.ndarray) -> np.ndarray:
        """Return the network's input for uint8 (height, width, channels) as `edge.preprocess.pixels` makes them."""
        return look_up(array, self._table)

    def invoke(self, tensor: np.ndarray) -> np.ndarray:
        """Return the network's raw output, int8 or float32, for its raw input: (1, classes), or (1, h, w, 1).

        Waits while another thread's call runs.
        """
        with self._lock:
            return self._invoke(tensor)

    def _invoke(self, tensor: np.ndarray) -> np.ndarray:
        if self.first_invoke_ms is not None:
            return self.runtime.run(tensor)
        before, watch = meter.now_mb(), meter.Stopwatch()
        raw = self.runtime.run(tensor)
        self.first_invoke_ms = watch.lap("invoke")
        grown = meter.growth_mb(before)
        self.model_mb = None if grown is None or self._load_mb is None else self._load_mb + grown
        return raw

    def dequantize(self, raw: np.ndarray) -> np.ndarray:
        """Return float32 outputs, logits or scores, of a raw output: (classes,), or (h, w, 1) of a segmentation."""
        tensor = self.runtime.output
        if tensor.dtype == "float32":
            return raw[0]
        return (raw[0].astype(np.float32) - tensor.zero_point) * np.float32(tensor.scale)

    def logits(self, array: np.ndarray) -> np.ndarray:
        """Return the network's output for pixels that are preprocessed already.

        float32 (classes,); of a segmentation (h, w, 1), each logit for as large a part of the network's input.

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
    check_activation(file.manifest.activation, network, file.path)
    check_threads(threads)
    hold_threads(threads, len(file.data))
    opened: Runtime
    if runtime in delegates.RUNTIMES:
        opened = delegates.open_delegated(runtime, file, name, threads)
    else:
        opened = open_runtime(file.data, name, threads)
    if opened.output.shape != network.outputs[0].shape:
        raise EdgeError(
            f"the network's output is {opened.output.shape}, and its file says {network.outputs[0].shape}: "
            "expected one shape; convert the network again",
            "model.output",
        )
    engine = Engine(file, opened)
    engine.load_ms, engine._load_mb = watch.lap("load"), meter.growth_mb(before)
    return engine


def _picture(source: object, name: str, spec: Preprocessing) -> Picture:
    if not isinstance(source, Image.Image):
        source = _image(source, name)
    if not prod(source.size):
        raise EdgeError(
            f"{name} has {source.width}x{source.height} pixels: expected at least one", code="image.unsupported"
        )
    return images.take(source, name, spec)


def _image(source: object, name: str) -> Image.Image:
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
    spec, output = manifest.input, runtime.output.shape
    shapes = {"input": f"(1, {spec.height}, {spec.width}, {spec.channels})", "output": f"(1, {len(manifest.labels)})"}
    fits = {"input": str(runtime.input.shape) == shapes["input"], "output": str(output) == shapes["output"]}
    if manifest.task == "segmentation":
        shapes["output"] = f"(1, h, w, 1) with h from 1 to {spec.height} and w from 1 to {spec.width}"
        ends = len(output) == 4 and (output[0], output[3]) == (1, 1)
        fits["output"] = ends and 1 <= output[1] <= spec.height and 1 <= output[2] <= spec.width
    for name, tensor in (("input", runtime.input), ("output", runtime.output)):
        if not fits[name] or tensor.dtype != manifest.type:
            raise EdgeError(
                f"{file.path} has a network whose {name} is {tensor.dtype} {tensor.shape}, and a manifest that says "
                f"{manifest.type} {shapes[name]}: correct the manifest and build the model file again with "
                "edge-compress",
                "model.tensors",
            )
        if tensor.dtype == "int8" and not 0 < tensor.scale < inf:
            raise EdgeError(
                f"{file.path} has a network whose int8 {name} has no quantization (scale {tensor.scale}): "
                "convert the network again with edge-compress",
                "model.tensors",
            )
