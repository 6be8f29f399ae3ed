"""The command `edge-compress convert`."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.command import Progress
from edge.errors import EdgeError, quoted

if TYPE_CHECKING:
    from compress.convert import own

MOST_CALIBRATION = 10_000
SUFFIX = ".manifest.json"  # of the manifest beside a model, as `pack --init` writes it


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument("model", type=Path, metavar="FILE", help="a .tflite file in float32")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help="images such as the network will see")
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the model file to write")
    parser.add_argument(
        "--manifest",
        type=Path,
        metavar="FILE",
        help="the manifest, JSON, or a model file that has it (default: FILE's .manifest.json)",
    )
    parser.add_argument(
        "--calibration", type=int, default=128, metavar="N", help="images to calibrate on (default: %(default)s)"
    )
    parser.add_argument(
        "--range", metavar="HOW", help="of activations: min-max, percentile, mse or measured (docs/conversion.md)"
    )
    parser.add_argument("--no-equalize", action="store_true", help="leave the weights' ranges as they are")
    parser.add_argument("--no-correct-bias", action="store_true", help="leave the biases as they are")
    parser.add_argument("--full", action="store_true", help="int8 throughout, for Coral and microcontrollers")
    for kind in ("int16", "float32"):
        text = f"tensors that are {kind}, by pattern; may be repeated"
        parser.add_argument(f"--{kind}", action="append", default=[], metavar="PATTERN", help=text)
    parser.set_defaults(action=run)


def run(options: argparse.Namespace) -> None:
    """Convert a file; the table of its tensors goes to standard output.

    Raises EdgeError, with nothing written, where something is wrong.
    """
    from compress.convert.packing.command import bytes_of  # numpy comes with it

    model, output = options.model, options.output
    manifest = options.manifest or model.with_name(f"{model.stem}{SUFFIX}")
    _check(options, manifest)
    data = bytes_of(model)
    if not manifest.exists():
        raise EdgeError(
            f"{manifest} does not exist: expected the manifest of {model}; write one to fill in with `edge-compress "
            f"pack {quoted(str(model))} --init`, or name it with --manifest",
            "model.missing",
        )
    raw = _manifest(manifest)

    from compress.convert import own
    from compress.convert.quantize.choices import Choices
    from compress.report import chart

    choices = Choices(
        range=options.range or Choices().range,
        equalize=not options.no_equalize,
        correct_bias=not options.no_correct_bias,
        int16=tuple(options.int16),
        float32=tuple(options.float32),
        full=options.full,
    )
    for name, found, expected in choices.faults():
        raise EdgeError(f"--{name} is {found!r}: expected {expected}", "arguments.invalid")
    asked = own.Asked(str(model), str(manifest), options.data, output, options.calibration, choices)
    progress = Progress()
    made = own.convert(data, raw, asked, progress)
    picture = output.with_suffix(".tensors.png")
    chart.draw(made.table, str(raw["title"]), picture)
    for line in _lines(made, len(data)):
        progress.log(line)
    progress.log(f"\nmodel  {output}\nchart  {picture}")


def _manifest(path: Path) -> Mapping[str, Any]:
    from compress.convert.packing.command import manifest_of
    from edge.model import read

    if path.suffix != ".tflite":
        return manifest_of(path)
    return read(path).manifest.raw


def _check(options: argparse.Namespace, manifest: Path) -> None:
    """Raise EdgeError for options that can't be right."""
    if not 1 <= options.calibration <= MOST_CALIBRATION:
        raise EdgeError(f"--calibration is {options.calibration}: expected 1 to {MOST_CALIBRATION} images")
    for path, what in ((options.model, "the model"), (manifest, "what has the manifest")):
        if options.output.exists() and path.exists() and options.output.samefile(path):
            raise EdgeError(
                f"{options.output} is {what} and would be replaced: give another --output", "output.unwritable"
            )
    if options.output.exists() and not options.output.is_file():
        raise EdgeError(
            f"{options.output} is no ordinary file and can't be replaced: give another --output", "output.unwritable"
        )


def _lines(made: own.Made, size: int) -> Iterator[str]:
    from compress.report import tensors

    yield from tensors.lines(made.table)
    yield ""
    bytes_of_int8 = len(made.quantized.flatbuffer)
    yield f"float32 to int8: {size:,} to {bytes_of_int8:,} bytes, calibrated on {made.calibration} images"
    agreed = "" if made.agreed is None else f"; the same class is the highest for {made.agreed} of them"
    yield f"compared on {made.compared} other images: outputs' cosine {made.cosine:.5f} around their means{agreed}"
    for gain in made.quantized.gains:
        taken = "taken" if gain.taken else "left out"
        yield f"{gain.choice}: {gain.snr_db_without:.1f} to {gain.snr_db_with:.1f} dB, {taken}"
