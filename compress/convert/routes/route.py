"""What a route is: a way from a network to a float32 TFLite flatbuffer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from torch import nn

from compress.inputs import Inputs


class Source(NamedTuple):
    """A network to be converted.

    Attributes:
        network: in evaluation mode, its graph as the user wrote it; a route repairs a copy.
        examples: its inputs, float32 with batch 1, (1, channels, height, width) where they are images.
    """

    network: nn.Module
    examples: Inputs


class Float32(NamedTuple):
    """What a route made of a network.

    Attributes:
        flatbuffer: batch 1, images NHWC, inputs in the network's order where the format lets us, logits out.
        seconds: that it took; what several networks share counts with the first of them.
    """

    flatbuffer: bytes
    seconds: float


class Route(Protocol):
    """One file in this folder each.

    Attributes:
        name: as a recipe names it: "onnx2tf", "litert".
        install: the command that installs it, for messages.
    """

    name: str
    install: str

    def is_installed(self) -> bool:
        """Return whether the route can run here, without starting it."""

    def tools(self) -> Mapping[str, str]:
        """Return the versions of what decides its bytes, for keys and provenance."""

    def convert(self, sources: Sequence[Source]) -> Iterator[Float32]:
        """Convert networks in one process of its own, and yield each file as soon as it is there.

        Raises EdgeError: "conversion.missing" where the route is not installed, "conversion.operator" where an operator
        can't be converted, with the end of the converter's log, "conversion.killed" where its process was killed.
        """
