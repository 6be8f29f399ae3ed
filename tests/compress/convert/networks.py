"""Small networks, one for each kind of layer that a route may get wrong, with equal axes and with unequal ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from compress.inputs import Inputs


class Shape(NamedTuple):
    """Of the tensor that the layer in question reads."""

    channels: int
    height: int
    width: int


EQUAL, UNEQUAL = Shape(8, 8, 8), Shape(8, 12, 20)
SHAPES: Mapping[str, Shape] = {"equal": EQUAL, "unequal": UNEQUAL}


class Between(nn.Module):
    """A convolution, a layer, and a convolution behind it where the layer returns images."""

    def __init__(self, shape: Shape, layer: nn.Module | Callable[[Tensor], Tensor], before: nn.Module | None = None):
        super().__init__()
        self.first = nn.Conv2d(3, shape.channels, 3, padding=1)
        self.before = before or nn.Identity()
        self.layer = layer if isinstance(layer, nn.Module) else Call(layer)
        with torch.no_grad():
            returned = self.layer(self.before(self.first(torch.zeros(1, 3, shape.height, shape.width))))
        self.last = nn.Conv2d(returned.shape[1], 5, 3, padding=1) if returned.ndim == 4 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.last(self.layer(self.before(self.first(x))))
        return y


class Call(nn.Module):
    """A function inside a user's forward."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


class LayerNormOfChannels(nn.Module):
    """As ConvNeXt has it: the channels of each pixel, behind a permutation and in front of one."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return y


class Tokens(nn.Module):
    """A layer on the pixels as tokens, (1, pixels, channels)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layer(x.flatten(2).transpose(1, 2))
        return y.transpose(1, 2).reshape(x.shape)


