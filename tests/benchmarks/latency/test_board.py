"""Operators on a board over a real ssh, with the native release that such a board gets."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.devices.ssh import Ssh
from benchmarks.history.store import open_store
from benchmarks.latency import timing
from benchmarks.latency.operators import CALL, DEPTHWISE, Operator
from benchmarks.latency.timing import Setting, Timer
from tests.benchmarks.devices.test_ssh import reached  # noqa: F401  (a fixture)
from tests.firmware_bridge.boards import LocalBoard

pytestmark = [pytest.mark.compile, pytest.mark.timeout(300)]
OPERATORS = [Operator(DEPTHWISE, "int8", 3, 1, 32, 64, 64), Operator(CALL, "float32", 1, 1, 32, 3, 3)]


def test_a_board_gets_the_networks_and_times_them(
    reached: LocalBoard,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timing, "PASSES", 1)
    files = timing.write_all(OPERATORS, tmp_path / "operators")
    device, setting = Ssh(name="pi", host="board", target="x86-64", key=str(reached.signer)), Setting("pi", "native", 1)
    with open_store(tmp_path / "history.sqlite") as store, device.open([], print) as session:
        assert timing.run(Timer(session, setting), files, OPERATORS, store, 60, print)
        _, table = timing.load(store, setting, OPERATORS)
        (found, _) = store.latencies("pi")
    assert all(0 < table.ms(operator) < 100 for operator in OPERATORS)
    assert found.identity is not None and found.identity.release and found.identity.runtime_version
