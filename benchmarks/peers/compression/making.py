"""The networks that are compared, made once and kept: trained, pruned by each tool, trained on, written as files.

Every tool begins with the same trained weights, and what it prunes is trained by the same training for as long, with
the same seed. Nothing is chosen on the test images, and nothing on the validation images either: the settings of each
tool are those that its documentation begins with.
"""

from __future__ import annotations

import copy
import math
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import compress
from benchmarks import environment
from benchmarks.peers.compression.network import SIDE, SmallResNet
from compress.convert import onnx, tflite
from compress.steps.augmentation import to_input
from compress.steps.step import samples
from edge.errors import EdgeError, one_line
from edge.files import write_beside
from edge.scratch import scratch

Say = Callable[[str], None]
NNCF = ("nncf==3.4.0", "openvino==2026.4.1", "numpy==2.4.6")
CALIBRATION = 128
INPUTS, TRUTH = "inputs.npy", "truth.npy"
FLOAT, INT8, NNCF_INT8 = "float.onnx", "int8.tflite", "nncf.xml"
_NNCF_SECONDS = 600
_TRAINING: dict[str, Any] = {
    "lr": 0.05,
    "batch": 64,
    "weight_decay": 5e-4,
    "augment": {"rotate": 8, "zoom": 0.12, "shift": 0.06},
}
_TUNING: dict[str, Any] = {**_TRAINING, "lr": 0.02}


@dataclass(frozen=True)
class Plan:
    """What is made.

    Attributes:
        epochs, tuning: of the first training, and of that behind each pruning.
        shares: of the MACs that are removed, above 0 to below 1.
        seed: of weights, order of images and augmentation.
    """

    epochs: int
    tuning: int
    shares: tuple[float, ...]
    seed: int


@dataclass(frozen=True)
class Made:
    """A network that was made.

    Attributes:
        pruner: "torch-pruning", "edge-infer", or "" for the network that all begin with.
        share: of the MACs that it was to lose.
        macs, parameters: what it has.
        folder: with FLOAT, INT8 and NNCF_INT8.
    """

    pruner: str
    share: float
    macs: int
    parameters: int
    folder: Path


def data_of(folder: str) -> compress.DataSet:
    """Return a folder's images as the network reads them: grey, 64 x 64."""
    size = compress.Input(SIDE, SIDE, "grey", channels=1, mean=(0.5,), std=(0.25,))
    found = compress.load_data(folder, size)
    if len(found.labels) != 2:
        raise EdgeError(f"{folder} has {len(found.labels)} classes: expected two, as AUC compares them", "peers.data")
    return found