class SelfAttention(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(channels, 2, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.attention(x, x, x, need_weights=False)[0]
        return y


class Block(nn.Module):
    """A transformer's block as timm writes it: one matrix for query, key and value, heads, fused attention."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        y = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, c)
        x = x + self.proj(y)
        y = x + self.mlp(self.norm2(x))
        return y


class SqueezeExcite(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x * F.hardsigmoid(self.up(F.relu(self.down(x.mean((2, 3), keepdim=True)))))
        return y


def _normed(layer: nn.Module) -> nn.Module:
    """Give a normalization statistics, a scale and an offset of its own for each channel."""
    generator = torch.Generator().manual_seed(1)
    for tensor in (*layer.parameters(), *layer.buffers()):
        if tensor.is_floating_point():
            tensor.data = torch.rand(tensor.shape, generator=generator) + 0.5
    return layer


def _transposed(shape: Shape, kernel: int, stride: int, padding: int = 0, more: int = 0, norm: bool = False):
    layer = nn.ConvTranspose2d(shape.channels, shape.channels, kernel, stride, padding, more)
    return Between(shape, nn.Sequential(layer, _normed(nn.BatchNorm2d(shape.channels)), nn.ReLU()) if norm else layer)


def _resampled(shape: Shape, mode: str, corners: bool | None, size: tuple[int, int] | None, factor: float | None):
    return Between(shape, partial(F.interpolate, size=size, scale_factor=factor, mode=mode, align_corners=corners))


# By name: the function that builds a network whose layer in question reads a tensor of that shape.
NETWORKS: Mapping[str, Callable[[Shape], nn.Module]] = {
    "gelu": lambda s: Between(s, nn.GELU()),
    "gelu-function": lambda s: Between(s, F.gelu),
    "gelu-tanh": lambda s: Between(s, nn.GELU("tanh")),
    "silu": lambda s: Between(s, nn.SiLU()),
    "prelu": lambda s: Between(s, _normed(nn.PReLU(s.channels))),
    "prelu-one": lambda s: Between(s, nn.PReLU()),
    "leaky-relu": lambda s: Between(s, nn.LeakyReLU(0.1)),
    "hard-swish": lambda s: Between(s, nn.Hardswish()),
    "squeeze-excite": lambda s: Between(s, SqueezeExcite(s.channels)),
    "batch-norm-alone": lambda s: Between(s, _normed(nn.BatchNorm2d(s.channels)), nn.ReLU()),
    "group-norm": lambda s: Between(s, _normed(nn.GroupNorm(4, s.channels))),
    "group-norm-one": lambda s: Between(s, _normed(nn.GroupNorm(1, s.channels))),
    "instance-norm": lambda s: Between(s, nn.InstanceNorm2d(s.channels)),
    "instance-norm-affine": lambda s: Between(s, _normed(nn.InstanceNorm2d(s.channels, affine=True))),
    "layer-norm-channels": lambda s: Between(s, _normed(LayerNormOfChannels(s.channels))),
    "layer-norm-image": lambda s: Between(s, _normed(nn.LayerNorm(list(s)))),
    "layer-norm-tokens": lambda s: Between(s, Tokens(_normed(nn.LayerNorm(s.channels)))),
    "max-pool-relu": lambda s: Between(s, nn.MaxPool2d(3, 2, 1), nn.ReLU()),
    "max-pool": lambda s: Between(s, nn.MaxPool2d(3, 2, 1)),
    "max-pool-function": lambda s: Between(s, partial(F.max_pool2d, kernel_size=3, stride=1, padding=1)),
    "max-pool-ceil": lambda s: Between(s, nn.MaxPool2d(3, 2, ceil_mode=True)),
    "average-pool": lambda s: Between(s, nn.AvgPool2d(3, 2, 1)),
    "adaptive-average": lambda s: Between(s, nn.AdaptiveAvgPool2d(4)),
    "adaptive-average-uneven": lambda s: Between(s, nn.AdaptiveAvgPool2d((5, 7))),
    "adaptive-max": lambda s: Between(s, nn.AdaptiveMaxPool2d(1)),
    "adaptive-max-uneven": lambda s: Between(s, nn.AdaptiveMaxPool2d((3, 5))),
    "pixel-shuffle": lambda s: Between(s, nn.PixelShuffle(2)),
    "pixel-unshuffle": lambda s: Between(s, nn.PixelUnshuffle(2)),
    "transposed-2": lambda s: _transposed(s, 2, 2),
    "transposed-3": lambda s: _transposed(s, 3, 2, 1, 1),
    "transposed-3-norm": lambda s: _transposed(s, 3, 2, 1, 1, norm=True),
    "transposed-3-odd": lambda s: _transposed(s, 3, 2, 1, norm=True),
    "transposed-4": lambda s: _transposed(s, 4, 2, 1),
    "nearest": lambda s: _resampled(s, "nearest", None, None, 2),
    "nearest-size": lambda s: _resampled(s, "nearest", None, (13, 22), None),
    "bilinear": lambda s: _resampled(s, "bilinear", False, None, 2),
    "bilinear-corners": lambda s: _resampled(s, "bilinear", True, None, 2),
    "bilinear-size": lambda s: _resampled(s, "bilinear", False, (13, 22), None),
    "bilinear-corners-size": lambda s: _resampled(s, "bilinear", True, (13, 22), None),
    "attention": lambda s: Between(s, Tokens(SelfAttention(s.channels))),
    "transformer-block": lambda s: Between(s, Tokens(_normed(Block(s.channels)))),
    "softmax-channels": lambda s: Between(s, nn.Softmax(1)),
    "flatten-linear": lambda s: Between(s, nn.Sequential(nn.Flatten(), nn.Linear(s.channels * s.height * s.width, 6))),
    "shuffled-channels": lambda s: Between(s, nn.ChannelShuffle(4)),
    "reflected": lambda s: Between(s, nn.ReflectionPad2d(1)),
}


def build(name: str, shape: Shape, seed: int = 0) -> tuple[nn.Module, Inputs]:
    """Return a network in evaluation mode and its input, random values."""
    torch.manual_seed(seed)
    network = NETWORKS[name](shape).eval()
    return network, (torch.randn(1, 3, shape.height, shape.width),)
