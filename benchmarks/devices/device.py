"""The seam between the matrix and the kinds of device."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from benchmarks.measurement import Identity, State

NOTE = "note: "  # begins a line of `Device.open`'s that is no progress: what is left out, and why
MOST_FETCHED = 1 << 26  # bytes: a mask, as a folder of labelled images has it


@dataclass(frozen=True)
class Ran:
    """One process of `edge-infer` on a device.

    Attributes:
        status: its exit status.
        output: its standard output (JSON lines).
        complaints: its standard error, the lines.
        wall_ms: from its start to its end, by the device's clock.
        states: samples of the board before, during and after.
        power: where it was asked for, at most ten a second: seconds since the start, and what the device's reader
            printed (`raspberry_pi.rails` reads it).
    """

    status: int
    output: bytes
    complaints: list[str]
    wall_ms: float
    states: list[State]
    power: list[tuple[float, str]] = field(default_factory=list)


class Session(Protocol):
    """A device that is reached and ready; one process at a time runs on it.

    Each method raises EdgeError (code "board.unreachable", "board.lost", "board.timeout", "board.disk", ...) where the
    device does not do it, within the time that it is given.
    """

    runtimes: Sequence[str]  # of measurement.RUNTIMES, those that it has
    cores: int
    emulated: bool
    power: bool  # whether it can say what it draws (`vcgencmd pmic_read_adc`)

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Run `edge-infer` in a fresh process; `image` on its standard input, where "-" is among the words.

        The session adds --runtime for the programs in Python, and nothing else to the words. With `power` it samples
        what the device draws meanwhile, which slows the work: never where times count.
        """

    def fetch(self, path: str, seconds: float) -> bytes | None:
        """Return a file that lies on the device, at most `MOST_FETCHED` bytes; None where there is none."""

    def model(self, path: Path) -> str:
        """Bring a model file to the device where it is not there yet (by its digest); return the word for --model."""

    def identity(self, runtime: str) -> Identity:
        """Return what it is; runtime_version and model_sha256 are None, which `edge-infer` says with each answer."""

    def archive_bytes(self) -> int | None:
        """Return the size of the release that was deployed."""


class Device(Protocol):
    """A device of the inventory.

    Attributes:
        name: in the inventory.
        kind: "local", "ssh", "virtual-pi", "labgrid".
        images: task -> labelled folder on the device (classification: a folder for each label; segmentation: `images/`
            and `masks/`); {} for none.
        threads, runtimes: what is measured there; None where the inventory leaves it to the device.
    """

    # Properties, so that a frozen dataclass is one.
    @property
    def name(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def images(self) -> Mapping[str, str]: ...

    @property
    def threads(self) -> Sequence[int] | None: ...

    @property
    def runtimes(self) -> Sequence[str] | None: ...

    def open(self, models: Iterable[Path], log: Any) -> AbstractContextManager[Session]:
        """Reach it, deploy what it lacks (models among it), and return it ready.

        `log(text)` gets lines of progress; one that begins with NOTE stays.
        """
