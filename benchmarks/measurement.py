"""What is measured: a cell of the matrix, one fresh start of it, and the verdict on a night's starts.

Records are plain JSON objects with these names; the history keeps them as they are, so that a later program reads an
earlier one's.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

RUNTIMES = ("native", "litert", "tflite")
MODEL, CANARY_BEFORE, CANARY_AFTER, CONFIRMATION = "model", "canary-before", "canary-after", "confirmation"
ROLES = (MODEL, CANARY_BEFORE, CANARY_AFTER, CONFIRMATION)


class Word(str, Enum):
    """What a night says of a cell."""

    PASS = "PASS"
    REGRESSED = "REGRESSED"
    IMPROVED = "IMPROVED"
    NOISY = "NOISY"
    DEVICE_DOWN = "DEVICE-DOWN"
    MISSED = "MISSED"


@dataclass(frozen=True, order=True)
class Cell:
    """What is measured on a device: a model, what runs it, with how many threads.

    Attributes:
        device: its name in the inventory.
        model: the manifest's name.
        runtime: "native" (the program in C), "litert" or "tflite" (the program in Python on that runtime).
        threads: of the runtime.
    """

    device: str
    model: str
    runtime: str
    threads: int

    def __str__(self) -> str:
        return f"{self.model} on {self.device}, {self.runtime}, {self.threads} thread{'s' if self.threads > 1 else ''}"


@dataclass(frozen=True)
class State:
    """A board at one moment; None where it does not say.

    Attributes:
        when: "before", "during" or "after" the measurement.
        seconds: since the measurement began.
        governor: of the first core's frequency.
        clock_mhz: of each core, now.
        temperature_c: of the processor.
        throttled: causes that hold now ("under-voltage", "frequency capped", ...), as `edge.board` names them.
        occurred: causes that held since the board's start.
    """

    when: str
    seconds: float
    governor: str | None = None
    clock_mhz: list[float] | None = None
    temperature_c: float | None = None
    throttled: list[str] | None = None
    occurred: list[str] | None = None


@dataclass(frozen=True)
class Identity:
    """Which device and software a measurement is of: a change of it explains a step, or begins a new baseline.

    Attributes:
        board: the board's model, architecture and number of cores, as `edge.board` reads them.
        machine: the system's own identifier (a digest of /etc/machine-id, or of the serial number); None without.
        kernel: `uname -r`.
        program, release: versions of `edge-infer` and the release that it came in (None where it came otherwise).
        runtime_version: of LiteRT or tflite-runtime.
        model_sha256: the model file's digest, as `edge-infer` says it.
        emulated: times are an emulator's and nobody's latency.
    """

    board: dict[str, Any]
    machine: str | None
    kernel: str | None
    program: str | None
    release: str | None
    runtime_version: str | None
    model_sha256: str | None
    emulated: bool = False


@dataclass(frozen=True)
class Measurement:
    """One fresh start of a cell, or why there is none.

    Attributes:
        cell: what was measured; for a canary its model is the canary's.
        role: one of ROLES.
        start: number of the fresh start in its night and role, from 0.
        time: UTC by the host's clock, ISO 8601 with "Z".
        latency_ms: "p50", "p90", "p99" of warm invokes, "first_invoke", "load", "cold_start" (the whole
            process, from its start to its end), "read", "decode", "preprocess", "invoke", "postprocess", "total".
        invokes: how many warm invokes the percentiles are of.
        memory_mb: "peak" of the process; "model".
        sizes: "file" (the model file's bytes), "archive" (of the release that was deployed; absent without).
        accuracy: {} or {"kind": "golden", "passed", "count", "verdicts"} or {"kind": "folder", "count", "folder",
            "metrics": {...}}.
        targets: what `edge-infer` says of the manifest's targets.
        states: before, during and after.
        identity: None where the device did not get so far.
        fault: None, or {"code", "message"}: then there may be no numbers.
        answer: digest of what was answered about the measuring image (`measuring.answers.Answer.digest`): the same in
            every start of a cell, and in its accuracy run.
    """

    cell: Cell
    role: str
    start: int
    time: str
    latency_ms: dict[str, float] = field(default_factory=dict)
    invokes: int = 0
    memory_mb: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    accuracy: dict[str, Any] = field(default_factory=dict)
    targets: list[dict[str, Any]] = field(default_factory=list)
    states: list[State] = field(default_factory=list)
    identity: Identity | None = None
    fault: dict[str, str] | None = None
    answer: str | None = None

    def record(self) -> dict[str, Any]:
        """Return it as an object for JSON."""
        return dataclasses.asdict(self)


def measurement(record: Mapping[str, Any]) -> Measurement:
    """Return the measurement of an object that `Measurement.record` made; KeyError or TypeError for another."""
    raw = dict(record)
    raw["cell"] = Cell(**raw["cell"])
    raw["states"] = [State(**state) for state in raw["states"]]
    raw["identity"] = None if raw["identity"] is None else Identity(**raw["identity"])
    return Measurement(**raw)


@dataclass(frozen=True)
class Sample:
    """A night of one cell, as the history gives it to whoever judges or draws.

    Attributes:
        night: its name, which sorts by time: "2026-11-28T02:00:00Z".
        p50_ms: of each fresh start (role MODEL).
        confirmation_ms: of each fresh start of the re-run that confirms a step (role CONFIRMATION); [] without one.
        canary_before, canary_after: p50 of the canary's fresh starts on the same device that night.
        identity: of the night's first measurement; None where the device was down.
        verdict: that was given then; None where none was.
    """

    night: str
    p50_ms: list[float] = field(default_factory=list)
    confirmation_ms: list[float] = field(default_factory=list)
    canary_before: list[float] = field(default_factory=list)
    canary_after: list[float] = field(default_factory=list)
    identity: Identity | None = None
    verdict: Verdict | None = None


@dataclass(frozen=True)
class Verdict:
    """What a night says of a cell, with its evidence.

    Attributes:
        cell: what was judged.
        word: the verdict.
        reason: one sentence with the numbers.
        evidence: the same for programs: "p50_ms", "baseline_ms", "ratio", "interval" [low, high], "threshold" (the
            ratio from which on it alarms), "starts", "canary_ratio", "confirmed" (bool), "alarm" (bool: whether
            somebody is to be told), "targets" (those missed) and what else a word needs.
    """

    cell: Cell
    word: Word
    reason: str
    evidence: dict[str, Any] = field(default_factory=dict)

    @property
    def is_watched(self) -> bool:
        """Whether it is a step's first night: the second one says whether it stays, and alarms."""
        return self.word is Word.REGRESSED and "fault" not in self.evidence and not self.evidence.get("alarm")

    def record(self) -> dict[str, Any]:
        """Return it as an object for JSON."""
        return {
            "cell": dataclasses.asdict(self.cell),
            "verdict": self.word.value,
            "reason": self.reason,
            "evidence": self.evidence,
        }
