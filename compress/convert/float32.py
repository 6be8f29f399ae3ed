"""From networks to float32 flatbuffers that are proved to be them: a route converts, PyTorch is the judge."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from compress.convert.proof import Proof, noise, prove
from compress.convert.routes import ROUTES, Route, Source, installed
from compress.inputs import Inputs
from edge.errors import EdgeError

AUTO = "auto"  # the installed routes in the order of ROUTES, until one's file is proved


class Made(NamedTuple):
    """A float32 file.

    Attributes:
        flatbuffer: batch 1, images NHWC, logits out.
        route: that made it. proof: how near it is to PyTorch.
        seconds: that the converter took.
        refusals: of the routes that were tried before it: what was wrong with their files.
    """

    flatbuffer: bytes
    route: str
    proof: Proof
    seconds: float
    refusals: tuple[str, ...]


def to_float32(
    sources: Sequence[Source],
    images: Sequence[Inputs] = (),
    route: str = AUTO,
    progress: Callable[[str], None] = lambda text: None,
) -> Iterator[tuple[int, Made]]:
    """Yield each network's number and its proved file, as soon as it is there, from one process of a route.

    Args:
        sources: the networks, in evaluation mode.
        images: for each network real inputs, a few, which its file is proved on as well as on noise; none: noise alone.
        route: a name of `ROUTES`, or "auto".
        progress: gets what is being done.

    Raises EdgeError: "conversion.route" for an unknown one, "conversion.missing" where it is not installed, and what a
    route or the proof raises; by "auto" that of the last route, with what was wrong with the others.
    """
    refusals: dict[int, list[EdgeError]] = {number: [] for number in range(len(sources))}
    for way in ways(route):
        left = list(refusals)
        while left:
            progress(f"converting to TFLite, float32, by {way.name}")
            for number, result in _by(way, left, sources, images):
                left = left[left.index(number) + 1 :]
                if isinstance(result, EdgeError):
                    refusals[number].append(result)
                else:
                    yield number, result._replace(refusals=tuple(map(str, refusals.pop(number))))
    for refused in refusals.values():
        raise _refused(refused)


def ways(route: str) -> tuple[Route, ...]:
    """Return the routes that a name stands for, in the order in which they are tried; EdgeError where there is none."""
    if route != AUTO:
        return (named(route),)
    if not installed():
        commands = " or ".join(f"`{way.install}`" for way in ROUTES.values())
        raise EdgeError(
            f"no route to TFLite is installed: expected one; install it with {commands}", "conversion.missing"
        )
    return installed()


def named(route: str) -> Route:
    """Return a route by its name; EdgeError where there is none, or it is not installed."""
    if route not in ROUTES:
        raise EdgeError(f"route is {route!r}: expected {AUTO!r}, {' or '.join(map(repr, ROUTES))}", "conversion.route")
    if not ROUTES[route].is_installed():
        raise EdgeError(
            f"the route {route} is not installed: expected it here; install it with `{ROUTES[route].install}`",
            "conversion.missing",
        )
    return ROUTES[route]


def _by(
    way: Route, numbers: list[int], sources: Sequence[Source], images: Sequence[Inputs]
) -> Iterator[tuple[int, Made | EdgeError]]:
    """Yield what one route made of networks, or what was wrong; it ends early where its process did."""
    files = way.convert([sources[number] for number in numbers])
    for number in numbers:
        source = sources[number]
        try:
            file = next(files)
            inputs = _inputs(source, images[number] if images else ())
            proof = prove(source.network, file.flatbuffer, inputs, f"the float32 file of the route {way.name}")
        except EdgeError as error:
            yield number, error
            if not _is_of_the_file(error):
                return
        else:
            yield number, Made(file.flatbuffer, way.name, proof, file.seconds, ())


def _is_of_the_file(error: EdgeError) -> bool:
    """Return whether a file was made and is wrong: then the route's process goes on."""
    return error.code in ("conversion.differs", "runtime.refused")


def _inputs(source: Source, images: Inputs) -> Inputs:
    """Return noise, and behind it the real images."""
    if not images:
        return noise(source.examples)
    return tuple(torch.cat([a, b.float()]) for a, b in zip(noise(images), images, strict=True))


def _refused(errors: Sequence[EdgeError]) -> EdgeError:
    """Return the last error, with what the routes before said."""
    *others, last = errors
    before = "".join(f" ({error})" for error in others)
    return EdgeError(f"{last}{before}", last.code)
