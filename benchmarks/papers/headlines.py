"""The papers' headlines, and where ours beside them comes from."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import edge.model
from benchmarks import table
from benchmarks.latency.evaluation import in_float
from benchmarks.papers import turns
from benchmarks.papers.speed import measure
from benchmarks.papers.unpruned import UNPRUNED, Size, size
from edge.check import FAILED, check
from edge.engine import load
from edge.errors import EdgeError
from edge.runtime import open_runtime

HERE = "edge-bench papers"
NOW = "now"


class Row(NamedTuple):
    """One headline.

    Attributes:
        paper, headline: whose, and of what.
        theirs: as the paper says it.
        ours: None where it is not measured.
        when: NOW, or the date of the results that it is taken from; None where it is not measured.
        again: the command that measures it again.
    """

    paper: str
    headline: str
    theirs: str
    ours: str | None = None
    when: str | None = None
    again: str | None = None


@dataclass
class Now:
    """What is measured now, in a minute.

    Attributes:
        sizes: of each shipped model and, as "NAME unpruned", of what it was pruned from.
        bytes: of each shipped model's file.
        vectors: golden vectors of each model: how many are right, of how many.
        faster: ("cpgresnet50", "int8" or "float32") -> how many times faster than the unpruned network in float32, one
            thread.
        runtime: what ran them.
    """

    sizes: dict[str, Size] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    vectors: dict[str, tuple[int, int]] = field(default_factory=dict)
    faster: dict[tuple[str, str], float] = field(default_factory=dict)
    milliseconds: dict[tuple[str, str], float] = field(default_factory=dict)
    runtime: str = ""


def measured(folder: Path, rounds: int, say: Callable[[str], None]) -> Now:
    """Measure the shipped models; `folder` is for what is made on the way, `say` gets lines of progress."""
    now = Now()
    for path in edge.model.shipped():
        file = edge.model.read(path)
        name = file.manifest.name
        say(f"{name}: golden vectors")
        now.sizes[name], now.bytes[name] = size(file.flatbuffer, name), file.size
        verdicts = check(load(path, "litert", 1))
        now.vectors[name] = sum(verdict.verdict != FAILED for verdict in verdicts), len(verdicts)
    for name, build in UNPRUNED.items():
        say(f"{name}: beside what it was pruned from, {rounds} rounds")
        unpruned, file = build(), edge.model.read(edge.model.find(name))
        now.sizes[f"{name} unpruned"] = size(unpruned, name)
        twin = folder / f"{name}.tflite"
        in_float(file, twin)
        networks = {"unpruned": unpruned, "float32": twin.read_bytes(), "int8": file.flatbuffer}
        runners = {kind: open_runtime(network, "litert", 1) for kind, network in networks.items()}
        now.runtime = f"{runners['int8'].name} {runners['int8'].version}"
        times = measure(runners, rounds)
        for kind, values in times.items():
            now.milliseconds[name, kind] = statistics.median(values)
            if kind != "unpruned":
                now.faster[name, kind] = turns.times(times["unpruned"], values)
    return now


def rows(now: Now) -> list[Row]:
    """Return all headlines; EdgeError ("results.invalid") where results that they are taken from are not there."""
    return [
        *_cpgresnet50(now),
        *_polyp(),
        *_rms_net(),
        *_bpcp(now),
        *_resnet56(),
        *_not_tried(),
    ]


def _cpgresnet50(now: Now) -> Iterator[Row]:
    paper = "Yang et al. 2022, CPGResNet50"
    found, name = now.sizes["cpgresnet50"], "cpgresnet50"
    yield Row(paper, "parameters", "3.455 M", f"{found.parameters / 1e6:.3f} M", NOW, HERE)
    yield Row(paper, "MACs at 224x224", "523.09 M", f"{found.macs / 1e6:.2f} M", NOW, HERE)
    yield Row(paper, "time of ResNet-50 less", "85 %, 6.67 times", _faster(now, name), NOW, HERE)
    kept = table.kept("accuracy")
    before, after = (_number(_row(kept, "network", title)["accuracy"]) for title in ("ResNet-50 float", f"{name} int8"))
    yield Row(
        paper, "accuracy lost", "< 1 point", f"{100 * (before - after):+.1f} points, int8", kept.date, kept.command
    )


def _polyp() -> Iterator[Row]:
    paper, kept = "Sapkota et al. 2023, polyp segmentation", table.kept("segmentation-accuracy")
    ours, before = _row(kept, "network", "polyp int8"), _row(kept, "network", "unpruned float")
    for what in ("parameters removed", "MACs removed"):
        yield Row(paper, what, "significantly", ours[what], kept.date, kept.command)
    dice = f"{_number(before['Dice']):.3f} to {_number(ours['Dice']):.3f}, int8"
    yield Row(paper, "Dice", "similar", dice, kept.date, kept.command)


def _rms_net() -> Iterator[Row]:
    paper = "Yu et al. 2024, RMS-Net, ChestX-ray14"
    yield Row(paper, "parameters", "0.96 M")
    yield Row(paper, "FLOPs", "0.27 G")
    yield Row(paper, "mean AUC of 14 findings", "0.836")


def _bpcp(now: Now) -> Iterator[Row]:
    paper, before, after = "Huang and Wang 2020, BPCP, CIFAR-10", now.sizes["bpcp unpruned"], now.sizes["bpcp"]
    yield Row(paper, "parameters removed", "78.9 %", f"{1 - after.parameters / before.parameters:.1%}", NOW, HERE)
    yield Row(paper, "MACs removed", "80.3 %", f"{1 - after.macs / before.macs:.1%}", NOW, HERE)
    yield Row(paper, "times faster", "3.17", _faster(now, "bpcp"), NOW, HERE)
    kept = table.kept("cifar-papers")
    ours = _row(kept, "method", "**bpcp int8**")
    yield Row(paper, "points lost", "< 3", f"{ours['lost']}, int8", kept.date, kept.command)


def _resnet56() -> Iterator[Row]:
    for paper, lost, fewer, file, run in (
        ("He et al. 2018, SFP, ResNet-56", "0.23", "2.11", "cifar-papers", "sfp-resnet56"),
        ("Fang et al. 2023, DepGraph, ResNet-56", "-0.24", "2.13", "cifar-papers", "depgraph-resnet56"),
        ("Fang et al. 2023, DepGraph, ResNet-56", "-0.11", "2.57", "cifar-small-papers", "depgraph-resnet56-small"),
    ):
        kept = table.kept(file)
        ours = _row(kept, "method", f"**{run} int8**")
        headline = f"points lost with {fewer} times fewer MACs"
        yield Row(paper, headline, lost, f"{ours['lost']} with {ours['fewer MACs']}, int8", kept.date, kept.command)
    yield Row("He et al. 2018, SFP, ResNet-101, ImageNet", "top-5 with 42 % fewer FLOPs", "+0.2 points")


def _not_tried() -> Iterator[Row]:
    yield Row("Al Husaini et al. 2022, Inception MV4, thermograms", "time of Inception-V4 less", "7 %")
    yield Row("Trevino-Sanchez and Alarcon-Aquino 2022", "hybrid pooling", "best of ten on four sets")
    yield Row("Hoang et al. 2020, direct quantization", "learned levels of low-bit weights", "accuracy kept")
    yield Row("Endo et al. 2020, degraded images", "degradation as a second input", "beats training alone")
    for headline, theirs in (("recall", "0.94"), ("precision", "0.885"), ("IoU", "0.913")):
        yield Row("Li et al. 2019, plaque in IVOCT", headline, theirs)


def _faster(now: Now, name: str) -> str:
    return ", ".join(f"{now.faster[name, kind]:.2f} in {kind}" for kind in ("float32", "int8"))


def _row(kept: table.Kept, column: str, value: str) -> Mapping[str, str]:
    """Return the row whose cell in `column` is `value`."""
    for row in kept.rows:
        if row.get(column) == value:
            return row
    raise EdgeError(
        f"the results of `{kept.command}` have no {value!r} under {column!r}: expected that row; run the command again",
        "results.invalid",
    )


def _number(cell: str) -> float:
    """Return the number that a cell begins with."""
    found = re.match(r"[-+]?\d+(\.\d+)?", cell)
    if found is None:
        raise EdgeError(f"the results have {cell!r}: expected a number; run their command again", "results.invalid")
    return float(found[0])
