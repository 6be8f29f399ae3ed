"""How far a trained segmenter can be pruned before its Dice falls, by criterion: the paper's claim, drawn.

    python -m benchmarks.papers.pruning --data DIR --output build/kvasir

Takes the recipe `polyp` up to its first pruning step (its checkpoints, where they exist). Each criterion then removes
more and more filters, step by step, without any fine-tuning; after each step Dice is measured on the validation images.
Three seeds: of the images that the Taylor scores look at, and of the random ranking. Interrupted, it goes on.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from benchmarks import table
from compress.cost import cost
from compress.pruning.channels import prune
from compress.pruning.settings import Pruning
from compress.pruning.taylor import Examples
from compress.recipe_parser import load
from compress.run import Run
from compress.state.stage import State
from compress.steps.train import logits, lower_precision, to_input
from edge.command import Progress
from edge.files import write_beside
from edge.strict_json import dumps

SEEDS = (1, 2, 3)
SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8)  # of the MACs that are gone
SAMPLES = 32
CRITERIA = {
    "Taylor, normalized": Pruning(criterion="taylor-abs", samples=SAMPLES),
    "Taylor": Pruning(criterion="taylor-abs", normalize=False, samples=SAMPLES),
    "Taylor, random gradient": Pruning(criterion="taylor-abs", gradient="random", samples=SAMPLES),
    "magnitude": Pruning(criterion="l2-norm"),
    "random": Pruning(criterion="random"),
}
COLORS = ("#2a6fb0", "#60a860", "#c8a030", "#b05030", "#888888")


def filters(network: nn.Module) -> int:
    """Return how many filters the convolutions have."""
    return sum(m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d))


def curve(run: Run, start: State, settings: Pruning, seed: int, progress: Progress) -> list[dict[str, float]]:
    """Return Dice, and the shares of filters, parameters and MACs that are gone, for nothing pruned and each share."""
    network, whole = copy.deepcopy(start.network), cost(start.network, start.inputs)
    chosen = np.random.default_rng(seed).permutation(len(run.data.train))[:SAMPLES]
    images = to_input(torch.from_numpy(run.data.train.pixels[chosen]), start.spec)
    examples = Examples(images, torch.from_numpy(run.data.train.truth[chosen]), run.task.losses)
    points, gone = [], 0.0
    for share in (0.0, *SHARES):
        if share:
            step = dataclasses.replace(settings, macs=1 - (1 - share) / (1 - gone), seed=seed)
            prune(network, step, start.inputs, examples)
            gone = 1 - cost(network, start.inputs).macs / whole.macs
        now = cost(network, start.inputs)
        with lower_precision(torch.device("cpu")):
            quality = run.task.evaluate(logits(network, run.data.val, start.spec, 16), run.data)
        points.append(
            {
                "filters": 1 - filters(network) / filters(start.network),
                "parameters": 1 - now.parameters / whole.parameters,
                "macs": 1 - now.macs / whole.macs,
                "dice": quality,
            }
        )
        progress(f"{settings.criterion}, seed {seed}: {points[-1]['macs']:.0%} of the MACs gone, Dice {quality:.3f}")
    return points


def main() -> None:
    """Measure, write `results/pruning.md` and `results/pruning.png`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    recipe, progress = load("polyp"), Progress()
    place = next(number for number, step in enumerate(recipe.steps) if isinstance(step, Pruning))
    run = Run(
        dataclasses.replace(recipe, steps=recipe.steps[:place]), options.data, options.output, progress.log, progress
    )
    _, start = run.compress()
    done = options.output / "checkpoints" / f"{start.key}.curves.json"
    curves: dict[str, dict[str, Any]] = json.loads(done.read_text()) if done.exists() else {}
    for name, settings in CRITERIA.items():
        for seed in SEEDS if settings.criterion != "l2-norm" else SEEDS[:1]:  # magnitude draws nothing
            if str(seed) not in curves.setdefault(name, {}):
                curves[name][str(seed)] = curve(run, start, settings, seed, progress)
                write_beside(done, dumps(curves, str(done)).encode())
    write(curves, f"python -m benchmarks.papers.pruning --data {options.data.name} --output {options.output}")


def write(curves: dict[str, dict[str, Any]], command: str) -> None:
    """Write the table and the image."""
    stacked = {
        name: {
            key: np.array([[point[key] for point in seeds] for seeds in rows.values()])
            for key in ("filters", "macs", "dice")
        }
        for name, rows in curves.items()
    }
    rows = []
    for name, columns in stacked.items():
        for number, share in enumerate((0.0, *SHARES)):
            dice = columns["dice"][:, number]
            spread = f" ({dice.min():.3f} to {dice.max():.3f})" if len(dice) > 1 else ""
            rows.append(
                [
                    name,
                    f"{share:.0%}",
                    f"{columns['macs'][:, number].mean():.1%}",
                    f"{columns['filters'][:, number].mean():.1%}",
                    f"{dice.mean():.3f}{spread}",
                ]
            )
    whole = next(iter(stacked.values()))["dice"][0, 0]
    kept = []
    for name, columns in stacked.items():
        fine = [n for n in range(len(SHARES) + 1) if columns["dice"][:, : n + 1].mean(0).min() >= whole - 0.01]
        kept.append(f"{name} {columns['macs'][:, fine[-1]].mean():.0%}")
    table.write(
        "pruning",
        "Pruning the polyp segmenter without fine-tuning, by criterion",
        command,
        ["criterion", "MACs asked for", "MACs gone", "filters gone", "validation Dice, mean (range over seeds)"],
        rows,
        "![Dice and MACs over the share of filters removed](pruning.png)\n\n"
        f"Unpruned {whole:.3f}. MACs that go for less than one point of Dice: {', '.join(kept)}. All layers' "
        f"filters are ranked together, in blocks of 8; Taylor scores (taylor-abs) look at {SAMPLES} training images "
        "and are computed again at each step.",
    )
    draw(stacked, table.RESULTS / "pruning.png")


def draw(stacked: dict[str, dict[str, np.ndarray]], path: Path) -> None:
    """Draw Dice, and MACs, over the share of filters that are gone."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, (upper, lower) = plt.subplots(2, 1, figsize=(7.5, 7.5), sharex=True, layout="constrained")
    for (name, columns), color in zip(stacked.items(), COLORS, strict=True):
        x, dice = 100 * columns["filters"].mean(0), columns["dice"]
        upper.plot(x, dice.mean(0), "o-", color=color, label=name, markersize=4)
        upper.fill_between(x, dice.min(0), dice.max(0), color=color, alpha=0.18, linewidth=0)
        lower.plot(x, 100 * (1 - columns["macs"].mean(0)), "o-", color=color, markersize=4)
    upper.set_ylabel("validation Dice")
    upper.legend(frameon=False)
    lower.set_ylabel("MACs left, %")
    lower.set_xlabel("filters removed, %")
    for axis in (upper, lower):
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(alpha=0.25)
    figure.suptitle("Without fine-tuning; bands: three seeds")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    write_beside(path, buffer.getvalue())


if __name__ == "__main__":
    main()
