"""A virtual Pi as a device: an Arm machine that is emulated here, whose clock counts instructions.

What is measured on it is an instruction budget in milliseconds of that clock, the same on every machine, and nobody's
latency: `Identity.emulated` says so with each measurement.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.devices.ssh import SshSession, deployed, opened
from benchmarks.lab.debian import Unavailable
from benchmarks.lab.virtual_pi import VirtualPi
from edge.errors import EdgeError
from firmware_bridge import target
from firmware_bridge.board import board
from firmware_bridge.board.ssh import Connection
from firmware_bridge.release import signature

PROCESSORS = {"cortex-a72": "pi4", "cortex-a76": "pi5"}  # whose release each gets
MEMORY_MB = 1024


@dataclass(frozen=True)
class Emulated:
    """A device of kind "virtual-pi"; its fields are the keys of its [[device]] table."""

    name: str
    kind: str = "virtual-pi"
    processor: str = "cortex-a72"
    images: Mapping[str, str] = field(default_factory=dict)
    threads: Sequence[int] | None = (1,)  # it has one core
    runtimes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        if self.processor not in PROCESSORS:
            raise ValueError(f"the processor {self.processor!r}, where {' and '.join(PROCESSORS)} are known,")

    @contextmanager
    def open(self, models: Iterable[Path], log: Callable[[str], None]) -> Iterator[SshSession]:
        """Boot it, push a release, bring the models; it is gone in the end."""
        log("booting")
        with tempfile.TemporaryDirectory(prefix="edge-bench-") as work:
            pi = _booted(self, Path(work))
            try:
                with Connection("board", config=pi.config) as connection:
                    kind, comment = signature.public_key(pi.signer)
                    board.ask(connection, "trust", board.FOLDER, kind, comment, log=log)
                    chosen = target.load(PROCESSORS[self.processor])
                    brought = list(models)
                    named = [str(path) for path in brought]  # each takes its time to be verified there
                    archive = deployed(connection, board.FOLDER, chosen, pi.signer, Path(work), log, named)
                    with opened(self.name, connection, board.FOLDER, archive.size, emulated=True) as session:
                        for path in brought:
                            session.model(path)
                        yield session
            finally:
                pi.cut()


def _booted(device: Emulated, work: Path) -> VirtualPi:
    """Return the machine, running; EdgeError where it can't be made here."""
    (work / "pi").mkdir()
    try:
        pi = VirtualPi(work / "pi", device.processor, MEMORY_MB, counts=True)
        pi.boot()
    except Unavailable as error:
        raise EdgeError(f"{device.name} can't be emulated here: {error}", "board.emulator") from None
    except AssertionError as error:
        lines = str(error).strip().splitlines() or ["no word of why"]
        raise EdgeError(f"{device.name} did not boot ({lines[-1][:200]}): expected QEMU", "board.emulator") from None
    return pi
