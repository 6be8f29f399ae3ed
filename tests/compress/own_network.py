"""A user's network, unlike the project's: biases, a concatenation, a skip, a strided convolution, two linear layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Own(nn.Module):
    def __init__(self, classes: int, channels: int):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(channels, 16, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(16, 24, 3, padding=1),
            nn.BatchNorm2d(24),
            nn.ReLU(),
        )
        self.pool = nn.MaxPool2d(2, 2)
        self.left = nn.Conv2d(24, 16, 1)
        self.right = nn.Conv2d(24, 16, 3, padding=1)
        self.skip = nn.Conv2d(32, 32, 3, padding=1)
        self.norm = nn.BatchNorm2d(32)
        self.last = nn.Conv2d(32, 32, 1)
        self.hidden = nn.Linear(32, 16)
        self.out = nn.Linear(16, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.features(x))
        x = torch.cat([torch.relu(self.left(x)), torch.relu(self.right(x))], 1)
        x = torch.relu(self.norm(self.skip(x)) + x)
        x = torch.relu(self.last(self.pool(x))).mean((2, 3))
        return self.out(torch.relu(self.hidden(x)))


def build(classes: int, channels: int) -> nn.Module:
    return Own(classes, channels)
