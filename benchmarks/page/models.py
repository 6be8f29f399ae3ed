"""What a model's maker measured on the host: from the manifests of the shipped models, found by their digests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.page.numbers import short
from edge.manifest import Manifest
from edge.model import read, shipped

METRICS = ("accuracy", "auc", "dice", "iou")  # those that a page draws against latency


@dataclass(frozen=True)
class Known:
    """A model whose manifest is at hand.

    Attributes:
        task: the manifest's.
        metrics: of METRICS, what the host measured.
        data: on which images.
        better: a target's name -> "lower" or "higher".
        sources: a target's name -> who set it.
    """

    task: str
    metrics: Mapping[str, float]
    data: str
    better: Mapping[str, str]
    sources: Mapping[str, str]

    def record(self) -> dict[str, Any]:
        """Return what the page's charts need."""
        return {"task": self.task, "data": self.data, "metrics": {key: short(n) for key, n in self.metrics.items()}}


@cache
def known_models() -> dict[str, Known]:
    """Return the shipped models by their digests."""
    files = [read(path) for path in shipped()]
    return {file.sha256: _known(file.manifest) for file in files}


def _known(manifest: Manifest) -> Known:
    data = manifest.provenance.get("data")
    return Known(
        task=str(manifest.raw["task"]),
        metrics={name: manifest.measured[name] for name in METRICS if name in manifest.measured},
        data=str(data.get("source", "")) if isinstance(data, Mapping) else "",
        better={target.name: target.better for target in manifest.targets},
        sources={target.name: target.source for target in manifest.targets},
    )
