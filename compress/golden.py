"""Golden vectors: generated images, and what each installed runtime makes of them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from compress.window import stored
from edge.errors import EdgeError
from edge.image import decode
from edge.preprocess import Preprocessing, look_up, pixels
from edge.runtime import import_runtime, open_runtime

COUNT = 4
TOLERANCE = 25  # int8 steps between kernel paths; the highest label must be the same as well


def golden(
    flatbuffer: bytes,
    how: Preprocessing,
    table: np.ndarray,
    draw: Callable[[int], Image.Image],
    tolerance: float = TOLERANCE,
) -> tuple[list[dict[str, Any]], dict[str, bytes]]:
    """Return the manifest's `golden` list and its members: images, and what each installed runtime makes of them.

    Args:
        table: from 8-bit pixels to the input tensor, as `edge.preprocess` makes it for this model.
        draw: from 0..3 to an image that shows nobody.
        tolerance: for other kernel paths, in steps of the output; for a float32 network in its units.
    """
    runtimes = [open_runtime(flatbuffer, name, 1) for name in ("litert", "tflite") if _installed(name)]
    entries: list[dict[str, Any]] = []
    members: dict[str, bytes] = {}
    for number in range(COUNT):
        file = io.BytesIO()
        stored(draw(number), how.window).save(file, format="PNG", optimize=True)
        name = f"golden/{number}"
        members[f"{name}.png"] = file.getvalue()
        tensor = look_up(pixels(decode(file.getvalue(), f"{name}.png", how), how), table)
        outputs = {}
        for runtime in runtimes:
            if runtime.kernel_path in outputs:  # another version of the same kernels, which rounds floats otherwise
                continue
            outputs[runtime.kernel_path] = f"{name}.{runtime.kernel_path}"
            members[f"{name}.{runtime.kernel_path}"] = runtime.run(tensor).tobytes()
        digest = hashlib.sha256(tensor.tobytes()).hexdigest()
        entries.append({"image": f"{name}.png", "input_sha256": digest, "outputs": outputs, "tolerance": tolerance})
    return entries, members


def _installed(runtime: str) -> bool:
    try:
        import_runtime(runtime)
    except EdgeError:
        return False
    return True
