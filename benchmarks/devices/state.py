"""What this machine's board says at one moment: governor, clocks, temperature, throttling."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import TracebackType

from benchmarks.devices import raspberry_pi
from benchmarks.measurement import State
from edge import board

SAMPLE_SECONDS = 1.0  # under the 2 s in which a Raspberry Pi's driver asks for the voltage


def state(when: str, seconds: float, root: Path = Path("/")) -> State:
    """Return it; a few files of sysfs are read, and no program is started."""
    found = board.read(root)
    alarm = raspberry_pi.alarm_file(root)
    low = None if alarm is None else _text(alarm)
    now, occurred = (found.throttled["now"], found.throttled["occurred"]) if found.throttled else (None, None)
    if low == "1":
        now = sorted({*(now or []), raspberry_pi.UNDER_VOLTAGE})
    elif low == "0" and now is None:
        now = []
    return State(when, round(seconds, 3), found.governor, _clocks(root), found.temperature_c, now, occurred)


def _clocks(root: Path) -> list[float] | None:
    """Return the clock of each core in MHz."""
    texts = [
        _text(path / "cpufreq/scaling_cur_freq")
        for path in sorted((root / "sys/devices/system/cpu").glob("cpu[0-9]*"), key=lambda path: int(path.name[3:]))
    ]
    return [int(text) / 1000 for text in texts if text and text.isdecimal()] or None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


class Watch:
    """Samples of this machine's state before, during and after what is done inside of it."""

    def __enter__(self) -> Watch:
        self._begun = time.monotonic()
        self.states = [state("before", 0.0)]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._thread.start()
        return self

    def _sample(self) -> None:
        while not self._ended.wait(SAMPLE_SECONDS):
            self.states.append(state("during", time.monotonic() - self._begun))

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        self.states.append(state("after", time.monotonic() - self._begun))
