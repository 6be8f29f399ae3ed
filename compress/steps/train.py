"""Training: a cosine schedule, augmentation in batches, a checkpoint after every epoch."""

from __future__ import annotations

import copy
import ctypes
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn

from compress.data.split import DataSet, Split
from compress.state.checkpoint import load_tensors, save_tensors
from compress.steps.augmentation import Augmentation, augmented, to_input
from compress.steps.distillation import Distillation
from compress.steps.registry import register
from compress.steps.step import Context, Fault, Rehearsal, Step
from edge.errors import EdgeError
from edge.preprocess import Preprocessing

OPTIMIZERS = ("sgd", "adamw")


@dataclass(frozen=True)
class TrainingSettings(Step):
    """Settings that every step has which trains.

    Attributes:
        epochs: passes over the training images.
        lr: peak learning rate; linear warm-up over the first 5 % of the batches, then half a cosine to zero.
        batch: images in a batch.
        size: side of the square the images are resampled to while training (0: the network's own input size); a
            smaller image trains several times faster, and a last step at full size makes up for it.
        weight_decay: L2 penalty on convolution and linear weights (not on normalization); with "adamw" the decay that
            Loshchilov & Hutter, "Decoupled Weight Decay Regularization" (ICLR 2019), put in its place.
        bn_l1: L1 penalty on the normalizations' gamma ("sparsity training", Liu et al., "Learning Efficient
            Convolutional Networks through Network Slimming", ICCV 2017).
        smoothing: label smoothing (classification).
        balance: weigh classes inversely to their frequency (classification).
        augment: see Augmentation.
        distill: see Distillation.
        seed: of shuffling and augmentation.
        optimizer: "sgd" (Nesterov momentum 0.9) or "adamw".
        compiled: let PyTorch compile the network for the processor: normalizations, rectifiers and additions become one
            pass over memory, which is most of the time of small images. Needs a C++ compiler, and a minute at the
            beginning; every batch then has the same size, so that a few images wait for another epoch.
    """

    epochs: int
    lr: float = 0.05
    batch: int = 32
    size: int = 0
    weight_decay: float = 1e-4
    bn_l1: float = 0.0
    smoothing: float = 0.0
    balance: bool = True
    augment: Augmentation = field(default_factory=Augmentation)
    seed: int = 1
    optimizer: str = "sgd"
    compiled: bool = False
    distill: Distillation = field(default_factory=Distillation)

    @property
    def trained(self) -> str:
        """The training, for a ledger."""
        size = f" at {self.size}x{self.size}" if self.size else ""
        return f"{self.epochs} epochs{size}{self.taught}"

    @property
    def taught(self) -> str:
        """Whether there is a teacher, for a ledger."""
        return ", distilled" if self.is_taught else ""

    @property
    def is_taught(self) -> bool:
        """Whether the teacher has a share in the loss."""
        return self.distill.share > 0

    @property
    def sides(self) -> tuple[int, ...]:
        """The side that images are resampled to."""
        return (self.size,) if self.size else ()

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield what is out of range, and a teacher that is not there or reads another input."""
        for name, least in (("epochs", 1), ("batch", 2), ("weight_decay", 0), ("bn_l1", 0)):
            if getattr(self, name) < least:
                yield name, getattr(self, name), f"{least} or more"
        if self.lr <= 0:
            yield "lr", self.lr, "a number above 0"
        if not 0 <= self.seed < 2**32:
            yield "seed", self.seed, "0 to 4294967295"
        if not 0 <= self.smoothing < 1:
            yield "smoothing", self.smoothing, "0 to below 1"
        if self.optimizer not in OPTIMIZERS:
            yield "optimizer", self.optimizer, f"one of {', '.join(OPTIMIZERS)}"
        side = min(spec.height, spec.width)
        if not 0 <= self.size <= side:
            yield "size", self.size, "0, or a side not larger than the network's input"
        for name, found, expected in self.augment.faults():
            yield f"augment.{name}", found, expected
        if not 0 <= self.augment.crop < side:
            yield "augment.crop", self.augment.crop, "pixels, fewer than the network's input has"
        for name, found, expected in self.distill.faults():
            yield f"distill.{name}", found, expected
        if self.is_taught and not any(step.compresses for step in (*earlier, self)):
            yield "distill.share", self.distill.share, "0 where no earlier step makes the network smaller"
        for step in earlier:
            if self.is_taught and step.input_after(spec) != spec:
                yield "distill.share", self.distill.share, f"0 after {step.kind}: the teacher reads another input"


@register
@dataclass(frozen=True)
class Training(TrainingSettings):
    """The step `train`."""

    kind: ClassVar[str] = "train"
    compresses: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        """How long it trains."""
        return self.trained

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Training leaves layers as they are."""
        return network

    def apply(self, context: Context) -> nn.Module:
        """Train."""
        return train(
            context.network,
            context.data,
            context.spec,
            self,
            context.epochs,
            context.progress,
            teacher=context.teacher,
        )


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
    of training a small network on large images goes there.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return  # another allocator
    trim_threshold, top_pad, mmap_threshold = -1, -2, -3  # malloc.h
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(top_pad, 2**28)


