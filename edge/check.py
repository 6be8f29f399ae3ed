"""Golden vectors: does this device compute what the host computed?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from edge import image as images
from edge.digest import sha256
from edge.engine import Engine
from edge.errors import EdgeError
from edge.manifest import Golden
from edge.preprocess import pixels

MAX_FLIPPED = 0.01  # share of a segmentation's logits that may lie on the other side of the threshold
BIT_EXACT, WITHIN, FAILED = "bit-exact", "within tolerance", "failed"


class Verdict(NamedTuple):
    """What came of one vector.

    Attributes:
        image: the image's member name.
        verdict: "bit-exact", "within tolerance" or "failed".
        kernel_path: whose output was compared with; "bit-exact" is only said of the path that runs.
        max_difference: in steps of the output (for a float32 network: in its units); None where nothing was computed.
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

    try:
        picture = images.decode(
            engine.file.member(golden.image), golden.image, engine.file.manifest.input, full_size=True
        )
    except EdgeError as error:
        return verdict(FAILED, None, str(error))
    tensor = engine.tensor(pixels(picture, engine.file.manifest.input))
    if sha256(tensor.tobytes()).hexdigest() != golden.input_sha256:
        return verdict(FAILED, None, "preprocessing gives another input than on the host: compare Pillow's versions")
    output = engine.invoke(tensor)
    stored = engine.file.member(golden.outputs[path])
    if len(stored) != output.nbytes:
        return verdict(FAILED, None, f"the stored output has {len(stored)} bytes, the network's has {output.nbytes}")
    if path == own and output.tobytes() == stored:
        return verdict(BIT_EXACT, 0.0, f"the same bytes as on the host ({path})")
    expected = np.frombuffer(stored, output.dtype).reshape(output.shape)
    difference = float(np.abs(output.astype(np.float64) - expected.astype(np.float64)).max())
    said = f"the largest difference from the host's {path} output is {difference:g}, the tolerance {golden.tolerance:g}"
    if not difference <= golden.tolerance:
        return verdict(FAILED, difference, said)
    changed = _changed(engine, output, expected)
    return verdict(FAILED if changed else WITHIN, difference, said + changed)


def _changed(engine: Engine, output: np.ndarray, expected: np.ndarray) -> str:
    """Return what the difference changes of the answer, as the end of a sentence; "" where that is nothing.

    A classification's highest label must be the same. A segmentation may decide otherwise for a few logits, those that
    lie within the tolerance of the threshold.
    """
    rule = engine.file.manifest.decision
    if engine.file.manifest.task == "classification" or rule is None:
        return "" if output.argmax() == expected.argmax() else ", and another label is the highest"
    from edge.segmentation import bound

    limit = bound(rule.threshold, engine.file.manifest.activation)
    flipped = (engine.dequantize(output) >= limit) != (engine.dequantize(expected) >= limit)
    share = float(flipped.mean())
    if share <= MAX_FLIPPED:
        return ""
    return f", and {share:.3g} of the mask is decided otherwise, at most {MAX_FLIPPED:g} may be"
