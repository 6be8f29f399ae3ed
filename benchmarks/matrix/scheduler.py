"""All devices at once, one job at a time on each, nobody waited for longer than it may take."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait

from benchmarks.devices.device import NOTE
from benchmarks.matrix import lane as lanes
from benchmarks.matrix.lane import Lane
from benchmarks.matrix.night import Course
from benchmarks.matrix.plan import Plan
from benchmarks.matrix.progress import Lines
from benchmarks.matrix.worker import Busy, Down, Job, Message, Ready
from benchmarks.measurement import MODEL, Measurement, Word

_HERE, _EMULATED_HERE = "local", "virtual-pi"  # kinds that share this machine's processor

_PICTURE = 1.0  # seconds between two looks at the clock where nothing is said


@dataclass
class _Run:
    """A device's process and its part of the night.

    `doing` is what it does, for people; `jobs` what is left, None until the device is reached.
    """

    lane: Lane
    course: Course
    doing: str = "waits"
    jobs: Iterator[Job] | None = None
    is_open: bool = False
    is_closing: bool = False
    is_over: bool = False
    begun: float = field(default_factory=time.monotonic)
    before: int = 0

    def text(self) -> str:
        """Return what it does, how far it is, and how long it still takes."""
        course = self.course
        if not course.total:
            return self.doing
        here = course.done - self.before
        left = ""
        if here and course.total > course.done and not self.is_over:
            seconds = (time.monotonic() - self.begun) / here * (course.total - course.done)
            left = f", {seconds / 60:.0f} min left" if seconds >= 90 else f", {seconds:.0f} s left"
        return f"{course.done}/{course.total}  {self.doing}{left}"


class Scheduler:
    """Drives the devices of a plan through a night."""

    def __init__(self, plan: Plan, started: Sequence[Lane], courses: Sequence[Course], lines: Lines) -> None:
        """`started`: a lane for each of `courses`, in the same order; they still wait."""
        self._plan, self._lines = plan, lines
        self._runs = [_Run(lane, course) for lane, course in zip(started, courses, strict=True)]

    def run(self) -> None:
        """Do it; all processes have ended then, also where it is interrupted."""
        try:
            while left := [run for run in self._runs if not run.is_over]:
                self._open(left)
                self._wait([run for run in left if run.is_open])
                for run in left:
                    if run.is_open and time.monotonic() > run.lane.deadline:
                        self._lost(run, run.lane.hangs())
                self._lines.show({run.course.device.name: run.text() for run in self._runs})
        finally:
            lanes.end_all([run.lane for run in self._runs if not run.is_over])
        for run in self._runs:
            run.course.judge()  # those that were lost: until here an interrupted night would have tried them once more

    def _open(self, left: Sequence[_Run]) -> None:
        """Open the devices whose turn it is: an emulator on this machine waits until nobody's times count there."""
        here = any(run.course.device.kind == _HERE for run in left)
        for run in left:
            if not run.is_open and not (here and run.course.device.kind == _EMULATED_HERE):
                run.is_open, run.doing, run.begun = True, "is opened", time.monotonic()
                run.before = run.course.done
                run.lane.open()

    def _wait(self, running: Sequence[_Run]) -> None:
        by_connection = {run.lane.connection: run for run in running}
        until = min((run.lane.deadline for run in running), default=0.0)
        for connection in wait(list(by_connection), max(0.0, min(_PICTURE, until - time.monotonic()))):
            assert isinstance(connection, Connection)
            run = by_connection[connection]
            self._take(run, run.lane.receive())

    def _take(self, run: _Run, message: Message | None) -> None:
        if message is None:
            self._over(run)
        elif isinstance(message, Down):
            self._lost(run, message)
        elif isinstance(message, Ready):
            self._ready(run, message)
        elif isinstance(message, Busy):
            run.doing = message.text or run.doing
            if message.text is not None and message.text.startswith(NOTE):
                self._lines.say(f"{run.course.device.name}: {message.text.removeprefix(NOTE)}")
        else:
            self._measured(run, message)

    def _ready(self, run: _Run, ready: Ready) -> None:
        device = run.course.device
        for runtime in self._plan.left_out(device, ready.runtimes):
            self._lines.say(f"{device.name}: left out, it has no runtime {runtime}")
        run.jobs = run.course.jobs(ready)
        run.begun = time.monotonic()
        self._next(run)

    def _measured(self, run: _Run, measured: Measurement) -> None:
        run.course.add(measured)
        if measured.fault is not None:
            self._lines.say(f"{measured.cell} ({measured.role}): {measured.fault['message']}")
        self._next(run)

    def _next(self, run: _Run) -> None:
        job = next(run.jobs or iter(()), None)
        if job is None:
            run.is_closing, run.doing = True, "is closed"
            run.lane.close()
            return
        cell = job.cell
        role = "" if job.role == MODEL else f" ({job.role})"
        run.doing = f"{cell.model}, {cell.runtime}, {cell.threads} thread{'s' if cell.threads > 1 else ''}{role}"
        run.lane.do(job)

    def _lost(self, run: _Run, down: Down) -> None:
        if run.is_closing:
            self._lines.say(f"{run.course.device.name} was measured, and not let go of: {down.message}")
            self._over(run)
            return
        self._lines.say(f"{run.course.device.name}: {Word.DEVICE_DOWN.value}: {down.message}")
        run.course.down(down)
        run.lane.finish()
        run.is_over, run.doing = True, Word.DEVICE_DOWN.value

    def _over(self, run: _Run) -> None:
        run.lane.finish()
        run.is_over = True
        run.course.judge()
        words = [verdict.word.value for verdict in run.course.verdicts]
        run.doing = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words)) or "nothing measured"
