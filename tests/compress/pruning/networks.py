"""Small networks with everything that couples channels: concatenations, additions, depthwise convolutions."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compress.networks.resnet import resnet_mini
from tests.compress.own_network import Own

SHAPE = (3, 32, 32)


def conv_norm_relu(inputs: int, outputs: int, kernel: int = 3) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)
    )


class UNet(nn.Module):
    """Two levels, skips by concatenation, bilinear upsampling; with `image`, the input is concatenated too."""

    def __init__(self, picture: bool = False):
        super().__init__()
        self.picture = picture
        self.down1 = nn.Sequential(conv_norm_relu(3, 16), conv_norm_relu(16, 24))
        self.down2 = nn.Sequential(conv_norm_relu(24, 32), conv_norm_relu(32, 32))
        self.bottom = nn.Sequential(conv_norm_relu(32, 48), conv_norm_relu(48, 48))
        self.up2 = nn.Sequential(conv_norm_relu(80, 32), conv_norm_relu(32, 32))
        self.up1 = nn.Sequential(conv_norm_relu(56 + 3 * picture, 24), conv_norm_relu(24, 16))
        self.head = nn.Conv2d(16, 1, 1)
        self.pool = nn.MaxPool2d(2, 2)

    def forward(self, x: Tensor) -> Tensor:
        first = self.down1(x)
        second = self.down2(self.pool(first))
        y = self.bottom(self.pool(second))
        y = self.up2(torch.cat([second, F.interpolate(y, scale_factor=2.0, mode="bilinear")], 1))
        y = [first, F.interpolate(y, scale_factor=2.0, mode="bilinear")] + [x] * self.picture
        return self.head(self.up1(torch.cat(y, 1)))


class Residual(nn.Module):
    """Two convolutions whose outputs are added, then a bare one, then a linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.stem_norm = nn.Conv2d(3, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.inner, self.inner_norm = nn.Conv2d(16, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16)
        self.last = nn.Conv2d(16, 24, 3, stride=2)
        self.fc = nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_norm(self.stem(x)))
        x = F.relu(x + self.inner_norm(self.inner(x)), inplace=True)
        return self.fc(F.relu(self.last(x), inplace=True).mean((2, 3)))


class Mixed(nn.Module):
    """Depthwise and grouped convolutions, a transposed one, a shared slope, a flattening, an addition to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.expand = conv_norm_relu(3, 24, 1)
        self.depthwise = nn.Sequential(nn.Conv2d(24, 24, 3, padding=1, groups=24), nn.BatchNorm2d(24), nn.PReLU(24))
        self.project = nn.Conv2d(24, 3, 1)
        self.shared = nn.PReLU()
        self.wide = nn.Conv2d(3, 20, 3, stride=4, padding=1)
        self.before, self.groups = nn.Conv2d(20, 16, 1), nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.larger = nn.ConvTranspose2d(16, 16, 2, stride=2)
        self.narrow = nn.Conv2d(16, 12, 3, stride=4, padding=1)
        self.fc = nn.Linear(12 * 4 * 4, 2)

    def forward(self, x: Tensor) -> Tensor:
        x = self.shared(x + self.project(self.depthwise(self.expand(x))))
        x = self.larger(self.groups(self.before(torch.relu(self.wide(x)))))
        return self.fc(torch.flatten(torch.relu(self.narrow(x)), 1))


NETWORKS = {
    "resnet": lambda: resnet_mini(2),
    "unet": UNet,
    "unet with the image": lambda: UNet(picture=True),
    "residual": Residual,
    "own": lambda: Own(2, 3),
    "mixed": Mixed,
}


def build(name: str, seed: int = 3) -> nn.Module:
    """Return a network whose normalizations have the statistics and scales of one that has been trained."""
    torch.manual_seed(seed)
    network = NETWORKS[name]()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.bias.data, module.running_mean):
                tensor.copy_(torch.randn(tensor.shape))
            module.running_var.copy_(torch.rand(module.running_var.shape) + 0.5)
    return network.eval()
