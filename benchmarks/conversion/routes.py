"""Routes side by side on the same networks, and our quantizer beside TensorFlow's.

    python -m benchmarks.conversion.routes [--network NAME] [--route ROUTE] [--folder build/bench/routes]

Each network and route is a process of its own, one at a time. What one measured is kept in the folder, with the float32
file and what was said, so that the same command goes on where it was interrupted. Networks whose package (timm, MONAI)
is not installed are left out, and the table says so. `--network` measures one alone, again, and `--route` by one route;
then no table is written.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import table
from benchmarks.conversion import networks
from compress.convert.proof import prove
from compress.convert.quantize import quantize
from compress.convert.routes import ROUTES, Source
from compress.tasks.metrics import centred_cosine
from edge.errors import EdgeError, brief
from edge.files import write_beside
from edge.runtime import open_runtime
from edge.scratch import scratch

FOLDER = Path("build/bench/routes")
CALIBRATION, TEST = 64, 64  # images of noise, other ones
MOST_SECONDS = 1200


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.conversion.routes", description=__doc__)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    parser.add_argument("--network", choices=networks.NETWORKS)
    parser.add_argument("--route", choices=ROUTES)
    parser.add_argument("--one", type=Path, metavar="FILE", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _measure(options.network, options.route, options.one)
        return
    installed = [name for name in networks.NETWORKS if networks.is_installed(name)]
    for name in [options.network] if options.network else installed:
        for route in [options.route] if options.route else ROUTES:
            _kept(options.folder, name, route, again=bool(options.network))
    if not (options.network or options.route):
        _write(options.folder, installed)


def _kept(folder: Path, name: str, route: str, again: bool = False) -> Mapping[str, Any]:
    """Return what was measured of a network by a route; it is measured where it is not there yet."""
    path = folder / f"{name.replace(' ', '_')}.{route}.json"
    if again or not path.exists():
        begun = time.monotonic()
        command = [
            sys.executable,
            "-m",
            "benchmarks.conversion.routes",
            "--network",
            name,
            "--route",
            route,
            "--one",
            str(path),
        ]
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(path.with_suffix(".log"), "wb") as said:
                status = subprocess.run(command, stdout=said, stderr=said, timeout=MOST_SECONDS, check=False).returncode
            failed = f"ended with status {status}" if status else ""
        except subprocess.TimeoutExpired:
            failed = f"took more than {MOST_SECONDS} s"
        if failed:
            write_beside(path, json.dumps({"refused": failed, "seconds": time.monotonic() - begun}).encode())
        print(name, route, path.read_text(), flush=True)
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _measure(name: str, route: str, path: Path) -> None:
    """Convert, compare, quantize; write what was found to `path`, a JSON file, and the float32 file beside it."""
    os.environ.pop("EDGE_CONVERSION_CACHE", None)
    network, images = networks.built(name, CALIBRATION + TEST)
    found: dict[str, Any] = {}
    begun, worked = time.monotonic(), _worked()
    try:
        (made,) = ROUTES[route].convert([Source(network, (images[:1],))])
        found |= {"seconds": time.monotonic() - begun, "cpu seconds": _worked() - worked, "megabytes": _peak()}
        write_beside(path.with_suffix(".tflite"), made.flatbuffer)
        proof = prove(network, made.flatbuffer, (images[:4],), "the file")
        found |= {"largest": proof.largest, "cosine": proof.cosine}
        found |= _quantized(made.flatbuffer, images.numpy())
    except EdgeError as error:
        found["refused"] = str(error)
    write_beside(path, json.dumps(found, indent=1).encode())


def _peak() -> float:
    """Return the largest resident set of this process and of the converter's, in MB."""
    return max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)) / 1000


