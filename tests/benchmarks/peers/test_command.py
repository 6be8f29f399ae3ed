"""`edge-bench peers` in environments of their own, and its table."""

from __future__ import annotations

import pytest

from benchmarks import cli
from benchmarks.peers import command
from benchmarks.peers.measuring import Row


def row(runtime: str, kind: str, milliseconds: float, fault: str = "") -> Row:
    times = [milliseconds * (1 + turn / 1000) for turn in range(8)]
    return Row(runtime, kind, "1.0", 0.999, {1: times, 2: times}, [100.0] * 3, [50.0] * 3, fault)


def test_who_is_ahead_is_said_and_who_has_no_times() -> None:
    rows = [
        row("litert", "int8", 5.0),
        row("onnxruntime", "int8", 4.0),
        row("openvino", "int8", 6.0),
        row("ncnn", "int8", 0.0, "ncnn is not run in int8 here"),
    ]
    found = command.lines("pneumonia", rows)
    assert [line[1].split()[0] for line in found] == ["onnxruntime", "LiteRT", "OpenVINO", "ncnn"]
    assert [line[-1] for line in found] == [
        command.AHEAD, "the base", command.BEHIND, "ncnn is not run in int8 here"
    ]  # fmt: skip
    assert all(len(line) == len(command.HEADER) for line in found)
    assert found[0][3].startswith("0.80 (0.80 to 0.80)")
    assert command.missing(rows).startswith("1 of 4 rows")


@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("workplace")
def test_a_network_in_another_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["peers", "bpcp", "--only", "onnxruntime", "--rounds", "6"]) == 0
    found = capsys.readouterr().out
    for name in ("LiteRT int8", "LiteRT float", "onnxruntime int8", "onnxruntime float"):
        assert f"| bpcp | {name} (" in found
    assert "0 of 4 rows have no numbers" in found
