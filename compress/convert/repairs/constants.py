"""Constants of what is written otherwise: computed once, so that a route sees values and no arithmetic."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor


def sizes_of(x: Tensor) -> tuple[int, ...]:
    """Return a tensor's shape as numbers; torch.jit would follow what is computed of it, and divide otherwise."""
    return tuple(int(size) for size in x.shape)


class Constants:
    """Those of a network, in the order in which its forward asks for them, which is the same at each run.

    The first run computes them; what follows a network's operators (torch.jit, torch.export) comes later.
    """

    def __init__(self) -> None:
        self._kept: list[Tensor] = []
        self._next = 0

    def begin(self) -> None:
        """Begin a run of the network."""
        self._next = 0

    def __call__(self, compute: Callable[[], Tensor]) -> Tensor:
        """Return what `compute` returned at the first run."""
        if self._next == len(self._kept):
            self._kept.append(compute().detach().contiguous())
        self._next += 1
        return self._kept[self._next - 1]
