"""`edge-compress pack --init`: an example manifest, with what a network itself says of it."""

from __future__ import annotations

import io
import json
import os
import re
import zipfile
import zlib
from pathlib import Path
from typing import Any

from compress.convert import model_file
from compress.convert.packing.network import Facts, examine
from edge import flatbuffer as flatbuffers
from edge.errors import EdgeError, quoted
from edge.fields import MAX_LETTERS, is_line
from edge.manifest import FORMAT, VERSION
from edge.network import Tensor


def write(data: bytes, model: Path, path: Path) -> None:
    """Write an example manifest for the TFLite file `data`, which lies at `model`, to `path`.

    What the graph says is in it; what nobody but its maker knows is null, and `pack` refuses that.

    Raises EdgeError where `edge-infer` can't run the network, and where `path` exists.
    """
    if os.path.lexists(path):
        raise EdgeError(
            f"{path} exists already, and --init replaces nothing: fill that one in, or say another --manifest",
            "output.unwritable",
        )
    flatbuffer, _ = model_file.strip(data, str(model))
    network = flatbuffers.read(flatbuffer, str(model))
    facts = examine(network, str(model))
    text = json.dumps(_example(model.stem, facts, data, network.inputs[0]), indent=2, ensure_ascii=False)
    model_file.write_beside(path, f"{text}\n".encode())


def next_command(model: Path, manifest: Path) -> str:
    """Return the command that packs the two, for a shell."""
    output = model.with_name(f"{model.stem}.packed.tflite")
    words = quoted(str(model)), quoted(str(manifest)), quoted(str(output))
    return "edge-compress pack {} --manifest {} --output {}".format(*words)


def _example(stem: str, facts: Facts, data: bytes, entry: Tensor) -> dict[str, Any]:
    name = re.sub(r"[^a-z0-9_-]+", "-", stem.lower())[:MAX_LETTERS].strip("-") or "model"
    return {
        "_": "Fill in what is null, and correct the rest. Names that begin with _ are comments, which pack leaves out; "
        "docs/model-file.md has all fields. Those that the network itself says can be left out.",
        "format": FORMAT,
        "version": VERSION,
        "name": name,
        "title": stem if is_line(stem) else name,
        "task": facts.task,
        "inputs": [
            {
                "height": facts.height,
                "width": facts.width,
                "channels": facts.channels,
                "_color": "grey, as it reads 1 channel" if facts.channels == 1 else "rgb, or grey in 3 equal channels",
                "color": "grey" if facts.channels == 1 else None,
                "_window": "absent: 8 bits as they are, of 16 the high byte; [0, 4095] for X-rays of 12 bits in 16",
                "_fit": "stretch to the input whatever its shape, crop the middle, or pad with black around it",
                "fit": None,
                "_mean": f"As in training: the network reads (pixel / 255 - mean) / std. {_range(entry)}".strip(),
                "mean": None,
                "std": None,
            }
        ],
        "outputs": [_output(data, facts, number) for number in range(len(facts.example))],
    }


def _output(data: bytes, facts: Facts, number: int) -> dict[str, Any]:
    """Return the entry of an output: the task's example, with the labels and the activation that are known."""
    entry = dict(facts.example[number])
    if len(entry.get("labels", ())) > 1:
        entry["labels"] = _labels(data, entry["labels"])
    usual, (kind, end) = facts.usual(number), facts.ends[number]
    if not usual:
        return entry
    if known := facts.activation(number):
        said = f"the network ends in {end}, so its outputs are {kind}"
    else:
        said = f"{usual} if the outputs are logits{f' (it ends in {end})' if end else ''}, "
        said += "none if they are scores from 0 to 1"
    return {**entry, "_activation": said, "activation": known or None}


def _range(entry: Tensor) -> str:
    """Return what an int8 input's quantization says of the values that the network reads."""
    if entry.type != "INT8":
        return ""
    scale, zero_point = entry.scales[0], entry.zero_points[0]
    low, high = (-128 - zero_point) * scale, (127 - zero_point) * scale
    mean, std = round(-low / (high - low), 3) + 0.0, round(1 / (high - low), 3 if high - low < 20 else 6)
    return (
        f"Its input was quantized for {low:.4g} to {high:.4g}: if these are black and white, mean is [{mean:g}] and "
        f"std [{std:g}]."
    )


def _labels(data: bytes, placeholders: list[str]) -> list[str]:
    """Return as many labels of a file that came with the network in a zip behind it, or the placeholders."""
    count = len(placeholders)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for entry in archive.infolist():
                if not entry.filename.endswith(".txt") or entry.file_size > 2**20:
                    continue
                lines = archive.read(entry).decode().splitlines()
                if len(set(lines)) == count == len(lines) and all(map(is_line, lines)):
                    return lines
    except (zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError, EOFError, OSError, zlib.error):
        pass  # no zip, or none that can be read: labels are not promised
    return placeholders
