"""`edge-bench papers`, and what it counts and reads."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

import edge.model
from benchmarks import table
from benchmarks.cli import main
from benchmarks.papers import headlines, unpruned
from edge.errors import EdgeError
from edge.runtime import open_runtime


def test_every_headline_is_printed_with_where_ours_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["papers", "--rounds", "3", "--json"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {"now", None} < {row["when"] for row in rows}
    for row in rows:
        assert row["theirs"]
        assert (row["ours"] is None) == (row["when"] is None) == (row["again"] is None)
        if row["when"] not in ("now", None):
            assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["when"])
            module = re.match(r"python -m ([a-z_.]+)", row["again"])
            assert module is not None and importlib.util.find_spec(module[1]) is not None
    found = {(row["paper"].split(",")[0], row["headline"]): row["ours"] for row in rows}
    assert found["Yang et al. 2022", "MACs at 224x224"] == "512.85 M"
    assert found["Huang and Wang 2020", "MACs removed"] == "80.5%"
    faster = [float(text) for text in re.findall(r"[\d.]+", found["Huang and Wang 2020", "times faster"])]
    assert faster[0] > 1 and faster[1] > 1


def test_what_the_models_were_pruned_from_is_the_papers_network() -> None:
    """Sizes of ResNet-50 with two classes and of BPCP's ResNet-56, there with two values a normalization."""
    resnet = unpruned.size(unpruned.resnet50(), "ResNet-50")
    assert resnet.macs == 4_087_140_352
    assert resnet.parameters == pytest.approx(23.512e6, rel=0.002)
    small = unpruned.bottleneck56()
    found = unpruned.size(small, "ResNet-56")
    assert found.macs == pytest.approx(87.2146e6, rel=1e-5)
    assert found.parameters == pytest.approx(590_426, rel=0.01)
    (logits,) = open_runtime(small, "litert").run(np.ones((1, 32, 32, 3), np.float32))
    assert logits.shape == (1, 10) and np.isfinite(logits).all()


def test_counted_sizes_are_those_that_the_models_say() -> None:
    for path in edge.model.shipped():
        file = edge.model.read(path)
        counted, said = unpruned.size(file.flatbuffer, file.path), file.manifest.raw["measured"]
        assert counted.macs == said["macs"]
        assert counted.parameters == pytest.approx(said["parameters"], rel=0.01)


def test_a_table_of_the_results_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    table.write("mine", "Mine", "python -m mine", ["what", "ratio", "memory", "ratio"], [["a", 1, 2, 3]], "Notes.")
    kept = table.kept("mine")
    assert kept.command == "python -m mine"
    assert kept.rows == [{"what": "a", "ratio": "1", "memory": "2"}]
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", kept.date)


@pytest.mark.parametrize("text", ["", "# A title\n\nNo table.\n", None])
def test_results_that_are_no_table_are_refused(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "RESULTS", tmp_path)
    if text is not None:
        (tmp_path / "accuracy.md").write_text(text)
    with pytest.raises(EdgeError, match="expected one; run its command again") as error:
        table.kept("accuracy")
    assert error.value.code == "results.invalid"


def test_a_row_that_the_results_lack_is_said() -> None:
    with pytest.raises(EdgeError, match="have no 'VGG' under 'network': expected that row"):
        headlines._row(table.kept("accuracy"), "network", "VGG")