def _worked() -> float:
    """Return the processor seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def _quantized(flatbuffer: bytes, images: np.ndarray) -> dict[str, Any]:
    """Return the centred cosine of int8 and float outputs on test images, by our quantizer and by TensorFlow's."""
    images = np.ascontiguousarray(images.transpose(0, 2, 3, 1))
    calibration, test = images[:CALIBRATION], images[CALIBRATION:]
    wanted = _answers(flatbuffer, test)
    found: dict[str, Any] = {}
    begun = time.monotonic()
    for name, made in (
        ("ours", lambda: quantize(flatbuffer, [calibration]).flatbuffer),
        ("tensorflow", lambda: _by_tensorflow(flatbuffer, calibration)),
    ):
        try:
            found[name] = centred_cosine(wanted, _answers(made(), test))
        except EdgeError as error:
            found[f"{name} refused"] = str(error)
        if name == "ours":
            found |= {"int8 seconds": time.monotonic() - begun, "int8 megabytes": _peak()}
    return found


def _by_tensorflow(flatbuffer: bytes, calibration: np.ndarray) -> bytes:
    """Return the same file in int8 as TensorFlow's converter makes it: with the ranges of its calibrator.

    In a process of its own: some files crash it.
    """
    with scratch("bench") as folder:
        (folder / "float32.tflite").write_bytes(flatbuffer)
        np.save(folder / "calibration.npy", calibration)
        command = [sys.executable, "-m", "benchmarks.conversion.tensorflow_int8", str(folder)]
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise EdgeError(f"TensorFlow's quantizer ended with status {ended.returncode}", "bench.tensorflow")
        return (folder / "int8.tflite").read_bytes()


def _answers(flatbuffer: bytes, images: np.ndarray) -> np.ndarray:
    """Return the first output for each image, in real numbers: float32 (images, ...)."""
    runtime = open_runtime(flatbuffer, "litert", 1)
    (taken,), given = runtime.inputs, runtime.outputs[0]
    if taken.dtype == "int8":
        images = np.clip(np.round(images / taken.scale) + taken.zero_point, -128, 127).astype(np.int8)
    raw = np.concatenate([runtime.run(image[None])[0] for image in images])
    return ((raw.astype(np.float32) - given.zero_point) * given.scale) if given.dtype == "int8" else raw


def _write(folder: Path, names: Sequence[str]) -> None:
    """Write the table of what is in the folder."""
    rows = []
    for name in names:
        for route in ROUTES:
            found = _kept(folder, name, route)
            rows.append(
                [
                    name,
                    route,
                    _cell(found, "largest", "{:.1e}"),
                    _cell(found, "seconds", "{:.0f} s"),
                    _cell(found, "cpu seconds", "{:.0f} s"),
                    _cell(found, "int8 seconds", "{:.1f} s"),
                    _cell(found, "int8 megabytes" if "int8 megabytes" in found else "megabytes", "{:.0f} MB"),
                    _cell(found, "ours", "{:.4f}"),
                    _cell(found, "tensorflow", "{:.4f}"),
                    brief(str(found.get("refused", "")), 90).replace("|", "/"),
                ]
            )
    left_out = [name for name in networks.NETWORKS if name not in names]
    notes = (
        "Random weights, normalizations that have seen 8 images of noise (seed 0). float32: the largest difference "
        "between the file, in LiteRT, and PyTorch, as a share of the largest output, on 4 images. Time: of the "
        "conversion to float32, the converter's start included, by the clock and in processor seconds; then of int8 "
        "from it. Memory: the largest resident set of one process. int8: cosine with the float32 file's outputs around "
        f"their means, on {TEST} images of noise, calibrated on {CALIBRATION} others, by our quantizer and by "
        "TensorFlow's from the same float32 file; with random weights it ranks them and is no accuracy. -: not there, "
        "or refused."
    )
    if left_out:
        notes += f" Left out, as their package is not installed: {', '.join(left_out)}."
    header = ["network", "route", "float32", "time", "CPU", "int8 in", "memory", "int8", "by TensorFlow", "refused"]
    table.write(
        "routes", "Routes to TFLite, side by side", "python -m benchmarks.conversion.routes", header, rows, notes
    )


def _cell(found: Mapping[str, Any], key: str, shape: str) -> str:
    return shape.format(found[key]) if key in found else "-"


if __name__ == "__main__":
    main()
