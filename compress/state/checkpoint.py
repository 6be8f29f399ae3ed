"""Tensors on disk: checkpoints, written beside and renamed, and weights trained elsewhere; no code in them is run."""

from __future__ import annotations

import argparse
import contextlib
import copy
import hashlib
import io
import pickletools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PosixPath
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from compress.state import safetensors
from compress.state.names import fitted
from edge.errors import EdgeError
from edge.files import write_beside


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


# Where a file's tensors are, in the order in which they are tried: what training scripts call them.
STATES = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "module", "weights", "params")
AVERAGES = ("ema", "model_ema", "ema_state_dict", "state_dict_ema", "ema_model")  # of the weights, over the training

DEEPEST = 3  # dictionaries in one another


@dataclass(frozen=True)
class Weights:
    """A trained network's tensors, as PyTorch or safetensors saved them.

    Attributes:
        path: the file. sha256: of its bytes.
        states: where in the file ("" or "model") -> a state_dict; the one that is tried first comes first.
    """

    path: Path
    sha256: str
    states: Mapping[str, Mapping[str, Tensor]]

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """The first state_dict, names as in the file."""
        return next(iter(self.states.values()))

    def into(self, network: nn.Module, log: Callable[[str], None] = lambda text: None) -> nn.Module:
        """Load the first of the file's states that fits and return `network`.

        Names that fit without a beginning (`module.`, `_orig_mod.`, `model.` and the like) are taken without it, and
        floating-point numbers of another kind become the network's; `say` gets a line about each of these.

        Raises EdgeError, which names what is missing, not known, of another shape or kind, or not finite.
        """
        first: list[str] = []
        for place, state in self.states.items():
            tensors, gone = fitted(state, network.state_dict())
            faults = _faults(network, tensors)
            if not faults:
                try:
                    network.load_state_dict(tensors, strict=False)
                except RuntimeError as error:  # tensors that can't be copied: quantized or sparse ones
                    faults = [" ".join(str(error).split())[:200]]
            if not faults:
                for line in _remarks(network, tensors, place, list(self.states), gone):
                    log(f"weights {self.path.name}: {line}")
                return network
            first = first or faults
        raise EdgeError(
            f"the weights {self.path} are not this network's ({'; '.join(first)}): expected its state_dict; name "
            "the network that they were trained in, or other weights"
        )


def _faults(network: nn.Module, tensors: Mapping[str, Tensor]) -> list[str]:
    own = network.state_dict()
    both = [(name, tensor, own[name]) for name, tensor in tensors.items() if name in own]
    shapes = [f"{n} is {tuple(t.shape)} and not {tuple(o.shape)}" for n, t, o in both if t.shape != o.shape]
    kinds = [
        f"{n} is {_kind(t)} and not {_kind(o)}" for n, t, o in both if o.is_floating_point() > t.is_floating_point()
    ]
    # a tensor that has two names is saved under one of them by some; what counts batches is not needed
    given = {o.data_ptr() for _, _, o in both}
    missing = [n for n, o in own.items() if n not in tensors and (o.data_ptr() not in given or not o.numel())]
    missing = [n for n in missing if not n.endswith("num_batches_tracked")]
    if missing and not shapes:  # layers may fill in themselves what weights from elsewhere never have
        with contextlib.suppress(RuntimeError):  # what can't be copied is said when it is loaded
            asked = copy.deepcopy(network).load_state_dict(dict(tensors), strict=False).missing_keys
            missing = [n for n in missing if n in asked]
    unknown = [n for n in tensors if n not in own and not n.endswith("num_batches_tracked")]
    faults = [_few(shapes or kinds)] if shapes or kinds else []
    if not shapes:
        faults += [f"it lacks {_few(missing)}"] * bool(missing) + [f"it has {_few(unknown)}"] * bool(unknown)
    if not faults:
        overflown = [n for n, t, o in both if _is_checked(t) and not t.to(o.dtype).isfinite().all()]
        faults += [f"{_few(overflown)} would not be finite any more"] * bool(overflown)
    return faults


def _remarks(
    network: nn.Module, tensors: Mapping[str, Tensor], place: str, places: list[str], gone: str
) -> Iterator[str]:
    if len(places) > 1:
        yield f"those under {place!r} are taken, and not those under {_few([p for p in places if p != place])}"
    elif place.split(".")[-1] not in ("", *STATES):
        yield f"those under {place!r} are taken"
    if gone:
        yield f"names are read without {gone}"
    own = network.state_dict()
    kinds = {(_kind(t), _kind(own[n])) for n, t in tensors.items() if n in own and own[n].is_floating_point()}
    for before, after in sorted(pair for pair in kinds if pair[0] != pair[1]):
        yield f"tensors of {before} become {after}"


