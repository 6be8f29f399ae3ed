"""Run a compressed network on an embedded board: one model file, one image, one answer and what it cost.

    >>> import edge
    >>> engine = edge.load("pneumonia")
    >>> answer = engine("image.png")
    >>> answer.decision, answer.results[0], answer.latency_ms["invoke"]
    >>> edge.load("polyp")("image.png").mask  # of a segmentation: bool (height, width)

Needs numpy, Pillow and a TFLite runtime (ai-edge-litert or tflite-runtime). For engineers; not a medical device.
"""

TYPE_CHECKING = False  # type checkers take it for True
if TYPE_CHECKING:
    from edge.answer import Answer
    from edge.engine import Engine, load
    from edge.errors import EdgeError
    from edge.tasks.classification import ClassificationResult
    from edge.tasks.segmentation import SegmentationResult

__version__ = "0.1.0"
__all__ = ["Answer", "ClassificationResult", "EdgeError", "Engine", "SegmentationResult", "__version__", "load"]
_HOMES = {
    "Answer": "edge.answer",
    "ClassificationResult": "edge.tasks.classification",
    "EdgeError": "edge.errors",
    "Engine": "edge.engine",
    "SegmentationResult": "edge.tasks.segmentation",
    "load": "edge.engine",
}


def __getattr__(name: str) -> object:
    # Nothing is imported before its first use, so that the command line is ready for a Ctrl-C before anything is.
    if name in _HOMES:
        return getattr(__import__(_HOMES[name], fromlist=[name]), name)
    raise AttributeError(f"module 'edge' has no attribute {name!r}")
