"""What LiteRT's kernels take for granted of single operators, and would end the process for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from edge.flatbuffer import Operator, Tensor


def fault(operator: Operator, tensors: tuple[Tensor, ...], data: bytes | memoryview) -> str:
    """Return what is wrong with the operator, "" where nothing is."""
    return ""