def logits(network: nn.Module, split: Split, spec: Preprocessing, batch: int = 64) -> np.ndarray:
    """Return the network's float32 logits in evaluation mode, on what the device feeds it.

    (N, classes); those of a network that answers with maps are (N, height, width, classes).
    """
    where = next(network.parameters()).device
    network.eval()
    rows = []
    with torch.no_grad():
        for start in range(0, len(split), batch):
            x = torch.from_numpy(split.pixels[start : start + batch]).to(where)
            y = network(to_input(x, spec)).float()
            rows.append((y.permute(0, 2, 3, 1) if y.ndim == 4 else y).cpu().numpy())
    return np.concatenate(rows)


def train(
    network: nn.Module,
    data: DataSet,
    spec: Preprocessing,
    settings: TrainingSettings,
    checkpoint: Path,
    progress: Callable[[str], None] = lambda text: None,
    rates: Mapping[nn.Parameter, float] | None = None,
    after_epoch: Callable[[], None] = lambda: None,
    teacher: nn.Module | None = None,
) -> nn.Module:
    """Train `network` in place and return it.

    After each epoch `checkpoint` is replaced; if it exists, training goes on from it.

    Args:
        rates: peak learning rates of the parameters that don't have `settings.lr`; they do not decay.
        after_epoch: called after each epoch, before the network is evaluated and saved.
        teacher: of `settings.distill`; it reads what `network` reads, and is not changed.

    Raises EdgeError where the loss or the network's outputs are no finite numbers any more, and where a teacher is
    missing.
    """
    keep_freed_memory()
    where = device()
    network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = _optimizer(network, settings, rates or {})
    lessons = _Lessons(network, data, spec, settings, optimizer, teacher)
    done, spent = _resume(network, optimizer, checkpoint, where)
    started = time.monotonic() - spent
    for epoch in range(done, settings.epochs):
        begun = time.monotonic()
        loss = lessons.epoch(epoch, progress)
        after_epoch()
        outputs = logits(network, data.val, spec)
        if not (math.isfinite(loss) and np.isfinite(outputs).all()):
            raise EdgeError(
                f"the loss or the network's output is NaN or infinite in epoch {epoch + 1} (training diverged): "
                f"expected finite numbers; reduce lr (now {settings.lr:g})"
            )
        quality = data.task.evaluate(outputs, data)
        progress(
            f"epoch {epoch + 1}/{settings.epochs}  loss {loss:.4f}  "
            f"validation {data.task.metric(data)} {quality:.4f}  {time.monotonic() - begun:.0f} s\n"
        )
        _save(network, optimizer, epoch + 1, time.monotonic() - started, checkpoint)
    return network.cpu()


