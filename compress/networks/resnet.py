"""Residual networks, written so that full-integer TFLite keeps them whole.

The layers and their counts are those of He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), with the
stride on the 3x3 convolution. Two things differ from the usual code, for the converter's sake:

* A strided convolution pads like TensorFlow's SAME (more at the bottom and right for an even input), so that the
  padding folds into the convolution; symmetric padding would stay as a PAD operator in front of every one.
* The stem pools 2x2 without padding; the usual padded 3x3 pooling becomes a padding with -infinity, whose quantization
  step leaves nothing of the image.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

PLANES = (64, 128, 256, 512)  # of the stages
EXPANSION = 4  # of a bottleneck: its outputs for each of its channels


def same_conv(inputs: int, outputs: int, kernel: int, stride: int = 1) -> nn.Sequential | nn.Conv2d:
    """A convolution without bias that pads like TensorFlow's SAME on inputs whose size the stride divides."""
    if stride == 1:
        return nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
    if kernel <= stride:
        return nn.Conv2d(inputs, outputs, kernel, stride=stride, bias=False)
    total = kernel - stride
    before, after = total // 2, total - total // 2
    return nn.Sequential(
        OrderedDict(
            pad=nn.ZeroPad2d((before, after, before, after)),
            conv=nn.Conv2d(inputs, outputs, kernel, stride=stride, bias=False),
        )
    )


def projection(inputs: int, outputs: int, stride: int) -> nn.Module:
    """The shortcut: x itself, or a 1x1 convolution with its normalization where the block changes x's shape."""
    if stride == 1 and inputs == outputs:
        return nn.Identity()
    return nn.Sequential(
        OrderedDict(conv=nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), bn=nn.BatchNorm2d(outputs))
    )


class BasicBlock(nn.Module):
    """Two 3x3 convolutions, each followed by its normalization, around a shortcut."""

    expansion = 1

    def __init__(self, inputs: int, planes: int, stride: int):
        super().__init__()
        self.conv1 = same_conv(inputs, planes, 3, stride)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = same_conv(planes, planes, 3)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu2 = nn.ReLU(inplace=True)
        self.shortcut = projection(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        return self.relu2(self.bn2(self.conv2(y)) + self.shortcut(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions, each followed by its normalization, around a shortcut."""

    expansion = EXPANSION

    def __init__(self, inputs: int, planes: int, stride: int):
        super().__init__()
        outputs = planes * EXPANSION
        self.conv1 = nn.Conv2d(inputs, planes, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = same_conv(planes, planes, 3, stride)
        self.bn2 = nn.BatchNorm2d(planes)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(planes, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.relu3 = nn.ReLU(inplace=True)
        self.shortcut = projection(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu1(self.bn1(self.conv1(x)))
        y = self.relu2(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return self.relu3(y + self.shortcut(x))


class ResNet(nn.Module):
    """A residual network that maps (N, channels, H, W) to logits (N, classes)."""

    def __init__(
        self,
        blocks: Sequence[int],
        planes: Sequence[int],
        stem: int,
        classes: int,
        channels: int,
        block: type[BasicBlock | Bottleneck] = Bottleneck,
    ):
        super().__init__()
        self.stem = nn.Sequential(
            OrderedDict(
                conv=same_conv(channels, stem, 7, 2),
                bn=nn.BatchNorm2d(stem),
                relu=nn.ReLU(inplace=True),
                pool=nn.MaxPool2d(2, 2),
            )
        )
        inputs = stem
        for stage, (count, width) in enumerate(zip(blocks, planes, strict=True), start=1):
            rows = []
            for number in range(count):
                rows.append(block(inputs, width, stride=2 if stage > 1 and number == 0 else 1))
                inputs = width * block.expansion
            self.add_module(f"stage{stage}", nn.Sequential(*rows))
        self.stages = len(blocks)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(inputs, classes)
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in range(1, self.stages + 1):
            x = getattr(self, f"stage{stage}")(x)
        return self.fc(torch.flatten(self.pool(x), 1))


def initialize(network: nn.Module) -> None:
    """He initialization; each block starts as its shortcut (last gamma zero), which trains better from scratch."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        if isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)
        if isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


def resnet18(classes: int, channels: int = 3) -> ResNet:
    """ResNet-18: 11.178 M parameters with two classes, 1.814 G MACs at 224x224."""
    return ResNet((2, 2, 2, 2), PLANES, stem=64, classes=classes, channels=channels, block=BasicBlock)


def resnet34(classes: int, channels: int = 3) -> ResNet:
    """ResNet-34: 21.286 M parameters with two classes, 3.663 G MACs at 224x224."""
    return ResNet((3, 4, 6, 3), PLANES, stem=64, classes=classes, channels=channels, block=BasicBlock)


def resnet50(classes: int, channels: int = 3) -> ResNet:
    """ResNet-50: 23.512 M parameters with two classes, 4.087 G MACs at 224x224."""
    return ResNet((3, 4, 6, 3), PLANES, stem=64, classes=classes, channels=channels)


def resnet101(classes: int, channels: int = 3) -> ResNet:
    """ResNet-101: 42.504 M parameters with two classes, 7.799 G MACs at 224x224."""
    return ResNet((3, 4, 23, 3), PLANES, stem=64, classes=classes, channels=channels)


def resnet_mini(classes: int, channels: int = 3) -> ResNet:
    """A ResNet small enough to train while one waits: one block in each of three stages, 16, 32 and 64 channels."""
    return ResNet((1, 1, 1), (16, 32, 64), stem=16, classes=classes, channels=channels)
