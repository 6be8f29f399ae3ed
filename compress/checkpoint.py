"""Tensors on disk, written beside and renamed, read without pickle's code execution."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor

from compress.model_file import write_beside
from edge.errors import EdgeError


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write `tensors` to `path`; a reader sees the old file or the new one, never a part."""
    buffer = io.BytesIO()
    torch.save({name: tensor.detach().cpu() for name, tensor in tensors.items()}, buffer)
    write_beside(path, buffer.getvalue())


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read what `save_tensors` wrote."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise EdgeError(f"{path} is no readable checkpoint ({reason}): remove it, and the step runs again") from None
