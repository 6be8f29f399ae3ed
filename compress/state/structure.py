"""A network's shape, apart from its weights: read off a checkpoint, put onto a fresh network before they are loaded.

Pruning changes tensors' shapes and ghost convolutions replace modules. Both are read off the checkpoint: names and
shapes of its tensors say everything, so no code or object is ever stored.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

from torch import Tensor, nn

from compress.layers.ghost import GhostConv2d
from edge.errors import EdgeError

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
WIDTHS = {nn.GroupNorm: "num_channels", nn.InstanceNorm2d: "num_features", nn.PReLU: "num_parameters"}
GHOST = re.compile(r"(.+)\.cheap\.weight$")


def fit(network: nn.Module, state: dict[str, Tensor]) -> nn.Module:
    """Give the fresh `network` the modules and shapes that `state` (a state_dict) was saved from, load it, return it.

    Raises EdgeError where the two are not the same network.
    """
    for key in state:
        found = GHOST.match(key)
        if found and isinstance(conv := _module(network, found[1]), nn.Conv2d):
            replace(network, found[1], GhostConv2d(conv, cheap_kernel=state[key].shape[-1]))
        if key.endswith(("primary_norm.running_mean", "cheap_norm.running_mean")):
            replace(network, key.removesuffix(".running_mean"), nn.BatchNorm2d(len(state[key])))
    kept = {key.rpartition(".")[0] for key in state}
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.BatchNorm2d) and module.affine and name not in kept:
            replace(network, name, nn.Identity())  # it was folded
    _resize(network, state)
    for module in network.modules():
        _note_widths(module)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise EdgeError(
            f"the checkpoint does not fit the network ({reason}): remove it, and the step runs again"
        ) from None
    return network


def check_patterns(what: str, patterns: Iterable[str], names: list[str]) -> None:
    """Raise EdgeError for a `what` pattern (shell style) that none of the convolutions `names` matches."""
    for pattern in patterns:
        if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
            raise EdgeError(
                f"{what} pattern {pattern!r} matches no convolution of the network: its convolutions are "
                f"{', '.join(names[:8])}{', ...' if len(names) > 8 else ''}; correct the pattern"
            )


def replace(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put `module` in the place of the submodule called `name`."""
    parent, _, last = name.rpartition(".")
    setattr(_module(network, parent), last, module)


def _module(network: nn.Module, name: str) -> nn.Module:
    try:
        return network.get_submodule(name)
    except AttributeError:
        raise EdgeError(
            f"the checkpoint has a layer {name!r} that the network has not: remove it and run again"
        ) from None


def _resize(network: nn.Module, state: dict[str, Tensor]) -> None:
    """Give each parameter and buffer the shape that it has in `state`; shared ones stay shared, frozen ones frozen."""
    resized: dict[int, nn.Parameter] = {}
    for name, tensor in state.items():
        place, _, key = name.rpartition(".")
        module = _module(network, place)
        own = module._parameters.get(key)
        if own is not None and own.shape != tensor.shape:
            fresh = nn.Parameter(tensor.new_zeros(tensor.shape), requires_grad=own.requires_grad)
            setattr(module, key, resized.setdefault(id(own), fresh))
        elif (buffer := module._buffers.get(key)) is not None and buffer.shape != tensor.shape:
            module._buffers[key] = tensor.new_zeros(tensor.shape)


def _note_widths(module: nn.Module) -> None:
    """Set what the module says of its weight's shape, which pruning goes by."""
    if isinstance(module, NORMS) and module.running_mean is not None:
        module.num_features = len(module.running_mean)
    weight = getattr(module, "weight", None)
    if not isinstance(weight, Tensor):
        return
    if isinstance(module, nn.Conv2d) and weight.shape[0] != module.out_channels:
        depthwise = module.groups == module.in_channels and module.groups > 1
        module.groups = weight.shape[0] * module.groups // module.out_channels if depthwise else module.groups
    if isinstance(module, nn.Conv2d):
        module.out_channels, module.in_channels = weight.shape[0], weight.shape[1] * module.groups
    elif isinstance(module, nn.ConvTranspose2d):
        module.in_channels, module.out_channels = weight.shape[0], weight.shape[1] * module.groups
    elif isinstance(module, nn.Linear):
        module.out_features, module.in_features = weight.shape
    elif isinstance(module, nn.LayerNorm):
        module.normalized_shape = tuple(weight.shape)
    for kind, width in WIDTHS.items():
        if isinstance(module, kind):
            setattr(module, width, len(weight))
