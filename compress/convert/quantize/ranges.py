"""What a float32 network's tensors hold on the calibration images, from one run of each image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from compress.convert.quantize.model import Model
from edge.errors import EdgeError
from edge.runtime import first_line

SAMPLE = 2**16  # values that are kept of a tensor, over all images
PADDING = -1e30  # what lies below is padding of a maximum, and no range


class Observed(NamedTuple):
    """A float32 tensor on the calibration images.

    Attributes:
        low, high: the least and the largest value; padding with the lowest number there is does not count.
        sample: float32, values at fixed places, as many of each image: about `SAMPLE`, or all of a small
            tensor.
    """

    low: float
    high: float
    sample: np.ndarray


class Float:
    """A float32 flatbuffer, loaded so that every tensor can be read after an image ran through it."""

    def __init__(self, flatbuffer: bytes, where: str) -> None:
        """Raise EdgeError ("runtime.refused") where LiteRT does not take it."""
        try:
            self._interpreter = Interpreter(
                model_content=flatbuffer,
                num_threads=1,
                experimental_preserve_all_tensors=True,
                # A delegate keeps its tensors to itself.
                experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            )
            self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(
                f"{where} can't be loaded: {first_line(error)}; convert it again", "runtime.refused"
            ) from None
        self._where = where
        self._inputs = [detail["index"] for detail in self._interpreter.get_input_details()]

    def run(self, images: Sequence[np.ndarray]) -> Callable[[int], np.ndarray]:
        """Run one image, an array with batch 1 for each input; return what gives a tensor by its number."""
        for index, values in zip(self._inputs, images, strict=True):
            self._interpreter.set_tensor(index, values)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(f"{self._where} can't be run: {first_line(error)}", "runtime.refused") from None
        return self._interpreter.get_tensor


def each(calibration: Sequence[np.ndarray]) -> Iterator[list[np.ndarray]]:
    """Yield each image, or each tuple of inputs, with batch 1."""
    for number in range(len(calibration[0])):
        yield [np.ascontiguousarray(values[number : number + 1], np.float32) for values in calibration]


def check(model: Model, calibration: Sequence[np.ndarray], where: str) -> None:
    """Raise EdgeError ("conversion.calibration") where the images are none that the model can be run on."""
    shapes = [model.shape(tensor)[1:] for tensor in model.inputs]
    found = [tuple(values.shape[1:]) for values in calibration]
    counts = sorted({len(values) for values in calibration})
    if found != shapes or len(counts) != 1 or not counts[0]:
        raise EdgeError(
            f"the calibration images for {where} are {counts[0] if counts else 0} of {found}: expected at least one, "
            f"of {shapes}; give those that the network is trained with",
            "conversion.calibration",
        )
    for number, values in enumerate(calibration):
        bad = int((~np.isfinite(values)).any(axis=tuple(range(1, values.ndim))).sum())
        if bad:
            raise EdgeError(
                f"{bad} of the {counts[0]} calibration images for {where} (input {number}) hold values that are not "
                "finite: expected numbers; look at the images and their preprocessing",
                "conversion.calibration",
            )


def observe(model: Model, flatbuffer: bytes, calibration: Sequence[np.ndarray], where: str) -> dict[int, Observed]:
    """Return what each float32 tensor that an operator reads or writes holds, by its number.

    Args:
        model: what `flatbuffer` holds, number by number.
        calibration: for each input float32 (N, ...).

    Raises EdgeError: "conversion.calibration" for images that don't fit, "conversion.finite" where a tensor is not
    finite, with its name and the operator.
    """
    check(model, calibration, where)
    network = Float(flatbuffer, where)
    count = len(calibration[0])
    tensors = _tensors(model)
    lows, highs = dict.fromkeys(tensors, np.inf), dict.fromkeys(tensors, -np.inf)
    samples: dict[int, list[np.ndarray]] = {tensor: [] for tensor in tensors}
    for image in each(calibration):
        values_of = network.run(image)
        for tensor in tensors:
            values = values_of(tensor).ravel()
            if not values.size:
                continue
            low, high = float(values.min()), float(values.max())
            if low < PADDING:
                values = values[values > PADDING]
                low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
            if not (np.isfinite(low) and np.isfinite(high)):
                raise _not_finite(model, tensor, where)
            lows[tensor], highs[tensor] = min(lows[tensor], low), max(highs[tensor], high)
            samples[tensor].append(values[:: max(1, values.size * count // SAMPLE)].copy())
    return {
        tensor: Observed(lows[tensor], highs[tensor], np.concatenate(samples[tensor]))
        for tensor in tensors
        if samples[tensor]
    }


def _tensors(model: Model) -> list[int]:
    """Return the float32 tensors that are computed."""
    written = [int(tensor) for operator in model.operators for tensor in operator.outputs]
    return [tensor for tensor in [*model.inputs, *written] if model.is_float(tensor)]


def _not_finite(model: Model, tensor: int, where: str) -> EdgeError:
    writer = model.writers().get(tensor)
    kind = "its input" if writer is None else model.kind(model.operators[writer])
    return EdgeError(
        f"{where} gives values that are not finite on the calibration images, first at {model.name(tensor)[:200]!r} "
        f"({kind}): expected finite ones; look for weights that overflow, a division by zero or a root of what is "
        "negative",
        "conversion.finite",
    )


def error_of(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the energy of `reference` and that of what `values` differ from it, float64."""
    wanted = reference.astype(np.float64)
    return float((wanted**2).sum()), float(((values - wanted) ** 2).sum())


def real(values: np.ndarray, scale: Any, zero_point: Any) -> np.ndarray:
    """Return real numbers, float32, of quantized ones."""
    return ((values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)).astype(np.float32)
