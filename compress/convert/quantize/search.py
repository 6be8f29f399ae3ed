"""Which choices help a network: each is tried, and judged on calibration images that it was not fitted to.

Three images of four fit, the fourth judges: how near the int8 network's outputs are to the float ones. What is taken is
then fitted to all images. Up to three images judge nothing, and no choice is taken that would have to be judged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from compress.convert.quantize import operators
from compress.convert.quantize.bias import correct
from compress.convert.quantize.choices import Choices
from compress.convert.quantize.constants import quantize_constants
from compress.convert.quantize.equalize import equalize
from compress.convert.quantize.error import decibels
from compress.convert.quantize.groups import Groups, part_fixed
from compress.convert.quantize.model import quantization, read, write
from compress.convert.quantize.parameters import FLOAT32, Scaled, of_activations, quantized
from compress.convert.quantize.parts import fuse, part
from compress.convert.quantize.ranges import Float, Observed, each, of_image, real
from compress.convert.quantize.result import Gain
from compress.convert.quantize.spread import BY_NAME
from compress.convert.quantize.steps import widened

_JUDGE = 4  # of so many images one judges
_JUDGES = 32  # that are enough
_GAIN = 0.1  # dB that a choice has to bring: less is chance, and another processor's rounding


class Plan(NamedTuple):
    """What is done to a network; fields as in `Choices`."""

    equalize: bool
    range: str
    correct_bias: bool


class Fitted(NamedTuple):
    """A network in integers.

    Attributes:
        flatbuffer: int8. reference: the float32 one that it stands for, which equalization may have changed.
        scaled: how each tensor of `reference` is quantized, and those that were put in.
    """

    flatbuffer: bytes
    reference: bytes
    scaled: Mapping[int, Scaled]


class Network(NamedTuple):
    """A float32 flatbuffer, what its operators become, and what its tensors hold on the calibration images.

    `full` as in `Choices`.
    """

    flatbuffer: bytes
    types: Sequence[int]
    observed: Mapping[int, Observed]
    where: str
    full: bool = False


def fit(network: Network, plan: Plan) -> Fitted:
    """Return a network in integers."""
    model = read(network.flatbuffer, network.where)
    observed, reference = dict(network.observed), network.flatbuffer
    if plan.equalize:
        observed = equalize(model, observed)
        reference = write(model, network.where)
    for copied, source in (*part(model, network.types).items(), *part_fixed(model).items()):
        observed[copied] = observed[source]
    if not network.full:
        fuse(model)
    groups = Groups(model)
    scaled = widened(model, groups, of_activations(model, groups, observed, BY_NAME[plan.range]))
    if plan.correct_bias:
        correct(model, scaled, observed)
    computed = [
        tensor for tensor in range(len(model.tensors)) if model.is_float(tensor) and not model.is_constant(tensor)
    ]
    quantize_constants(model, scaled)
    for tensor in computed:
        if tensor in scaled and scaled[tensor].type != FLOAT32:
            model.tensors[tensor].type = scaled[tensor].type
            model.tensors[tensor].quantization = quantization(scaled[tensor].scale, scaled[tensor].zero_point)
    for operator in model.operators:
        operators.set_version(model, operator)
    return Fitted(write(model, network.where), reference, scaled)


def search(network: Network, calibration: Sequence[np.ndarray], choices: Choices) -> tuple[Plan, tuple[Gain, ...]]:
    """Return the plan of the choices that help, and what each gained.

    A range that is named is taken as it is. Ranges are tried behind equalization, and biases behind both.
    """
    plan = Plan(False, "min-max" if choices.range == "measured" else choices.range, False)
    wanted: dict[str, Any] = {
        "equalize": choices.equalize,
        "range": choices.range if choices.range == "measured" else None,
        "correct_bias": choices.correct_bias,
    }
    judges = np.flatnonzero(np.arange(len(calibration[0])) % _JUDGE == _JUDGE - 1)
    if not len(judges) or not any(wanted.values()):
        return plan, ()
    fitting = network._replace(
        observed={
            tensor: one.of(np.setdiff1d(np.arange(len(one.lows)), judges)) for tensor, one in network.observed.items()
        }
    )
    judges = judges[:: -(-len(judges) // _JUDGES)]
    gains = []
    without = judged(network, fit(fitting, plan), calibration, judges)
    for name, value in wanted.items():
        if value:
            tried = plan._replace(**{name: value})
            having = judged(network, fit(fitting, tried), calibration, judges)
            taken = having >= without + _GAIN
            gains.append(Gain(name, taken, without, having))
            if taken:
                plan, without = tried, having
    return plan, tuple(gains)


def judged(network: Network, fitted: Fitted, calibration: Sequence[np.ndarray], images: np.ndarray) -> float:
    """Return how near a network in integers is to the float one on some images, dB.

    It is 10 log10 of the energy of the float outputs, each channel's mean taken off, by that of the difference; of
    several outputs the mean of difference by energy counts.
    """
    model = read(fitted.flatbuffer, network.where)
    runner = Float(fitted.flatbuffer, network.where)
    pairs = zip(read(network.flatbuffer, network.where).outputs, model.outputs, strict=True)
    ends = [(tensor, twin) for tensor, twin in pairs if tensor in network.observed]  # the others are whole numbers
    scales = [(float(s.scale[0]), int(s.zeroPoint[0])) for s in (model.tensors[t].quantization for t in model.inputs)]
    energies = np.zeros((len(ends), 2))
    chosen = [values[images] for values in calibration]
    means = [network.observed[tensor].means[images].mean(0) for tensor, _ in ends]
    for number, image in zip(images, each(chosen), strict=True):
        values_of = runner.run([quantized(one, *scale) for one, scale in zip(image, scales, strict=True)])
        for place, (tensor, twin) in enumerate(ends):
            given = model.tensors[twin].quantization
            values = real(values_of(twin), given.scale[0], given.zeroPoint[0])
            found = of_image(values, int(number), len(calibration[0])).sample
            wanted = network.observed[tensor].sample[number]
            energies[place] += ((wanted - means[place]) ** 2).sum(), ((found - wanted) ** 2).sum()
    if not ends or not energies[:, 0].all():
        return decibels(0.0, 1.0)
    return decibels(1.0, math.fsum(energies[:, 1] / energies[:, 0]) / len(energies))
