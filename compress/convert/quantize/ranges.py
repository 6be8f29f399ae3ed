"""What a float32 network's tensors hold on the calibration images, from one run of each image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType

from compress.convert.quantize.model import Model
from edge.errors import EdgeError
from edge.operator_rules import MOST_STEP
from edge.runtime import first_line

SAMPLE = 2**16  # values that are kept of a tensor, over all images
LARGEST = MOST_STEP * 127  # value of a network that a runtime's int8 kernels take
PADDING = -1e30  # what lies below is padding of a maximum, and no range
_PRIME = 7919  # positions that it steps over have nothing in common with an image's width
_CHANNELS = 2**13  # a tensor with more is a flat one: its values have nothing in common by their last axis


class Observed(NamedTuple):
    """A float32 tensor on N calibration images; its last axis are C channels, or there is one.

    Padding with the lowest number there is does not count.

    Attributes:
        lows, highs, means: float32 (N, C), of each image and channel.
        sample: float32 (N, positions, C), all channels of positions that differ from image to image; about `SAMPLE`
            values, or all of a small tensor.
    """

    lows: np.ndarray
    highs: np.ndarray
    means: np.ndarray
    sample: np.ndarray

    @property
    def low(self) -> float:
        return float(self.lows.min())

    @property
    def high(self) -> float:
        return float(self.highs.max())

    def of(self, images: np.ndarray) -> Observed:
        """Return what the tensor held on some of the images, by their numbers or a mask."""
        return Observed(*(values[images] for values in self))

    def divided(self, by: np.ndarray) -> Observed:
        """Return what the tensor would have held, had each channel been divided by a positive number, (C)."""
        return Observed(*((values / by).astype(np.float32) for values in self))


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
        """Run one image, an array with batch 1 for each input; return what gives a tensor by its number.

        What it gives is the runtime's own memory, which has to be let go of before the next run.
        """
        for index, values in zip(self._inputs, images, strict=True):
            self._interpreter.set_tensor(index, values)
        try:
            self._interpreter.invoke()
        except (ValueError, RuntimeError) as error:
            raise EdgeError(f"{self._where} can't be run: {first_line(error)}", "runtime.refused") from None
        return lambda tensor: self._interpreter.tensor(tensor)()


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
    poles = {int(tensor) for op in model.operators if model.kind(op) in ("DIV", "LOG") for tensor in op.outputs}
    seen: dict[int, list[Observed]] = {tensor: [] for tensor in _tensors(model)}
    for number, image in enumerate(each(calibration)):
        values_of = network.run(image)
        for tensor, rows in seen.items():
            one = of_image(values_of(tensor), number, count, tensor not in poles)
            # A division by zero is the largest float32 by some kernels.
            if not (np.isfinite(one.means).all() and one.low > -LARGEST and one.high < LARGEST):
                raise _not_finite(model, tensor, where)
            rows.append(one)
    return {tensor: Observed(*map(np.stack, zip(*rows, strict=True))) for tensor, rows in seen.items()}


def of_image(values: np.ndarray, number: int, count: int, padded: bool = True) -> Observed:
    """Return what a tensor holds on image `number` of `count`, without the first axis of `Observed`.

    Args:
        padded: whether values below `PADDING` are padding.
    """
    channels, row = values.shape[-1] if values.ndim else 1, values.shape[-2] if values.ndim > 2 else 1
    values = values.reshape(-1, channels if channels <= _CHANNELS else 1)
    if padded and values.min() < PADDING:  # zero is in every range
        values = np.where(values > PADDING, values, np.float32(0))
    step = min(len(values), max(1, -(-values.size * count // SAMPLE)))
    start = number * _PRIME % step
    # Sums of a row in float32, of rows in float64: fast, and exact enough.
    with np.errstate(invalid="ignore", over="ignore"):  # not a number is found by who looks at the means
        means = np.einsum("bwc->bc", values.reshape(-1, row, values.shape[1])).mean(0, np.float64) / row
    return Observed(
        values.min(0), values.max(0), means.astype(np.float32), values[start::step][: len(values) // step].copy()
    )


def _tensors(model: Model) -> list[int]:
    """Return the float32 tensors that are computed and hold something."""
    written = [int(tensor) for operator in model.operators for tensor in operator.outputs]
    return [tensor for tensor in [*model.inputs, *written] if model.is_float(tensor) and 0 not in model.shape(tensor)]


def _not_finite(model: Model, tensor: int, where: str) -> EdgeError:
    writer = model.writers().get(tensor)
    kind = "its input" if writer is None else model.kind(model.operators[writer])
    return EdgeError(
        f"{where} gives values that are not finite, or beyond {LARGEST:.0e}, on the calibration images, first at "
        f"{model.name(tensor)[:200]!r} ({kind}): expected finite ones; look for weights that overflow, a division by "
        "zero or a root of what is negative",
        "conversion.finite",
    )


def error_of(values: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """Return the energy of `reference` and that of what `values` differ from it; of all but `PADDING`."""
    if reference.min(initial=0) < PADDING:
        values, reference = values[reference > PADDING], reference[reference > PADDING]
    return _energy(reference), _energy(values - reference)


def _energy(values: np.ndarray) -> float:
    flat = values.ravel()
    with np.errstate(over="ignore"):
        energy = float(np.dot(flat, flat))
    if not 1e-30 < energy < np.inf:  # squares that are no float32
        flat = flat.astype(np.float64)
        energy = float(np.dot(flat, flat))
    return energy


def real(values: np.ndarray, scale: Any, zero_point: Any) -> np.ndarray:
    """Return real numbers, float32, of quantized ones."""
    return ((values.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)).astype(np.float32)
