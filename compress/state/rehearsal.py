"""A recipe's rehearsal: what can't be done to a network is refused before hours of training, and not after them."""

from __future__ import annotations

import copy
from collections.abc import Sequence

import torch
from torch import nn

from compress.cost import Cost, cost
from compress.networks.scores import check_logits
from compress.state.stage import example_inputs
from compress.steps.registry import reported
from compress.steps.step import Rehearsal, Step
from edge.preprocess import Preprocessing


def rehearse(network: nn.Module, steps: Sequence[Step], spec: Preprocessing) -> tuple[nn.Module, Preprocessing]:
    """Do to a copy of `network` what `steps` do to its layers, without training and without images.

    Chance chooses the channels, and no block is closed: which ones go, training decides. After block pruning what is
    left of the network, and of its cost, is not known: see `Rehearsal.is_certain`.

    Args:
        spec: the input that `network` expects.

    Returns the network that is left, untrained, and the input that it expects.

    Raises the EdgeError that a step would raise, with the step's number, and one where the network's outputs are no
    logits.
    """
    with torch.random.fork_rng(devices=[]):  # the training's random numbers are the same with and without
        check_logits(network, example_inputs(spec))
        network = copy.deepcopy(network)
        whole: Cost | None = None
        is_certain = True
        for number, step in enumerate(steps, start=1):
            inputs = example_inputs(spec)
            now = cost(network, inputs) if whole is None else whole
            with reported(number, step, "rehearse"):
                network = step.rehearse(network, Rehearsal(inputs, now, is_certain))
            with reported(number, step, "input_after"):
                spec = step.input_after(spec)
            whole = now if step.compresses else whole
            is_certain = is_certain and step.is_certain
        return network, spec
