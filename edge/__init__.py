"""Run a compressed network on an embedded board: one model file, one picture, one answer and what it cost.

    >>> import edge
    >>> engine = edge.load("pneumonia")
    >>> answer = engine("image.png")
    >>> answer.decision, answer.results[0], answer.latency_ms["invoke"]
    >>> edge.load("polyp")("image.png").mask  # a segmentation's: bool (height, width)

Needs numpy, Pillow and a TFLite runtime (ai-edge-litert or tflite-runtime). For engineers; not a medical device.
"""

from __future__ import annotations

from edge.errors import EdgeError

TYPE_CHECKING = False  # type checkers take it for True; a Ctrl-C during an import of typing would show a traceback
if TYPE_CHECKING:
    from edge.engine import Answer, Engine, Outline, load

__version__ = "0.1.0"
__all__ = ["Answer", "EdgeError", "Engine", "Outline", "__version__", "load"]


def __getattr__(name: str) -> object:
    # numpy and Pillow are imported at the first use, so that the command line can catch a Ctrl-C meanwhile.
    if name in ("Answer", "Engine", "Outline", "load"):
        import edge.engine

        return getattr(edge.engine, name)
    raise AttributeError(f"module 'edge' has no attribute {name!r}")
