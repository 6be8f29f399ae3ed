"""A device as the scheduler sees it: a process that gets jobs and says what became of them, within a bounded time."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.devices.device import Device
from benchmarks.matrix.worker import Down, Job, Message, work

OPENING = 300.0  # seconds in which a device that is opened says something: an upload or an emulator's boot in between
CLOSING = 60.0  # seconds in which it is let go of
GRACE = 5.0  # seconds beyond what a call may take, for its answer
ENDING = 5.0  # seconds for a process that is told to end

_FORK = multiprocessing.get_context("fork")  # what the parent has read need not be read again


class Lane:
    """The process of one device; it waits until it gets the first job.

    Attributes:
        device: that it drives.
        connection: where it says something; for `multiprocessing.connection.wait`.
        deadline: by `time.monotonic`, until when it says something; else the device hangs.
    """

    def __init__(self, device: Device, models: Sequence[Path], seconds: float) -> None:
        """Start the process. `seconds`: that one call of the device may take."""
        self.device, self._seconds = device, seconds
        self.connection, theirs = _FORK.Pipe()
        self._process = _FORK.Process(
            target=work, args=(device, models, theirs, os.getpid()), name=f"device {device.name}", daemon=True
        )
        self._process.start()
        theirs.close()
        self.deadline = float("inf")
        self._limit = max(seconds, OPENING)

    def open(self) -> None:
        """Let it reach the device; a Ready or a Down comes of it."""
        self._send(True)

    def do(self, job: Job) -> None:
        """Let it do a job; a Measurement or a Down comes of it."""
        self._limit = self._seconds + GRACE
        self._send(job)

    def close(self) -> None:
        """Let it close the device; None or a Down comes of it."""
        self._limit = CLOSING
        self._send(None)

    def receive(self) -> Message | None:
        """Return what it says next; None is its end. A process that ended without a word is a Down."""
        try:
            message: Message | None = self.connection.recv()
        except (EOFError, ConnectionResetError):
            return Down("matrix.driver", f"the process that drives {self.device.name} ended: see the system's log")
        self.deadline = time.monotonic() + self._limit
        if message is None or isinstance(message, Down):
            self.deadline = float("inf")
        return message

    def hangs(self) -> Down:
        """End it, as its deadline is over; return what is said of the device."""
        end_all([self])
        return Down(
            "board.timeout", f"{self.device.name} did nothing for {self._limit:.0f} s: see whether it still runs"
        )

    def finish(self) -> None:
        """Wait for the process, which has said its last word."""
        self._process.join(ENDING)
        end_all([self])

    @property
    def process(self) -> multiprocessing.process.BaseProcess:
        """Its process."""
        return self._process

    def _send(self, what: object) -> None:
        self.deadline = time.monotonic() + self._limit
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it ended: `receive` says so
            self.connection.send(what)


def end_all(lanes: Sequence[Lane]) -> None:
    """End the processes of these lanes, all at once, within seconds."""
    for lane in lanes:
        if lane.process.is_alive():
            lane.process.terminate()
    until = time.monotonic() + ENDING
    for lane in lanes:
        lane.process.join(max(0.0, until - time.monotonic()))
        if lane.process.is_alive():
            lane.process.kill()
            lane.process.join()
        lane.connection.close()