class _Lessons:
    """A training's epochs: batches in a random order, the loss of each, a step of the optimizer."""

    def __init__(
        self,
        network: nn.Module,
        data: DataSet,
        spec: Preprocessing,
        settings: TrainingSettings,
        optimizer: torch.optim.Optimizer,
        teacher: nn.Module | None,
    ):
        self.network, self.data, self.spec, self.settings, self.optimizer = network, data, spec, settings, optimizer
        self.where = device()
        self.batches = math.ceil(len(data.train) / settings.batch)
        self.run: Callable[[Tensor], Tensor] = network
        if settings.compiled:
            self.batches, self.run = max(1, len(data.train) // settings.batch), _compiled(network)
        self.teach = _teacher(teacher, settings, self.where) if settings.distill.share else None
        self.rate = _cosine(settings.epochs * self.batches)
        self.truth = torch.from_numpy(data.train.truth)
        self.weight = _class_weight(data, settings, self.where)

    def epoch(self, epoch: int, progress: Callable[[str], None]) -> float:
        """Train on every image once; return the batches' mean loss."""
        settings, total = self.settings, 0.0
        torch.manual_seed(settings.seed * 100_003 + epoch)  # a resumed run draws what an unbroken one would
        self.network.train()
        order = torch.randperm(len(self.data.train))
        for number in range(self.batches):
            chosen = order[number * settings.batch : (number + 1) * settings.batch]
            if len(chosen) < 2 and self.batches > 1:
                continue  # normalization needs two images; the lone one comes in another epoch
            for group in self.optimizer.param_groups:
                group["lr"] = group["peak"] * self.rate(epoch * self.batches + number)
            loss = self._loss(chosen)
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            if settings.bn_l1:
                _shrink_gamma(self.network, settings.bn_l1)
            self.optimizer.step()
            total += float(loss.detach())
            if number % 20 == 19:
                progress(
                    f"epoch {epoch + 1}/{settings.epochs}  batch {number + 1}/{self.batches}  "
                    f"loss {total / (number + 1):.4f}"
                )
        return total / self.batches

    def _loss(self, chosen: Tensor) -> Tensor:
        """Return the loss of the images of these numbers, changed at random."""
        settings, task, weight = self.settings, self.data.task, self.weight
        pixels = torch.from_numpy(self.data.train.pixels[chosen.numpy()]).to(self.where)
        wanted = self.truth[chosen].to(self.where)
        masks = wanted if wanted.ndim > 2 else None
        x, moved = augmented(pixels, masks, self.spec, settings.augment, settings.size)
        with lower_precision(self.where):
            y = self.run(x).float()
        shown = wanted if moved is None else moved
        losses = task.losses(y, shown, settings.smoothing, weight)
        loss = losses.mean() if weight is None else losses.sum() / weight[wanted].sum()
        if self.teach:
            share, temperature = settings.distill.share, settings.distill.temperature
            divergence = task.divergence(y, self.teach(x), temperature, shown).mean()
            loss = (1 - share) * loss + share * temperature**2 * divergence
        return loss


def _compiled(network: nn.Module) -> Callable[[Tensor], Tensor]:
    """Return the network as PyTorch compiles it when it is first run; it shares its tensors with `network`."""
    compiler = os.environ.get("CXX", "g++")
    if not shutil.which(compiler):
        raise EdgeError(
            f"compiled = true found no C++ compiler {compiler!r}: expected one, as g++ or as the variable CXX names "
            "it; install it, or leave compiled out for a slower training"
        )
    return torch.compile(network, dynamic=False)


def _teacher(teacher: nn.Module | None, settings: TrainingSettings, where: torch.device) -> Callable[[Tensor], Tensor]:
    if teacher is None:
        raise EdgeError(
            "distill found no teacher: expected the network as it was before it was made smaller; give it, or set "
            "share = 0"
        )
    teacher = copy.deepcopy(teacher).to(where, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    run = _compiled(teacher) if settings.compiled else teacher

    @torch.no_grad()
    def teach(x: Tensor) -> Tensor:
        with lower_precision(where):
            return run(x).float()

    return teach


def _optimizer(
    network: nn.Module, settings: TrainingSettings, rates: Mapping[nn.Parameter, float]
) -> torch.optim.Optimizer:
    usual = [p for p in network.parameters() if p not in rates]
    decayed, others = [p for p in usual if p.ndim > 1], [p for p in usual if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": decayed, "weight_decay": settings.weight_decay, "peak": settings.lr},
        {"params": others, "weight_decay": 0.0, "peak": settings.lr},
        *({"params": [p], "weight_decay": 0.0, "peak": peak} for p, peak in rates.items()),
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=settings.lr)
    return torch.optim.SGD(groups, lr=settings.lr, momentum=0.9, nesterov=True)


def _cosine(steps: int) -> Callable[[int], float]:
    warm = max(1, steps // 20)

    def factor(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))

    return factor


def _class_weight(data: DataSet, settings: TrainingSettings, where: torch.device) -> Tensor | None:
    if not settings.balance or data.train.truth.ndim > 1:
        return None
    counts = np.bincount(data.train.truth, minlength=len(data.labels))
    return torch.tensor(len(data.train) / (len(counts) * np.maximum(counts, 1)), dtype=torch.float32, device=where)


def _shrink_gamma(network: nn.Module, strength: float) -> None:
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d) and module.affine and module.weight.grad is not None:
            module.weight.grad.add_(torch.sign(module.weight.detach()), alpha=strength)


def _save(network: nn.Module, optimizer: torch.optim.Optimizer, epoch: int, seconds: float, path: Path) -> None:
    tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
    for name, parameter in network.named_parameters():
        state = {key: value for key, value in optimizer.state[parameter].items() if isinstance(value, Tensor)}
        tensors |= {f"optimizer.{key}.{name}": value for key, value in state.items()}
    save_tensors(path, tensors | {"epoch": torch.tensor(epoch), "seconds": torch.tensor(seconds)})


def seconds_spent(checkpoint: Path) -> float:
    """Return how long the epochs took that an interrupted training left behind."""
    return float(load_tensors(checkpoint)["seconds"]) if checkpoint.exists() else 0.0


def _resume(network: nn.Module, optimizer: torch.optim.Optimizer, path: Path, where: torch.device) -> tuple[int, float]:
    if not path.exists():
        return 0, 0.0
    tensors = load_tensors(path)
    network.load_state_dict({key[8:]: value for key, value in tensors.items() if key.startswith("network.")})
    parameters = dict(network.named_parameters())
    for key, value in tensors.items():
        if key.startswith("optimizer."):
            _, slot, name = key.split(".", 2)
            optimizer.state[parameters[name]][slot] = value if slot == "step" else value.to(where)
    return int(tensors["epoch"]), float(tensors["seconds"])
