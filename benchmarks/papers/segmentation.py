"""What the polyp segmenters are worth on the test images, and how fast they are, from image file to mask.

    python -m benchmarks.papers.segmentation build/kvasir --data DIR

Accuracy is read from the reports of finished runs (`edge-compress run polyp`, `polyp60`). Speed is measured here:
invokes of the unpruned network in float32 and of each int8 model in turns; the whole way of a 1280x1024 JPEG; and a
stream of the data set's own files on two threads.
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from PIL import Image

import edge
from benchmarks import table
from benchmarks.papers import turns
from benchmarks.papers.speed import measure
from benchmarks.table import met
from compress.tasks.metrics import cell
from edge.runtime import open_runtime

NAMES = ("polyp60", "polyp")
LARGE = (1280, 1024)
MEMORY = 100  # MB
LIMITS = {"polyp60": (0.6, 1.0), "polyp": (0.8, 2.5)}  # share removed, points of Dice


def accuracy(folder: Path) -> None:
    """Write `results/segmentation-accuracy.md`."""
    rows: list[list[str]] = []
    notes = []
    for name in NAMES:
        result = json.loads((folder / f"{name}.report.json").read_text())
        test, measured = result["test"], result["measured"]
        for kind in ("baseline", "float", "int8") if not rows else ("float", "int8"):
            title = "unpruned float" if kind == "baseline" else f"{name} {kind}"
            gone = (
                ["", ""] if kind == "baseline" else [f"{measured[f'{k}_removed']:.1%}" for k in ("parameters", "macs")]
            )
            rows.append([title, *gone, *(cell(figure) for figure in test[kind].values())])
        share, points = LIMITS[name]
        dice = {kind: 100 * test[kind]["dice"]["value"] for kind in test}
        pruned, quantized = dice["baseline"] - dice["float"], dice["float"] - dice["int8"]
        enough = min(measured["parameters_removed"], measured["macs_removed"]) >= share
        agreement = result["agreement"]
        notes.append(
            f"**{name}**: at least {share:.0%} of parameters and MACs removed: {met(enough)}; in float Dice "
            f"{-pruned:+.2f} points against unpruned (target at most {points:g} lower: {met(pruned <= points)}); in "
            f"int8 {-quantized:+.2f} against float (target within 0.5: {met(abs(quantized) <= 0.5)}); mean IoU of the "
            f"float and the int8 masks {cell(agreement)} (target >= 0.97: {met(agreement['value'] >= 0.97)}); cosine "
            f"of the logits {result['cosine']:.5f}."
        )
    table.write(
        "segmentation-accuracy",
        "Polyps: the 120 test images of our split of Kvasir-SEG",
        f"python -m benchmarks.papers.segmentation {folder} --data DIR",
        ["network", "parameters removed", "MACs removed", "Dice", "IoU"],
        rows,
        "Means over images, at the images' own sizes; in brackets 95 % bootstrap intervals (2000 resamples of the "
        "test images). int8 runs through `edge` on LiteRT. Thresholds were chosen on validation images: the unpruned "
        "network's own, and the int8 model's, which its float form shares.\n\n" + "\n\n".join(notes),
    )


def speed(folder: Path, images: list[Path], rounds: int) -> None:
    """Write `results/segmentation-speed.md`."""
    files = {"unpruned float32": folder / "polyp.baseline.float32.tflite"}
    for name in NAMES:
        files |= {f"{name} float32": folder / f"{name}.float32.tflite", f"{name} int8": folder / f"{name}.tflite"}
    times = measure({name: open_runtime(path.read_bytes(), "litert", 1) for name, path in files.items()}, rounds)
    base = times["unpruned float32"]
    rows = []
    for name, values in times.items():
        ratio = turns.times(base, values)
        said = f">= 8: {met(ratio >= 8)}" if name.endswith("int8") else ""
        rows.append([name, f"{statistics.median(values):.2f}", f"{min(values):.2f}", f"{ratio:.1f}", said])
    notes = [f"Batch 1, 256x256, 1 thread, {rounds} rounds, all in turns in one process."]
    for name in NAMES:
        notes.append(whole_way(folder / f"{name}.tflite", images, rounds))
    table.write(
        "segmentation-speed",
        "Polyps: speed against the unpruned U-Net in float32, LiteRT",
        f"python -m benchmarks.papers.segmentation {folder} --data DIR",
        ["network", "median ms", "fastest ms", "times faster", "target"],
        rows,
        "\n\n".join(notes),
    )


def whole_way(path: Path, images: list[Path], rounds: int) -> str:
    """Return what a large JPEG costs from file to mask on one thread, and how many files a second two answer."""
    engine = edge.load(path, threads=1)
    shares, laps = [], []
    for picture in images[:rounds]:
        jpeg = enlarged(picture)
        engine(jpeg)
        laps.append(engine(jpeg).latency_ms)
        shares.append((laps[-1]["preprocess"] + laps[-1]["postprocess"]) / laps[-1]["total"])
    phases = ", ".join(f"{phase} {statistics.median(lap[phase] for lap in laps):.2f}" for phase in laps[0])
    share = statistics.median(shares)
    engine = edge.load(path, threads=2)
    engine(images[0])
    begun = time.perf_counter()
    for picture in images:
        engine(picture)
    rate = len(images) / (time.perf_counter() - begun)
    return (
        f"**{path.stem}**, {LARGE[0]}x{LARGE[1]} JPEG, 1 thread, median of {len(laps)} images in ms: {phases}; "
        f"preprocessing and postprocessing are {share:.1%} of it (target <= 25 %: {met(share <= 0.25)}). "
        f"From JPEG files of the data set to masks, 2 threads: {rate:.0f} images a second over {len(images)} files "
        f"(target >= 30: {met(rate >= 30)}). Peak memory of `edge-infer --output` for such a JPEG: "
        f"{(peak := peak_memory(path, images[0])):.0f} MB (target <= {MEMORY}: {met(peak <= MEMORY)})."
    )


def enlarged(picture: Path) -> bytes:
    """Return the image as a JPEG of the size `LARGE`."""
    buffer = io.BytesIO()
    with Image.open(picture) as image:
        image.convert("RGB").resize(LARGE, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=92)
    return buffer.getvalue()


def peak_memory(path: Path, picture: Path) -> float:
    """Return the MB that `edge-infer` says it took at most, mask and overlay written."""
    command = [sys.executable, "-m", "edge", "--json", "--threads", "1", "--model", str(path), "-"]
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*command, "--output", folder], input=enlarged(picture), capture_output=True, check=True)
    return float(json.loads(done.stdout)["memory_mb"]["peak"])


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the recipes' output")
    parser.add_argument("--data", type=Path, required=True, help="Kvasir-SEG, for its images")
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    accuracy(options.folder)
    speed(options.folder, sorted((options.data / "images").iterdir())[:200], options.rounds)


if __name__ == "__main__":
    main()
