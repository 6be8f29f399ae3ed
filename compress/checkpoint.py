"""Tensors on disk: checkpoints, written beside and renamed, and weights trained elsewhere; no code in them is run."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

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


@dataclass(frozen=True)
class Weights:
    """A trained network's tensors, as PyTorch saved them.

    Attributes:
        path: the file. sha256: of its bytes.
        tensors: a state_dict; one that lay under a key `state_dict` in the file, without `module.` before its names.
    """

    path: Path
    sha256: str
    tensors: Mapping[str, Tensor]

    def into(self, network: nn.Module) -> nn.Module:
        """Load them and return `network`; EdgeError names what is missing, not known, or of another shape."""
        own = network.state_dict()
        shapes = [
            f"{name} is {tuple(tensor.shape)} and not {tuple(own[name].shape)}"
            for name, tensor in self.tensors.items()
            if name in own and tensor.shape != own[name].shape
        ]
        faults = [_few(shapes)] if shapes else []
        if not shapes:
            try:
                missing, unknown = network.load_state_dict(dict(self.tensors), strict=False)
            except RuntimeError as error:  # tensors that can't be copied: quantized or sparse ones
                missing, unknown, faults = [], [], [" ".join(str(error).split())[:200]]
            faults += [f"it lacks {_few(missing)}"] * bool(missing) + [f"it has {_few(unknown)}"] * bool(unknown)
        if faults:
            raise EdgeError(
                f"the weights {self.path} are not this network's ({'; '.join(faults)}): expected its state_dict; name "
                "the network that they were trained in, or other weights"
            )
        return network


def load_weights(path: Path) -> Weights:
    """Read a file that torch.save wrote; EdgeError where it is none, or holds anything but tensors with names."""
    try:
        content = path.read_bytes()
        found = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise EdgeError(
            f"the weights {path} don't exist: expected the state_dict of a trained network; check the recipe's "
            "weights, or give --weights FILE"
        ) from None
    except Exception as error:  # torch's own are of many kinds
        reason = " ".join(str(error).split())[:100]
        raise EdgeError(
            f"the weights {path} can't be read ({reason}): expected a state_dict that torch.save wrote; save "
            "network.state_dict()"
        ) from None
    tensors = found.get("state_dict", found) if isinstance(found, dict) else found
    if (
        not isinstance(tensors, dict)
        or not tensors
        or not all(isinstance(name, str) and isinstance(tensor, Tensor) for name, tensor in tensors.items())
    ):
        raise EdgeError(
            f"the weights {path} hold no state_dict: expected tensors by their names, alone or under 'state_dict'; "
            "save network.state_dict()"
        )
    if all(name.startswith("module.") for name in tensors):  # of a network that was trained on several GPUs
        tensors = {name.removeprefix("module."): tensor for name, tensor in tensors.items()}
    return Weights(path, hashlib.sha256(content).hexdigest(), tensors)


def _few(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
