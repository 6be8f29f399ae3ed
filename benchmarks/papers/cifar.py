"""CIFAR-10: what each compressed network is worth, how fast it is, and what the papers say of the same.

    python -m benchmarks.papers.cifar build/cifar [--rounds 60] [--name cifar]

Takes every finished run that the folder holds (`edge-compress run bpcp`, `depgraph-resnet56`, ...; a user's own too):
accuracies from their reports, milliseconds measured here, all networks in turns.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import table
from benchmarks.papers import turns
from benchmarks.papers.speed import measure
from compress.tasks.metrics import cell
from edge.errors import EdgeError
from edge.files import write_beside
from edge.model import read
from edge.runtime import open_runtime

SHRINKING = ("prune-blocks", "soft-prune", "prune", "ghost")
BASIC, BOTTLENECK = "ResNet-56", "bottleneck ResNet-56"
NETWORKS = {"compress.networks.cifar:resnet56": BASIC, "compress.networks.cifar:bottleneck56": BOTTLENECK}
# method, accuracy before and after in %, share of parameters and MACs removed, times faster: as the papers have them;
# None where they say nothing
PAPERS: dict[str, list[tuple[str, float | None, float | None, float | None, float | None, float | None]]] = {
    BASIC: [
        ("SFP (He et al. 2018)", 93.59, 93.36, None, 0.526, None),
        ("FPGM (He et al. 2019)", 93.59, 93.26, None, 1 - 1 / 1.70, None),
        ("ResRep (Ding et al. 2021)", 93.71, 93.71, None, 1 - 1 / 2.12, None),
        ("L1 norms of groups (Fang et al. 2023)", 93.53, 92.93, None, 1 - 1 / 2.12, None),
        ("DepGraph without sparsity training (Fang et al. 2023)", 93.53, 93.46, None, 1 - 1 / 2.11, None),
        ("DepGraph (Fang et al. 2023)", 93.53, 93.77, None, 1 - 1 / 2.13, None),
        ("GBN (You et al. 2019)", 93.10, 92.77, None, 1 - 1 / 2.51, None),
        ("GReg-2 (Wang et al. 2021)", 93.36, 93.36, None, 1 - 1 / 2.55, None),
        ("DepGraph without sparsity training (Fang et al. 2023)", 93.53, 93.36, None, 1 - 1 / 2.51, None),
        ("DepGraph (Fang et al. 2023)", 93.53, 93.64, None, 1 - 1 / 2.57, None),
    ],
    BOTTLENECK: [
        ("slimming, 40 % (as BPCP has it)", 93.74, 92.06, 0.447, 0.551, 1.46),
        ("slimming, 50 % (as BPCP has it)", 93.74, 91.19, 0.554, 0.653, 1.58),
        ("COP, 30 % (as BPCP has it)", 93.74, 90.73, 0.608, 0.647, 1.53),
        ("BPCP (Huang and Wang 2020)", 93.74, None, 0.789, 0.803, 3.17),
    ],
}


@dataclass(frozen=True)
class Finished:
    """A finished run: its recipe's name, what was done, its report, its network and its files by kind."""

    name: str
    method: str
    network: str
    report: dict[str, Any]
    files: dict[str, Path]

    @property
    def base(self) -> str:
        """What the unpruned network is called in the tables."""
        return NETWORKS.get(self.network, self.network.split(":")[1])

    def accuracy(self, kind: str) -> float:
        """Return the share of right answers of "baseline", "float" or "int8"."""
        return float(self.report["test"][kind]["accuracy"]["value"])


def finished(folder: Path) -> list[Finished]:
    """Return the runs that `folder` holds, by name."""
    runs = []
    for path in sorted(folder.glob("*.report.json")):
        name = path.name.removesuffix(".report.json")
        provenance = read(folder / f"{name}.tflite").manifest.raw["provenance"]
        done = [f"{row['step']} ({row['detail']})" for row in provenance["ledger"] if row["step"] in SHRINKING]
        method = ", then ".join(done) or "nothing"
        taught = any(row["step"] == "train" and "distilled" in row["detail"] for row in provenance["ledger"])
        method += ", then train (distilled)" * taught
        files = {"baseline": f"{name}.baseline.float32.tflite", "float": f"{name}.float32.tflite"}
        runs.append(
            Finished(
                name,
                method,
                provenance["network"],
                json.loads(path.read_text()),
                {kind: folder / file for kind, file in files.items()} | {"int8": folder / f"{name}.tflite"},
            )
        )
    if not runs:
        raise EdgeError(
            f"{folder} holds no NAME.report.json: expected finished runs; edge-compress run first", "papers.runs"
        )
    return runs


@dataclass(frozen=True)
class Point:
    """One network as it can be run: accuracy in %, milliseconds."""

    title: str
    run: Finished
    kind: str
    milliseconds: float
    faster: float

    @property
    def accuracy(self) -> float:
        return 100 * self.run.accuracy(self.kind)


def front(points: list[tuple[float, float]]) -> list[bool]:
    """Return for each (accuracy, milliseconds) whether no other is as accurate and as fast, and better in one."""
    return [
        not any((b >= accuracy and t <= time) and (b > accuracy or t < time) for b, t in points)
        for accuracy, time in points
    ]


