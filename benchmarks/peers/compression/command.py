"""`edge-bench compression`: one trained network made small by torch-pruning, by NNCF and by this project."""

from __future__ import annotations

import argparse
import hashlib
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import compress
from benchmarks import environment as environments
from benchmarks import table
from benchmarks.peers import environment, measuring
from benchmarks.peers.compression import making
from benchmarks.peers.compression.comparing import DRAWS, Difference, Point, difference
from benchmarks.peers.compression.making import FLOAT, INT8, NNCF, NNCF_INT8, Made, Plan
from benchmarks.peers.measuring import Row
from benchmarks.peers.process import Worker
from benchmarks.verdicts.ratio import LEAST_PAIRS
from compress.tasks.metrics import binary_auc
from edge.arguments import count
from edge.command import Progress
from edge.errors import EdgeError

FOLDER = Path("build/bench/compression")
TITLE = "Compression compared: accuracy at equal latency"
HEADER = ["compressed by", "MACs to remove", "MACs left", "parameters", "runs in"]
HEADER += ["1 thread, ms", "AUC, test", "AUC less edge-infer's at that latency (95 %)", "against edge-infer"]
OURS = "edge-infer"
NOTES = """
One network, a residual one of {whole:.1f} million MACs for grey images of 64 x 64, was trained once ({epochs} epochs,
seed {seed}); every tool begins with those weights, and what a tool pruned was trained on for {tuning} epochs by the
same training. {data}: {train} training images, {test} test images; nothing was chosen on the test images. AUC is of the
answers that the runtime in that row gives. Times: {rounds} rounds, in each every row has a turn in random order; the
median of the turns' medians, one thread.

edge-infer's front are its rows in LiteRT int8; between two of its networks the AUC is linear in the latency's
logarithm, past the slowest it is the slowest's. The interval is of {draws} resamples of the test images. Ahead, behind:
the whole interval says so. "-": all of edge-infer's networks are slower than that row.

- torch-pruning: `GroupMagnitudeImportance`, the same share of every layer's channels, multiples of 8, as its README
  begins; it prunes and leaves float32, which onnxruntime runs. The same networks are in LiteRT int8 as well, by
  edge-infer's conversion: what the two prunings differ by, without the runtimes.
- NNCF ({nncf}): int8 after the training with its settings as they are, {calibration} training images, run by
  OpenVINO: of the network itself, and of torch-pruning's networks.
- edge-infer: Taylor criterion over the whole network, multiples of 8; int8 after the training, {calibration} images.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("--data", required=True, metavar="DIR", help="images of two classes, in train/ and test/")
    for name, default, text in (
        ("epochs", 6, "of the first training"),
        ("tuning", 3, "epochs behind each pruning"),
        ("rounds", 20, "turns of each network"),
        ("seed", 1, "of weights, order and augmentation"),
    ):
        least = LEAST_PAIRS if name == "rounds" else 1
        parser.add_argument(
            f"--{name}", type=count(least, 1000), default=default, metavar="N", help=f"{text} (default: {default})"
        )
    parser.add_argument(
        "--removed",
        type=count(5, 95),
        nargs="+",
        default=[30, 50, 70],
        metavar="PERCENT",
        help="shares of the MACs to remove (default: 30 50 70)",
    )
    parser.add_argument("--results", metavar="NAME", help="write results/NAME.md beside this program as well")


def run(options: argparse.Namespace) -> None:
    """Make the networks, measure them, and print the table; what an interrupted call made is taken up."""
    progress = Progress()
    data = making.data_of(options.data)
    plan = Plan(options.epochs, options.tuning, tuple(sorted({part / 100 for part in options.removed})), options.seed)
    folder = FOLDER.absolute() / _digest(plan, data)
    made = making.make(data, plan, folder, progress)
    entries = [entry for one in made for entry in _entries(one)]
    points = measure(folder, entries, options.rounds, progress)
    rows = lines(made, points, np.load(folder / making.TRUTH) == 1)
    words = [f"--data {Path(options.data).name}", f"--epochs {plan.epochs}", f"--tuning {plan.tuning}"]
    words += [f"--removed {' '.join(f'{part * 100:.0f}' for part in plan.shares)}", f"--seed {plan.seed}"]
    command = " ".join(["edge-bench compression", *words, f"--rounds {options.rounds}"])
    said = NOTES.format(
        whole=made[0].macs / 1e6, epochs=plan.epochs, tuning=plan.tuning, seed=plan.seed, rounds=options.rounds,
        data=Path(options.data).name, train=len(data.train), test=len(data.test), nncf=NNCF[0], draws=DRAWS,
        calibration=making.CALIBRATION,
    )  # fmt: skip
    if options.results:
        table.write(options.results, TITLE, command, HEADER, rows, said)
    else:
        table.show(TITLE, HEADER, rows)


def _digest(plan: Plan, data: compress.DataSet) -> str:
    """Return a name for what is made of a plan and images: other ones have another folder."""
    whole = hashlib.sha256(json.dumps([plan.epochs, plan.tuning, plan.shares, plan.seed]).encode())
    for split in (data.train, data.val, data.test):
        whole.update(split.pixels.tobytes())
        whole.update(split.truth.tobytes())
    return whole.hexdigest()[:16]


# A network and how it runs: who pruned it, its folder's name, the runtime, the file.
Entry = tuple[str, str, str, str]
_RUNS = {FLOAT: "onnxruntime", NNCF_INT8: "openvino", INT8: "litert"}
_TITLES = {FLOAT: "onnxruntime float", NNCF_INT8: "OpenVINO int8", INT8: "LiteRT int8"}


def _entries(made: Made) -> list[Entry]:
    """Return how a network is run: this project's own in LiteRT int8, the others in all."""
    files = (INT8,) if made.pruner == OURS else (FLOAT, NNCF_INT8, INT8)
    return [(made.pruner, made.folder.name, _RUNS[file], file) for file in files]


