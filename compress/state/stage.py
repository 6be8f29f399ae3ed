"""Where a run is: the network, the input that it expects, and the key of everything that led to it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from torch import nn

from compress.inputs import Inputs, inputs_of
from edge.preprocess import Preprocessing


@dataclass
class State:
    """A network on its way, the preprocessing it expects, and the key of everything that led to it.

    `note` is what the last step found out, for the ledger.
    """

    network: nn.Module
    spec: Preprocessing
    key: str
    note: str = ""

    @property
    def inputs(self) -> Inputs:
        """Example inputs of the network."""
        return example_inputs(self.spec)


def example_inputs(spec: Preprocessing) -> Inputs:
    """Return what a network is traced and tried with: float32 (1, channels, height, width), zeros."""
    return inputs_of((spec.channels, spec.height, spec.width))


def key_of(before: str, what: Any) -> str:
    """Return the key of what `what` makes of that which has the key `before`."""
    return hashlib.sha256((before + json.dumps(what, sort_keys=True)).encode()).hexdigest()[:16]
