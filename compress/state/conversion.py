"""A run's conversion: rehearsed before anything is trained, done once at the end, and kept with how it came about."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from compress.convert.float32 import Made, to_float32, ways
from compress.convert.int8 import to_int8
from compress.convert.routes import ROUTES, Source
from compress.convert.tflite import PROVED_ON
from compress.data.split import DataSet
from compress.inputs import Inputs
from compress.recipe import Conversion, Recipe
from compress.state.stage import State, key_of
from compress.steps.step import samples
from edge.files import write_beside
from edge.runtime import open_runtime
from edge.strict_json import dumps

REHEARSED_ON = 3  # of them calibrate the rehearsal's int8: so few that no choice is tried for what it gains


class Say(NamedTuple):
    """Where what happens is said: `log` gets what is to be kept, `progress` what is being done."""

    log: Callable[[str], None]
    progress: Callable[[str], None]


class Converted(NamedTuple):
    """What a run's networks became.

    Attributes:
        flatbuffers: "baseline.float32", "float32" and "int8".
        record: how: route, tools, proof, choices and what they gained, for the manifest.
        tensors: a report of each tensor, the fields of `compress.report.tensors.Row`.
        seconds: that it took, when it was done.
    """

    flatbuffers: Mapping[str, bytes]
    record: Mapping[str, Any]
    tensors: Sequence[Mapping[str, Any]]
    seconds: float

    @property
    def detail(self) -> str:
        """How, in a few words: the route, and what choices gained, in decibels of the logits' signal to noise."""
        taken = [gain for gain in self.record["gains"] if gain["taken"]]
        if not taken:
            return f"by {self.record['route']}"
        gained = sum(gain["snr_db_with"] - gain["snr_db_without"] for gain in taken)
        return f"{self.record['route']}, {gained:+.1f} dB by {', '.join(gain['choice'] for gain in taken)}"


def rehearse(recipe: Recipe, data: DataSet, state: State, folder: Path, say: Say) -> None:
    """Convert an untrained network for real: float32 proved against PyTorch, int8 loaded and run.

    A note in `folder` says that it went well, and that it need not be done again.

    Args:
        state: the network that the recipe's steps will leave, untrained, and the key that it will have.

    Raises EdgeError for what would only be found out after hours of training otherwise.
    """
    path = folder / f"{key_of(state.key, ['rehearsed', _means(recipe.conversion), _quantizer(recipe.conversion)])}.json"
    if path.exists():
        return
    images = samples(data, state.spec, PROVED_ON)
    ((_, made),) = to_float32(
        [Source(state.network, state.inputs)],
        [(images,)],
        recipe.conversion.route,
        lambda text: say.progress(f"rehearsal: {text}"),
    )
    say.progress("rehearsal: quantizing to int8")
    _run(to_int8(state.network, made.flatbuffer, (images[:REHEARSED_ON],), recipe.conversion).flatbuffer)
    say.log(f"rehearsal: {_told(made)}")
    write_beside(path, dumps(_of_float32(made), "the rehearsal").encode())


def _run(flatbuffer: bytes) -> None:
    """Raise EdgeError where LiteRT does not load or run an int8 file."""
    runtime = open_runtime(flatbuffer, "litert", 1)
    runtime.run(*(np.zeros(tensor.shape, np.int8) for tensor in runtime.inputs))


def convert(
    recipe: Recipe,
    data: DataSet,
    baseline: State,
    state: State,
    folder: Path,
    check: Callable[[], None],
    say: Say,
) -> Converted:
    """Convert the baseline and the compressed network to float32 and the latter to int8, or load what is in `folder`.

    Args:
        check: raises where the network is not worth converting; called before anything is converted.
    """
    images = {one.key: samples(data, one.spec, recipe.calibration) for one in (baseline, state)}
    floats = _floats(recipe.conversion, (baseline, state), images, folder, check, say)
    float32, how = floats[state.key]
    what = [hashlib.sha256(float32).hexdigest(), recipe.calibration, _quantizer(recipe.conversion)]
    path = folder / f"{key_of(state.key, ['int8', *what])}.tflite"
    if not _is_kept(path):
        _quantize(recipe.conversion, state, float32, (images[state.key],), path, say)
    int8 = json.loads(path.with_suffix(".json").read_text())
    record = {
        "route": how["route"],
        "tools": how["tools"],
        "proof": how["proof"],
        "refusals": how["refusals"],
        **_choices(recipe.conversion),
        "gains": int8["gains"],
    }
    flatbuffers = {"baseline.float32": floats[baseline.key][0], "float32": float32, "int8": path.read_bytes()}
    seconds = sum(one[1]["seconds"] for one in floats.values()) + int8["seconds"]
    return Converted(flatbuffers, record, int8["tensors"], seconds)


