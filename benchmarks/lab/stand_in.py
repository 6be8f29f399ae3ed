"""A device that stands in for a board: real processes that answer as `edge-infer` does, in a time that is set.

No network runs: what is measured with it is the harness, and whatever its times say is made up.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import edge.model
from benchmarks.devices.device import Ran
from benchmarks.measurement import Identity, State
from edge import __version__
from edge.errors import EdgeError

# How a device fails: it can't be reached, or is never done with that; its processes never end; what drives it never
# returns; it is gone; its driver has a fault.
UNREACHABLE, NEVER_OPEN, HANGS, NEVER_RETURNS, GONE, BROKEN = (
    "unreachable", "never-open", "hangs", "never-returns", "gone", "broken",
)  # fmt: skip

_PROGRAM = 'test "$0" = 0.0 || sleep "$0"; printf "%s" "$1"'  # of sh, which starts faster than Python
_FOREVER = 1e6  # seconds


@dataclass
class StandIn:
    """A device of the matrix, as `benchmarks.devices.device.Device` describes it.

    Attributes:
        name, kind, images, threads, runtimes: as there.
        seconds: that each process takes.
        p50_ms: median of its invokes. noise: its relative standard deviation from one process to the next.
        factors: by a model's name, what its p50_ms is multiplied by.
        has: the runtimes that it has.
        failure: one of those above, from process number `after` on; "" for none.
        refuses: name of a model that it can't run.
        slow: name of a model whose processes never end, though the device is well.
        off: a file; while it is there the device can't be reached, and is gone where it was.
    """

    name: str
    kind: str = "ssh"
    images: Mapping[str, str] = field(default_factory=dict)
    threads: Sequence[int] | None = None
    runtimes: Sequence[str] | None = None
    seconds: float = 0.0
    p50_ms: float = 0.2
    noise: float = 0.0
    factors: Mapping[str, float] = field(default_factory=dict)
    has: Sequence[str] = ("litert",)
    failure: str = ""
    after: int = 0
    refuses: str = ""
    slow: str = ""
    off: str = ""

    @contextlib.contextmanager
    def open(self, models: Iterable[Path], log: Callable[[str], None]) -> Iterator[StandInSession]:
        """Reach it."""
        log("is reached")
        if self.failure == UNREACHABLE or self.is_off():
            raise EdgeError(f"{self.name} does not answer: see whether it runs", "board.unreachable")
        if self.failure == NEVER_OPEN:
            time.sleep(_FOREVER)
        yield StandInSession(self)

    def is_off(self) -> bool:
        """Whether somebody has switched it off."""
        return bool(self.off) and Path(self.off).exists()


class StandInSession:
    """As `benchmarks.devices.device.Session` describes it."""

    cores = 1
    emulated = False
    power = False

    def __init__(self, device: StandIn) -> None:
        self._device = device
        self.runtimes: Sequence[str] = tuple(device.has)
        self._count = 0
        self._models: dict[str, edge.model.ModelFile] = {}

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Start a process that says what edge-infer would."""
        device, lasts = self._device, self._device.seconds
        fails = device.failure if self._count >= device.after else ""
        self._count += 1
        model = self._models.get(_after(words, "--model", ""))
        if fails == GONE or device.is_off():
            raise EdgeError(f"{device.name} is gone: see whether it runs", "board.lost")
        if fails == BROKEN:
            raise RuntimeError("the driver of a stand-in is broken")
        if fails == NEVER_RETURNS:
            time.sleep(_FOREVER)
        if fails == HANGS or (model is not None and model.manifest.name == device.slow):
            lasts = _FOREVER
        output = "edge-infer\n" if model is None else self._said(model, runtime, words)
        begun = time.monotonic()
        command = ["/bin/sh", "-c", _PROGRAM, str(lasts), output]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, start_new_session=True)
        try:
            said, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise EdgeError(f"{device.name} did not end edge-infer within {seconds:g} s", "board.timeout") from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        wall = time.monotonic() - begun
        states = [State("before", 0.0), State("during", wall / 2), State("after", wall)]
        return Ran(2 if b'"error"' in said else process.returncode, said, [], wall * 1000, states)

    def fetch(self, path: str, seconds: float) -> bytes | None:
        """It has no files."""
        return None

    def model(self, path: Path) -> str:
        """Read the file, which is what the processes then speak of."""
        self._models.setdefault(str(path), edge.model.read(path))
        return str(path)

    def identity(self, runtime: str) -> Identity:
        """Return a made-up device."""
        board = {"model": "stand-in", "architecture": "none", "cores": self.cores}
        return Identity(board, self._device.name, "0", None, None, None, None)

    def archive_bytes(self) -> int | None:
        """Nothing was deployed."""
        return None

    def _said(self, model: edge.model.ModelFile, runtime: str, words: Sequence[str]) -> str:
        manifest = model.manifest
        if manifest.name == self._device.refuses:
            error = {"code": "model.operator", "message": f"{manifest.name} has an operator that is not known here"}
            return json.dumps({"image": None, "error": error}) + "\n"
        if "--check" in words:
            rows = (
                {"image": f"golden/{n}.png", "verdict": "bit-exact", "reason": ""} for n in range(len(manifest.golden))
            )
            return "".join(json.dumps(row) + "\n" for row in rows)
        p50 = self._device.p50_ms * self._device.factors.get(manifest.name, 1.0) * random.gauss(1.0, self._device.noise)
        spread = {name: round(p50 * scale, 4) for name, scale in _SPREAD.items()}
        phases = dict.fromkeys(("load", "first_invoke", "read", "decode", "preprocess", "invoke", "postprocess"), 0.1)
        count = int(_after(words, "--repeat", "1"))
        record: dict[str, object] = {
            "image": "-",
            "model": {"name": manifest.name, "sha256": model.sha256, "bytes": model.size},
            "program": {"name": "edge-infer", "version": __version__, "implementation": "stand-in"},
            "release": None,
            "task": manifest.task.name,
            "decision": "stand-in",
            "latency_ms": phases | {"total": 0.5},
            "warm_invoke_ms": spread | {"count": count} if count > 1 else None,
            "memory_mb": {"peak": 10.0, "model": 1.0},
            "targets": [],
            "runtime": {"name": runtime, "version": "0", "threads": int(_after(words, "--threads", "1"))},
        }
        return json.dumps(record) + "\n"


_SPREAD = {"least": 0.9, "p50": 1.0, "p90": 1.1, "p99": 1.2, "most": 1.3}


def _after(words: Sequence[str], option: str, default: str) -> str:
    """Return the word behind an option."""
    return words[words.index(option) + 1] if option in words else default
