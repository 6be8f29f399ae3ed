"""A task of one's own for edge-infer, in one file: any number of labels for an image, each by its own threshold.

An output of the manifest has `labels`, `activation` ("sigmoid") and `thresholds`, one for each label. Several outputs
are several groups of labels. The tests copy this file to a folder outside of the repository.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from edge.answer import Answer
from edge.fields import MAX_LABELS, Fields
from edge.preprocess import Preprocessing


@dataclass(frozen=True)
class Multilabel:
    """`labels` and `thresholds` have one tuple for each output of the network."""

    name: ClassVar[str] = "multilabel"
    endings: ClassVar[tuple[str, ...]] = (".scores.csv",)

    labels: tuple[tuple[str, ...], ...]
    thresholds: tuple[tuple[float, ...], ...]

    @classmethod
    def parse(cls, inputs: Sequence[Preprocessing], outputs: Sequence[Fields]) -> Multilabel:
        labels, thresholds = [], []
        for output in outputs:
            output.one_of("activation", ("sigmoid",))
            labels.append(tuple(output.texts("labels", MAX_LABELS)))
            thresholds.append(output.number_list("thresholds"))
            if len(thresholds[-1]) != len(labels[-1]):
                raise output.wrong("thresholds", list(thresholds[-1]), f"{len(labels[-1])} numbers")
        return cls(tuple(labels), tuple(thresholds))

    @classmethod
    def example(cls, shapes: Sequence[tuple[int, ...]]) -> list[dict[str, Any]] | None:
        if any(len(shape) != 2 or shape[0] != 1 for shape in shapes):
            return None
        return [
            {
                "labels": [f"label {number}" for number in range(count)],
                "activation": "sigmoid",
                "_thresholds": "of each label's score",
                "thresholds": [0.5] * count,
            }
            for _, count in shapes
        ]

    def check(self, inputs: Sequence[Preprocessing], shapes: Sequence[tuple[int, ...]]) -> str:
        expected = [(1, len(labels)) for labels in self.labels]
        return "" if list(shapes) == expected else " and ".join(map(str, expected))

    def answer(self, outputs: Sequence[np.ndarray], size: tuple[int, int], inputs: Sequence[Preprocessing]) -> Answer:
        results = [
            {"label": label, "score": float(1 / (1 + np.exp(-logit))), "threshold": threshold}
            for logits, labels, thresholds in zip(outputs, self.labels, self.thresholds, strict=True)
            for logit, label, threshold in zip(logits.astype(np.float64), labels, thresholds, strict=True)
        ]
        found = [result["label"] for result in results if result["score"] >= result["threshold"]]
        return Answer(results, ", ".join(found) or "nothing")

    def record(self, answer: Answer) -> dict[str, Any]:
        found = [result["label"] for result in answer.results if result["score"] >= result["threshold"]]
        return {"results": answer.results, "decision": answer.decision, "found": found}

    def lines(self, answer: Answer) -> list[str]:
        return [f"  {row['label']}  {row['score']:.4f} (from {row['threshold']:g} on)" for row in answer.results]

    def reason(self, answer: Answer) -> str:
        return f"of {len(answer.results)} labels"

    def draw(self, answer: Answer, image: bytes) -> dict[str, bytes]:
        rows = "".join(f"{row['label']},{row['score']:.6f}\n" for row in answer.results)
        return {".scores.csv": rows.encode()}

    def agree(self, outputs: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> str:
        def decided(logits: Sequence[np.ndarray]) -> list[bool]:
            scores = 1 / (1 + np.exp(-np.concatenate(logits).astype(np.float64)))
            return list(scores >= np.concatenate([np.array(row) for row in self.thresholds]))

        return "" if decided(outputs) == decided(expected) else "other labels are found"
