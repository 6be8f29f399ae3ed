"""Residual networks of users: blocks written in all the ways there are, projections, a stage of one block."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHAPE = (3, 16, 16)


def branch(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
        nn.Conv2d(outputs, outputs, 3, padding=1),
        nn.BatchNorm2d(outputs),
    )


class InPlace(nn.Module):
    """As the usual code writes it: `out += identity`, a `downsample` that may be None, functional activations."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.downsample = None
        if stride > 1 or inputs != outputs:
            self.downsample = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        identity = x
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        if self.downsample is not None:
            identity = self.downsample(x)
        out += identity
        return F.relu(out)


class OneLine(nn.Module):
    """The shortcut first, the branch a module of its own, with a dropout at its end."""

    def __init__(self, channels: int):
        super().__init__()
        self.body, self.drop = branch(channels, channels), nn.Dropout2d(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(x, self.drop(self.body(x)))


class Shared(nn.Module):
    """Pre-activation as many write it: the projection reads the activated input, which the branch reads too."""

    def __init__(self, inputs: int, outputs: int, stride: int):
        super().__init__()
        self.norm, self.act = nn.BatchNorm2d(inputs), nn.ReLU()
        self.first = nn.Conv2d(inputs, outputs, 3, stride, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.project = nn.Conv2d(inputs, outputs, 1, stride)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.norm(x))
        return self.second(F.relu(self.first(y))) + self.project(y)


class User(nn.Module):
    """A residual network that is not the project's: three stages, the last one of a single block."""

    def __init__(self, classes: int = 4, channels: int = 3):
        super().__init__()
        self.begin = nn.Sequential(nn.Conv2d(channels, 16, 3, padding=1), nn.ReLU())
        self.one = nn.Sequential(InPlace(16, 16), InPlace(16, 16))
        self.two = nn.ModuleList([InPlace(16, 24, 2), OneLine(24), OneLine(24)])
        self.three = Shared(24, 32, 2)
        self.end = nn.Linear(32, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.one(self.begin(x))
        for block in self.two:
            x = block(x)
        return self.end(self.three(x).mean((2, 3)))


BLOCKS = ["one.0", "one.1", "two.0", "two.1", "two.2", "three"]


def user(seed: int = 3) -> User:
    """Return one whose normalizations have the statistics and scales of a trained one."""
    torch.manual_seed(seed)
    network = User()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape))
            module.running_var.copy_(torch.rand(module.running_var.shape) + 0.5)
    return network.eval()


def build(classes: int, channels: int) -> nn.Module:
    return User(classes, channels)
