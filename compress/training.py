"""Training a classifier: SGD with a cosine schedule, augmentation in batches, a checkpoint after every epoch."""

from __future__ import annotations

import ctypes
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from compress.checkpoint import load_tensors, save_tensors
from compress.data import DataSet, Split
from compress.metrics import auc
from edge.preprocess import Preprocessing, float_table


@dataclass(frozen=True)
class Augmentation:
    """Random changes of a training image; each is drawn anew for every image and epoch.

    Attributes:
        flip: mirror left and right in half of the images.
        rotate: degrees, uniform in +-rotate.
        zoom: scale factor uniform in 1 +- zoom.
        shift: share of the image's side, uniform in +-shift, each axis.
        contrast: factor uniform in 1 +- contrast, about mid grey.
        brightness: share of the full range, uniform in +-brightness.
    """

    flip: bool = False
    rotate: float = 0.0
    zoom: float = 0.0
    shift: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0


@dataclass(frozen=True)
class Training:
    """One training step of a recipe.

    Attributes:
        epochs: passes over the training images.
        lr: peak learning rate; linear warm-up over the first 5 % of the batches, then half a cosine to zero.
        batch: images in a batch.
        size: side of the square the images are resampled to while training (0: the network's own input size); a
            smaller picture trains several times faster, and a last step at full size makes up for it.
        weight_decay: L2 penalty on convolution and linear weights (not on normalization).
        bn_l1: L1 penalty on the normalizations' gamma ("sparsity training", Liu et al., "Learning Efficient
            Convolutional Networks through Network Slimming", ICCV 2017).
        smoothing: label smoothing.
        balance: weigh classes inversely to their frequency.
        augment: see Augmentation.
        seed: of shuffling and augmentation.
    """

    epochs: int
    lr: float = 0.05
    batch: int = 32
    size: int = 0
    weight_decay: float = 1e-4
    bn_l1: float = 0.0
    smoothing: float = 0.0
    balance: bool = True
    augment: Augmentation = Augmentation()
    seed: int = 1


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def lower_precision(where: torch.device) -> torch.autocast:
    """bfloat16 autocast where the processor multiplies it in hardware; elsewhere it would be slower than float32."""
    fast = where.type == "cuda" or torch.cpu._is_amx_tile_supported()
    return torch.autocast(where.type, torch.bfloat16, enabled=fast)


def keep_freed_memory() -> None:
    """Have the allocator keep what is freed for the next batch, where it is glibc's.

    By default it returns every large tensor to the kernel and gets it back page by page, zeroed: a quarter of the time
    of training a small network on large pictures goes there.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another allocator
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**28)


def to_input(pixels: Tensor, how: Preprocessing) -> Tensor:
    """Return float32 (N, channels, H, W) from uint8 (N, H, W, planes): what the network reads on the device."""
    table = torch.from_numpy(float_table(how)).to(pixels.device)
    planes = pixels.shape[3]
    columns = [table[:, c][pixels[..., min(c, planes - 1)].int()] for c in range(how.channels)]
    return torch.stack(columns, 1).contiguous(memory_format=torch.channels_last)


def augmented(pixels: Tensor, how: Preprocessing, settings: Training) -> Tensor:
    """Return float32 (N, channels, size, size): a batch of uint8 (N, H, W, planes), changed at random and resampled."""
    a, n = settings.augment, len(pixels)
    x = pixels.permute(0, 3, 1, 2).float() / 255
    where = x.device

    def uniform(reach: float) -> Tensor:
        return (torch.rand(n, device=where) * 2 - 1) * reach

    angle, scale = uniform(math.radians(a.rotate)), 1 + uniform(a.zoom)
    mirror = torch.where(torch.rand(n, device=where) < (0.5 if a.flip else 0.0), -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    tall = x.shape[2] / x.shape[3]  # grid coordinates run from -1 to 1 along both sides, whatever their lengths
    rows = [cos * mirror, -sin * tall, uniform(2 * a.shift), sin * mirror / tall, cos, uniform(2 * a.shift)]
    side = (settings.size, settings.size) if settings.size else x.shape[2:]
    if side[0] < x.shape[2]:
        x = F.interpolate(x, size=side, mode="bilinear", antialias=True, align_corners=False)
    grid = F.affine_grid(torch.stack(rows, 1).view(n, 2, 3), [n, x.shape[1], *side], align_corners=False)
    x = F.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    x = (x - 0.5) * (1 + uniform(a.contrast)).view(n, 1, 1, 1) + 0.5 + uniform(a.brightness).view(n, 1, 1, 1)
    x = x.clamp(0, 1).expand(-1, how.channels, -1, -1)
    mean = torch.tensor(how.mean, device=where).view(1, -1, 1, 1)
    std = torch.tensor(how.std, device=where).view(1, -1, 1, 1)
    return ((x - mean) / std).contiguous(memory_format=torch.channels_last)


def logits(network: nn.Module, split: Split, how: Preprocessing, batch: int = 64) -> np.ndarray:
    """Return float32 (N, classes): the network's float32 logits in evaluation mode, on what the device feeds it."""
    where = next(network.parameters()).device
    network.eval()
    rows = []
    with torch.no_grad():
        for start in range(0, len(split), batch):
            x = torch.from_numpy(split.pixels[start : start + batch]).to(where)
            rows.append(network(to_input(x, how)).float().cpu().numpy())
    return np.concatenate(rows)


