"""A U-Net, written so that full-integer TFLite keeps it whole.

Ronneberger et al., "U-Net: Convolutional Networks for Biomedical Image Segmentation" (MICCAI 2015): a contracting path,
an expanding path, and at each resolution a concatenation of the two. What differs from the paper, and why:

* Normalization behind each convolution, padding that keeps the size: from scratch on hundreds of images, not thousands.
* Bilinear upsampling, not transposed convolutions: in int8 those are slower and leave a chequered pattern.
* A stem with stride 2: the same levels begun at full size would take four times the MACs; the logits come at half the
  input's side and are interpolated after the network.
* The widths stop growing at the lowest level, which sees 8x8 places of a 256x256 image.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compress.networks.resnet import same_conv


def conv_norm_relu(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, its normalization and ReLU."""
    return nn.Sequential(
        OrderedDict(
            conv=same_conv(inputs, outputs, 3, stride), norm=nn.BatchNorm2d(outputs), relu=nn.ReLU(inplace=True)
        )
    )


def two(inputs: int, outputs: int) -> nn.Sequential:
    """The pair of convolutions at each level."""
    return nn.Sequential(OrderedDict(first=conv_norm_relu(inputs, outputs), second=conv_norm_relu(outputs, outputs)))


class UNet(nn.Module):
    """Maps (N, channels, H, W) to logits (N, classes, H/2, W/2); H and W are multiples of 2 ** len(widths).

    Args:
        widths: channels of the levels, from H/2 x W/2 down.
    """

    def __init__(self, widths: Sequence[int], classes: int, channels: int):
        super().__init__()
        self.stem = conv_norm_relu(channels, widths[0], stride=2)
        self.down = nn.ModuleList(
            two(inputs, outputs) for inputs, outputs in zip([widths[0], *widths], widths, strict=False)
        )
        self.pool = nn.MaxPool2d(2, 2)
        self.up = nn.ModuleList(
            two(below + outputs, outputs) for below, outputs in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.head = nn.Conv2d(widths[0], classes, 1)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        nn.init.normal_(self.head.weight, std=0.01)
        assert self.head.bias is not None
        nn.init.zeros_(self.head.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        skips = []
        for level, block in enumerate(self.down):
            x = block(self.pool(x) if level else x)
            skips.append(x)
        skips.pop()
        for block in self.up:
            x = F.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = block(torch.cat([x, skips.pop()], 1))
        return self.head(x)


def unet(classes: int, channels: int = 3) -> UNet:
    """The U-Net to compress: 4.9 M parameters, 3.3 G MACs at 256x256, logits at 128x128."""
    return UNet((32, 64, 128, 256, 256), classes, channels)


def unet_mini(classes: int, channels: int = 3) -> UNet:
    """A U-Net small enough to train while one waits."""
    return UNet((16, 32, 32), classes, channels)