def make(data: compress.DataSet, plan: Plan, parent: Path, say: Say) -> list[Made]:
    """Return the networks, each with its files; what an interrupted call made is taken up.

    Raises EdgeError where a file can't be made of one.
    """
    example = torch.zeros(1, data.spec.channels, data.spec.height, data.spec.width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(plan.seed)
        start = SmallResNet()
    parent.mkdir(parents=True, exist_ok=True)
    first = parent / "start"
    trained = compress.train(
        start,
        data,
        epochs=plan.epochs,
        seed=plan.seed,
        checkpoint=_place(first) / "epochs.pt",
        progress=_named(say, "the network that all begin with"),
        **_TRAINING,
    )
    found = [_written(trained, "", 0.0, first, data, example, say)]
    for name, pruner in PRUNERS.items():
        for share in plan.shares:
            folder = _place(parent / f"{name}-{round(share * 100)}")
            pruned = pruner(copy.deepcopy(trained), data, example, share, plan.seed)
            tuned = compress.train(
                pruned,
                data,
                epochs=plan.tuning,
                seed=plan.seed,
                checkpoint=folder / "epochs.pt",
                progress=_named(say, f"{name}, {share:.0%} fewer MACs"),
                **_TUNING,
            )
            found.append(_written(tuned, name, share, folder, data, example, say))
    np.save(parent / INPUTS, _inputs(data))
    np.save(parent / TRUTH, np.asarray(data.test.truth))
    return found


def torch_pruning(
    network: nn.Module, data: compress.DataSet, example: torch.Tensor, share: float, seed: int
) -> nn.Module:
    """torch-pruning as its README begins: group magnitude, the same share of each layer's channels.

    A layer's MACs are inputs times outputs, so the share s of the MACs takes 1 - sqrt(1 - s) of the channels.
    """
    import torch_pruning

    pruner = torch_pruning.pruner.BasePruner(
        network,
        example,
        importance=torch_pruning.importance.GroupMagnitudeImportance(p=2),
        pruning_ratio=1 - math.sqrt(1 - share),
        round_to=8,
        ignored_layers=[layer for layer in network.modules() if isinstance(layer, nn.Linear)],
    )
    pruner.step()
    return network


def edge_infer(network: nn.Module, data: compress.DataSet, example: torch.Tensor, share: float, seed: int) -> nn.Module:
    """This project: the channels of the whole network that its loss depends on least, until the share is reached."""
    return compress.prune(network, example, macs=share, criterion="taylor", data=data, seed=seed)


PRUNERS = {"torch-pruning": torch_pruning, "edge-infer": edge_infer}


def _named(say: Say, name: str) -> Say:
    return lambda text: say(f"{name}: {text}")


def _place(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


def _inputs(data: compress.DataSet) -> np.ndarray:
    """Return the test images as float32 (images, height, width, channels), as the network reads them."""
    found = to_input(torch.from_numpy(data.test.pixels), data.spec).numpy()
    return np.ascontiguousarray(found.transpose(0, 2, 3, 1))


def _written(
    network: nn.Module,
    pruner: str,
    share: float,
    folder: Path,
    data: compress.DataSet,
    example: torch.Tensor,
    say: Say,
) -> Made:
    """Write a network's three files, those that are not there yet."""
    cost = compress.cost(network, example)
    made = Made(pruner, share, cost.macs, cost.parameters, folder)
    calibration = samples(data, data.spec, CALIBRATION)
    if not (folder / FLOAT).exists():
        with scratch("onnx", folder) as work:
            onnx.export(network, example, work / FLOAT)
            os.replace(work / FLOAT, folder / FLOAT)
    if not (folder / INT8).exists():
        say(f"{folder.name}: converting to int8")
        write_beside(folder / INT8, tflite.to_tflite(network, calibration, "int8"))
    if not (folder / NNCF_INT8).exists():
        say(f"{folder.name}: NNCF quantizes")
        nncf(folder, calibration.numpy(), say)
    return made


def nncf(folder: Path, calibration: np.ndarray, say: Say) -> None:
    """Let NNCF quantize a folder's FLOAT after the training, in an environment of its own.

    Args:
        calibration: float32 (images, channels, height, width).

    Raises EdgeError ("peers.convert") where it can't.
    """
    python = environment.ready("nncf", NNCF, say) / "bin/python"
    program = Path(__file__).with_name("nncf_worker.py")
    with scratch("nncf", folder) as work:
        np.save(work / "images.npy", calibration)
        words = [str(python), "-I", str(program), str(folder / FLOAT), str(work / "images.npy"), str(work / NNCF_INT8)]
        try:
            ran = subprocess.run(words, capture_output=True, text=True, timeout=_NNCF_SECONDS)
        except subprocess.TimeoutExpired:
            raise EdgeError(f"NNCF took more than {_NNCF_SECONDS} s for {folder.name}", "peers.convert") from None
        if ran.returncode:
            last = one_line((ran.stderr.strip().splitlines() or [f"status {ran.returncode}"])[-1])[:200]
            raise EdgeError(f"NNCF can't quantize {folder.name} ({last})", "peers.convert")
        for name in (Path(NNCF_INT8).with_suffix(".bin").name, NNCF_INT8):
            os.replace(work / name, folder / name)
