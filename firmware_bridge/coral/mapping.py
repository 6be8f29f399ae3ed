"""What of a network the Coral Edge TPU would take, by its documented rules (firmware_bridge/coral/rules.py)."""

from __future__ import annotations

from typing import Any, NamedTuple

from compress.convert.graph import Graph, Operator
from firmware_bridge.coral import rules

# "roughly 8 MB" of memory on the chip, of which the compiled program takes a part first
# (https://coral.ai/docs/edgetpu/compiler/, "Parameter data caching").
CACHE_BYTES = 8 * 2**20


class Refusal(NamedTuple):
    """An operator that would run on the processor.

    Attributes:
        place: its place in the order of execution, from 0.
        output: the name of its first output.
        macs: that go with it.
    """

    place: int
    operator: str
    output: str
    macs: int
    reason: str


class Report(NamedTuple):
    """What would map.

    Attributes:
        parameter_bytes: weights and biases of the operators that would map.
        cache_bytes: of the chip's memory.
        streamed_bytes: what of them the cache has no room for, at least; it is sent again for every image.
        refusals: every operator that would not map, in the order of execution.
        doubts: operator -> what only the compiler knows of it.
    """

    operators: int
    mapped_operators: int
    macs: int
    mapped_macs: int
    parameter_bytes: int
    cache_bytes: int
    streamed_bytes: int
    refusals: list[Refusal]
    doubts: dict[str, str]

    @property
    def mac_share(self) -> float:
        """Share of the MACs (0..1) that would map; of a network without any, of the operators."""
        if self.macs:
            return self.mapped_macs / self.macs
        return self.mapped_operators / max(self.operators, 1)

    def record(self) -> dict[str, Any]:
        """Return the object for JSON."""
        return {
            "operators": {"mapped": self.mapped_operators, "of": self.operators},
            "macs": {"mapped": self.mapped_macs, "of": self.macs, "share": round(self.mac_share, 6)},
            "parameters": {
                "bytes": self.parameter_bytes,
                "cache_bytes": self.cache_bytes,
                "streamed_bytes": self.streamed_bytes,
            },
            "not_mapped": [refusal._asdict() for refusal in self.refusals],
            "doubts": self.doubts,
        }


def examine(network: Graph) -> Report:
    """Return what of `network` would map.

    The compiler cuts the graph once: the first operator that the Edge TPU does not take, and every one after it, run on
    the processor (https://coral.ai/docs/edgetpu/models-intro/, "Compiling").
    """
    refusals: list[Refusal] = []
    mapped: list[Operator] = []
    for index, operator in enumerate(network.operators):
        reason = rules.reason(operator)
        if not reason and refusals:
            reason = f"it comes after {refusals[0].operator}, which is not mapped"
        if reason:
            refusals.append(Refusal(index, operator.name, operator.outputs[0].name, operator.macs, reason))
        else:
            mapped.append(operator)
    # Operators may share a constant; it is stored once.
    constants = {tensor for operator in mapped for tensor in operator.inputs if tensor is not None and tensor.constant}
    size = sum(len(tensor.content) for tensor in constants)
    return Report(
        operators=len(network.operators),
        mapped_operators=len(mapped),
        macs=network.macs,
        mapped_macs=sum(operator.macs for operator in mapped),
        parameter_bytes=size,
        cache_bytes=CACHE_BYTES,
        streamed_bytes=max(0, size - CACHE_BYTES),
        refusals=refusals,
        doubts={name: rules.DOUBTFUL[name] for name in sorted({o.name for o in mapped} & set(rules.DOUBTFUL))},
    )
