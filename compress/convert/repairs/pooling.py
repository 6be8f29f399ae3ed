"""Pooling: padded maxima without a padding value, and adaptive windows of unequal size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from compress.convert.repairs.constants import Constants, sizes_of
from compress.convert.repairs.resampling import by_matrices

_NOT_NEGATIVE = "_edge_not_negative"  # on a tensor: the version of it that has no negative value
_NEVER_NEGATIVE = frozenset(
    (F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6, F.sigmoid, torch.sigmoid, Tensor.sigmoid)
)
_KEEPS_SIGN = frozenset([F.max_pool2d, F.avg_pool2d, F.adaptive_avg_pool2d, F.dropout, F.dropout2d])


def remember(function: Callable[..., Any], args: tuple[Any, ...], made: Any) -> None:
    """Note on what a function returned that it is never negative, where that is known."""
    if function in _NEVER_NEGATIVE or (function in _KEEPS_SIGN and args and _is_not_negative(args[0])):
        setattr(made, _NOT_NEGATIVE, made._version)


def _is_not_negative(x: Tensor) -> bool:
    return getattr(x, _NOT_NEGATIVE, None) == x._version  # another version: changed in place since


def _max_pool(
    constants: Constants,
    x: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Tensor:
    """Return the same maxima without padding by the lowest number, which would be the range of an int8 tensor.

    Behind a ReLU zeros take its place. Elsewhere the image's edge is repeated: a window reaches the edge wherever it
    reaches beyond it, as PyTorch allows padding of half a window at most.
    """
    kernel, pads = _pair(kernel_size), _pair(padding)
    steps = _pair(stride) if stride else kernel
    if not (any(pads) or ceil_mode) or return_indices or x.ndim != 4 or _pair(dilation) != (1, 1):
        return NotImplemented
    widths = [_widths(*sizes, ceil_mode) for sizes in zip(sizes_of(x)[2:], kernel, steps, pads, strict=True)]
    if _is_not_negative(x):
        made = F.max_pool2d(F.pad(x, (*widths[1], *widths[0])), kernel, steps)
        setattr(made, _NOT_NEGATIVE, made._version)
        return made
    return F.max_pool2d(_repeated(_repeated(x, 2, *widths[0]), 3, *widths[1]), kernel, steps)


def _widths(size: int, kernel: int, step: int, pad: int, ceil_mode: bool) -> tuple[int, int]:
    """Return how many rows are wanted before and behind an image; its windows are PyTorch's."""
    count = (size + 2 * pad - kernel + (step - 1 if ceil_mode else 0)) // step + 1
    if ceil_mode and (count - 1) * step >= size + pad:  # no window begins behind the image
        count -= 1
    return pad, max(0, (count - 1) * step + kernel - size - pad)


def _repeated(x: Tensor, axis: int, before: int, behind: int) -> Tensor:
    first, last = x.narrow(axis, 0, 1), x.narrow(axis, sizes_of(x)[axis] - 1, 1)
    return torch.cat([first] * before + [x] + [last] * behind, axis) if before or behind else x


def _adaptive_average(constants: Constants, x: Tensor, output_size: Any) -> Tensor:
    """Return means of windows of unequal size as products with matrices; equal windows are left to the route."""
    sizes = _sizes(x, output_size)
    if x.ndim != 4 or all(old % new == 0 for old, new in zip(sizes_of(x)[2:], sizes, strict=True)):
        return NotImplemented
    return by_matrices(constants, x, lambda image, axis: F.adaptive_avg_pool2d(image, (sizes[axis], image.shape[3])))


def _adaptive_max(constants: Constants, x: Tensor, output_size: Any, return_indices: bool = False) -> Tensor:
    """Return maxima of windows, along one axis after the other: a maximum does not ask for their order."""
    if x.ndim != 4 or return_indices:
        return NotImplemented
    for axis, size in zip((2, 3), _sizes(x, output_size), strict=True):
        long = sizes_of(x)[axis]
        if size == 1:
            x = x.amax(axis, keepdim=True)
            continue
        bounds = [(index * long // size, -(-(index + 1) * long // size)) for index in range(size)]  # as PyTorch's
        x = torch.cat([x.narrow(axis, a, b - a).amax(axis, keepdim=True) for a, b in bounds], axis)
    return x


def _sizes(x: Tensor, output_size: Any) -> tuple[int, int]:
    given = tuple(output_size) if isinstance(output_size, (tuple, list)) else (output_size, output_size)
    height, width = (old if new is None else int(new) for old, new in zip(sizes_of(x)[-2:], given, strict=True))
    return height, width


def _pair(value: Any) -> tuple[int, int]:
    first, second = value if isinstance(value, (tuple, list)) and len(value) == 2 else (value, value)
    first, second = (x[0] if isinstance(x, (tuple, list)) else x for x in (first, second))
    return int(first), int(second)


REPLACEMENTS: Mapping[Callable[..., Any], Callable[..., Any]] = MappingProxyType(
    {
        F.max_pool2d: _max_pool,
        torch.max_pool2d: _max_pool,
        F.adaptive_avg_pool2d: _adaptive_average,
        F.adaptive_max_pool2d: _adaptive_max,
    }
)
