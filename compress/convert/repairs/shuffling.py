"""Channels in another order, and pixels that become channels."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from compress.convert.repairs.constants import Constants, sizes_of


def _channel_shuffle(constants: Constants, x: Tensor, groups: int) -> Tensor:
    """Return the channels of `groups` groups in turn, chosen by their numbers."""
    return x[:, constants(lambda: torch.arange(sizes_of(x)[1]).reshape(groups, -1).T.reshape(-1))]


def _pixel_unshuffle(constants: Constants, x: Tensor, downscale_factor: int) -> Tensor:
    """Return blocks of pixels as channels, by a depthwise convolution that picks each of them with a weight of 1."""
    if x.ndim != 4:
        return NotImplemented
    size, channels = downscale_factor, sizes_of(x)[1]
    picks = constants(lambda: torch.eye(size * size).reshape(-1, 1, size, size).repeat(channels, 1, 1, 1))
    return F.conv2d(x, picks, stride=size, groups=channels)


REPLACEMENTS: Mapping[Callable[..., Any], Callable[..., Any]] = MappingProxyType(
    {
        torch.channel_shuffle: _channel_shuffle,
        F.channel_shuffle: _channel_shuffle,
        torch.pixel_unshuffle: _pixel_unshuffle,
        F.pixel_unshuffle: _pixel_unshuffle,
    }
)
