"""Tensors on disk, written beside and renamed, read without pickle's code execution."""

from __future__ import annotations

import os
from pathlib import Path

import torch
from torch import Tensor

from edge.errors import EdgeError


def save_tensors(path: Path, tensors: dict[str, Tensor]) -> None:
    """Write `tensors` to `path`; a reader sees the old file or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".part")
    try:
        with open(beside, "wb") as file:
            torch.save({name: tensor.detach().cpu() for name, tensor in tensors.items()}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Read what `save_tensors` wrote."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        reason = str(error).split("\n")[0]
        raise EdgeError(f"{path} is no readable checkpoint ({reason}): remove it, and the step runs again") from None
