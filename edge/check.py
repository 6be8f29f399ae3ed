"""Golden vectors: does this device compute what the host computed?"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from edge import image as images
from edge.digest import sha256
from edge.engine import Engine
from edge.errors import EdgeError
from edge.manifest import Golden
from edge.preprocess import pixels

BIT_EXACT, WITHIN, FAILED = "bit-exact", "within tolerance", "failed"


class Verdict(NamedTuple):
    """What came of one vector.

    Attributes:
        image: the image's member name.
        verdict: "bit-exact", "within tolerance" or "failed".
        kernel_path: whose output was compared with; "bit-exact" is only said of the path that runs.
        max_difference: in steps of the output (for a float32 network: in its units); None where nothing was computed,
            or a value is NaN or infinite.
        reason: one sentence.
    """

    image: str
    verdict: str
    kernel_path: str
    max_difference: float | None
    reason: str

    @property
    def failed(self) -> bool:
        return self.verdict == FAILED


def check(engine: Engine) -> list[Verdict]:
    """Return a verdict for each golden vector of the engine's model; EdgeError where it has none."""
    vectors = engine.file.manifest.golden
    if not vectors:
        raise EdgeError(
            f"{engine.file.path} holds no golden vectors to check: build the model file again with edge-compress",
            code="model.golden",
        )
    return [_check(engine, vector) for vector in vectors]


def _check(engine: Engine, golden: Golden) -> Verdict:
    own = engine.runtime.kernel_path
    path = own if own in golden.outputs else sorted(golden.outputs)[0]

    def verdict(word: str, difference: float | None, reason: str) -> Verdict:
        return Verdict(golden.image, word, path, difference, reason)

    spec = engine.file.manifest.inputs[0]
    try:
        image = images.decode(engine.file.member(golden.image), golden.image, spec, full_size=True)
    except EdgeError as error:
        return verdict(FAILED, None, str(error))
    tensor = engine.tensor(pixels(image, spec))
    if sha256(tensor.tobytes()).hexdigest() != golden.inputs[0].sha256:
        return verdict(
            FAILED,
            None,
            "preprocessed input differs from the host's: check that both use the same Pillow version",
        )
    outputs = engine.invoke(tensor)
    stored = [engine.file.member(name) for name in golden.outputs[path]]
    for data, output in zip(stored, outputs, strict=True):
        if len(data) != output.nbytes:
            return verdict(FAILED, None, f"the stored output has {len(data)} bytes, the network's has {output.nbytes}")
    if path == own and all(output.tobytes() == data for data, output in zip(stored, outputs, strict=True)):
        return verdict(BIT_EXACT, 0.0, f"the same bytes as on the host ({path})")
    expected = [
        np.frombuffer(data, output.dtype).reshape(output.shape) for data, output in zip(stored, outputs, strict=True)
    ]
    # A difference that is no number is larger than any.
    differences = [
        float(np.abs(output.astype(np.float64) - other.astype(np.float64)).max())
        for output, other in zip(outputs, expected, strict=True)
    ]
    difference = next((value for value in differences if value != value), max(differences))
    said = f"the largest difference from the host's {path} output is {difference:g}, the tolerance {golden.tolerance:g}"
    if not difference <= golden.tolerance:
        return verdict(FAILED, difference if math.isfinite(difference) else None, said)
    changed = engine.file.manifest.task.agree(engine.dequantize(outputs), engine.dequantize(expected))
    return verdict(FAILED, difference, f"{said}, and {changed}") if changed else verdict(WITHIN, difference, said)
