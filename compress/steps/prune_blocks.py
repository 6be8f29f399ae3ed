"""Block pruning: gates decide which residual blocks a network can do without, while its weights are trained.

Huang and Wang, "Multi-granularity Pruning for Deep Residual Networks" (J. Intell. Fuzzy Syst. 2020).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from compress.data.split import DataSet
from compress.inputs import Inputs
from compress.pruning.blocks import Residual, close, closed_in, residual_blocks
from compress.state.stage import example_inputs
from compress.steps.registry import register
from compress.steps.step import Context, Fault, Rehearsal, Step
from compress.steps.train import TrainingSettings, train
from edge.preprocess import Preprocessing


@register
@dataclass(frozen=True)
class BlockPruning(TrainingSettings):
    """The step `prune-blocks`: a training in which each block has a gate, after which closed blocks go.

    Attributes:
        penalty: gamma in the paper: what an open gate costs, in units of the loss.
        gate_lr: peak learning rate of the gates' logits, on the schedule of `lr`, with the same optimizer, no decay.
    """

    kind: ClassVar[str] = "prune-blocks"
    is_certain: ClassVar[bool] = False

    penalty: float = 0.05
    gate_lr: float = 0.1

    @property
    def detail(self) -> str:
        """How long it trains."""
        return self.trained

    def faults(self, spec: Preprocessing, earlier: Sequence[Step]) -> Iterator[Fault]:
        """Yield what is wrong with the training, and with the gates."""
        yield from super().faults(spec, earlier)
        if self.penalty < 0:
            yield "penalty", self.penalty, "0 or more"
        if self.gate_lr <= 0:
            yield "gate_lr", self.gate_lr, "a number above 0"

    def rehearse(self, network: nn.Module, rehearsal: Rehearsal) -> nn.Module:
        """Look for blocks; which of them go, training decides."""
        residual_blocks(network, rehearsal.inputs)
        return network

    def apply(self, context: Context) -> nn.Module:
        """Train with gates, and take out the blocks that they close."""
        network, context.note = prune_blocks(
            context.network, context.data, context.spec, self, context.epochs, context.progress, context.teacher
        )
        context.note += self.taught
        return network

    def restore(self, network: nn.Module, tensors: Mapping[str, Tensor], inputs: Inputs) -> nn.Module:
        """Take out the blocks that have no tensors in the checkpoint."""
        return close(network, closed_in(residual_blocks(network, inputs), tensors))


class StraightThrough(torch.autograd.Function):
    """g = 1 where u < p, else 0, with p = sigmoid(alpha) and u drawn evenly from [0, 1): g ~ Bernoulli(p).

    Backward, with L the loss without the gates' cost gamma * sum_b |g_b|, the step from p to g is passed straight
    through:

        dL'/dg_b     = dL/dg_b + gamma * sign(g_b)
        dL'/dalpha_b = dL'/dg_b * p_b * (1 - p_b)
    """

    @staticmethod
    def forward(ctx: Any, alpha: Tensor, u: Tensor, gamma: float) -> Tensor:
        p = torch.sigmoid(alpha)
        g = (u < p).to(alpha.dtype)
        ctx.save_for_backward(p, g)
        ctx.gamma = gamma
        return g

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        p, g = ctx.saved_tensors
        return (gradients[0] + ctx.gamma * torch.sign(g)) * p * (1 - p), None, None


class Gated(nn.Module):
    """`network` with gates: block b gives after(g_b * F_b(x) + S_b(x)). All open, it is `network`.

    While it trains, the gates are drawn for each batch; else a gate is open if its probability is at least one half.

    Attributes:
        alpha: float32 (blocks,), the gates' logits; they begin at 0, the probability one half.
    """

    def __init__(self, network: nn.Module, blocks: Sequence[Residual], penalty: float):
        super().__init__()
        self.network, self.blocks, self.penalty = network, blocks, penalty
        self.alpha = nn.Parameter(torch.zeros(len(blocks)))
        self.gates: tuple[Tensor, ...] = ()
        self._hooks = [
            network.get_submodule(block.last).register_forward_hook(self._gate(number))
            for number, block in enumerate(blocks)
        ]

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            gates = StraightThrough.apply(self.alpha, torch.rand_like(self.alpha), self.penalty)
        else:
            gates = (self.alpha >= 0).float()
        self.gates = gates.unbind()
        return self.network(x)

    def _gate(self, number: int) -> Any:
        return lambda module, inputs, y: y * self.gates[number].to(y.dtype)

    def closed(self) -> list[Residual]:
        """Return the blocks whose gates are closed; the network is left without gates."""
        for hook in self._hooks:
            hook.remove()
        return [block for block, alpha in zip(self.blocks, self.alpha.tolist(), strict=True) if alpha < 0]


def prune_blocks(
    network: nn.Module,
    data: DataSet,
    spec: Preprocessing,
    settings: BlockPruning,
    checkpoint: Path,
    progress: Callable[[str], None],
    teacher: nn.Module | None = None,
) -> tuple[nn.Module, str]:
    """Train `network` in place with a gate for each residual block, take the closed blocks out, and return it.

    Second, which blocks those were: "2 of 18 closed: stage1.1, stage3.4".

    Raises EdgeError where there is no residual block.
    """
    gated = Gated(network, residual_blocks(network, example_inputs(spec)), settings.penalty)
    rates = {gated.alpha: settings.gate_lr}
    train(gated, data, spec, settings, checkpoint, progress, rates, teacher=teacher)
    closed = gated.closed()
    names = ", ".join(block.name for block in closed)
    return close(network, closed), f"{len(closed)} of {len(gated.blocks)} closed{': ' if names else ''}{names}"
