"""What an invoke costs in joules: a run of its own, as the reader slows what it measures.

Only where the device has a reader: a Raspberry Pi 5's power chip. What it says is a part of what the board draws
(`devices.raspberry_pi`): good for comparing networks on one board, and no bill.
"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from pathlib import Path

import edge.model
from benchmarks.devices import raspberry_pi
from benchmarks.devices.device import Session
from benchmarks.measurement import Cell
from benchmarks.measuring import models
from benchmarks.measuring.measure import ask
from edge.errors import EdgeError

_LEAST_SAMPLES = 10
_FASTER = 1.2  # than the reader may be, by which two clocks and a shell's sleep can differ


@dataclass(frozen=True)
class Energy:
    """What was drawn while the network was invoked.

    Attributes:
        watts: mean of the samples; of the rails that have a current, and no more.
        joules: of an invoke: watts times its median time in this run.
        p50_ms: of that, slowed by the reader: in no history.
        invokes, samples: how many there were.
        counted, without: rails whose power is in it, and rails that say no current.
    """

    watts: float
    joules: float
    p50_ms: float
    invokes: int
    samples: int
    counted: list[str]
    without: list[str]


def energy(session: Session, cell: Cell, path: Path, seconds: float, timeout: float) -> Energy:
    """Return what an invoke of `cell` costs, measured for `seconds` of invokes or more.

    Args:
        timeout: seconds that the process may take.

    Raises EdgeError ("energy.no-reader") where the device does not say what it draws, ("energy.samples") where it said
    so too seldom or more often than ten times a second, and what `measure` raises.
    """
    if not session.power:
        raise EdgeError(
            f"{cell.device} does not say what it draws: energy is measured on a Raspberry Pi 5, by its power chip "
            "(vcgencmd pmic_read_adc)",
            "energy.no-reader",
        )
    model = models.read(path)
    word = session.model(Path(edge.model.find(path)))
    _, cold = ask(session, cell, model, word, ["--repeat", "5"], timeout)
    # By the fastest, as the first few are slow: rather too many than too few readings.
    repeat = max(2, round(seconds * 1000 / max(cold.warm_ms["least"], 0.001)))
    ran, answer = ask(session, cell, model, word, ["--repeat", str(repeat)], timeout, power=True)
    p50 = answer.warm_ms["p50"]
    # Invokes come last in a process, but for an answer's last touch.
    begin, end = ran.wall_ms / 1000 - answer.count * p50 / 1000, ran.wall_ms / 1000
    samples = [(at, text) for at, text in ran.power if begin <= at <= end]
    rate = (len(samples) - 1) / max(samples[-1][0] - samples[0][0], 1e-9) if len(samples) > 1 else 0.0
    if len(samples) < _LEAST_SAMPLES or rate > _FASTER * raspberry_pi.ENERGY_HERTZ:
        raise EdgeError(
            f"{cell.device} said {len(samples)} times what it draws, {rate:.1f} times a second: expected at least "
            f"{_LEAST_SAMPLES}, at most {raspberry_pi.ENERGY_HERTZ:g} a second; measure longer",
            "energy.samples",
        )
    rails = [raspberry_pi.rails(text) for _, text in samples]
    watts = statistics.fmean(reading.watts for reading in rails)
    return Energy(watts, watts * p50 / 1000, p50, answer.count, len(samples), rails[0].counted, rails[0].without)
