"""What each choice of quantization gains: int8 against float, on images that calibrated nothing.

    python -m benchmarks.conversion.choices MODEL.tflite --data DIR [--float32 FILE.tflite]

MODEL is a model file of edge-infer, DIR has train/ and test/. Without a float32 file, it is MODEL's own int8 weights in
float: then nothing is lost by weights, and the table says what ranges do.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import numpy as np

from benchmarks import table
from benchmarks.peers.float_tflite import to_float
from compress.convert.quantize.choices import Choices
from compress.convert.quantize.model import read, write
from compress.convert.quantize.parts import of_operators
from compress.convert.quantize.ranges import observe
from compress.convert.quantize.result import Gain
from compress.convert.quantize.search import Network, Plan, fit, search
from compress.tasks.metrics import centred_cosine
from edge import model as model_file
from edge.image import decode
from edge.preprocess import Preprocessing, float_table, look_up, pixels
from edge.runtime import open_runtime

PLANS: Mapping[str, Plan | None] = MappingProxyType(
    {
        "min-max": Plan(False, "min-max", False),
        "percentile": Plan(False, "percentile", False),
        "mse": Plan(False, "mse", False),
        "measured": Plan(False, "measured", False),
        "min-max, equalized": Plan(True, "min-max", False),
        "min-max, biases corrected": Plan(False, "min-max", True),
        "all three": Plan(True, "measured", True),
        "what helps (default)": None,
    }
)
_ENDINGS = (".jpeg", ".jpg", ".png")


def images(folder: Path, count: int, spec: Preprocessing) -> np.ndarray:
    """Return float32 (N, height, width, channels): images below a folder, evenly spread over their sorted names."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in _ENDINGS)
    chosen = [paths[number * len(paths) // count] for number in range(min(count, len(paths)))]
    lookup = float_table(spec)
    return np.concatenate([look_up(pixels(decode(path.read_bytes()), spec), lookup) for path in chosen])


def outputs(flatbuffer: bytes, inputs: np.ndarray) -> np.ndarray:
    """Return the real first output for each image, float32."""
    network = open_runtime(flatbuffer, "litert", 1)
    entry, end = network.inputs[0], network.outputs[0]
    rows = []
    for image in inputs:
        values = image[None]
        if entry.dtype == "int8":
            values = np.clip(np.rint(values / np.float32(entry.scale)) + entry.zero_point, -128, 127).astype(np.int8)
        found = network.run(values)[0]
        rows.append((found.astype(np.float32) - end.zero_point) * end.scale if end.dtype == "int8" else found)
    return np.concatenate(rows)


def rows(flatbuffer: bytes, calibration: np.ndarray, test: np.ndarray, where: str) -> list[list[object]]:
    """Return for each plan: centred cosine, decibels, decisions that flip."""
    model = read(flatbuffer, where)
    flatbuffer = write(model, where)
    types = of_operators(model, Choices(), {}, where)
    network = Network(flatbuffer, types, observe(model, flatbuffer, [calibration], where), where)
    wanted = outputs(flatbuffer, test)
    found: list[list[object]] = []
    for name, plan in PLANS.items():
        gains: tuple[Gain, ...] = ()
        if plan:
            taken = plan
        else:
            taken, gains = search(network, [calibration], Choices())
        given = outputs(fit(network, taken).flatbuffer, test)
        noise = ((given - wanted) ** 2).sum() / ((wanted - wanted.mean(0)) ** 2).sum()
        flips = _decisions(given) != _decisions(wanted)
        said = ", ".join(f"{gain.choice} {gain.snr_db_with - gain.snr_db_without:+.1f} dB" for gain in gains)
        cell = f"{flips.sum()} of {flips.size}"
        name = f"{name}: {said}" if said else name
        found.append([name, f"{centred_cosine(wanted, given):.5f}", f"{-10 * np.log10(noise):.1f}", cell])
        print(*found[-1], flush=True)
    return found


def _decisions(logits: np.ndarray) -> np.ndarray:
    return logits.argmax(-1) if logits.shape[-1] > 1 else logits > 0


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0] if __doc__ else "")
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder with train/ and test/")
    parser.add_argument("--float32", type=Path, help="take this network, with MODEL's way of reading images")
    parser.add_argument("--calibration", type=int, default=128, help="images of train/")
    parser.add_argument("--test", type=int, default=336, help="images of test/")
    options = parser.parse_args(arguments)
    file = model_file.read(options.model)
    flatbuffer = options.float32.read_bytes() if options.float32 else to_float(file.flatbuffer)
    name = (options.float32 or options.model).stem
    model = read(flatbuffer, name)
    _, height, width, channels = model.shape(model.inputs[0])
    spec = replace(file.manifest.inputs[0], height=height, width=width)
    calibration, test = (
        images(options.data / part, count, spec)
        for part, count in (("train", options.calibration), ("test", options.test))
    )
    shown = [np.broadcast_to(part, (*part.shape[:3], channels)) for part in (calibration, test)]
    table.show(
        f"{name}: int8 against float on {len(test)} images, calibrated with {len(calibration)}",
        ["choices", "centred cosine", "SNR, dB", "decisions flipped"],
        rows(flatbuffer, shown[0], shown[1], name),
    )


if __name__ == "__main__":
    main()
