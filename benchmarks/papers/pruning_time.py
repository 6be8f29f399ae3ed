"""How long pruning itself takes, beside torch-pruning's own pruner on the same networks.

    python -m benchmarks.papers.pruning_time [--rounds 7]

From a network to the smaller one, the dependency graph included, and for Taylor scores the gradients of a few
images of noise; no training.
"""

from __future__ import annotations

import argparse
import copy
import statistics
from collections.abc import Callable
from functools import partial

import torch
import torch_pruning as tp
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import table
from benchmarks.papers.turns import in_turns, milliseconds, times
from compress.networks.cifar import bottleneck56, resnet56
from compress.networks.resnet import resnet50, resnet101
from compress.pruning.channels import prune
from compress.pruning.settings import Pruning
from compress.pruning.taylor import Examples

NETWORKS: dict[str, tuple[Callable[[int], nn.Module], int]] = {
    "ResNet-56": (resnet56, 32),
    "bottleneck ResNet-56": (bottleneck56, 32),
    "ResNet-50": (resnet50, 224),
    "ResNet-101": (resnet101, 224),
}
PICTURES = 4
WAYS = {
    "half of each layer, by length": Pruning({"*": 0.5}, "l2-norm"),
    "half of the MACs, by length": Pruning(criterion="l2-norm", macs=0.5),
    "half of the MACs, by the scale behind": Pruning(criterion="bn-scale", macs=0.5),
    "half of the MACs, by Taylor scores": Pruning(criterion="taylor", macs=0.5),
}
THEIRS = {
    "l2-norm": partial(tp.importance.GroupMagnitudeImportance, p=2),
    "bn-scale": tp.importance.BNScaleImportance,
    "taylor": tp.importance.GroupTaylorImportance,
}


def losses(outputs: Tensor, targets: Tensor) -> Tensor:
    return functional.cross_entropy(outputs, targets, reduction="none")


def ours(network: nn.Module, examples: Examples, settings: Pruning) -> None:
    prune(network, settings, examples.images[:1], examples)


def theirs(network: nn.Module, examples: Examples, settings: Pruning) -> None:
    """Prune as `settings` say; a share of the MACs is not to be had there, so one of the channels stands for it."""
    network.eval()
    if settings.needs_images and examples.targets is not None:
        losses(network(examples.images), examples.targets).mean().backward()
    tp.pruner.MagnitudePruner(
        network,
        examples.images[:1],
        importance=THEIRS[str(settings.criterion)](),
        global_pruning=not settings.ratios,
        pruning_ratio=0.5 if settings.ratios else 0.25,
        round_to=settings.round_to,
        ignored_layers=[module for module in network.modules() if isinstance(module, nn.Linear)],
    ).step()


def timed(
    action: Callable[[nn.Module, Examples, Pruning], None], network: nn.Module, examples: Examples, settings: Pruning
) -> float:
    """Return the milliseconds that an action takes with a copy of the network."""
    copied = copy.deepcopy(network)
    return milliseconds(lambda: action(copied, examples, settings))


def grown(network: nn.Module) -> nn.Module:
    """Return `network` with scales as a training leaves them; of equal ones torch-pruning's pruner would take none."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight)
    return network


def main() -> None:
    """Measure and write `results/pruning_time.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, (build, side) in NETWORKS.items():
        images = torch.randn(PICTURES, 3, side, side)
        whole, examples = grown(build(10)), Examples(images, torch.zeros(PICTURES, dtype=torch.long), losses)
        for way, settings in WAYS.items():
            found = in_turns(
                {
                    "ours": partial(timed, ours, whole, examples, settings),
                    "theirs": partial(timed, theirs, whole, examples, settings),
                },
                options.rounds,
            )
            ratio = times(found["theirs"], found["ours"])
            median = [f"{statistics.median(values) / 1e3:.3f}" for values in found.values()]
            rows.append([name, way, *median, f"{ratio:.2f}", f">= 1: {table.met(ratio >= 1)}"])
    table.write(
        "pruning_time",
        "Pruning, in seconds, beside torch-pruning's own pruner",
        f"python -m benchmarks.papers.pruning_time --rounds {options.rounds}",
        ["network", "what goes", "here", "torch-pruning", "times faster", "target"],
        rows,
        f"Medians of {options.rounds} rounds in turns, one thread, from the network to the smaller one, in seconds; "
        "times faster: the median of the rounds' own ratios, which a disturbed round does not move. Taylor "
        f"scores with gradients of {PICTURES} images. Both use torch-pruning's dependency graph. Its pruner takes "
        "a share of all layers' channels, 25 %, which removes about half of the MACs. Here the pruned network is run "
        "once more, to see that it still runs and what it costs: a quarter of the time where scores cost nothing. (On "
        "PyTorch's meta device, where nothing is computed, an operator takes a millisecond, and the run as long.)",
    )


if __name__ == "__main__":
    main()
