"""A recipe's network must end in logits: one whose outputs are scores already is refused before any training.

Training computes its loss of logits, and the device makes scores of them; of scores, both would be made twice.
"""

from __future__ import annotations

import copy
import re

import torch
from torch import Tensor, nn

from compress.inputs import Inputs, as_inputs, outputs, run
from edge.errors import EdgeError

PROBES = 2  # images of noise: normalization in training mode wants more than one
# What all weights are multiplied by: bounded outputs stay bounded, logits do not.
SCALES = (1.0, -1.0, 1.5, -1.5, 4.0, -4.0)
FAR = (64.0, -64.0, 4096.0, -4096.0)
TOLERANCE = 1e-4

_ENDS = {
    "Softmax": "a softmax",
    "Sigmoid": "a sigmoid",
    "Hardsigmoid": "a sigmoid",
    "LogSoftmax": "a log-softmax",
    "LogSigmoid": "a log-sigmoid",
}
# Of autograd's operations those that keep scores what they are: shape, type, part, size, mean, bounds.
_KEEPS = re.compile(
    "(Reshape|View|UnsafeView|ReshapeAlias|Alias|Clone|ToCopy|Permute|Transpose|T|Squeeze|Unsqueeze|Flatten|Expand|Slice|"
    "Select|Split|Chunk|Unbind|Index|IndexSelect|Gather|Cat|Stack|Clamp|ClampMin|ClampMax|Log|Mean|Amax|Max|Min|"
    r"Upsample\w+|AvgPool2D|AdaptiveAvgPool2D|MkldnnAdaptiveAvgPool2D|MaxPool2DWithIndices|AdaptiveMaxPool2D)$"
)


def check_logits(network: nn.Module, inputs: Tensor | Inputs) -> None:
    """Raise EdgeError where the outputs of `network` are scores, or their logarithms, and no logits.

    By what autograd notes of the last operation, in training and in evaluation; and by the outputs themselves, for
    what is written by hand: they lie in 0..1 whatever the weights, even with huge ones where they do not add up to 1.

    Args:
        inputs: example inputs, one tensor or several: their shapes and types, noise is put in. The network, of which
            each output is looked at, stays as it is.
    """
    noise = _noise(as_inputs(inputs))
    for training in (False, True):
        with torch.enable_grad():
            found = outputs(run(copy.deepcopy(network).train(training), noise))
        if end := next((end for y in found if (end := _end(y.grad_fn))), ""):
            raise _refused(f"ends in {end}")
    if any(_are_scores(copy.deepcopy(network).eval(), noise, number) for number in range(len(found))):
        raise _refused("gives numbers from 0 to 1 whatever its weights are")


def _noise(inputs: Inputs) -> Inputs:
    """Return inputs like the examples, for two images, of which autograd keeps the operations."""
    generator = torch.Generator().manual_seed(0)

    def like(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x[:1].expand(PROBES, *x.shape[1:]).clone()
        return torch.randn(PROBES, *x.shape[1:], generator=generator).to(x).requires_grad_()

    return tuple(like(x) for x in inputs)


def _refused(what: str) -> EdgeError:
    return EdgeError(
        f"the network {what}, so its outputs are scores: expected logits, as training, the card and the device make "
        "scores of them; take its last activation out"
    )


def _end(node: torch.autograd.graph.Node | None) -> str:
    """Return in words what made the output, where that is an operation that makes scores; "" where it is not."""
    ends: set[str] = set()
    waiting, seen = [node], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        name = re.sub(r"Backward\d*$", "", node.name())
        if not _KEEPS.match(name):
            ends.add(_ENDS.get(name, ""))
            continue
        waiting += [source for source, _ in node.next_functions]
    return min(ends) if ends else ""


@torch.no_grad()
def _are_scores(network: nn.Module, noise: Inputs, number: int) -> bool:
    """Return whether the output of this number is scores for all of the weights that are tried."""
    weights = [parameter.clone() for parameter in network.parameters()]
    varied, far, add_up = False, False, True
    for scale in (*SCALES, *FAR):
        for parameter, weight in zip(network.parameters(), weights, strict=True):
            parameter.copy_(weight * scale)
        output = outputs(run(network, noise))[number]
        if not output.isfinite().all():  # of a deep network with large weights; it tells nothing
            continue
        if output.min() < -TOLERANCE or output.max() > 1 + TOLERANCE:
            return False
        add_up = add_up and (output.dim() != 2 or bool((output.sum(1) - 1).abs().max() <= TOLERANCE))
        varied, far = varied or bool(output.std() > 0), far or scale in FAR
    return varied and (add_up or far)