def load_weights(path: Path) -> Weights:
    """Read a file of safetensors, or one that torch.save wrote, of which nothing is run.

    Raises EdgeError where it is none, or holds anything but tensors with names, or one that is not finite.
    """
    content = b""
    try:
        content = path.read_bytes()
        found = safetensors.read(content) if _is_safetensors(path, content) else _unpickled(content)
    except FileNotFoundError:
        raise EdgeError(
            f"the weights {path} don't exist: expected the state_dict of a trained network; check the recipe's "
            "weights, or give --weights FILE"
        ) from None
    except Exception as error:  # torch's own are of many kinds
        reason, way = _why_not(path, content, error)
        raise EdgeError(
            f"the weights {path} can't be read ({reason}): expected a state_dict that torch.save wrote, or "
            f"safetensors; {way}"
        ) from None
    states = dict(_states(found))
    if not states:
        keys = f", but {_few([repr(key) for key in found])}" if isinstance(found, dict) and found else ""
        raise EdgeError(
            f"the weights {path} hold no state_dict: expected tensors by their names, alone or under "
            f"{_few([repr(name) for name in STATES])}{keys}; save network.state_dict()"
        )
    first, *others = states
    if broken := _not_finite(states[first]):
        raise EdgeError(
            f"the weights {path} are not all finite ({_few(broken)}): expected finite ones; take them from an earlier "
            "checkpoint, or train again with a lower lr"
        )
    sound = [first, *(place for place in others if not _not_finite(states[place]))]
    return Weights(path, hashlib.sha256(content).hexdigest(), {place: states[place] for place in sound})


def _is_safetensors(path: Path, content: bytes) -> bool:
    return path.suffix == ".safetensors" or safetensors.looks_like(content)


def _unpickled(content: bytes) -> Any:
    """Return what torch.save wrote, as far as it is made of tensors, numbers, texts, lists and settings."""
    scalar = np.float64(0).__reduce__()[0]  # numpy.core.multiarray's, which NumPy 2 calls by another name
    harmless: list[Any] = [argparse.Namespace, PosixPath, np.dtype]
    harmless += [(scalar, f"numpy.{core}.multiarray.scalar") for core in ("core", "_core")]
    harmless += {type(np.dtype(kind)) for kind in np.typecodes["AllInteger"] + "efd?"}
    with torch.serialization.safe_globals(harmless), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a TorchScript archive, which is refused
        return torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)


def _why_not(path: Path, content: bytes, error: Exception) -> tuple[str, str]:
    """Return what an unreadable file is, as far as it can be told without running it, and what to do."""
    text = " ".join(str(error).split())
    classes = list(dict.fromkeys(re.findall(r"GLOBAL (\S+)", text)))
    script = "TorchScript" in text
    if script or any(name.startswith("torch.nn.modules.") for name in classes) or _is_network(content):
        load = f"torch.jit.load({str(path)!r})" if script else f"torch.load({str(path)!r}, weights_only=False)"
        within = "" if script else "n = n['model'] if isinstance(n, dict) else n; "
        save = f"import torch; n = {load}; {within}torch.save(n.state_dict(), {str(path.with_suffix('.state.pt'))!r})"
        kind = "a TorchScript program" if script else "a whole pickled network"
        return f"it is {kind}, and to read it is to run it", f'if you trust it, save its state_dict: python -c "{save}"'
    if classes:
        return (
            f"it holds objects of {_few(classes)}, and to read them is to run them",
            "save network.state_dict() alone",
        )
    if not content:
        text = "it is empty"
    elif content.startswith(b"PK") or text.isdigit() or text.startswith("Weights only load failed"):
        text = "it was cut short, is damaged, or another kind of file"  # PyTorch's own words tell of its inside
    return text[:100], "save network.state_dict()"


def _is_network(content: bytes) -> bool:
    """Return whether what torch.save wrote has classes of a network's layers; nothing is run."""
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(content))
    except Exception:  # no zip, as of an older PyTorch: a few pickles, one after another
        names = []
        with contextlib.suppress(Exception):
            file = io.BytesIO(content)
            for _ in range(4):
                names += [
                    str(arg).replace(" ", ".") for code, arg, _ in pickletools.genops(file) if code.name == "GLOBAL"
                ]
    return any(name.startswith("torch.nn.modules.") for name in names)


def _states(found: Any, place: str = "", depth: int = 0) -> Iterator[tuple[str, dict[str, Tensor]]]:
    """Yield where state_dicts are, and their tensors, the likeliest first."""
    if not isinstance(found, dict) or depth > DEEPEST:
        return
    inner = [name for name in (*STATES, *AVERAGES) if isinstance(found.get(name), dict)]
    for name in inner:
        yield from _states(found[name], f"{place}.{name}" if place else name, depth + 1)
    tensors = _tensors(found)
    if tensors and not inner:
        yield place, tensors
    if tensors or inner or depth:
        return
    others = {str(name): _tensors(value) for name, value in found.items() if isinstance(value, dict)}
    named = [name for name, state in others.items() if state and len(state) == len(found[name])]
    if len(named) == 1:  # under a name of its own, and there is nothing else that it could be
        yield named[0], others[named[0]]


def _tensors(found: Mapping[Any, Any]) -> dict[str, Tensor]:
    return {name: value for name, value in found.items() if isinstance(name, str) and isinstance(value, Tensor)}


def _not_finite(tensors: Mapping[str, Tensor]) -> list[str]:
    return [
        f"{name} has {int((~tensor.isfinite()).sum()):,} values of {tensor.numel():,} that are not"
        for name, tensor in tensors.items()
        if _is_checked(tensor) and not tensor.isfinite().all()
    ]


def _is_checked(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and tensor.layout is torch.strided


def _kind(tensor: Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")


def _few(names: list[str], most: int = 4) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
