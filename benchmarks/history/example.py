"""A made-up history: some devices and models over a year, with noise, drift, steps, heat, and nights that are missing.

    python -m benchmarks.history.example build/bench/example.sqlite --nights 365 --devices 10 --models 20

For the page's pictures, tests and times. Nothing in it was measured: `Identity.board` says "example".
"""

from __future__ import annotations

import datetime
import math
import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.history.store import Store, open_store
from benchmarks.measurement import (
    CANARY_AFTER,
    CANARY_BEFORE,
    CONFIRMATION,
    MODEL,
    Cell,
    Identity,
    Measurement,
    State,
    Verdict,
    Word,
)
from edge.arguments import Parser, count
from edge.command import Progress, ended
from edge.errors import EdgeError

CANARY = "bpcp"
NOISE = 0.03  # of a fresh start
_BEGIN = datetime.datetime(2025, 11, 28, 2, tzinfo=datetime.timezone.utc)
_MODELS = (
    ("bpcp", 1.6, 158_095),
    ("cpgresnet50", 42.0, 7_900_000),
    ("pneumonia", 9.0, 1_200_000),
    ("polyp", 61.0, 900_000),
)
_BOARDS = ("zero2w", "pi3", "pi4", "pi5", "odroid-c4", "rock5", "jetson", "nuc", "virtual-pi")
_CORES = 4
_RATIOS = (1.12, 0.9, 1.3, 1.06)  # of the steps


@dataclass(frozen=True)
class Shape:
    """What to make.

    Attributes:
        nights, devices, models, starts: how many; a night has `starts` fresh starts of each cell.
        threads, runtimes: the cells of a device and model.
        seed: of the random numbers.
        missing: probability of a night that was not measured at all.
    """

    nights: int = 365
    devices: int = 10
    models: int = 20
    starts: int = 3
    threads: Sequence[int] = (1,)
    runtimes: Sequence[str] = ("native",)
    seed: int = 1
    missing: float = 0.02


@dataclass
class _Device:
    """A made-up device: how slow it is, and the drift of its nights, which all its models share."""

    name: str
    slowness: float
    emulated: bool
    drift: float = 0.0
    down: set[int] = field(default_factory=set)  # nights
    hot: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class _Step:
    """A model on a device that is `ratio` times as slow from a night on."""

    night: int
    ratio: float


def make(path: Path, shape: Shape = Shape(), progress: Progress | None = None) -> None:
    """Write a history to `path`, which must not exist."""
    if path.exists():
        raise EdgeError(f"{path} exists already: give a path for a new example", "history.exists")
    chance = random.Random(shape.seed)
    devices = _devices(shape, chance)
    models = [
        _MODELS[n] if n < len(_MODELS) else (f"example-{n}", chance.uniform(2, 80), 10**5 * n)
        for n in range(shape.models)
    ]
    cells = [Cell(d.name, m[0], r, t) for d in devices for m in models for r in shape.runtimes for t in shape.threads]
    steps = {  # in every sixth cell one
        cell: _Step(chance.randrange(1, max(2, shape.nights - 1)), _RATIOS[n % len(_RATIOS)])
        for n, cell in enumerate(cells[1::6])
    }
    with open_store(path) as store:
        for night in range(shape.nights):
            if chance.random() < shape.missing and night != shape.nights - 1:
                continue
            with store.together():
                _Night(store, shape, night, devices, models, steps, chance).write()
            if progress:
                progress(f"night {night + 1} of {shape.nights}")


def _devices(shape: Shape, chance: random.Random) -> list[_Device]:
    found = []
    for number in range(shape.devices):
        board = _BOARDS[number % len(_BOARDS)]
        name = board if number < len(_BOARDS) else f"{board}-{number // len(_BOARDS) + 1}"
        device = _Device(name, math.exp(chance.uniform(-0.5, 2.0)), board == "virtual-pi")
        if number % 3 == 1 and shape.nights > 3:
            first = chance.randrange(shape.nights)
            device.down = set(range(first, first + 4))
        if number == 0:
            device.down.add(shape.nights - 1)  # there is one to see in the last night, unless it is alone
            device.down = device.down if shape.devices > 1 else set()
        device.hot = {night for night in range(shape.nights) if chance.random() < 0.02}
        found.append(device)
    return found


