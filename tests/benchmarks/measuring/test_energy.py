"""Joules of an invoke. The readings are composed (tests/benchmarks/devices/test_raspberry_pi.py), no recording."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from benchmarks.devices.device import Ran
from benchmarks.measurement import Cell
from benchmarks.measuring.energy import energy
from edge.errors import EdgeError
from edge.model import find
from tests.benchmarks.devices.test_raspberry_pi import PMIC
from tests.benchmarks.measuring.stand_in import Here

BPCP = Path(find("bpcp"))
CELL = Cell("here", "bpcp", "litert", 1)
IDLE = PMIC.replace("1.50000000A", "0.00000000A")


class Pi5(Here):
    """Readings of `seconds` apart: the idle one before the invokes, the busy one meanwhile."""

    power = True

    def __init__(self, seconds: float = 0.1) -> None:
        super().__init__(self._read)
        self.seconds = seconds

    def _read(self, ran: Ran) -> Ran:
        if b'"count": 4,' in ran.output:  # the run that says how many invokes it takes
            return ran
        # As if the invokes had filled the last two seconds of three: the median is 0.5 ms, of 4,000.
        busy = [(1.05 + n * self.seconds, PMIC) for n in range(round(1.9 / self.seconds))]
        return dataclasses.replace(
            ran, wall_ms=3000.0, power=[(0.2, IDLE), (0.6, IDLE), *busy], output=_median(ran.output)
        )


def _median(output: bytes) -> bytes:
    row = json.loads(output)
    row["warm_invoke_ms"] = {"count": 4000, "least": 0.5, "p50": 0.5, "p90": 0.5, "p99": 0.5, "most": 0.5}
    return json.dumps(row).encode()


def test_joules_are_watts_of_the_invokes_times_their_time() -> None:
    found = energy(Pi5(), CELL, BPCP, 0.2, 60)
    assert found.watts == pytest.approx(1.9)
    assert found.joules == pytest.approx(1.9 * 0.0005)
    assert (found.samples, found.without) == (19, ["EXT5V", "BATT"])


@pytest.mark.parametrize(("seconds", "words"), [(0.02, "50.0 times a second"), (0.5, "said 4 times")])
def test_a_reader_that_slows_the_work_or_says_too_little_is_refused(seconds: float, words: str) -> None:
    with pytest.raises(EdgeError, match=words) as raised:
        energy(Pi5(seconds), CELL, BPCP, 0.2, 60)
    assert raised.value.code == "energy.samples"


def test_a_device_without_a_reader_is_said() -> None:
    with pytest.raises(EdgeError, match="Raspberry Pi 5") as raised:
        energy(Here(), CELL, BPCP, 0.2, 60)
    assert raised.value.code == "energy.no-reader"
