"""How long a night takes when two of eight devices hang: the others are not waited for longer than they take.

    python -m benchmarks.matrix.hanging

Two devices are this machine behind a real sshd, with the native release; one of these servers is stopped (SIGSTOP) in
the midst of the night, its connections stay open. Six stand in, with real processes; one of those never ends.
"""

from __future__ import annotations

import datetime
import multiprocessing
import os
import platform
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks import table
from benchmarks.devices.device import Device
from benchmarks.devices.ssh import Ssh
from benchmarks.history.store import open_store
from benchmarks.inventory import Inventory
from benchmarks.lab.local_board import LocalBoard
from benchmarks.lab.stand_in import HANGS, StandIn
from benchmarks.matrix import command
from benchmarks.measurement import Measurement, Word
from edge.arguments import Parser
from edge.command import ended
from edge.errors import EdgeError

FACTOR = 1.3  # of the slowest healthy device
TIMEOUT = 20  # seconds
MODELS = ("bpcp", "polyp")
TARGET = "x86-64" if platform.machine() == "x86_64" else "aarch64"  # of a release that runs here
STOPPED, STUCK = "board-stopped", "stand-in-stuck"

_LAST = 28  # processes of the stuck one that end
_PACES = (0.4, 0.6, 0.8, 1.0, 1.2)  # seconds of a process on each stand-in


def main() -> int:
    """Measure such a night; write its table."""
    return ended("hanging", _work, "begin again")


def _work() -> None:
    with tempfile.TemporaryDirectory(prefix="edge-bench-") as work:
        folder, boards = Path(work), {}
        try:
            for name in ("board", STOPPED):
                (folder / name).mkdir()
                boards[name] = LocalBoard(folder / name)
            _measure(folder, boards)
        finally:
            for board in boards.values():
                _signal(board, signal.SIGCONT)
                board.stop()


def _measure(folder: Path, boards: dict[str, LocalBoard]) -> None:
    history = folder / "history.sqlite"
    devices: list[Device] = [*_reached(folder, boards), *(StandIn(f"stand-in-{pace}", seconds=pace) for pace in _PACES)]
    devices.append(StandIn(STUCK, seconds=_PACES[0], failure=HANGS, after=_LAST))
    stopper = multiprocessing.get_context("fork").Process(target=_stop, args=(history, boards[STOPPED]), daemon=True)
    stopper.start()
    parser = Parser()
    command.add_arguments(parser)
    words = ["--history", str(history), "--models", *MODELS, "--timeout", str(TIMEOUT), "--threads", "1"]
    begun = time.monotonic()
    command.measure(Inventory(devices), parser.parse_args(words))
    seconds = time.monotonic() - begun
    stopper.kill()
    stopper.join()
    _write(history, devices, seconds)


def _reached(folder: Path, boards: dict[str, LocalBoard]) -> list[Device]:
    """Return the boards as devices that trust a key, and let this process's ssh know them by their names."""
    devices: list[Device] = []
    configuration = ""
    for name, board in boards.items():
        place = str(folder / name / "releases")
        configuration += board.config.read_text().replace("Host board\n", f"Host {name}\n")
        done = board.deploy("trust", "board", "--key", f"{board.signer}.pub", "--folder", place)
        if done.returncode:
            raise EdgeError(f"{name} trusts no key: {done.stderr.decode(errors='replace')}", "hanging.board")
        devices.append(Ssh(name=name, host=name, target=TARGET, key=str(board.signer), folder=place))
    (folder / "config").write_text(configuration)
    (folder / "bin").mkdir()
    wrapper = folder / "bin/ssh"
    wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder / "config"} "$@"\n')
    wrapper.chmod(0o755)
    os.environ["PATH"] = f"{wrapper.parent}:{os.environ['PATH']}"
    return devices


def _stop(history: Path, board: LocalBoard) -> None:
    """Stop a board's server, and all that runs below it, as soon as some starts were measured there."""
    while True:
        time.sleep(0.2)
        with suppress(EdgeError, IndexError):
            if sum(row.cell.device == STOPPED for row in _measured(history)) >= 5:
                _signal(board, signal.SIGSTOP)
                return


def _signal(board: LocalBoard, number: signal.Signals) -> None:
    for pid in [board.process.pid, *_below(board.process.pid)]:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def _below(pid: int) -> list[int]:
    try:
        found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended
        return []
    return found + [below for child in found for below in _below(child)]


def _measured(history: Path) -> list[Measurement]:
    with open_store(history, create=False) as store:
        unfinished = store.unfinished()
        return store.measurements(unfinished[0] if unfinished else store.nights()[-1])


def _write(history: Path, devices: Sequence[Device], seconds: float) -> None:
    with open_store(history, create=False) as store:
        night = store.nights()[-1]
        measured, verdicts = store.measurements(night), store.verdicts(night)
    rows, slowest = [], 0.0
    for device in devices:
        own = [row for row in measured if row.cell.device == device.name]
        words = sorted({verdict.word.value for verdict in verdicts if verdict.cell.device == device.name})
        took = max(_since(night, row.time) for row in own)
        if device.name not in (STOPPED, STUCK):
            _check(device.name, words, [row.fault for row in own if row.fault])
            slowest = max(slowest, took)
        kind = "sshd, native release" if device.kind == "ssh" and isinstance(device, Ssh) else "stands in"
        rows.append((device.name, kind, sum(row.fault is None for row in own), f"{took:.0f}", ", ".join(words)))
    bound = FACTOR * slowest + TIMEOUT
    table.write(
        "hanging",
        "A night in which two of eight devices hang",
        "python -m benchmarks.matrix.hanging",
        ("device", "what it is", "starts measured", "last word after, s", "verdicts"),
        rows,
        f"The night ended after {seconds:.1f} s. The slowest healthy device took {slowest:.0f} s, the time-out is "
        f"{TIMEOUT} s: {FACTOR} x {slowest:.0f} + {TIMEOUT} = {bound:.1f} s, {table.met(seconds <= bound)}.\n\n"
        f"`{STOPPED}` is a server that was stopped after five starts, its connections open; `{STUCK}`'s processes "
        f"never end from number {_LAST} on. What stands in runs processes that sleep and answer.",
    )


def _check(name: str, words: Sequence[str], faults: Sequence[dict[str, str]]) -> None:
    """Raise EdgeError where a device that does not hang was down: then the night shows something else."""
    if Word.DEVICE_DOWN.value in words:
        said = faults[-1]["message"] if faults else "no fault is known"
        raise EdgeError(f"{name} was down as well ({said}): expected two of the eight; begin again", "hanging.board")


def _since(night: str, moment: str) -> float:
    begun, then = (datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ") for text in (night, moment))
    return (then - begun).total_seconds()


if __name__ == "__main__":
    sys.exit(main())
