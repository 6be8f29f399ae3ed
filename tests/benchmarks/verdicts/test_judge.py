"""Verdicts on nights as the history gives them: a machine that was replaced, nights that are missing, what fails."""

from __future__ import annotations

import dataclasses

import numpy as np

from benchmarks.measurement import MODEL, Cell, Identity, Measurement, Sample, Verdict, Word
from benchmarks.verdicts.judge import Past

CELL = Cell("pi", "bpcp", "litert", 1)
IDENTITY = Identity({"model": "Pi 4", "cores": 4}, "one", "6.1", "1.0", None, "2.3.0", "ab")


class History:
    """Nights that are judged one by one."""

    def __init__(self, seed: int = 1) -> None:
        self.random = np.random.default_rng(seed)
        self.samples: list[Sample] = []

    def times(self, level: float, count: int) -> list[float]:
        return (level * np.exp(self.random.normal(0, 0.01, count))).tolist()

    def night(self, level: float, machine: float = 1.0, identity: Identity = IDENTITY, **more: object) -> Verdict:
        name = f"night {len(self.samples):04}"
        canary = [self.times(machine, 6) for _ in range(2)]
        sample = Sample(name, self.times(level * machine, 3), [], *canary, identity)
        past = Past(CELL, self.samples)
        if past.suspects(sample):
            sample = dataclasses.replace(sample, confirmation_ms=self.times(level * machine, 9))
        tonight = [Measurement(CELL, MODEL, 0, "", {"p50": level}, identity=identity, **more)]  # type: ignore[arg-type]
        verdict = past.judge(sample, tonight)
        self.samples.append(dataclasses.replace(sample, verdict=verdict))
        return verdict

    def fails(self, code: str) -> Verdict:
        sample = Sample(f"night {len(self.samples):04}")
        fault = {"code": code, "message": "no route to host"}
        verdict = Past(CELL, self.samples).judge(sample, [Measurement(CELL, MODEL, 0, "", fault=fault)])
        self.samples.append(dataclasses.replace(sample, verdict=verdict))
        return verdict


def grown(nights: int = 20) -> History:
    history = History()
    assert not any(history.night(10).evidence["alarm"] for _ in range(nights))
    return history


def test_the_baseline_says_how_many_nights_it_has() -> None:
    history = grown(5)
    assert history.night(10.1).reason.startswith("baseline: 5 of 14 nights")


def test_before_there_is_a_baseline_a_night_that_repeats_badly_is_noisy() -> None:
    history = grown(5)
    night = history.night(13)
    assert night.word is Word.NOISY and not night.evidence["alarm"]
    assert night.reason.startswith("p50 +") and "against the last night: 5 of 14 nights" in night.reason
    history.fails("board.down")  # a night without numbers is none to compare with
    assert history.night(13).word is Word.PASS
    other = dataclasses.replace(IDENTITY, machine="two")
    assert history.night(10, identity=other).word is Word.PASS  # the first night of another device


def test_a_step_is_watched_then_alarms_once_and_so_does_its_end() -> None:
    history = grown()
    slow = [history.night(11) for _ in range(6)]
    assert [one.evidence["alarm"] for one in slow] == [False, True, False, False, False, False]
    assert slow[0].is_watched and slow[1].word is Word.REGRESSED and slow[-1].word is Word.PASS
    fast = [history.night(10) for _ in range(4)]
    assert Word.IMPROVED in [one.word for one in fast if one.evidence["alarm"]]


def test_a_slow_machine_is_noisy() -> None:
    assert grown().night(10, machine=1.3).word is Word.NOISY


def test_a_device_replaced_by_a_faster_one_begins_a_new_baseline() -> None:
    history = grown()
    other = dataclasses.replace(IDENTITY, machine="two", board={"model": "Pi 5", "cores": 4})
    found = [history.night(4, machine=0.5, identity=other) for _ in range(20)]
    assert {one.word for one in found[:14]} == {Word.PASS} and "new baseline" in found[0].reason
    assert not any(one.evidence["alarm"] for one in found)


def test_a_new_model_file_that_is_slower_is_a_regression_and_named() -> None:
    history = grown()
    other = dataclasses.replace(IDENTITY, model_sha256="cd", kernel="6.6")
    found = history.night(12, identity=other)
    assert found.word is Word.REGRESSED and "kernel, model file" in found.reason


def test_a_device_that_is_down_alarms_once_and_is_back_without_one() -> None:
    history = grown()
    down = [history.fails("board.unreachable") for _ in range(7)]
    assert {one.word for one in down} == {Word.DEVICE_DOWN}
    assert [one.evidence["alarm"] for one in down] == [True, *[False] * 6]
    assert history.night(10).word is Word.PASS


def test_a_model_that_fails_on_its_device_is_a_regression() -> None:
    found = grown().fails("model.invalid")
    assert found.word is Word.REGRESSED and found.evidence["alarm"]


def test_a_target_missed_every_night_is_missed_and_no_alarm() -> None:
    history = History()
    targets = [{"name": "latency", "measured": 10.0, "target": 8.0, "met": False}]
    found = [history.night(10, targets=targets) for _ in range(3)]
    assert {one.word for one in found} == {Word.MISSED}
    assert not any(one.evidence["alarm"] for one in found)
