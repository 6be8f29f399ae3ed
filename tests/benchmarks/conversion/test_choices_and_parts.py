"""The commands that measure choices of quantization, and what stays float."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.conversion import choices, parts
from tests.compress.convert.quantize.graphs import Net, images


def test_each_plan_has_a_row_and_the_default_says_what_was_gained() -> None:
    net = Net()
    flatbuffer = net.flatbuffer(net.dense(net.reduce(net.conv(net.input(1, 6, 6, 3), 8, activation=1)), 4))
    found = choices.rows(flatbuffer, images(net, 8)[0], images(net, 6, seed=2)[0], "a network")
    assert len(found) == len(choices.PLANS)
    assert all(float(str(cosine)) > 0.98 and float(str(decibels)) > 15 for _, cosine, decibels, _ in found)
    assert all(str(flips).endswith("of 6") for *_, flips in found)
    assert all(word in str(found[-1][0]) for word in ("equalize", "range", "correct_bias", "dB"))


def test_a_file_has_a_row_and_what_full_refuses_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = Net()
    file = tmp_path / "sine.tflite"
    file.write_bytes(net.flatbuffer(net.one("SIN", net.input(1, 4, 4, 8))))
    parts.main([str(file)])
    row = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("| sine |"))
    _, _, float32, full, default, stay, _ = (cell.strip() for cell in row.split("|"))
    assert full == "refused" and float(float32) > 0 and float(default) > 0 and stay == "1 of 1"
