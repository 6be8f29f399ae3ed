"""What carrying trained weights over into ghost convolutions is worth, against starting them at random.

    python -m benchmarks.papers.ghost_init --data DIR --output build/chest_xray

Takes the recipe `cpgresnet50` up to its ghost step (its checkpoints, where they exist), then both ways: validation AUC
at once, and after one epoch of fine-tuning at 128x128.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from benchmarks import table
from compress.recipe_parser import load
from compress.run import Run
from compress.steps.ghost import INITIALIZATIONS, Ghosting
from compress.steps.train import Training
from edge.command import Progress


def main() -> None:
    """Measure and write `results/ghost_init.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--output", type=Path, required=True)
    options = parser.parse_args()
    recipe, progress = load("cpgresnet50"), Progress()
    place = next(number for number, step in enumerate(recipe.steps) if isinstance(step, Ghosting))
    ghosting, after = recipe.steps[place], recipe.steps[place + 1]
    assert isinstance(ghosting, Ghosting) and isinstance(after, Training)
    rows = []
    for init in INITIALIZATIONS:
        steps = (dataclasses.replace(ghosting, init=init), dataclasses.replace(after, epochs=1))
        changed = dataclasses.replace(recipe, steps=recipe.steps[:place] + steps)
        run = Run(changed, options.data, options.output, progress.log, progress)
        run.compress()
        before, at_once, tuned = run.ledger.rows[-3:]
        rows.append([init, *(f"{row.metric:.4f}" for row in (before, at_once, tuned))])
    table.write(
        "ghost_init",
        "Ghost convolutions: initialized from the trained ones, or at random",
        f"python -m benchmarks.papers.ghost_init --data {options.data.name} --output {options.output}",
        ["initialization", "AUC before", "AUC with ghosts", "AUC after 1 epoch"],
        rows,
        "CPGResNet50, 32 convolutions replaced at once; AUC on the validation images. Both have their normalizations' "
        "statistics measured again.",
    )


if __name__ == "__main__":
    main()
