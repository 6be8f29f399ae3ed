"""Golden vectors: generated images, and what each installed runtime makes of them."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from PIL import Image

from compress.data.window import stored
from edge.errors import EdgeError
from edge.image import decode
from edge.preprocess import Preprocessing, look_up, pixels
from edge.runtime import Runtime, import_runtime

COUNT = 4
TOLERANCE = 25  # int8 steps between kernel paths; the highest label must be the same as well


def golden(
    spec: Preprocessing,
    table: np.ndarray,
    draw: Callable[[int], Image.Image],
    runtimes: Sequence[Runtime],
    tolerance: float = TOLERANCE,
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Return the manifest's `golden` list and its members: images, and what each runtime makes of them.

    Args:
        spec: the preprocessing.
        table: from 8-bit pixels to the input tensor, as `edge.preprocess` makes it for this model.
        draw: from 0..3 to an image that shows nobody.
        runtimes: with the network; of two with the same kernel path the first one counts.
        tolerance: for other kernel paths, in steps of the output; for a float32 network in its units.
    """
    entries: list[dict[str, Any]] = []
    members: dict[str, bytes] = {}
    for number in range(COUNT):
        file = io.BytesIO()
        stored(draw(number), spec.window).save(file, format="PNG", optimize=True)
        name = f"golden/{number}"
        members[f"{name}.png"] = file.getvalue()
        tensor = look_up(pixels(decode(file.getvalue(), f"{name}.png", spec), spec), table)
        outputs: dict[str, list[str]] = {}
        for runtime in runtimes:
            if runtime.kernel_path in outputs:  # another version of the same kernels, which rounds floats otherwise
                continue
            raws = runtime.run(tensor)
            numbers = [""] if len(raws) == 1 else [f".{number}" for number in range(len(raws))]
            outputs[runtime.kernel_path] = [f"{name}.{runtime.kernel_path}{number}" for number in numbers]
            members |= {member: raw.tobytes() for member, raw in zip(outputs[runtime.kernel_path], raws, strict=True)}
        digest = hashlib.sha256(tensor.tobytes()).hexdigest()
        inputs = [{"image": f"{name}.png", "sha256": digest}]
        entries.append({"inputs": inputs, "outputs": outputs, "tolerance": tolerance})
    return entries, members


def installed() -> list[str]:
    """Return the names of the runtimes that can be imported here, LiteRT first."""
    names = []
    for name in ("litert", "tflite"):
        with contextlib.suppress(EdgeError):
            names.append(import_runtime(name)[0])
    return names
