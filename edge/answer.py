"""What is answered about an image: what every task's answer has, and the rule by which most of them decide."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from edge.errors import ImageWarning

NOTICE = "Software for engineers, not a medical device: no diagnosis may rest on it."


class Decision(NamedTuple):
    """`label` is the decision where its score is at least `threshold` (0..1).

    A segmentation decides so for each pixel, and drops regions under `minimum_area` (0..1, share of the image).
    """

    label: str
    threshold: float
    minimum_area: float = 0.0


@dataclass
class Answer:
    """What a network says of one image. A task's own answer is a subclass, with what else the task has to say.

    Attributes:
        results: what was found, as objects for JSON, the most important one first.
        decision: the answer in a word or a few.
        latency_ms: milliseconds of the phases "read", "decode", "preprocess", "invoke" (the median of those asked for),
            "postprocess" and their sum "total".
        warnings: what makes the answer doubtful (docs/answers.md lists the codes).
        warm_ms: milliseconds of each counted invoke; none where all that ran was the engine's first.

    The last three are filled in by the engine.
    """

    results: list[Any]
    decision: str
    latency_ms: dict[str, float] = field(default_factory=dict, kw_only=True)
    warnings: tuple[ImageWarning, ...] = field(default=(), kw_only=True)
    warm_ms: tuple[float, ...] = field(default=(), kw_only=True)
