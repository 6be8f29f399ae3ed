"""Networks that conversion is measured with: what people have (timm, MONAI), and small ones that are difficult.

All have random weights with normalizations that have seen images, so that no statistics are 0 and 1.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.papers import build

SEED = 0
_SIDE = 64  # pixels, unless said


class Network(NamedTuple):
    """A network that is built when it is asked for.

    Attributes:
        build: returns it. shape: of its input, (channels, height, width).
        package: that it comes from, "" for this module.
    """

    build: Callable[[], nn.Module]
    shape: tuple[int, int, int]
    package: str = ""


def built(name: str, count: int = 8) -> tuple[nn.Module, Tensor]:
    """Return a network in evaluation mode, and so many images of noise: normal, (count, channels, height, width)."""
    network = NETWORKS[name]
    if network.package == "timm":
        _let_timm_import()
    torch.manual_seed(SEED)
    made = network.build()
    images = torch.randn(count, *network.shape)
    with torch.no_grad():
        made.train()(images[:8])
    return made.eval(), images


def is_installed(name: str) -> bool:
    """Return whether the package of a network is here."""
    package = NETWORKS[name].package
    return not package or importlib.util.find_spec(package) is not None


def _let_timm_import() -> None:
    """Declare what torchvision's CUDA build, which timm imports, expects of a PyTorch built for CPUs."""
    try:
        torch.ops.torchvision.nms  # noqa: B018
    except AttributeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _kept.append(library)


_kept: list[Any] = []  # a library's operators go with it


def _timm(name: str, **options: Any) -> Network:
    def build() -> nn.Module:
        made: nn.Module = importlib.import_module("timm").create_model(name, num_classes=10, **options)
        return made

    return Network(build, (3, _SIDE, _SIDE), "timm")


def _monai(name: str, **options: Any) -> Network:
    def build() -> nn.Module:
        network = getattr(importlib.import_module("monai.networks.nets"), name)
        made: nn.Module = network(spatial_dims=2, in_channels=1, out_channels=2, **options)
        return made

    return Network(build, (1, _SIDE, _SIDE), "monai")


class _Residual(nn.Module):
    def __init__(self, channels: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(channels, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out))
        self.second = nn.Sequential(nn.Conv2d(out, out, 3, 1, 1, bias=False), nn.BatchNorm2d(out))
        self.short = (
            nn.Identity() if (channels, stride) == (out, 1) else nn.Conv2d(channels, out, 1, stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.second(torch.relu(self.first(x))) + self.short(x))


def _resnet32() -> nn.Module:
    """He et al. 2016 (arXiv 1512.03385), section 4.2, for 10 classes."""
    layers: list[nn.Module] = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    channels = 16
    for out in (16, 32, 64):
        for number in range(5):
            layers.append(_Residual(channels, out, 2 if number == 0 and out > 16 else 1))
            channels = out
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class _Attention(nn.Module):
    """A convolution's pixels as tokens, attention over them, and a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.attention = nn.MultiheadAttention(32, 4, batch_first=True)
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.norm(x + self.attention(x, x, x, need_weights=False)[0])
        return self.head(x.mean(1))


class _Tokens(nn.Module):
    """LayerNorm and GELU over channels, as transformers have them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.mlp = nn.Sequential(nn.LayerNorm(32), nn.Linear(32, 64), nn.GELU(), nn.Linear(64, 32))
        self.head = nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        return self.head((x + self.mlp(x)).mean(1))


class _Resampled(nn.Module):
    """Twice the size between two convolutions."""

    def __init__(self, mode: str, align_corners: bool | None) -> None:
        super().__init__()
        self.mode, self.align_corners = mode, align_corners
        self.down, self.up = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(16, 4, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.down(x))
        return self.up(functional.interpolate(x, scale_factor=2, mode=self.mode, align_corners=self.align_corners))


def _transposed(padding: int) -> nn.Module:
    """Transposed convolution, normalization and ReLU; channels = height = width on the way, which confuses onnx2tf."""
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 4, 1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 16, 3, 2, 1, padding),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 4, 1),
    )


def _classifier(*layers: nn.Module) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), *layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def _small(build: Callable[[], nn.Module], side: int = _SIDE) -> Network:
    return Network(build, (3, side, side))


_BATCH = {"act": "RELU", "norm": "BATCH"}
_UNET: dict[str, Any] = {"channels": (16, 32, 64), "strides": (2, 2)}

NETWORKS: Mapping[str, Network] = {
    "pruned ResNet-50": Network(lambda: build.network("cpgresnet50")[0], (3, 224, 224)),
    "timm resnet18": _timm("resnet18"),
    "timm mobilenetv3_large_100": _timm("mobilenetv3_large_100"),
    "timm efficientnet_lite0": _timm("efficientnet_lite0"),
    "timm convnext_atto": _timm("convnext_atto"),
    "timm vit_tiny_patch16_224": _timm("vit_tiny_patch16_224", img_size=_SIDE),
    "MONAI UNet": _monai("UNet", **_UNET, num_res_units=2),
    "MONAI UNet, batch + ReLU": _monai("UNet", **_UNET, num_res_units=2, **_BATCH),
    "MONAI BasicUNet": _monai("BasicUNet", features=(16, 16, 32, 64, 128, 16)),
    "MONAI AttentionUnet": _monai("AttentionUnet", **_UNET),
    "MONAI SegResNet": _monai("SegResNet", init_filters=16),
    "ResNet-32": _small(_resnet32, 48),
    "GroupNorm": _small(lambda: _classifier(nn.GroupNorm(4, 32), nn.ReLU(), nn.Conv2d(32, 32, 3, 1, 1))),
    "InstanceNorm + PReLU": _small(
        lambda: _classifier(nn.InstanceNorm2d(32, affine=True), nn.PReLU(32), nn.Conv2d(32, 32, 3, 1, 1))
    ),
    "LayerNorm + GELU": _small(_Tokens),
    "padded max pooling": _small(
        lambda: _classifier(nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(32, 32, 3, 1, 1))
    ),
    "padded max pooling, no ReLU": _small(lambda: _classifier(nn.MaxPool2d(3, 2, 1), nn.Conv2d(32, 32, 3, 1, 1))),
    "transposed convolution": _small(lambda: _transposed(0)),
    "transposed convolution, output padding": _small(lambda: _transposed(1)),
    "PixelShuffle": _small(
        lambda: nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.PixelShuffle(2), nn.Conv2d(4, 4, 3, 1, 1))
    ),
    "bilinear": _small(lambda: _Resampled("bilinear", False)),
    "bilinear, corners aligned": _small(lambda: _Resampled("bilinear", True)),
    "nearest": _small(lambda: _Resampled("nearest", None)),
    "attention": _small(_Attention),
    "hard-swish": _small(lambda: _classifier(nn.Hardswish(), nn.Conv2d(32, 32, 3, 1, 1), nn.Hardsigmoid())),
    "adaptive pooling": _small(
        lambda: nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(512, 10)
        )
    ),
}
