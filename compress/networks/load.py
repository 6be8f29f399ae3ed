"""The network that a recipe names: imported, called, and tried at each size that it will see."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from compress.recipe import Recipe
from compress.recipe_file import imported
from compress.tasks.registry import task_named
from edge.errors import EdgeError


def network_function(recipe: Recipe) -> Callable[..., nn.Module]:
    """Import the recipe's network function and return it.

    Modules in the recipe's folder are found, then those in the working directory. Raises EdgeError where there is no
    such function.
    """
    function: Callable[..., nn.Module] = imported(recipe.network, recipe.origin, "network")
    if not callable(function):
        raise EdgeError(
            f"{recipe.origin}: network {recipe.network!r} is a {type(function).__name__}: expected a function that "
            "returns an nn.Module; check the name"
        )
    return function


def build_network(recipe: Recipe, classes: int) -> nn.Module:
    """Import and call the recipe's network function, and check what it returns as `check_network` does.

    Raises EdgeError where there is no such function, or it fails, too.
    """
    function = network_function(recipe)
    try:
        network = function(classes=classes, channels=recipe.input.channels)
    except (Exception, SystemExit) as error:  # the user's own code: anything
        shape = (2, recipe.input.channels, recipe.input.height, recipe.input.width)
        raise _failed(recipe, recipe.network, classes, shape, error) from error
    check_network(network, recipe, classes, recipe.network)
    return network.eval()


def check_network(network: object, recipe: Recipe, classes: int, name: str) -> None:
    """Try a network at each size that it will see. It stays as it is.

    Args:
        classes: number of labels. name: of the network, for messages.

    Raises EdgeError where it fails, or does not map the recipe's input to the logits that its task wants.
    """
    channels = recipe.input.channels
    sizes = sorted({(side, side) for step in recipe.steps for side in step.sides})
    shape = (2, channels, recipe.input.height, recipe.input.width)
    found: object = f"a {type(network).__name__}"
    if isinstance(network, nn.Module):
        try:
            for height, width in [*sizes, (recipe.input.height, recipe.input.width)]:
                shape = (2, channels, height, width)
                found = _tried(network, shape)
        except (Exception, SystemExit) as error:  # the user's own code: anything
            raise _failed(recipe, name, classes, shape, error) from error
    if not isinstance(found, tuple):
        raise EdgeError(
            f"{recipe.origin}: network {name} gives {found} for input {shape}: expected an nn.Module; correct it"
        )
    if expected := task_named(recipe.task, recipe.origin).output(recipe, classes, found):
        raise EdgeError(
            f"{recipe.origin}: network {name} gives {found} for input {shape}: expected an nn.Module that returns "
            f"{expected}; correct it, or the recipe's task"
        )


def _tried(network: nn.Module, shape: tuple[int, ...]) -> object:
    """Return the shape of what the network gives in both modes; in words what that is, where it is no tensor."""
    with torch.no_grad():
        found = _shape(copy.deepcopy(network).eval(), shape)
        training = _shape(copy.deepcopy(network).train(), shape)
    if training != found:
        raise ValueError(f"it gives {training} in training mode, and {found} in evaluation mode")
    return found


def _shape(network: nn.Module, shape: tuple[int, ...]) -> object:
    x = torch.zeros(shape)
    with torch.random.fork_rng(devices=[]):
        y = network(x)
    if x._version:
        raise ValueError("it changes its input in place, which others read, too: write x = x - mean, not x -= mean")
    return tuple(y.shape) if isinstance(y, Tensor) else f"a {type(y).__name__}"


def _failed(recipe: Recipe, name: str, classes: int, shape: tuple[int, ...], error: BaseException) -> EdgeError:
    reason = str(error).split("\n")[0] or type(error).__name__
    return EdgeError(
        f"{recipe.origin}: network {name} fails for {classes} classes and input {shape} ({reason}): "
        "correct it, or the recipe's input, or a training step's size"
    )