def measure(folder: Path, entries: Sequence[Entry], rounds: int, progress: Progress) -> dict[tuple[str, str], Point]:
    """Return a point for each network and file, by the names of its folder and file.

    Raises EdgeError where one can't be run.
    """
    rows, files, scores = [], {}, {}
    for _, name, runtime, file in entries:
        # NNCF's environment has the OpenVINO that quantized.
        python = (
            environments.ready("nncf", NNCF, progress.log) / "bin/python"
            if file == NNCF_INT8
            else environment.python(runtime, progress)
        )
        row = Row(runtime, f"{name}/{file}")
        rows.append(row)
        files[row.runtime, row.kind] = python, folder / name / file
        progress(f"asking {row.kind}")
        with Worker(python, runtime, folder / name / file, folder / making.INPUTS, 1) as worker:
            worker.version()
            answers = worker.answer()
        scores[row.kind] = answers[:, 1] - answers[:, 0]
    measuring.turns(rows, files, folder, 1, rounds, progress)
    for row in rows:
        if row.fault:
            raise EdgeError(f"{row.kind} can't be measured: {row.fault}", "peers.run")
    return {
        (name, file): Point(statistics.median(row.ms[1]), scores[row.kind])
        for row, (_, name, _, file) in zip(rows, entries, strict=True)
    }


def lines(made: Sequence[Made], points: dict[tuple[str, str], Point], positive: np.ndarray) -> list[list[str]]:
    """Return the table's lines, the fastest first.

    Args:
        points: by the names of a network's folder and file.
        positive: bool (images,), which test images are of the second class.
    """
    networks = {one.folder.name: one for one in made}
    ours = [point for (name, file), point in points.items() if file == INT8 and networks[name].pruner in ("", OURS)]
    found = []
    for (name, file), point in sorted(points.items(), key=lambda item: item[1].ms):
        one = networks[name]
        line = [_by(one.pruner, file), f"{one.share:.0%}", f"{one.macs / 1e6:.2f} M", f"{one.parameters / 1e3:.0f} k"]
        line += [_TITLES[file], f"{point.ms:.3f}", f"{binary_auc(point.scores, positive):.4f}"]
        if file == INT8 and one.pruner in ("", OURS):
            found.append([*line, "", "its own"])
            continue
        found.append([*line, *_said(difference(point, ours, positive))])
    return found


def _by(pruner: str, file: str) -> str:
    """Return who compressed: the pruning, and then the int8."""
    int8 = {FLOAT: "", NNCF_INT8: "NNCF", INT8: OURS}[file]
    return " + ".join(dict.fromkeys(word for word in (pruner, int8) if word)) or "nobody"


def _said(found: Difference | None) -> list[str]:
    if found is None:
        return ["-", "faster than all of edge-infer's: **ahead** there"]
    verdict = "**ahead**" if found.low > 0 else "behind" if found.high < 0 else "no difference shown"
    return [f"{found.value:+.4f} ({found.low:+.4f} to {found.high:+.4f})", verdict]
