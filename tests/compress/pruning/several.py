"""Networks with several inputs and outputs."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from compress.inputs import Inputs


class Several(nn.Module):
    """An image and a table of numbers in, two heads out: classes, and a map with as many channels as the image.

    `stem` and `mixed` are coupled by an addition; `drawn` is added to the image, so its width is the input's.
    """

    def __init__(self, channels: int = 3, numbers: int = 6):
        super().__init__()
        self.stem = nn.Conv2d(channels, 32, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(32)
        self.table = nn.Linear(numbers, 24)
        self.mixed = nn.Conv2d(32, 32, 3, padding=1)
        self.free = nn.Conv2d(32, 48, 3, stride=2, padding=1)
        self.classes = nn.Linear(48 + 24, 5)
        self.drawn = nn.Conv2d(32, channels, 1)
        self.map = nn.Conv2d(channels, 2, 1)

    def forward(self, image: Tensor, numbers: Tensor) -> dict[str, Tensor]:
        x = torch.relu(self.norm(self.stem(image)))
        x = torch.relu(x + self.mixed(x))
        y = torch.relu(self.free(x)).mean((2, 3))
        classes = self.classes(torch.cat([y, torch.relu(self.table(numbers))], 1))
        return {"classes": classes, "map": self.map(self.drawn(x) + image)}


class Sequence(nn.Module):
    """Whole numbers in, and a tuple of logits and a list out."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 16)
        self.wide, self.narrow = nn.Conv2d(16, 32, (3, 1), padding=(1, 0)), nn.Conv2d(32, 16, 1)
        self.out = nn.Linear(16, 3)

    def forward(self, words: Tensor) -> tuple[Tensor, list[Tensor]]:
        x = self.words(words).transpose(1, 2)[..., None]
        x = torch.relu(self.narrow(torch.relu(self.wide(x))))
        return self.out(x.mean((2, 3))), [x]


def inputs(batch: int = 1) -> Inputs:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(batch, 3, 16, 16, generator=generator), torch.randn(batch, 6, generator=generator)


def words() -> Tensor:
    return torch.arange(8)[None]
