"""How long pruning itself takes, beside torch-pruning's own pruner on the same networks.

    python -m benchmarks.pruning_time [--rounds 7]

From a network to the smaller one, the dependency graph included; no training, no images.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable

import torch
import torch_pruning as tp
from torch import nn

from benchmarks import table
from compress.networks.cifar import bottleneck56, resnet56
from compress.networks.resnet import resnet50, resnet101
from compress.pruning.channels import prune
from compress.pruning.settings import Pruning

NETWORKS: dict[str, tuple[Callable[[int], nn.Module], int]] = {
    "ResNet-56": (resnet56, 32),
    "bottleneck ResNet-56": (bottleneck56, 32),
    "ResNet-50": (resnet50, 224),
    "ResNet-101": (resnet101, 224),
}
WAYS = {
    "half of each layer": Pruning({"*": 0.5}, "l2-norm"),
    "half of the MACs, one ranking": Pruning(criterion="l2-norm", macs=0.5),
}


def ours(network: nn.Module, side: int, settings: Pruning) -> None:
    prune(network, settings, (3, side, side))


def theirs(network: nn.Module, side: int, settings: Pruning) -> None:
    """Prune as `settings` say; a share of the MACs is not to be had there, so one of the channels stands for it."""
    tp.pruner.MagnitudePruner(
        network.eval(),
        torch.zeros(1, 3, side, side),
        importance=tp.importance.GroupMagnitudeImportance(p=2),
        global_pruning=not settings.ratios,
        pruning_ratio=0.5 if settings.ratios else 0.25,
        round_to=settings.round_to,
        ignored_layers=[module for module in network.modules() if isinstance(module, nn.Linear)],
    ).step()


def main() -> None:
    """Measure and write `results/pruning_time.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    for name, (build, side) in NETWORKS.items():
        whole = build(10)
        for way, settings in WAYS.items():
            seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
            for turn in range(options.rounds + 1):
                for who, action in (("ours", ours), ("theirs", theirs)):
                    network = copy.deepcopy(whole)
                    begun = time.perf_counter()
                    action(network, side, settings)
                    if turn:  # the first round warms up
                        seconds[who].append(time.perf_counter() - begun)
            ratio = statistics.median(b / a for a, b in zip(seconds["ours"], seconds["theirs"], strict=True))
            median = [f"{statistics.median(values):.2f}" for values in seconds.values()]
            rows.append([name, way, *median, f"{ratio:.1f}", f">= 1: {table.met(ratio >= 1)}"])
    table.write(
        "pruning_time",
        "Pruning, in seconds, beside torch-pruning's own pruner",
        f"python -m benchmarks.pruning_time --rounds {options.rounds}",
        ["network", "what goes", "here", "torch-pruning", "times faster", "target"],
        rows,
        f"Median of {options.rounds} rounds in turns, one thread, from the network to the smaller one; filters ranked "
        "by length. Both use torch-pruning's dependency graph. Its pruner takes a share of all layers' channels, "
        "25 %, which removes about half of the MACs.",
    )


if __name__ == "__main__":
    main()
