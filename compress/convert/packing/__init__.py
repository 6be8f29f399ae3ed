"""`edge-compress pack`: a manifest for a TFLite file that another tool made, checked against the network in it.

It needs nothing that a device's own installation lacks: no torch, no tensorflow.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from compress.convert import model_file
from compress.convert.golden import TOLERANCE, golden, installed
from compress.convert.packing.manifest import faults, fill_in, unknown, with_window
from compress.convert.packing.network import Facts, examine, without_comments
from compress.data.phantom import colon, phantom
from edge import activation
from edge import flatbuffer as flatbuffers
from edge.errors import EdgeError
from edge.manifest import Manifest, check_lists, parse
from edge.runtime import Runtime, Tensor

FLOAT_TOLERANCE = 0.01  # of a float32 network's outputs: share of the largest one, and at least so much
SUM_TOLERANCE = 0.02  # by which int8 scores of a softmax may miss 1
NO_MEMBERS: Mapping[str, bytes] = {}
PROBES = 4  # images of noise, in addition to the golden ones, to tell scores from logits


class Packed(NamedTuple):
    """What became of a packing, in words.

    Attributes:
        taken_off: what was behind the flatbuffer and was left out; "" where there was nothing.
        filled_in: fields that the manifest left to the network.
        notes: what a person should look at.
        golden: how many vectors were made, and for which kernel paths.
    """

    taken_off: str
    filled_in: list[str]
    notes: list[str]
    golden: str


def pack(
    data: bytes,
    raw: Mapping[str, Any],
    output: Path,
    model: str,
    manifest: str,
    more: Mapping[str, bytes] = NO_MEMBERS,
) -> Packed:
    """Write the model file of the TFLite file `data` and the manifest `raw` to `output`; golden vectors are made here.

    Args:
        model, manifest: what messages call the two.
        more: members of the file's zip, beside the golden vectors.

    Raises EdgeError where the network is none that `edge-infer` runs, naming all reasons; where fields of the manifest
    are missing, wrong, or not what the network has, naming all of them; and where outputs are not what the activation
    says.
    """
    flatbuffer, taken_off = model_file.strip(data, model)
    raw, said = with_window(without_comments(raw), manifest)
    check_lists(raw, manifest)
    facts = examine(flatbuffers.read(flatbuffer, model), model, raw.get("task"))
    notes = [f"no reader knows the field {name}: it stays as it is" for name in unknown(raw, facts)]
    if "edgetpu" in raw:
        notes.append("the field edgetpu was left out: `edge-deploy coral --compile` makes it again")
    complete, filled_in = fill_in(raw, facts)
    if wrong := faults(complete, facts):
        raise EdgeError(
            f"{manifest} is no manifest for {model}: {'; '.join(wrong)}; correct it (docs/model-file.md has the "
            "fields, and --init writes an example)",
            "model.manifest",
        )
    parsed = parse(complete | {"model": {"bytes": len(flatbuffer), "sha256": "0" * 64}}, manifest)
    runtimes = _open(flatbuffer, notes)
    complete["golden"], members = _vectors(runtimes, parsed, facts, model)
    _write(output, flatbuffer, complete, {**members, **more})
    paths = ", ".join(sorted(complete["golden"][0]["outputs"]))
    return Packed(taken_off, said + filled_in, notes, f"{len(complete['golden'])} generated images ({paths})")


def _open(flatbuffer: bytes, notes: list[str]) -> list[Runtime]:
    """Return the network in every installed runtime that takes it, and note which ones do not.

    Raises EdgeError where none does.
    """
    from edge.runtime import import_runtime, open_runtime

    found, refusals = [], []
    for name in installed():
        try:
            found.append(open_runtime(flatbuffer, name))
        except EdgeError as error:
            refusals.append(error)
    if not found:
        import_runtime()  # says which one to install, where there is none
        raise refusals[0]
    notes += [f"it does not run everywhere: {refusal}" for refusal in refusals]
    return found


def _vectors(
    runtimes: list[Runtime], manifest: Manifest, facts: Facts, model: str
) -> tuple[list[Any], dict[str, bytes]]:
    """Return golden vectors; EdgeError where the outputs on them, and on noise, are not what the manifest says."""
    from edge.preprocess import float_table, int8_table, look_up

    runtime, spec = runtimes[0], manifest.inputs[0]
    entry = runtime.inputs[0]
    table = int8_table(spec, entry.scale, entry.zero_point) if facts.type == "int8" else float_table(spec)
    noise = np.random.default_rng(0)
    shape = (spec.height, spec.width, 1 if spec.color == "grey" else 3)
    probes = [look_up(noise.integers(0, 256, shape, np.uint8), table) for _ in range(PROBES)]
    rows = [runtime.run(probe) for probe in probes]
    outputs = [np.stack([_real(row[n], tensor) for row in rows]) for n, tensor in enumerate(runtime.outputs)]
    if not all(np.isfinite(output).all() for output in outputs):
        raise EdgeError(f"{model} gives values that are no finite numbers: expected logits or scores", "model.output")
    largest = max(float(np.abs(output).max()) for output in outputs)
    tolerance = TOLERANCE if facts.type == "int8" else float(f"{FLOAT_TOLERANCE * max(1, largest):.3g}")
    entries, members = golden(spec, table, _drawing(spec.color), runtimes, tolerance)
    kind = np.int8 if facts.type == "int8" else np.float32
    for n, tensor in enumerate(runtime.outputs):
        stored = [members[names[n]] for entry in entries for names in entry["outputs"].values()]
        drawn = [_real(np.frombuffer(data, kind).reshape(outputs[n].shape[1:]), tensor) for data in stored]
        _check_output(np.concatenate([outputs[n], np.stack(drawn)]), n, manifest, facts, model)
    return entries, members


def _real(raw: np.ndarray, tensor: Tensor) -> np.ndarray:
    return raw.astype(np.float64) if raw.dtype == np.float32 else (raw - np.float64(tensor.zero_point)) * tensor.scale


def _drawing(color: str) -> Callable[[int], Image.Image]:
    """Return what draws the golden images: a chest for grey networks, the inside of a colon for those of colour."""
    if color == "grey":
        return lambda number: Image.fromarray(phantom(1000 + number, opacity=bool(number % 2), size=96))
    return lambda number: Image.fromarray(colon(1000 + number, polyp=bool(number % 2), size=96)[0])


def _check_output(values: np.ndarray, number: int, manifest: Manifest, facts: Facts, model: str) -> None:
    """Raise EdgeError ("model.output") where an output's `values` (N, ...) are scores and the activation is for logits.

    And the other way round.
    """
    from edge.scores import scores

    says = manifest.outputs[number].activation
    if says == "none":
        scores(values, facts.usual(number))
        return
    inside = bool((values >= 0).all() and (values <= 1 + SUM_TOLERANCE).all()) and np.ptp(values, axis=0).max() > 0
    sums = values.reshape(len(values), -1).sum(axis=1)
    adds_up = says != "softmax" or bool((np.abs(sums - 1) <= SUM_TOLERANCE).all())
    if says and inside and adds_up and facts.ends[number][0] == activation.UNKNOWN:
        more = " and add up to 1" if says == "softmax" else ""
        raise EdgeError(
            f"{model} gives outputs that lie from 0 to 1{more} for every image, and the manifest's activation is "
            f'"{says}": expected logits; say "none" there, as they are scores',
            "model.output",
        )


def _write(path: Path, flatbuffer: bytes, manifest: dict[str, Any], members: dict[str, bytes]) -> None:
    """Write the file; `file_bytes`, where the manifest has it, is set right."""
    measured = manifest["measured"]
    while True:  # the file's size is one of its own fields; it is right as soon as its number of digits is
        data = model_file.pack(path, flatbuffer, manifest, members)
        if measured.get("file_bytes", len(data)) == len(data):
            break
        measured = manifest["measured"] = {**measured, "file_bytes": len(data)}
    model_file.store(path, data)
