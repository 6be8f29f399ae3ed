"""Proof that the file is still the same network: float beside int8, as the device's own code runs it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from compress.data.split import Split
from compress.tasks.metrics import centred, centred_cosine, cosine
from edge.engine import Engine
from edge.errors import EdgeError
from edge.model import read
from edge.runtime import open_runtime

MINIMUM_COSINE = 0.95  # of the logits as they are: below it the conversion has damaged the network
MINIMUM_CENTRED = 0.9  # of what they say of the images, see `compress.tasks.metrics.centred`
SAME = 1e-4  # of the largest logit: what differs less is the same answer


def edge_logits(engine: Engine, split: Split, progress: Callable[[str], None]) -> np.ndarray:
    """Return float32 logits, (N, classes) or (N, h, w, classes): every image of `split` through the device's code.

    They are the first output's.
    """
    rows = []
    for number, image in enumerate(split.pixels, 1):
        rows.append(engine.outputs(image)[0])
        if number % 50 == 0:
            progress(f"running the model file on image {number}/{len(split)}")
    return np.stack(rows)


def check_alive(what: str, logits: np.ndarray) -> None:
    """Raise EdgeError where `what` gives logits that are not finite, or (nearly) the same ones for every image.

    Args:
        logits: float32 (N, classes) or (N, h, w, channels). One image alone says something of maps only.
    """
    if not np.isfinite(logits).all():
        raise EdgeError(
            f"{what} gives logits that are not finite: expected finite ones; look for weights that overflow, and "
            "train again with a lower lr",
            "model.output",
        )
    values = centred(logits)
    spread = np.ptp(values, 0).max() if len(values) > 1 else np.ptp(values)
    if spread <= SAME * np.abs(logits).max():
        raise EdgeError(
            f"{what} gives every image the same logits (they differ by {spread:.2g}): expected an answer that depends "
            "on the image; look for a training that did not learn, units that died, or a layer that quantizes badly",
            "model.output",
        )


def check_conversion(reference: np.ndarray, found: np.ndarray, worst: str = "") -> None:
    """Raise EdgeError where the conversion to int8 lost the network.

    It did where its logits are the same for every image, or point away from the float network's: as they are (cosine
    under 0.95), or around their means (under 0.9; of networks that are hardly trained the least seen was 0.97).

    Args:
        reference, found: float32 logits of the float network and of the int8 model for the same images.
        worst: the tensors that lose most, in words (`compress.report.tensors.named`).
    """
    check_alive("the float network", reference)
    check_alive("the int8 model", found)
    for name, value, least in (
        ("logits", cosine(reference, found), MINIMUM_COSINE),
        ("logits around their means", centred_cosine(reference, found), MINIMUM_CENTRED),
    ):
        if not value >= least:
            raise EdgeError(
                f"the int8 model's {name} have cosine {value:.3f} with the float network's: expected at least {least}; "
                f"look for layers that quantize badly ({worst or 'padded max pooling, softmax over many pixels'}), "
                "calibrate with more images, or train longer",
                "model.output",
            )


def open_engine(path: Path, threads: int = 1) -> Engine:
    """Return LiteRT's engine for a model file."""
    file = read(path)
    return Engine(file, open_runtime(file.data, "litert", threads))


def latency(flatbuffers: Mapping[str, bytes], rounds: int = 15, threads: int = 1) -> dict[str, float]:
    """Return name -> median milliseconds of an invoke through LiteRT, the models taking turns in every round."""
    runners = {name: open_runtime(flatbuffer, "litert", threads) for name, flatbuffer in flatbuffers.items()}
    random = np.random.default_rng(0)
    inputs: dict[str, list[np.ndarray]] = {}
    for name, runner in runners.items():
        inputs[name] = [
            random.integers(-128, 128, tensor.shape, np.int8)
            if tensor.dtype == "int8"
            else random.standard_normal(tensor.shape, np.float32)
            for tensor in runner.inputs
        ]
    times: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(rounds + 1):
        for name, runner in runners.items():
            begun = time.perf_counter()
            runner.run(*inputs[name])
            if turn:  # the first round warms up
                times[name].append((time.perf_counter() - begun) * 1e3)
    return {name: statistics.median(values) for name, values in times.items()}
