"""The process that drives one device: it opens it, does one job after the other, and closes it.

A process and no thread: what hangs in a device's driver can be ended, and a Ctrl-C reaches all of them at once.
"""

from __future__ import annotations

import ctypes
import dataclasses
import os
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks.devices.device import Device, Ran, Session
from benchmarks.matrix.ends import interrupt_once
from benchmarks.measurement import Cell, Identity, Measurement
from benchmarks.measuring import measure as measuring
from benchmarks.measuring.measure import Effort
from edge.errors import EdgeError
from edge.record import now

PROBE = 15.0  # seconds in which a device that did not end a job shows that it is there

_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG, linux/prctl.h


@dataclass(frozen=True)
class Job:
    """One fresh start.

    Attributes:
        cell, role, start: as in Measurement.
        path: of the model file, here.
        accuracy: whether it is also said how right the answers are.
        images: labelled folder on the device for that; None: golden vectors.
        effort: how much is done.
    """

    cell: Cell
    role: str
    start: int
    path: Path
    accuracy: bool
    images: str | None
    effort: Effort


@dataclass(frozen=True)
class Ready:
    """The device is reached; what it has."""

    runtimes: tuple[str, ...]
    cores: int


@dataclass(frozen=True)
class Busy:
    """It goes on; `text` is of the device's opening, or None."""

    text: str | None = None


@dataclass(frozen=True)
class Down:
    """The device hangs, vanished or can't be used; why."""

    code: str
    message: str


Message = Ready | Busy | Down | Measurement


class Watched:
    """A session that says before each of its calls that it goes on."""

    def __init__(self, session: Session, busy: Callable[[], None]) -> None:
        self._session, self._busy = session, busy
        self.runtimes: Sequence[str] = session.runtimes
        self.cores, self.emulated, self.power = session.cores, session.emulated, session.power

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Do as `Session.infer`."""
        self._busy()
        return self._session.infer(runtime, words, image, seconds, power)

    def fetch(self, path: str, seconds: float) -> bytes | None:
        """Do as `Session.fetch`."""
        self._busy()
        return self._session.fetch(path, seconds)

    def model(self, path: Path) -> str:
        """Do as `Session.model`."""
        self._busy()
        return self._session.model(path)

    def identity(self, runtime: str) -> Identity:
        """Do as `Session.identity`."""
        self._busy()
        return self._session.identity(runtime)

    def archive_bytes(self) -> int | None:
        """Do as `Session.archive_bytes`."""
        return self._session.archive_bytes()


def work(device: Device, models: Sequence[Path], connection: Connection, parent: int) -> None:
    """Drive a device until the parent says None or goes away; the main function of a forked process.

    It gets Jobs and None, the first of any opens the device; it sends Messages, the last of which is its end: a Down
    where the device was lost, else None.

    Args:
        parent: its process; with its end this one ends too.
    """
    interrupt_once((signal.SIGTERM, signal.SIGHUP, signal.SIGINT))
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGTERM)
    try:
        if os.getppid() != parent:  # it ended before that was asked for
            return
        connection.recv()
        _drive(device, models, connection)
    except (KeyboardInterrupt, EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent ends or has ended; it says so itself
    finally:
        connection.close()


def _drive(device: Device, models: Sequence[Path], connection: Connection) -> None:
    end: Down | None = None
    try:
        with device.open(models, lambda text: connection.send(Busy(str(text)))) as opened:
            session = Watched(opened, lambda: connection.send(Busy()))
            connection.send(Ready(tuple(opened.runtimes), opened.cores))
            while end is None and (job := connection.recv()) is not None:
                done = _done(session, job)
                if isinstance(done, Down):
                    end = done
                else:
                    connection.send(done)
    except EdgeError as error:
        end = end or Down(error.code, str(error))
    except (OSError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if isinstance(error, (BrokenPipeError, ConnectionResetError)):
            raise
        place = traceback.extract_tb(sys.exc_info()[2])[-1]
        reason = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        end = end or Down("matrix.driver", f"{device.name} can't be driven, its driver failed: {reason}")
    connection.send(end)


def _done(session: Watched, job: Job) -> Measurement | Down:
    """Return the measurement of a job, which may be a fault; Down where it is the device's."""
    made = Measurement(job.cell, job.role, job.start, now())
    try:
        made = measuring.measure(session, job.cell, job.path, job.role, job.start, job.effort)
        if job.accuracy:
            found = measuring.accuracy(session, job.cell, job.path, job.images, job.effort.seconds, answer=made.answer)
            made = dataclasses.replace(made, accuracy=found)
        return made
    except EdgeError as error:
        code, message = error.code, str(error)
    if code.startswith("board."):
        if not _answers(session, job):
            return Down(code, message)
        code = f"measure.{code.removeprefix('board.')}"  # the device is there: it is this cell's
    return dataclasses.replace(made, fault={"code": code, "message": message})


def _answers(session: Watched, job: Job) -> bool:
    """Whether the device still starts the program."""
    try:
        return session.infer(job.cell.runtime, ["--version"], None, min(PROBE, job.effort.seconds)).status == 0
    except EdgeError:
        return False
