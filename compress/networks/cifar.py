"""The two networks of depth 56 that pruning papers call ResNet-56, for images of 32x32.

`resnet56` is the one of He et al., "Deep Residual Learning for Image Recognition" (CVPR 2016), section 4.2: basic
blocks, 0.85 M parameters. Its layers have the names of the public PyTorch implementations, so that weights trained
there can be loaded. `bottleneck56` is the one of Huang and Wang, "Multi-granularity Pruning for Deep Residual Networks"
(J. Intell. Fuzzy Syst. 2020): bottlenecks with pre-activation, He et al., "Identity Mappings in Deep Residual Networks"
(ECCV 2016), 0.59 M parameters.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from compress.networks.resnet import EXPANSION, BasicBlock, same_conv

STAGE_CHANNELS = (16, 32, 64)


class PaddedBlock(BasicBlock):
    """A basic block as the public implementations have it: symmetrical padding, a shortcut without parameters."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__(inputs, channels, stride)
        self.conv1 = nn.Conv2d(inputs, channels, 3, stride=stride, padding=1, bias=False)
        if inputs != channels:
            self.shortcut = PaddingShortcut(inputs, channels, stride)


class PaddingShortcut(nn.Conv2d):
    """The shortcut without parameters (option A: every second pixel, zeros for the channels that x has not), prunable.

    A 1x1 convolution that begins as exactly that: output c is input c - (outputs - inputs) / 2. Weights that were
    trained with the shortcut without parameters have none for it and get these.
    """

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__(inputs, outputs, 1, stride=stride, bias=False)

    def reset_parameters(self) -> None:
        before = (self.out_channels - self.in_channels) // 2
        with torch.no_grad():
            self.weight.zero_()
            self.weight[before : before + self.in_channels, :, 0, 0] = torch.eye(self.in_channels)

    def _load_from_state_dict(self, state_dict: Mapping[str, Tensor], prefix: str, *rest: object) -> None:
        if f"{prefix}weight" not in state_dict:
            self.reset_parameters()
            state_dict = {**state_dict, f"{prefix}weight": self.weight.detach()}
        super()._load_from_state_dict(state_dict, prefix, *rest)


class BasicResNet(nn.Module):
    """Maps (N, channels, 32, 32) to logits (N, classes): three stages of `blocks` basic blocks, 6 blocks + 2 layers."""

    def __init__(self, blocks: int, classes: int, channels: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, STAGE_CHANNELS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STAGE_CHANNELS[0])
        self.relu = nn.ReLU(inplace=True)
        inputs = STAGE_CHANNELS[0]
        for stage, width in enumerate(STAGE_CHANNELS, start=1):
            rows = []
            for block in range(blocks):
                rows.append(PaddedBlock(inputs, width, stride=2 if stage > 1 and block == 0 else 1))
                inputs = width
            self.add_module(f"layer{stage}", nn.Sequential(*rows))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.linear = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and not isinstance(module, PaddingShortcut):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        for stage in range(1, len(STAGE_CHANNELS) + 1):
            x = getattr(self, f"layer{stage}")(x)
        return self.linear(torch.flatten(self.pool(x), 1))


class PreActivationBottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions, each behind its normalization, around a shortcut that has none."""

    def __init__(self, inputs: int, channels: int, stride: int):
        super().__init__()
        outputs = channels * EXPANSION
        self.bn1 = nn.BatchNorm2d(inputs)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(inputs, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = same_conv(channels, channels, 3, stride)
        self.bn3 = nn.BatchNorm2d(channels)
        self.relu3 = nn.ReLU(inplace=True)
        self.conv3 = nn.Conv2d(channels, outputs, 1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(self.relu1(self.bn1(x)))
        y = self.conv2(self.relu2(self.bn2(y)))
        y = self.conv3(self.relu3(self.bn3(y)))
        return y + self.shortcut(x)


class PreActivationResNet(nn.Module):
    """Maps (N, channels, 32, 32) to logits (N, classes): three stages of `blocks` bottlenecks, 9 blocks + 2 layers."""

    def __init__(self, blocks: int, classes: int, channels: int):
        super().__init__()
        self.stem = nn.Conv2d(channels, STAGE_CHANNELS[0], 3, padding=1, bias=False)
        inputs = STAGE_CHANNELS[0]
        for stage, width in enumerate(STAGE_CHANNELS, start=1):
            rows = []
            for block in range(blocks):
                rows.append(PreActivationBottleneck(inputs, width, stride=2 if stage > 1 and block == 0 else 1))
                inputs = width * EXPANSION
            self.add_module(f"stage{stage}", nn.Sequential(*rows))
        self.head = nn.Sequential(
            OrderedDict(bn=nn.BatchNorm2d(inputs), relu=nn.ReLU(inplace=True), pool=nn.AdaptiveAvgPool2d(1))
        )
        self.fc = nn.Linear(inputs, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.constant_(module.weight, 0.5)  # as in the paper's code

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        for stage in range(1, len(STAGE_CHANNELS) + 1):
            x = getattr(self, f"stage{stage}")(x)
        return self.fc(torch.flatten(self.head(x), 1))


def resnet56(classes: int, channels: int = 3) -> BasicResNet:
    """ResNet-56 with basic blocks: 0.856 M parameters with ten classes, 125.7 M MACs at 32x32."""
    return BasicResNet(9, classes, channels)


def bottleneck56(classes: int, channels: int = 3) -> PreActivationResNet:
    """ResNet-56 with pre-activation bottlenecks: 0.590 M parameters with ten classes, 87.2 M MACs at 32x32."""
    return PreActivationResNet(6, classes, channels)
