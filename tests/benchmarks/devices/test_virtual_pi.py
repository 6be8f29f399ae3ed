"""An emulated Arm board as a device: booted, deployed, measured by its instruction clock, and gone."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.devices.virtual_pi import Emulated
from benchmarks.measurement import MODEL, Cell
from benchmarks.measuring.measure import Effort, measure
from edge.errors import EdgeError
from edge.model import find

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(900)]
BPCP = Path(find("bpcp"))


def test_two_fresh_starts_take_the_same_instructions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    said: list[str] = []
    try:
        with Emulated("virtual").open([BPCP], said.append) as session:
            assert session.emulated and session.cores == 1
            cell = Cell("virtual", "bpcp", session.runtimes[0], 1)
            effort = Effort(invokes=5, warmup=1, seconds=60)
            first, second = (measure(session, cell, BPCP, MODEL, start, effort) for start in range(2))
    except EdgeError as error:
        if error.code == "board.emulator":
            pytest.skip(str(error))
        raise
    assert first.identity is not None and first.identity.emulated
    assert first.identity.board["architecture"] == "aarch64"
    assert first.answer == second.answer
    assert first.latency_ms["p50"] == pytest.approx(second.latency_ms["p50"], rel=0.01)
    assert any(line.startswith("pushing edge-infer-") for line in said)
