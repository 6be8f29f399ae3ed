"""Run a compressed network on an embedded board: one model file, one image, one answer and what it cost.

    >>> import edge
    >>> engine = edge.load("pneumonia")
    >>> answer = engine("image.png")
    >>> answer.decision, answer.results[0], answer.latency_ms["invoke"]
    >>> edge.load("polyp")("image.png").mask  # a segmentation's: bool (height, width)

Needs numpy, Pillow and a TFLite runtime (ai-edge-litert or tflite-runtime). For engineers; not a medical device.
"""

TYPE_CHECKING = False  # type checkers take it for True
if TYPE_CHECKING:
    from edge.engine import Answer, Engine, SegmentationResult, load
    from edge.errors import EdgeError

__version__ = "0.1.0"
__all__ = ["Answer", "EdgeError", "Engine", "SegmentationResult", "__version__", "load"]


def __getattr__(name: str) -> object:
    # Nothing is imported before its first use, so that the command line is ready for a Ctrl-C before anything is.
    if name == "EdgeError":
        import edge.errors

        return edge.errors.EdgeError
    if name in ("Answer", "Engine", "SegmentationResult", "load"):
        import edge.engine

        return getattr(edge.engine, name)
    raise AttributeError(f"module 'edge' has no attribute {name!r}")
