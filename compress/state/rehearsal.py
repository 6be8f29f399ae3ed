"""A recipe's rehearsal: what can't be done to a network is said before hours of training, and not after them."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import nn

from compress.convert import onnx
from compress.cost import cost
from compress.inputs import inputs_of
from compress.networks.scores import check_logits
from compress.pruning.blocks import residual_blocks
from compress.pruning.channels import Pruning, prune
from compress.pruning.groups import CONVS
from compress.recipe import Step, kind_of
from compress.state.structure import check_patterns
from compress.steps.folding import Folding, NormFolding, fold_grey, fold_norms
from compress.steps.ghost import Ghosting, ghost
from compress.steps.prune_blocks import BlockPruning
from compress.steps.soft_prune import SoftPruning
from compress.steps.train import Training
from edge.errors import EdgeError
from edge.scratch import scratch


def rehearse(network: nn.Module, steps: Sequence[Step], shape: tuple[int, int, int]) -> None:
    """Do to a copy of `network` what `steps` do to its layers, without training and without images.

    Chance chooses the channels, and no block is closed: which ones go, training decides. So after block pruning a step
    that prunes channels is held to its patterns only: what is left of the network, and of its cost, is not known.

    Args:
        shape: (channels, height, width) of the network's input.

    Raises the EdgeError that a step would raise, with the step's number, and what its conversion to ONNX would; and one
    where the network's outputs are no logits.
    """
    with torch.random.fork_rng(devices=[]):  # the training's random numbers are the same with and without
        check_logits(network, inputs_of(shape))
        network, whole, gated = copy.deepcopy(network), None, False
        for number, step in enumerate(steps, start=1):
            if whole is None and type(step) is not Training:
                whole = cost(network, inputs_of(shape))
            try:
                if isinstance(step, BlockPruning):
                    gated = bool(residual_blocks(network, inputs_of(shape)))
                elif isinstance(step, SoftPruning):
                    prune(network, _with_random_criterion(step.pruning), inputs_of(shape))
                elif isinstance(step, Pruning) and gated:
                    for patterns, kinds in ((step.ratios, nn.Conv2d), (step.layers, CONVS)):
                        names = [name for name, module in network.named_modules() if isinstance(module, kinds)]
                        check_patterns("pruning", patterns, names)
                elif isinstance(step, Pruning):
                    assert whole is not None
                    settings = step.of_what_is_left(whole, cost(network, inputs_of(shape)))
                    if settings.ratios or settings.shares:
                        prune(network, _with_random_criterion(settings), inputs_of(shape))
                elif isinstance(step, Ghosting):
                    ghost(network, replace(step, init="random"), torch.rand(2, *shape))
                elif isinstance(step, Folding):
                    network, shape = fold_grey(network, shape), (1, *shape[1:])
                elif isinstance(step, NormFolding):
                    network = fold_norms(network, shape)
            except EdgeError as error:
                raise EdgeError(f"step {number}, {kind_of(step)}: {error}") from None
        with scratch("rehearse") as folder:
            onnx.export(network, inputs_of(shape), folder / "network.onnx")


def _with_random_criterion(settings: Pruning) -> Pruning:
    return replace(settings, criterion="random", steps=1)
