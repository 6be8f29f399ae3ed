"""A float32 TFLite file of one's own to a model file in int8: calibrated, compared with itself in float, packed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from compress.convert import packing
from compress.convert.quantize import Choices, Quantized, quantize
from compress.convert.quantize import model as models
from compress.convert.quantize.operators import check_types
from compress.convert.verify import check_alive, check_conversion, edge_logits, open_engine
from compress.data.plain import Chosen, choose
from compress.report import tensors
from compress.tasks.metrics import centred_cosine
from edge.errors import EdgeError, quoted
from edge.model import read
from edge.preprocess import Preprocessing, float_table, look_up
from edge.scratch import scratch

COMPARED = 100  # images
SAME = ("parameters", "macs", "macs_executed")  # what of `measured` no quantization changes


class Asked(NamedTuple):
    """What is asked for.

    Attributes:
        model, manifest: what messages call the two. data: folder of images. output: the model file to write.
        calibration: images, at most. choices: of the quantization.
    """

    model: str
    manifest: str
    data: Path
    output: Path
    calibration: int
    choices: Choices


class Made(NamedTuple):
    """What came out.

    Attributes:
        quantized: flatbuffer, report and gains. table: the report, as the file has it.
        calibration, compared: numbers of images.
        cosine: of the outputs around their means, int8 against float, on the latter.
        agreed: images for which the same class is the highest; None where outputs are no classes.
    """

    quantized: Quantized
    table: list[tensors.Row]
    calibration: int
    compared: int
    cosine: float
    agreed: int | None


def convert(data: bytes, raw: Mapping[str, Any], asked: Asked, progress: Callable[[str], None]) -> Made:
    """Write the model file `asked.output` in int8 of the float32 TFLite file `data` and the manifest `raw`.

    The float file runs by the device's own code before anything is quantized; the int8 file is only written where it
    is still the same network (`compress.convert.verify.check_conversion`).

    Raises EdgeError for a file that is no float32 network of one image, for what `compress.convert.packing.pack`,
    `compress.data.plain.choose` and `compress.convert.quantize.quantize` refuse, and where int8 has lost the network.
    """
    float32 = float_network(data, asked.model)
    raw = _of_the_network(raw)
    with scratch("convert") as folder:
        packing.pack(float32, raw, folder / "float32.tflite", asked.model, asked.manifest)
        spec = read(folder / "float32.tflite").manifest.inputs[0]
        progress(f"reading images of {asked.data}")
        chosen = choose(asked.data, spec, asked.calibration, COMPARED)
        wanted = edge_logits(open_engine(folder / "float32.tflite"), chosen.compared, progress)
        check_alive("the float network", wanted)
        progress(f"quantizing with {len(chosen.calibration)} images")
        quantized = quantize(float32, [_as_read(chosen, spec)], asked.choices, asked.model)
        table = tensors.rows(one._asdict() for one in quantized.tensors)
        raw["provenance"] = {**(raw.get("provenance") or {}), **_record(data, chosen, asked, quantized)}
        packing.pack(quantized.flatbuffer, raw, folder / "int8.tflite", asked.model, asked.manifest)
        found = edge_logits(open_engine(folder / "int8.tflite"), chosen.compared, progress)
    check_conversion(wanted, found, tensors.named(table))
    cosine = centred_cosine(wanted, found)
    raw["measured"] = {**raw["measured"], "cosine": round(cosine, 5)}
    members = {tensors.MEMBER: tensors.member(table)}
    packing.pack(quantized.flatbuffer, raw, asked.output, asked.model, asked.manifest, members)
    agreed = int((wanted.argmax(1) == found.argmax(1)).sum()) if wanted.ndim == 2 else None
    return Made(quantized, table, len(chosen.calibration), len(chosen.compared), cosine, agreed)


def _of_the_network(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return a manifest without what is only true of another file of the same network: its operators, its metrics."""
    measured = raw.get("measured")
    kept = {name: measured[name] for name in SAME if name in measured} if isinstance(measured, Mapping) else {}
    return {name: value for name, value in raw.items() if name != "runtime"} | {"measured": kept}


def float_network(data: bytes, where: str) -> bytes:
    """Return the flatbuffer of a TFLite file with float32 weights and ends; weights behind it are taken in.

    What other tools appended, and their metadata, is left out. Raises EdgeError for anything else.
    """
    if data[4:8] != b"TFL3":
        raise EdgeError(
            f"{where} is no TFLite flatbuffer (it lacks 'TFL3' at byte 4): expected a .tflite file in float32",
            "model.format",
        )
    model = models.read(data, where)
    ends = [model.tensors[tensor].type for tensor in (*model.inputs, *model.outputs)]
    if models.schema.TensorType.INT8 in ends:
        raise EdgeError(
            f"{where} is int8 already: expected a float32 network; add a manifest to it with `edge-compress pack "
            f"{quoted(where)} --init`",
            "conversion.quantized",
        )
    check_types(model, where)
    return models.write(model, where)


def _as_read(chosen: Chosen, spec: Preprocessing) -> np.ndarray:
    """Return the calibration images as the network reads them, float32 (N, height, width, channels)."""
    values = float_table(spec)
    return np.concatenate([look_up(pixels, values) for pixels in chosen.calibration.pixels])


def _record(data: bytes, chosen: Chosen, asked: Asked, quantized: Quantized) -> dict[str, Any]:
    """Return how the file came about, for the manifest's provenance."""
    images = hashlib.sha256(repr(chosen.calibration.names).encode() + chosen.calibration.pixels.tobytes())
    return {
        "float32": {"file": Path(asked.model).name, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()},
        "calibration": {"images": len(chosen.calibration), "sha256": images.hexdigest()},
        "conversion": {**asdict(asked.choices), "gains": [gain._asdict() for gain in quantized.gains]},
    }