class _Night:
    """One night, as it is written."""

    def __init__(
        self,
        store: Store,
        shape: Shape,
        number: int,
        devices: Sequence[_Device],
        models: Sequence[tuple[str, float, int]],
        steps: dict[Cell, _Step],
        chance: random.Random,
    ) -> None:
        self._store, self._shape, self._number, self._chance = store, shape, number, chance
        self._devices, self._models, self._steps = devices, models, steps
        self._time = _BEGIN + datetime.timedelta(days=number)
        self._name = self._time.strftime("%Y-%m-%dT%H:%M:%SZ")

    def write(self) -> None:
        """Add the night, its measurements and its verdicts."""
        self._store.begin(self._name, {"example": True})
        for device in self._devices:
            device.drift = 0.8 * device.drift + self._chance.gauss(0, 0.01)
            down = self._number in device.down
            if not down:
                self._canary(device, CANARY_BEFORE)
            for cell, base, size in self._cells(device):
                self._cell(device, cell, base, size, down)
            if not down:
                self._canary(device, CANARY_AFTER)
        self._store.finish(self._name)

    def _cells(self, device: _Device) -> Iterator[tuple[Cell, float, int]]:
        """Yield each cell of a device, its time without noise in ms, and its file's size in bytes."""
        for model, base, size in self._models:
            for runtime in self._shape.runtimes:
                for threads in self._shape.threads:
                    slower = {"native": 1.0, "litert": 1.05, "tflite": 1.4}[runtime]
                    yield (
                        Cell(device.name, model, runtime, threads),
                        base * device.slowness * slower / threads**0.8,
                        size,
                    )

    def _canary(self, device: _Device, role: str) -> None:
        cell = Cell(device.name, CANARY, self._shape.runtimes[0], self._shape.threads[0])
        for start in range(self._shape.starts):
            self._add(device, cell, role, start, self._spent(device, _MODELS[0][1] * device.slowness), _MODELS[0][2])

    def _cell(self, device: _Device, cell: Cell, base: float, size: int, down: bool) -> None:
        if down:
            fault = {"code": "board.unreachable", "message": f"{device.name} can't be reached: example"}
            time = self._time.strftime("%Y-%m-%dT%H:%M:%SZ")
            self._store.add(self._name, Measurement(cell, MODEL, 0, time, fault=fault))
            reason = f"{device.name} was not reached for any of {self._shape.starts} starts"
            self._store.add_verdict(self._name, Verdict(cell, Word.DEVICE_DOWN, reason, {"alarm": True}))
            return
        step = self._steps.get(cell)
        fresh = step is not None and self._number - step.night in (0, 1)
        slow = base * (step.ratio if step and self._number >= step.night else 1.0)
        times = [self._spent(device, slow) for _ in range(self._shape.starts)]
        for start, spent in enumerate(times):
            self._add(device, cell, MODEL, start, spent, size)
        if fresh:
            for start in range(self._shape.starts):
                self._add(device, cell, CONFIRMATION, start, self._spent(device, slow), size)
        self._store.add_verdict(self._name, self._verdict(device, cell, base, times, step if fresh else None))

    def _verdict(self, device: _Device, cell: Cell, base: float, times: Sequence[float], step: _Step | None) -> Verdict:
        p50 = sorted(times)[len(times) // 2]
        ratio = p50 / base
        word, alarm = Word.PASS, False
        if step:
            word = Word.REGRESSED if step.ratio > 1 else Word.IMPROVED
            alarm = self._number > step.night
        elif self._number in device.hot:
            word = Word.NOISY
        elif cell.model == "polyp":
            word = Word.MISSED
        evidence = {
            "p50_ms": round(p50, 4),
            "baseline_ms": round(base, 4),
            "ratio": round(ratio, 4),
            "interval": [round(ratio * 0.98, 4), round(ratio * 1.02, 4)],
            "threshold": 1.05,
            "starts": len(times),
            "canary_ratio": round(1 + device.drift, 4),
            "confirmed": step is not None,
            "alarm": alarm,
            "targets": ["speedup"] if word == Word.MISSED else [],
        }
        return Verdict(cell, word, f"{p50:.3g} ms against {base:.3g} ms before, a ratio of {ratio:.3f}", evidence)

    def _spent(self, device: _Device, base: float) -> float:
        """Return one start's p50 in ms: 3 % noise, the night's drift, heat, and one outlier in a hundred."""
        factor = math.exp(self._chance.gauss(device.drift, NOISE))
        if self._number in device.hot:
            factor *= self._chance.uniform(1.1, 1.4)
        if self._chance.random() < 0.01:
            factor *= self._chance.uniform(1.3, 2.0)
        return base * factor

    def _add(self, device: _Device, cell: Cell, role: str, start: int, p50: float, size: int) -> None:
        read, decode, preprocess, post = 0.05 * device.slowness, 3.0 * device.slowness, 0.4 * device.slowness, 0.1
        load, first = 2.0 * device.slowness + size / 1e6, 1.5 * p50
        latency = {
            "p50": p50,
            "p90": 1.05 * p50,
            "p99": 1.2 * p50,
            "first_invoke": first,
            "load": load,
            "cold_start": load + first + read + decode + preprocess + post + 5.0 * device.slowness,
            "read": read,
            "decode": decode,
            "preprocess": preprocess,
            "invoke": p50,
            "postprocess": post,
            "total": read + decode + preprocess + p50 + post,
        }
        measured = Measurement(
            cell,
            role,
            start,
            self._time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            {name: round(value, 4) for name, value in latency.items()},
            invokes=50,
            memory_mb={"peak": round(12 + size / 2e5, 2), "model": round(size / 2e5, 2)},
            sizes={"file": size, "archive": 2_400_000},
            accuracy={} if role != MODEL or start else {"kind": "golden", "passed": 8, "count": 8, "verdicts": []},
            targets=[]
            if cell.model != "polyp"
            else [{"name": "speedup", "target": 6.0, "measured": 3.84, "met": False, "basis": "host"}],
            states=self._states(device),
            identity=self._identity(device, cell),
        )
        self._store.add(self._name, measured)

    def _states(self, device: _Device) -> list[State]:
        hot = self._number in device.hot
        clock, causes = (1000.0, ["throttled"]) if hot else (1500.0, [])
        return [
            State(when, seconds, "performance", [clock] * _CORES, degrees + 25 * hot, causes, causes)
            for when, seconds, degrees in (("before", 0.0, 44.0), ("during", 1.0, 52.0), ("after", 2.5, 53.0))
        ]

    def _identity(self, device: _Device, cell: Cell) -> Identity:
        later = self._number >= 200  # a release and a kernel in the midst of the year
        board = {"model": f"example {device.name}", "architecture": "aarch64", "cores": _CORES}
        return Identity(
            board,
            machine=f"{device.name}-machine",
            kernel="6.6.31" if later else "6.1.21",
            program="0.1.1" if later else "0.1.0",
            release="example",
            runtime_version="2.1.0",
            model_sha256=f"{cell.model:0<64}"[:64],
            emulated=device.emulated,
        )


def main() -> None:
    """Run the command line."""
    parser = Parser(description="Write a made-up history.")
    parser.add_argument("path", type=Path)
    for name in ("nights", "devices", "models", "starts", "seed"):
        parser.add_argument(f"--{name}", type=count(1), default=getattr(Shape, name), metavar="N")
    options = vars(parser.parse_args())
    make(options.pop("path"), Shape(**options), Progress())


if __name__ == "__main__":
    sys.exit(ended("benchmarks.history.example", main, "delete the file and give the same command again"))
