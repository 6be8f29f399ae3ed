"""Where in an image one thing is: a mask, its regions, and both drawn over the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from edge.answer import NOTICE, Answer, Decision
from edge.fields import Fields
from edge.mask import Mask, Region, bound, segment
from edge.preprocess import Preprocessing
from edge.scores import scores

MASK, OVERLAY = ".mask.png", ".overlay.jpg"
MAX_FLIPPED = 0.01  # share of the logits that may lie on the other side of the threshold
_SHOWN = 10  # regions that are listed one by one


@dataclass
class SegmentationResult(Answer):
    """What a segmentation says of one image.

    Attributes:
        results: the regions of the mask, the largest first; none is an answer, too.
        decision: the label where there is a region, else "no " and the label.
        runs: the mask as `edge.mask.Mask`: share of the image, run-length encoding, array.
        window: the stored values that the network saw as black and as white, to draw the image alike; None: all.
    """

    results: list[Region]
    runs: Mask
    window: tuple[int, int] | None = None

    @property
    def mask(self) -> np.ndarray:
        """The mask, bool (height, width), in the image's own size; made again at each use."""
        return self.runs.array()


@dataclass(frozen=True)
class Segmentation:
    """A mask of one thing: each pixel whose score reaches the decision's threshold.

    Attributes:
        decision: what the mask shows, from which score on, and the smallest region.
        activation: "sigmoid" of logits, or "none": the outputs are scores.
    """

    name: ClassVar[str] = "segmentation"
    endings: ClassVar[tuple[str, ...]] = (MASK, OVERLAY)

    decision: Decision
    activation: str

    @classmethod
    def parse(cls, inputs: Sequence[Preprocessing], outputs: Sequence[Fields]) -> Segmentation:
        """Check label, activation and decision of the one output."""
        only = outputs[0].only(inputs, outputs, cls.name)
        labels = tuple(only.texts("labels"))
        if len(labels) != 1:
            raise only.wrong("labels", list(labels), "exactly 1 string, what the mask of a segmentation shows")
        activation = only.one_of("activation", ("sigmoid", "none"))
        if only.get("decision") is None:
            raise only.wrong("decision", None, "an object of label, threshold and minimum_area, for a segmentation")
        item = only.object("decision")
        label, threshold = item.one_of("label", labels), item.number("threshold", 0, 1)
        return cls(Decision(label, threshold, item.number("minimum_area", 0, 1)), activation)

    @classmethod
    def example(cls, shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]] | None:
        """One output (1, h, w, 1)."""
        if len(shapes) != 1 or len(shapes[0]) != 4 or (shapes[0][0], shapes[0][3]) != (1, 1) or min(shapes[0]) < 1:
            return None
        return [
            {
                "_labels": "what the mask shows",
                "labels": ["thing"],
                "activation": "sigmoid",
                "_decision": "the mask is where a score is at least threshold; regions under minimum_area are left out",
                "decision": {"label": "thing", "threshold": 0.5, "minimum_area": 0},
            }
        ]

    def check(self, inputs: Sequence[Preprocessing], shapes: Sequence[tuple[int, ...]]) -> str:
        """A map of logits, not larger than the network's input."""
        spec, shape = inputs[0], shapes[0]
        fits = len(shape) == 4 and (shape[0], shape[3]) == (1, 1)
        if fits and 1 <= shape[1] <= spec.height and 1 <= shape[2] <= spec.width:
            return ""
        return f"(1, h, w, 1) with h from 1 to {spec.height} and w from 1 to {spec.width}"

    def answer(
        self, outputs: Sequence[np.ndarray], size: tuple[int, int], inputs: Sequence[Preprocessing]
    ) -> SegmentationResult:
        """Return the mask in the image's own size and its regions."""
        logits, spec = outputs[0], inputs[0]
        if self.activation == "none":
            logits = scores(logits, "sigmoid")
        regions, mask = segment(logits[:, :, 0], size, self.decision, spec, self.activation)
        label = self.decision.label
        return SegmentationResult(regions, label if regions else f"no {label}", mask, spec.window)

    def record(self, answer: SegmentationResult) -> dict[str, Any]:
        """The regions, the decision and its threshold, the mask's area (share of the image) and run-length encoding."""
        return {
            "results": answer.results,
            "decision": answer.decision,
            "threshold": float(self.decision.threshold),
            "area": answer.runs.area,
            "mask": answer.runs.encode(),
        }

    def lines(self, answer: SegmentationResult) -> list[str]:
        """A line for each of the largest regions: label, score, share of the image, box in pixels."""
        lines = []
        for number, region in enumerate(answer.results[:_SHOWN], 1):
            left, top, width, height = region["box"]
            lines.append(
                f"  {number:>2}  {region['label']}  {region['score']:.4f}  {_percent(region['area']):>6} of the image, "
                f"{width} x {height} pixels at {left}, {top}"
            )
        if more := answer.results[_SHOWN:]:
            lines.append(f"      and {len(more)} smaller, together {_percent(sum(region['area'] for region in more))}")
        return lines

    def reason(self, answer: SegmentationResult) -> str:
        """What the mask's regions are, and by which threshold."""
        least = self.decision.minimum_area
        smallest = f", minimum region area {_percent(least)}" if least else ""
        return f"{_extent(answer)}; score threshold {self.decision.threshold:g}{smallest}"

    def draw(self, answer: SegmentationResult, image: bytes) -> dict[str, bytes]:
        """The mask, and the image with it drawn over."""
        from edge.overlay import mask_png, overlay_jpeg

        mask, captions = answer.mask, [caption(answer), NOTICE]
        return {MASK: mask_png(mask), OVERLAY: overlay_jpeg(image, mask, answer.results, captions, answer.window)}

    def agree(self, outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
        """A few logits, which lie within the tolerance of the threshold, may be decided otherwise."""
        limit = bound(self.decision.threshold, self.activation)
        share = float(((outputs[0] >= limit) != (expected[0] >= limit)).mean())
        if share <= MAX_FLIPPED:
            return ""
        return f"{share:.3g} of the mask is decided otherwise, at most {MAX_FLIPPED:g} may be"


def caption(answer: SegmentationResult) -> str:
    """Return what a segmentation found, as the line below an image."""
    return f"{answer.decision}: {_extent(answer)}" if answer.results else f"{answer.decision} found"


def _extent(answer: SegmentationResult) -> str:
    count = len(answer.results)
    if not count:
        return "nothing found"
    return f"{count} region{'s' if count > 1 else ''}, {_percent(answer.runs.area)} of the image"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
