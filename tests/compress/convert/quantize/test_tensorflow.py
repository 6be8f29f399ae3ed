"""The shipped networks in int8, bit for bit as TensorFlow's converter makes them of the same ranges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import edge
from benchmarks.peers.float_tflite import to_float
from compress.convert.quantize import Choices, quantize
from compress.convert.quantize.model import Model, read, write
from compress.convert.quantize.ranges import Float

MODELS = sorted((Path(edge.__file__).parent / "models").glob("*.tflite"))
AS_TENSORFLOW = Choices(range="min-max", equalize=False, correct_bias=False, full=True)
IMAGES = 2
Ranges = Mapping[int, tuple[float, float]]


def trained_further(data: bytes) -> bytes:
    """Return a shipped network in float32 whose weights lie on no int8 grid; a few channels have hardly any."""
    model = read(to_float(data), "shipped")
    rng = np.random.default_rng(5)
    for tensor in range(len(model.tensors)):
        if model.is_float(tensor) and model.is_constant(tensor):
            values = model.values(tensor)
            model.set_values(tensor, (values * (1 + 0.3 * rng.standard_normal(values.shape))).astype(np.float32))
    for operator in model.operators:
        if model.kind(operator) == "CONV_2D" and model.shape(operator.inputs[1])[0] > 4:
            values = model.values(operator.inputs[1]).copy()
            values[:4] *= np.float32([0, 1e-3, 1e-6, 1e-9]).reshape(4, 1, 1, 1)
            model.set_values(operator.inputs[1], values)
    return write(model, "shipped")


def by_tensorflow(flatbuffer: bytes, images: Sequence[np.ndarray]) -> tuple[Model, Model]:
    """Return the float32 network with the ranges that TensorFlow saw, and what it makes of them."""
    tf = pytest.importorskip("tensorflow")
    from tensorflow.lite.python.convert import mlir_quantize
    from tensorflow.lite.python.optimize.calibrator import Calibrator

    def each() -> Iterator[list[np.ndarray]]:
        for number in range(IMAGES):
            yield [values[number : number + 1] for values in images]

    calibrated = Calibrator(flatbuffer).calibrate(each)
    made = mlir_quantize(calibrated, fully_quantize=True, input_data_type=tf.int8, output_data_type=tf.int8)
    return read(calibrated, "calibrated"), read(made, "TensorFlow's")


def ends(operator: Any) -> list[int]:
    return [*operator.inputs, *operator.outputs]


def seen_by_tensorflow(model: Model, calibrated: Model) -> Ranges:
    found = {}
    for ours, theirs in zip(model.operators, calibrated.operators, strict=True):
        for tensor, twin in zip(ends(ours), ends(theirs), strict=True):
            steps = calibrated.tensors[twin].quantization if twin >= 0 else None
            if steps is not None and steps.min is not None:
                found[tensor] = float(steps.min[0]), float(steps.max[0])
    return found


def with_shared_buffers(model: Model, ranges: Ranges) -> Ranges:
    """Return what a calibrator sees that looks at an ADD's inputs after the sum was written over one of them.

    It is the first one that nothing reads later.
    """
    found, readers = dict(ranges), model.readers()
    for number, operator in enumerate(model.operators):
        if model.kind(operator) == "ADD":
            output = operator.outputs[0]
            shared = next(
                tensor for tensor in operator.inputs if tensor not in model.inputs and readers[tensor][-1] == number
            )
            found[shared] = tuple(f(ranges[shared][i], ranges[output][i]) for i, f in enumerate((min, max)))
    return found


def own_ranges(flatbuffer: bytes, images: Sequence[np.ndarray], tensors: Sequence[int]) -> Ranges:
    network = Float(flatbuffer, "shipped")
    found = dict.fromkeys(tensors, (np.inf, -np.inf))
    for number in range(IMAGES):
        values_of = network.run([values[number : number + 1] for values in images])
        for tensor in tensors:
            values = values_of(tensor).copy()
            found[tensor] = min(found[tensor][0], values.min()), max(found[tensor][1], values.max())
    return found


def showing(ranges: Ranges, run: Callable[..., Any]) -> Callable[..., Any]:
    """Return a way to run the network in which float32 tensors show a range exactly."""

    def patched(network: Float, images: Sequence[np.ndarray]) -> Callable[[int], np.ndarray]:
        values_of = run(network, images)

        def shown(tensor: int) -> np.ndarray:
            values = values_of(tensor)
            if values.dtype == np.float32 and tensor in ranges:
                values = np.clip(values, *ranges[tensor])
                values.ravel()[[0, -1]] = ranges[tensor]
            return values

        return shown

    return patched


def of(model: Model, tensor: int) -> list[Any]:
    """Return all that an int8 file says of a tensor."""
    steps = model.tensors[tensor].quantization
    found = [model.tensors[tensor].type, model.shape(tensor)]
    if steps is not None and steps.scale is not None:
        axis = steps.quantizedDimension if len(steps.scale) > 1 else 0
        found += [steps.scale.tobytes(), np.asarray(steps.zeroPoint).tobytes(), axis]
    if model.is_constant(tensor):
        found.append(model.values(tensor).tobytes())
    return found


@pytest.mark.train
@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_shipped_network_is_bit_for_bit_tensorflows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flatbuffer = trained_further(path.read_bytes())
    model = read(flatbuffer, "shipped")
    rng = np.random.default_rng(0)
    images = [rng.standard_normal((IMAGES, *model.shape(t)[1:])).astype(np.float32) for t in model.inputs]
    calibrated, theirs = by_tensorflow(flatbuffer, images)

    seen = seen_by_tensorflow(model, calibrated)
    expected = with_shared_buffers(model, own_ranges(flatbuffer, images, list(seen)))
    for tensor, (low, high) in seen.items():  # kernels differ in the order of their sums
        with_zero = min(expected[tensor][0], 0), max(expected[tensor][1], 0)
        assert np.allclose(with_zero, (min(low, 0), max(high, 0)), rtol=1e-5, atol=1e-5 * (high - low)), model.name(
            tensor
        )

    monkeypatch.setattr(Float, "run", showing(seen, Float.run))
    ours = read(quantize(flatbuffer, images, AS_TENSORFLOW).flatbuffer, "ours")

    assert [ours.kind(operator) for operator in ours.operators] == [theirs.kind(op) for op in theirs.operators]
    for one, other in zip(ours.operators, theirs.operators, strict=True):
        versions = [m.raw.operatorCodes[op.opcodeIndex].version for m, op in ((ours, one), (theirs, other))]
        assert versions[0] <= versions[1]  # TensorFlow gives all operators of a kind the latest that one of them needs
        for tensor, twin in zip(ends(one), ends(other), strict=True):
            assert of(ours, tensor) == of(theirs, twin), ours.name(tensor)
