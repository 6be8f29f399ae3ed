"""Transposed convolutions: output padding, and the normalization behind one taken into its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from compress.convert.repairs.constants import Constants

_MADE_BY = "_edge_made_by"  # on a tensor that a transposed convolution returned


class _MadeBy(NamedTuple):
    """The arguments of a transposed convolution.

    Attributes:
        version: of the tensor that it returned; a later one was changed in place since.
    """

    version: int
    x: Tensor
    weight: Tensor
    bias: Tensor | None
    stride: Any
    padding: Any
    groups: int
    dilation: Any


def _transposed(
    constants: Constants,
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Tensor:
    """Return the same without output padding: so many rows and columns of zeros at the kernel's end reach as far.

    What made it is noted on it, for a normalization behind.
    """
    more = output_padding if isinstance(output_padding, (tuple, list)) else (output_padding,) * 2
    rates = dilation if isinstance(dilation, (tuple, list)) else (dilation,)
    kernel = weight
    if any(more) and all(rate == 1 for rate in rates):
        kernel, output_padding = constants(lambda: F.pad(weight, (0, more[-1], 0, more[0]))), 0
    made = _cropped(x, kernel, bias, stride, padding, output_padding, groups, dilation)
    if not any(more) or kernel is not weight:
        setattr(made, _MADE_BY, _MadeBy(made._version, x, kernel, bias, stride, padding, groups, dilation))
    return made


def _cropped(
    x: Tensor, kernel: Tensor, bias: Tensor | None, stride: Any, padding: Any, more: Any, groups: int, dilation: Any
) -> Tensor:
    """Return the transposed convolution; where TFLite has no padding like it, all of its output, and a part of that.

    TFLite pads by SAME (the output is `stride` times the input) or not at all, and padding takes so many rows and
    columns away from each side of the output.
    """
    sides, steps = ((value,) * 2 if isinstance(value, int) else tuple(value) for value in (padding, stride))
    sizes = kernel.shape[2:]
    fits = all(step == 1 or size - step == 2 * side for size, step, side in zip(sizes, steps, sides, strict=True))
    if fits or more or not any(sides):
        return F.conv_transpose2d(x, kernel, bias, stride, padding, more, groups, dilation)
    whole = F.conv_transpose2d(x, kernel, bias, stride, 0, 0, groups, dilation)
    down, right = sides
    return whole[:, :, down : whole.shape[2] - down, right : whole.shape[3] - right]


def _batch_norm(
    constants: Constants,
    x: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """Return the transposed convolution in front with the normalization's scale in its weights and bias.

    y = (Wx + b - mean) * scale + beta = (scale W) x + (b - mean) * scale + beta, per channel, with scale =
    gamma / sqrt(variance + eps); Ioffe and Szegedy 2015, algorithm 2, line 11.
    """
    made_by: _MadeBy | None = getattr(x, _MADE_BY, None)
    if made_by is None or made_by.version != x._version or made_by.groups != 1:
        return NotImplemented
    if training or running_mean is None or running_var is None:
        return NotImplemented
    scale = torch.rsqrt(running_var + eps) * (1 if weight is None else weight)
    offset = -running_mean if made_by.bias is None else made_by.bias - running_mean
    kernel = constants(lambda: made_by.weight * scale[None, :, None, None])
    moved = constants(lambda: offset * scale + (0 if bias is None else bias))
    return _cropped(made_by.x, kernel, moved, made_by.stride, made_by.padding, 0, 1, made_by.dilation)


REPLACEMENTS: Mapping[Callable[..., Any], Callable[..., Any]] = MappingProxyType(
    {F.conv_transpose2d: _transposed, F.batch_norm: _batch_norm}
)
