"""Distillation: a smaller network learns from the answers of the one that it was made of.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network" (2015), arXiv 1503.02531.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Distillation:
    """How much a training learns from its teacher: the network before the first step that made it smaller.

    The loss is (1 - share) * loss(y, labels) + share * T^2 * divergence(y, teacher(x), T). Smoothing and weights of
    classes apply to the labels only.

    Attributes:
        share: of the teacher in the loss, 0 (none) to 1 (labels are not looked at).
        temperature: T, what both networks' logits are divided by; above 1, the teacher's small scores count for more.
    """

    share: float = 0.0
    temperature: float = 4.0

    def faults(self) -> Iterator[tuple[str, object, str]]:
        """Yield (field, what it is, what was expected) for what is wrong with the settings."""
        if not 0 <= self.share <= 1:
            yield "share", self.share, "0 to 1"
        if not 0.1 <= self.temperature <= 100:
            yield "temperature", self.temperature, "0.1 to 100"
        elif self.temperature != Distillation.temperature and not self.share:
            yield "temperature", self.temperature, "a share above 0 with it"


def class_divergence(outputs: Tensor, taught: Tensor, temperature: float) -> Tensor:
    """Return KL(softmax(taught / T) || softmax(outputs / T)) of each image, (N,), for logits (N, classes)."""
    ours, theirs = F.log_softmax(outputs / temperature, 1), F.log_softmax(taught / temperature, 1)
    return F.kl_div(ours, theirs, reduction="none", log_target=True).sum(1)


def pixel_divergence(outputs: Tensor, taught: Tensor, temperature: float, weights: Tensor | None = None) -> Tensor:
    """Return each image's mean over its pixels of KL between yes and no, (N,), for logits (N, 1, height, width).

    `weights` (N, height * width) say how much each pixel counts; without, all alike.
    """
    ours, theirs = outputs.flatten(1) / temperature, taught.flatten(1) / temperature
    yes = theirs.sigmoid() * (F.logsigmoid(theirs) - F.logsigmoid(ours))
    no = (-theirs).sigmoid() * (F.logsigmoid(-theirs) - F.logsigmoid(-ours))
    if weights is None:
        return (yes + no).mean(1)
    return ((yes + no) * weights).sum(1) / weights.sum(1).clamp(min=1e-6)
