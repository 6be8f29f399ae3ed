"""The networks that are compared, as TFLite files; how long their conversion takes and how much memory.

    python -m benchmarks.papers.build build/benchmark

Speed does not depend on what a network has learned, so these are built from the recipes' pruning and ghost steps
without training. Each conversion is a process of its own, measured from outside.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from benchmarks import table
from edge.errors import EdgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from torch import nn

# name -> recipe whose structure it has, whether ghosts are added, kinds
NETWORKS: dict[str, tuple[str, bool, tuple[str, ...]]] = {
    "resnet50": ("", False, ("float32", "int8")),
    "cpgresnet50": ("cpgresnet50", True, ("float32", "int8")),
    "cpgresnet50-without-ghost": ("cpgresnet50", False, ("float32", "int8")),
    "pneumonia": ("pneumonia", False, ("float32", "int8")),
    "pneumonia-with-ghost": ("pneumonia", True, ("float32", "int8")),
}
LIMITS = {"cpgresnet50": (120, 3000), "pneumonia": (120, 3000)}  # seconds, MB
GHOSTED = ("stage*.conv1", "stage*.conv3")


def network(name: str) -> tuple[nn.Module, tuple[int, ...]]:
    """Return the network `name`, untrained and the same one every time, and its input's (channels, height, width)."""
    import torch
    from torch import nn

    from compress.inputs import inputs_of
    from compress.networks.resnet import resnet50
    from compress.pruning.channels import Pruning, prune
    from compress.recipe_parser import load
    from compress.steps.fold_grey import GreyFolding, fold_grey
    from compress.steps.fold_norms import fold_norms
    from compress.steps.ghost import Ghosting, ghost

    recipe_name, ghosts, _ = NETWORKS[name]
    torch.manual_seed(0)
    made: nn.Module = resnet50(classes=2)
    shape = (3, 224, 224)
    for module in made.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
    for step in load(recipe_name).steps if recipe_name else ():
        if isinstance(step, Pruning):
            prune(made, step, inputs_of(shape))
        if isinstance(step, GreyFolding):
            made, shape = fold_grey(made, inputs_of(shape)), (1, 224, 224)
    if ghosts:
        ghost(made, Ghosting(GHOSTED, init="random"), torch.randn(4, *shape))
        fold_norms(made, inputs_of(shape))
    return made, shape


def build(name: str, kind: str, path: Path) -> None:
    """Write the network `name` as a plain TFLite file, `kind` "float32" or "int8"."""
    import torch

    from compress.convert.tflite import to_tflite
    from edge.files import write_beside

    made, shape = network(name)
    images = torch.rand(16, *shape[1:], shape[0]) * 4 - 2
    write_beside(path, to_tflite(made, images.permute(0, 3, 1, 2), kind, "onnx2tf"))


def build_all(folder: Path) -> None:
    """Build every network that is not there yet; write `results/conversion.md`."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for name, (_, _, kinds) in NETWORKS.items():
        for kind in kinds:
            path = folder / f"{name}.{kind}.tflite"
            log = path.with_suffix(".measured")
            if not (path.exists() and log.exists()):
                seconds, megabytes = _measured([sys.executable, "-m", "benchmarks.papers.build", name, kind, str(path)])
                log.write_text(f"{seconds:.1f} {megabytes:.0f}")
            seconds, megabytes = map(float, log.read_text().split())
            met = ""
            if name in LIMITS:
                met = table.met(seconds <= LIMITS[name][0] and megabytes <= LIMITS[name][1])
                met = f"<= {LIMITS[name][0]} s, <= {LIMITS[name][1] / 1000:g} GB: {met}"
            rows.append(
                [name, kind, f"{path.stat().st_size / 1e6:.2f} MB", f"{seconds:.0f} s", f"{megabytes:.0f} MB", met]
            )
            print(*rows[-1], flush=True)
    notes = (
        "Whole process: start, pruning, ONNX, SavedModel, TFLite. Memory is the largest resident set of one process "
        "(PyTorch and TensorFlow run one after the other in two)."
    )
    header = ["network", "kind", "file", "time", "peak memory", "target"]
    table.write(
        "conversion", "Conversion to TFLite", f"python -m benchmarks.papers.build {folder}", header, rows, notes
    )


def _measured(command: list[str]) -> tuple[float, float]:
    """Return wall seconds and the peak resident set in MB, of the process or its largest child."""
    begun = time.monotonic()
    process = subprocess.Popen(command)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise EdgeError(f"{' '.join(command)} failed with status {status}", "papers.failed")
    # Linux counts a waited-for child's peak into its parent's children, not into the parent: ask the child to say it.
    said = float(Path(f"{command[-1]}.children").read_text())
    Path(f"{command[-1]}.children").unlink()
    return time.monotonic() - begun, max(usage.ru_maxrss * 1024 / 1e6, said)


def main(arguments: list[str]) -> None:
    """`FOLDER` builds all; `NAME KIND PATH` builds one."""
    if len(arguments) == 1:
        build_all(Path(arguments[0]))
        return
    import resource

    name, kind, path = arguments
    build(name, kind, Path(path))
    Path(f"{path}.children").write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 / 1e6))


if __name__ == "__main__":
    main(sys.argv[1:])
