"""Normalizations over channels and pixels, written so that all tensors keep the four axes of an image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from compress.convert.repairs.constants import Constants, sizes_of


def _group_norm(
    constants: Constants,
    x: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """Return each group of channels with mean 0 and variance 1; Wu and He 2018, equations 2 to 4.

    The mean over a group is the mean over the pixels, then over channels by a 1x1 convolution: exact, and no axis is
    divided, which routes read as another axis of the same length.
    """
    if x.ndim != 4:
        return NotImplemented
    size = sizes_of(x)[1] // num_groups
    if size == 1:
        return _instance_norm(constants, x, None, None, weight, bias, True, 0.0, eps)
    blocks = [torch.full((size, size), 1 / size)] * num_groups
    means = constants(lambda: torch.block_diag(*blocks)[:, :, None, None])
    apart = x - F.conv2d(x.mean((2, 3), keepdim=True), means)
    variance = F.conv2d((apart * apart).mean((2, 3), keepdim=True), means)
    return _scaled(apart * torch.rsqrt(variance + eps), weight, bias)


def _instance_norm(
    constants: Constants,
    x: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return each channel of each image with mean 0 and variance 1; Ulyanov et al. 2016, equation 4."""
    if x.ndim != 4 or not use_input_stats:
        return NotImplemented
    apart = x - x.mean((2, 3), keepdim=True)
    variance = (apart * apart).mean((2, 3), keepdim=True)
    return _scaled(apart * torch.rsqrt(variance + eps), weight, bias)


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    if weight is not None:
        x = x * weight.reshape(1, -1, 1, 1)
    return x if bias is None else x + bias.reshape(1, -1, 1, 1)


REPLACEMENTS: Mapping[Callable[..., Any], Callable[..., Any]] = MappingProxyType(
    {F.group_norm: _group_norm, F.instance_norm: _instance_norm}
)