def train(
    network: nn.Module,
    data: DataSet,
    how: Preprocessing,
    settings: Training,
    checkpoint: Path,
    progress: Callable[[str], None] = lambda text: None,
) -> nn.Module:
    """Train `network` in place and return it.

    After each epoch `checkpoint` is replaced; if it exists, training goes on from it.
    """
    keep_freed_memory()
    where = device()
    network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(network, settings)
    batches = math.ceil(len(data.train) / settings.batch)
    rate = _cosine(settings.epochs * batches)
    done = _resume(network, optimizer, checkpoint, where)
    labels = torch.from_numpy(data.train.labels).to(where)
    weight = _class_weight(data, settings, where)
    for epoch in range(done, settings.epochs):
        torch.manual_seed(settings.seed * 100_003 + epoch)  # a resumed run draws what an unbroken one would
        network.train()
        order = torch.randperm(len(data.train))
        total, begun = 0.0, time.monotonic()
        for number in range(batches):
            chosen = order[number * settings.batch : (number + 1) * settings.batch]
            if len(chosen) < 2 and batches > 1:
                continue  # normalization needs two images; the lone one comes in another epoch
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * rate(epoch * batches + number)
            x = augmented(torch.from_numpy(data.train.pixels[chosen.numpy()]).to(where), how, settings)
            with lower_precision(where):
                y = network(x).float()
            loss = F.cross_entropy(y, labels[chosen.to(where)], weight=weight, label_smoothing=settings.smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if settings.bn_l1:
                _shrink_gamma(network, settings.bn_l1)
            optimizer.step()
            total += float(loss.detach())
            if number % 20 == 19:
                progress(
                    f"epoch {epoch + 1}/{settings.epochs}  batch {number + 1}/{batches}  "
                    f"loss {total / (number + 1):.4f}"
                )
        quality = auc(logits(network, data.val, how), data.val.labels)
        progress(
            f"epoch {epoch + 1}/{settings.epochs}  loss {total / batches:.4f}  validation AUC {quality:.4f}  "
            f"{time.monotonic() - begun:.0f} s\n"
        )
        _save(network, optimizer, epoch + 1, checkpoint)
    return network.cpu()


def _optimizer(network: nn.Module, settings: Training) -> torch.optim.SGD:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    others = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True)


def _cosine(steps: int) -> Callable[[int], float]:
    warm = max(1, steps // 20)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return factor


def _class_weight(data: DataSet, settings: Training, where: torch.device) -> Tensor | None:
    if not settings.balance:
        return None
    counts = np.bincount(data.train.labels, minlength=len(data.labels))
    return torch.tensor(len(data.train) / (len(counts) * np.maximum(counts, 1)), dtype=torch.float32, device=where)


def _shrink_gamma(network: nn.Module, strength: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.weight.grad is not None:
            module.weight.grad.add_(torch.sign(module.weight.detach()), alpha=strength)


def _save(network: nn.Module, optimizer: torch.optim.SGD, epoch: int, path: Path) -> None:
    names = [name for name, _ in network.named_parameters()]
    parameters = dict(zip(names, network.parameters(), strict=True))
    momentum = {
        name: optimizer.state[p].get("momentum_buffer") for name, p in parameters.items() if p in optimizer.state
    }
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    tensors |= {f"momentum.{name}": value for name, value in momentum.items() if value is not None}
    save_tensors(path, tensors | {"epoch": torch.tensor(epoch)})


def _resume(network: nn.Module, optimizer: torch.optim.SGD, path: Path, where: torch.device) -> int:
    if not path.exists():
        return 0
    tensors = load_tensors(path)
    network.load_state_dict({key[8:]: value for key, value in tensors.items() if key.startswith("network.")})
    for name, parameter in network.named_parameters():
        if f"momentum.{name}" in tensors:
            optimizer.state[parameter]["momentum_buffer"] = tensors[f"momentum.{name}"].to(where)
    return int(tensors["epoch"])