def measured(runs: list[Finished], rounds: int) -> list[Point]:
    """Return every network of `runs`, an unpruned one once, with its speed."""
    entries: dict[str, tuple[Finished, str]] = {}
    for run in runs:
        entries.setdefault(f"{run.base} float32, {100 * run.accuracy('baseline'):.2f} %", (run, "baseline"))
        entries[f"{run.name} float32"] = run, "float"
        entries[f"{run.name} int8"] = run, "int8"
    runners = {title: open_runtime(run.files[kind].read_bytes(), "litert", 1) for title, (run, kind) in entries.items()}
    times = measure(runners, rounds)
    points = []
    for title, (run, kind) in entries.items():
        base = times[f"{run.base} float32, {100 * run.accuracy('baseline'):.2f} %"]
        points.append(Point(title, run, kind, statistics.median(times[title]), turns.times(base, times[title])))
    return points


def write_speed(points: list[Point], command: str, rounds: int, name: str) -> None:
    """Write `results/NAME.md` and `results/NAME.png`."""
    best = front([(point.accuracy, point.milliseconds) for point in points])
    rows = []
    for point, kept in sorted(zip(points, best, strict=True), key=lambda pair: pair[0].milliseconds):
        figures, whole = point.run.report["measured"], point.kind == "baseline"
        rows.append(
            [
                point.title,
                "" if whole else point.run.method,
                cell(point.run.report["test"][point.kind]["accuracy"]),
                *("" if whole else f"{figures[f'{what}_removed']:.1%}" for what in ("parameters", "macs")),
                f"{point.milliseconds:.3f}",
                f"{point.faster:.2f}",
                "yes" if kept else "",
            ]
        )
    table.write(
        name,
        "CIFAR-10: accuracy and speed",
        command,
        ["network", "steps", "accuracy", "parameters gone", "MACs gone", "median ms", "times faster", "Pareto"],
        rows,
        f"![accuracy over milliseconds]({name}.png)\n\nThe 10,000 test images; in brackets 95 % bootstrap intervals. "
        f"Batch 1, one thread, LiteRT, {rounds} rounds, all in turns in one process; times faster than the unpruned "
        "network of the same run in float32. Pareto: no other is as accurate and as fast, and better in one.",
    )
    draw(points, best, table.RESULTS / f"{name}.png")


def write_papers(points: list[Point], command: str, name: str) -> None:
    """Write `results/NAME-papers.md`: the papers' rows, and ours beside them."""
    rows = []
    for base in dict.fromkeys(point.run.base for point in points):
        for method, before, after, parameters, macs, faster in PAPERS.get(base, ()):
            drop = None if before is None or after is None else before - after
            rows.append([base, method, *_cells(before, after, drop, parameters, macs, faster)])
        for point in points:
            if point.run.base == base and point.kind != "baseline":
                figures, before = point.run.report["measured"], 100 * point.run.accuracy("baseline")
                gone = figures["parameters_removed"], figures["macs_removed"]
                after = point.accuracy
                rows.append([base, f"**{point.title}**", *_cells(before, after, before - after, *gone, point.faster)])
    table.write(
        f"{name}-papers",
        "CIFAR-10: the papers' rows and ours",
        command,
        ["network", "method", "before", "after", "lost", "parameters gone", "MACs gone", "fewer MACs", "faster"],
        rows,
        "Bold: here. The papers' rows are quoted, SFP's, FPGM's, ResRep's, GBN's and GReg's as DepGraph's authors "
        "quote them; BPCP's abstract says that less than 3 points are lost and not how many. "
        f"{name}.md says which of ours learned from the unpruned network, too. Accuracies in %, points lost. "
        "Shares are of the unpruned network; so many times fewer MACs; so many times faster than it in float32, each "
        "on its authors' processor and runtime.",
    )


def _cells(
    before: float | None,
    after: float | None,
    drop: float | None,
    parameters: float | None,
    macs: float | None,
    faster: float | None,
) -> list[str]:
    times = None if macs is None else 1 / (1 - macs)
    texts = [f"{x:.2f}" if x is not None else "" for x in (before, after, drop)]
    texts += [f"{x:.1%}" if x is not None else "" for x in (parameters, macs)]
    return texts + [f"{x:.2f}" if x is not None else "" for x in (times, faster)]


def draw(points: list[Point], best: list[bool], path: Path) -> None:
    """Draw accuracy over milliseconds, and a line along the Pareto front."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(8, 5), layout="constrained")
    colors = {"baseline": "#888888", "float": "#2a6fb0", "int8": "#b05030"}
    for point in points:
        axis.plot(point.milliseconds, point.accuracy, "o", color=colors[point.kind])
        axis.annotate(point.title, (point.milliseconds, point.accuracy), (5, 4), textcoords="offset points", fontsize=7)
    line = sorted((p.milliseconds, p.accuracy) for p, kept in zip(points, best, strict=True) if kept)
    axis.plot(*zip(*line, strict=True), color="#3a8a5a", linewidth=1, zorder=0)
    axis.set_xscale("log")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.xaxis.set_minor_formatter("{x:g}")
    axis.margins(x=0.2)  # room for the names
    axis.set_xlabel("milliseconds, one thread")
    axis.set_ylabel("accuracy, %")
    axis.spines[["top", "right"]].set_visible(False)
    axis.grid(alpha=0.25)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    write_beside(path, buffer.getvalue())


def main() -> None:
    """Measure, write both tables and the image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the recipes' output")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--name", default="cifar", help="of the results files")
    options = parser.parse_args()
    command = f"python -m benchmarks.papers.cifar {options.folder} --rounds {options.rounds}"
    if options.name != "cifar":
        command += f" --name {options.name}"
    points = measured(finished(options.folder), options.rounds)
    write_speed(points, command, options.rounds, options.name)
    write_papers(points, command, options.name)


if __name__ == "__main__":
    main()
