from __future__ import annotations

from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.papers.cifar import finished, front
from edge.errors import EdgeError
from tests.edge import packing

FLATBUFFER = (Path(__file__).parents[2] / "edge/data/tiny.tflite").read_bytes()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5))))
def test_the_front_is_what_is_left_going_from_the_fastest_on(points: list[tuple[int, int]]) -> None:
    """Of those that take as long the most accurate, where it is more accurate than all that are faster."""
    best, left = -1, set()
    for time, group in groupby(sorted(points, key=lambda point: point[1]), key=lambda point: point[1]):
        accuracy = max(point[0] for point in group)
        if accuracy > best:
            best = accuracy
            left.add((accuracy, time))
    assert front([(float(a), float(t)) for a, t in points]) == [point in left for point in points]


def test_a_run_says_what_was_done_and_whether_it_was_taught(tmp_path: Path) -> None:
    pruned = {"step": "prune", "detail": "taylor-sq, -50% MACs"}
    runs = {
        "labels": [{"step": "train", "detail": "5 epochs"}, pruned, {"step": "train", "detail": "5 epochs"}],
        "soft": [{"step": "soft-prune", "detail": "l2-norm, 5 epochs, distilled"}],
        "taught": [pruned, {"step": "train", "detail": "5 epochs, distilled"}],
        "whole": [{"step": "train", "detail": "5 epochs"}],
    }
    for name, ledger in runs.items():
        provenance = {"network": "own:network", "ledger": ledger}
        manifest = packing.manifest(FLATBUFFER, name=name, provenance=provenance)
        (tmp_path / f"{name}.tflite").write_bytes(packing.pack(FLATBUFFER, manifest, {}))
        (tmp_path / f"{name}.report.json").write_text("{}")
    assert {run.name: run.method for run in finished(tmp_path)} == {
        "labels": "prune (taylor-sq, -50% MACs)",
        "soft": "soft-prune (l2-norm, 5 epochs, distilled)",
        "taught": "prune (taylor-sq, -50% MACs), then train (distilled)",
        "whole": "nothing",
    }


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"holds no NAME\.report\.json: expected finished runs"):
        finished(tmp_path)
