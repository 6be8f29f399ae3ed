"""One label of several for an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict

import numpy as np

from edge.answer import Answer, Decision
from edge.fields import MAX_LABELS, Fields
from edge.preprocess import Preprocessing
from edge.scores import scores, softmax


class Result(TypedDict):
    """One label and its score (0..1); those of a softmax add up to 1."""

    label: str
    score: float


@dataclass
class ClassificationResult(Answer):
    """What a classification says of one image.

    Attributes:
        results: every label with its score (0..1; of a softmax they add up to 1), the highest first.
        decision: the label that the manifest's rule decides for.
    """

    results: list[Result]


@dataclass(frozen=True)
class Classification:
    """One label of several: the highest score decides, or `decision` where there is one.

    Attributes:
        labels: 2 or more different ones, in the order of the network's output (1, labels).
        activation: "softmax" of logits, or "none": the outputs are scores.
    """

    name: ClassVar[str] = "classification"
    endings: ClassVar[tuple[str, ...]] = ()

    labels: tuple[str, ...]
    activation: str
    decision: Decision | None

    @classmethod
    def parse(cls, inputs: Sequence[Preprocessing], outputs: Sequence[Fields]) -> Classification:
        """Check labels, activation and decision of the one output."""
        only = outputs[0].only(inputs, outputs, cls.name)
        labels = tuple(only.texts("labels", MAX_LABELS))
        if len(labels) < 2 or len(set(labels)) < len(labels):
            raise only.wrong("labels", list(labels), "2 or more different strings")
        activation, decision = only.one_of("activation", ("softmax", "none")), None
        if only.get("decision") is not None:
            item = only.object("decision")
            decision = Decision(item.one_of("label", labels), item.number("threshold", 0, 1))
        return cls(labels, activation, decision)

    @classmethod
    def example(cls, shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]] | None:
        """One output (1, labels), 2 of them or more."""
        if len(shapes) != 1 or len(shapes[0]) != 2 or shapes[0][0] != 1 or shapes[0][1] < 2:
            return None
        count = shapes[0][1]
        return [
            {
                "_labels": f"{count} of them, in the order of the outputs",
                "labels": [f"label {number}" for number in range(count)],
                "activation": "softmax",
                "_decision": "null: the highest score decides; or an object of label (one of labels) and threshold "
                "(0 to 1)",
                "decision": None,
            }
        ]

    def check(self, inputs: Sequence[Preprocessing], shapes: Sequence[tuple[int, ...]]) -> str:
        """A score for each label."""
        expected = (1, len(self.labels))
        return "" if shapes[0] == expected else str(expected)

    def answer(
        self, outputs: Sequence[np.ndarray], size: tuple[int, int], inputs: Sequence[Preprocessing]
    ) -> ClassificationResult:
        """Return the labels ranked by their scores, and the decision."""
        logits = outputs[0]
        found = softmax(logits) if self.activation == "softmax" else scores(logits, "softmax")
        ranked = rank(self.labels, found)
        return ClassificationResult(ranked, decide(ranked, self.decision))

    def record(self, answer: ClassificationResult) -> dict[str, Any]:
        """Every label's score, the decision and its threshold."""
        return {
            "results": answer.results,
            "decision": answer.decision,
            "threshold": None if self.decision is None else float(self.decision.threshold),
        }

    def lines(self, answer: ClassificationResult) -> list[str]:
        """A line for each label."""
        width = max(len(label) for label in self.labels)
        return [f"  {result['label']:{width}}  {result['score']:.4f}" for result in answer.results]

    def reason(self, answer: ClassificationResult) -> str:
        """What the score of the decision's label is beside its threshold."""
        rule = self.decision
        if rule is None:
            return "the highest score"
        score = next(result["score"] for result in answer.results if result["label"] == rule.label)
        reached = "at least" if answer.decision == rule.label else "under"
        return f"{rule.label} {score:.4f} is {reached} the threshold {rule.threshold:g}"

    def draw(self, answer: ClassificationResult, image: bytes) -> dict[str, bytes]:
        """Nothing."""
        return {}

    def agree(self, outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
        """The highest label must be the same."""
        return "" if outputs[0].argmax() == expected[0].argmax() else "another label is the highest"


def rank(labels: tuple[str, ...], scores: np.ndarray) -> list[Result]:
    """Return the labels with their `scores` (classes,), the highest first; equal ones in the order of the labels."""
    order = np.argsort(-scores, kind="stable")
    return [{"label": labels[index], "score": float(scores[index])} for index in order]


def decide(ranked: list[Result], decision: Decision | None) -> str:
    """Return the label that is the answer.

    It is `decision.label` where its score is at least the threshold, else the highest of the others; without a rule,
    the highest.
    """
    if decision is None:
        return ranked[0]["label"]
    scores = {result["label"]: result["score"] for result in ranked}
    if scores[decision.label] >= decision.threshold:
        return decision.label
    return next(result["label"] for result in ranked if result["label"] != decision.label)
