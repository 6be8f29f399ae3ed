"""Proof that a float32 file is the network: both on the same images, the file as a device runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from compress.convert.layout import channels_last, in_order
from compress.convert.origins import origins
from compress.inputs import Inputs, outputs, run
from compress.tasks.metrics import centred, cosine
from edge.errors import EdgeError
from edge.runtime import open_runtime

RANDOM = 4  # images of noise that a file is proved on, in addition to real ones
MOST = 1e-3  # of the largest output: what differs less is rounding, which every order of additions does otherwise
LEAST_COSINE = 0.9999  # of the outputs around their means
FLAT = 1e-4  # of the largest output: outputs that vary less say nothing around their means


class Proof(NamedTuple):
    """How near a float32 file is to PyTorch.

    Attributes:
        largest: the largest difference of an output, as a share of the largest output.
        cosine: of the outputs around their means, the least of all outputs; 1 where they are constant.
    """

    largest: float
    cosine: float


def noise(like: Inputs, count: int = RANDOM) -> Inputs:
    """Return inputs of noise, `count` of them; the same ones every time.

    Args:
        like: real inputs, whose least and largest values bound the noise, as a network need not take what no image is;
            where they are constant, it is normal with variance 1.
    """
    generator = torch.Generator().manual_seed(0)
    return tuple(_noise(x.float(), (count, *x.shape[1:]), generator) for x in like)


def _noise(like: Tensor, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    low, high = float(like.min()), float(like.max())
    if low == high:
        return torch.randn(shape, generator=generator)
    return low + (high - low) * torch.rand(shape, generator=generator)


def prove(network: nn.Module, flatbuffer: bytes, inputs: Inputs, where: str) -> Proof:
    """Return how near the file is to the network, on each of the inputs.

    Args:
        network: in evaluation mode.
        flatbuffer: float32, images NHWC, batch 1.
        inputs: float32 (N, channels, height, width) where they are images.
        where: names the file and its route in messages.

    Raises EdgeError: "runtime.refused" where LiteRT does not load or run it, "conversion.differs" where it answers
    otherwise than PyTorch, with the module of the network where that begins, "conversion.finite" where PyTorch's own
    answers are not finite, and "conversion.random" where they are others each time.
    """
    wanted = reference(network, inputs)
    if not all(np.isfinite(values).all() for values in wanted):
        raise EdgeError(
            "the network gives outputs that are not finite: expected finite ones; look for weights that overflow, and "
            "train again with a lower lr",
            "conversion.finite",
        )
    again = reference(network, tuple(x[:1] for x in inputs))
    if max(_difference(values[:1], other) for values, other in zip(wanted, again, strict=True)) > MOST:
        raise EdgeError(
            "the network gives the same image other outputs each time: expected the same; look for a dropout that does "
            "not end with eval(), or random numbers in forward",
            "conversion.random",
        )
    given = answers(flatbuffer, inputs)
    found = _ordered(wanted, given)
    if found is None:
        shapes = [values.shape[1:] for values in given]
        raise EdgeError(
            f"{where} gives outputs of {shapes}, and PyTorch of {[values.shape[1:] for values in wanted]}: expected "
            "the same; write the network so that a batch of 1 has them, or name another route",
            "conversion.differs",
        )
    proof = Proof(
        max(_difference(a, b) for a, b in zip(wanted, found, strict=True)),
        min(_cosine(a, b) for a, b in zip(wanted, found, strict=True)),
    )
    if not (proof.largest <= MOST and proof.cosine >= LEAST_COSINE):
        raise EdgeError(
            f"{where} is not the network: its outputs differ from PyTorch's by up to {proof.largest:.2g} of the "
            f"largest one, with cosine {proof.cosine:.5f} around their means; expected at most {MOST:g} and at least "
            f"{LEAST_COSINE:g}; {_cure(network, flatbuffer, inputs)}",
            "conversion.differs",
        )
    return proof


def reference(network: nn.Module, inputs: Inputs) -> tuple[np.ndarray, ...]:
    """Return PyTorch's outputs, float32 (N, ...), with channels last where they are maps."""
    rows = []
    with torch.no_grad():
        for number in range(len(inputs[0])):
            given = tuple(x[number : number + 1].float() for x in inputs)
            rows.append([channels_last(y.float().cpu().numpy()) for y in outputs(run(network, given))])
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def answers(flatbuffer: bytes, inputs: Inputs) -> tuple[np.ndarray, ...]:
    """Return the file's outputs, float32 (N, ...), by LiteRT as a device runs it."""
    runtime = open_runtime(flatbuffer, "litert", 1)
    arrays = in_order(flatbuffer, inputs)
    rows = [runtime.run(*(values[n : n + 1] for values in arrays)) for n in range(len(inputs[0]))]
    return tuple(np.concatenate(column) for column in zip(*rows, strict=True))


def _ordered(wanted: Sequence[np.ndarray], found: Sequence[np.ndarray]) -> list[np.ndarray] | None:
    """Return the file's outputs in the network's order, for each the nearest of its shape; None where there is none."""
    left, ordered = list(found), []
    for values in wanted:
        fitting = [other for other in left if other.shape == values.shape]
        if not fitting:
            return None
        nearest = min(fitting, key=lambda other: _difference(values, other))
        left = [other for other in left if other is not nearest]
        ordered.append(nearest)
    return ordered


def _difference(wanted: np.ndarray, found: np.ndarray) -> float:
    """Return the largest difference, as a share of the largest wanted value; infinite where `found` is not finite."""
    if not np.isfinite(found).all():
        return float("inf")
    return float(np.abs(wanted - found).max() / max(float(np.abs(wanted).max()), 1e-6))


def _cosine(wanted: np.ndarray, found: np.ndarray) -> float:
    if not np.isfinite(found).all():
        return -1.0
    values = centred(wanted)
    if np.abs(values).max() <= FLAT * np.abs(wanted).max():
        return 1.0
    return cosine(values, centred(found))


def _cure(network: nn.Module, flatbuffer: bytes, inputs: Inputs) -> str:
    """Return where the file goes wrong first, and what to do."""
    first = next(iter(origins(network, flatbuffer, tuple(x[-1:] for x in inputs)).unmatched), None)
    if first is None:
        return "no single layer was found; write what is between the layers otherwise, or name another route"
    kind = type(network.get_submodule(first)).__name__
    return f"it begins at {first} ({kind}); write that layer with other operations, or name another route"