def _floats(
    conversion: Conversion,
    states: Sequence[State],
    images: Mapping[str, Tensor],
    folder: Path,
    check: Callable[[], None],
    say: Say,
) -> dict[str, tuple[bytes, dict[str, Any]]]:
    """Return, by the states' keys, the float32 files and how they were made; equal networks have one."""
    by_key = {state.key: state for state in states}
    paths = {key: folder / f"{key_of(key, ['float32', _means(conversion)])}.tflite" for key in by_key}
    left = [key for key, path in paths.items() if not _is_kept(path)]
    if left:
        check()
        sources = [Source(by_key[key].network, by_key[key].inputs) for key in left]
        real: list[Inputs] = [(images[key][:PROVED_ON],) for key in left]
        for number, made in to_float32(sources, real, conversion.route, say.progress):
            _keep(paths[left[number]], made.flatbuffer, _of_float32(made))
            say.log(f"converted to {_told(made)}")
            for refusal in made.refusals:
                say.log(f"an earlier route was not taken: {refusal}")
    return {key: (path.read_bytes(), json.loads(path.with_suffix(".json").read_text())) for key, path in paths.items()}


def _quantize(conversion: Conversion, state: State, float32: bytes, images: Inputs, path: Path, say: Say) -> None:
    say.progress("quantizing to int8")
    begun = time.monotonic()
    made = to_int8(state.network, float32, images, conversion)
    seconds = time.monotonic() - begun
    tensors = [one._asdict() for one in made.tensors]
    gains = [gain._asdict() for gain in made.gains]
    _keep(path, made.flatbuffer, {"seconds": seconds, "gains": gains, "tensors": tensors})
    say.log(f"converted to TFLite int8: {len(made.flatbuffer) / 1e6:.2f} MB in {seconds:.0f} s")


def _told(made: Made) -> str:
    """Return what a float32 file is, in words."""
    size = f"{len(made.flatbuffer) / 1e6:.2f} MB in {made.seconds:.0f} s"
    return f"TFLite float32 by {made.route}: {size}, equals PyTorch to {made.proof.largest:.1g} of the largest logit"


def _means(conversion: Conversion) -> list[Any]:
    """Return what decides a float32 file's bytes, but the network: the route, tools, and our code."""
    tools = {way.name: dict(way.tools()) for way in ways(conversion.route)}
    return [conversion.route, tools, _code("routes"), _code("repairs")]


def _quantizer(conversion: Conversion) -> list[Any]:
    """Return what decides an int8 file's bytes, but the float32 file and its images."""
    return [_choices(conversion), _code("quantize")]


@cache
def _code(folder: str) -> str:
    """Return the SHA-256 of the modules in a folder of `compress.convert`: a better version does its work again."""
    found = hashlib.sha256()
    for path in sorted(Path(__file__).parents[1].joinpath("convert", folder).glob("*.py")):
        found.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _choices(conversion: Conversion) -> dict[str, Any]:
    return {name: value for name, value in asdict(conversion).items() if name != "route"}


def _of_float32(made: Made) -> dict[str, Any]:
    return {
        "route": made.route,
        "tools": dict(ROUTES[made.route].tools()),
        "proof": made.proof._asdict(),
        "refusals": list(made.refusals),
        "seconds": made.seconds,
    }


def _keep(path: Path, flatbuffer: bytes, how: Mapping[str, Any]) -> None:
    write_beside(path.with_suffix(".json"), dumps(how, "the conversion").encode())
    write_beside(path, flatbuffer)


def _is_kept(path: Path) -> bool:
    return path.exists() and path.with_suffix(".json").exists()
