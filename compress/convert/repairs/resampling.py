"""Resampling that TFLite has no operator for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from compress.convert.repairs.constants import Constants, sizes_of


def by_matrices(constants: Constants, x: Tensor, rows: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Return a resampling that is linear, and the same for each row and each column, as A x B.

    Args:
        x: (N, channels, height, width).
        rows: resamples the rows of an image (1, 1, n, n) as those (0) or the columns (1) of x are to be, and leaves its
            columns as they are; it makes the matrices of ones on the diagonal.
    """
    height, width = sizes_of(x)[2:]
    left = constants(lambda: rows(torch.eye(height)[None, None], 0)[0, 0])
    right = constants(lambda: rows(torch.eye(width)[None, None], 1)[0, 0].T)
    return torch.matmul(left, torch.matmul(x, right))


def _interpolate(
    constants: Constants,
    x: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """Return bicubic, area and smoothed resampling as products with matrices; the rest is left to the route.

    A scale that gives no whole number of pixels is kept by PyTorch, and made again of the sizes by TFLite. The nearest
    pixel is looked for from a pixel's corner by PyTorch, and from its middle by litert-torch: whole scales agree.
    """
    if x.ndim != 4:
        return NotImplemented
    before = sizes_of(x)[2:]
    scales = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * 2
    if size is None:
        sizes = [int(old * by) for old, by in zip(before, scales, strict=True)]
        kept = not (recompute_scale_factor or align_corners or mode == "area")
        broken = kept and any((old * by) % 1 for old, by in zip(before, scales, strict=True))
    else:
        sizes, broken = list(size) if isinstance(size, (tuple, list)) else [size, size], False
    uneven = mode == "nearest" and any(new % old for new, old in zip(sizes, before, strict=True))
    if not (broken or uneven or antialias or mode in ("bicubic", "area")):
        return NotImplemented

    def rows(image: Tensor, axis: int) -> Tensor:
        how: dict[str, Any] = {"mode": mode, "align_corners": align_corners, "antialias": antialias}
        if broken:
            return F.interpolate(image, scale_factor=(scales[axis], 1.0), recompute_scale_factor=False, **how)
        return F.interpolate(image, size=(sizes[axis], image.shape[3]), **how)

    return by_matrices(constants, x, rows)


REPLACEMENTS: Mapping[Callable[..., Any], Callable[..., Any]] = MappingProxyType({F.interpolate: _interpolate})
