"""This machine as a device: the programs in Python of this environment, and the native one, compiled here once."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import edge
from benchmarks.devices.device import MOST_FETCHED, NOTE, Ran
from benchmarks.devices.state import Watch
from benchmarks.measurement import RUNTIMES, Identity
from edge import board
from edge.errors import EdgeError
from edge.scratch import scratch
from firmware_bridge import target
from firmware_bridge.release import build, wheel
from firmware_bridge.release.program import SOURCE
from firmware_bridge.release.release import File, Link

_PYTHON = {"litert": "ai_edge_litert", "tflite": "tflite_runtime"}
_TARGETS = {"x86_64": "x86-64", "aarch64": "aarch64"}  # by `uname -m`: whose native release runs here
_ID = b"edge-bench "  # in front of the machine's own identifier, which is nobody else's to know


@dataclass(frozen=True)
class Local:
    """A device of kind "local"; its fields are the keys of its [[device]] table."""

    name: str
    kind: str = "local"
    images: Mapping[str, str] = field(default_factory=dict)
    threads: Sequence[int] | None = None
    runtimes: Sequence[str] | None = None

    @contextmanager
    def open(self, models: Iterable[Path], log: Callable[[str], None]) -> Iterator[LocalSession]:
        """Return this machine; the native program is compiled where there is none of these sources yet.

        Where it can't be, `log` says why, and the device has the other runtimes.
        """
        wanted = RUNTIMES if self.runtimes is None else self.runtimes
        programs: dict[str, Sequence[str]] = {}
        if "native" in wanted:
            try:
                programs["native"] = [str(native(log))]
            except EdgeError as error:
                if self.runtimes is not None:  # it was asked for by name
                    raise
                log(f"{NOTE}native is left out: {error}")
        for name in wanted:
            if name in _PYTHON and importlib.util.find_spec(_PYTHON[name]):
                programs[name] = python()
            elif name in _PYTHON:
                log(f"{NOTE}{name} is left out: {_PYTHON[name]} is not installed")
        if not programs:
            raise EdgeError(
                f"{self.name} has none of the runtimes {', '.join(wanted)}: expected one; pip install ai-edge-litert",
                "board.runtime",
            )
        yield LocalSession(programs, self.name)


def python() -> list[str]:
    """Return the words that start the program in Python, from this checkout."""
    return [sys.executable, "-P", "-m", "edge"]


def native(log: Callable[[str], None] = print) -> Path:
    """Return the native program, as a board of this machine's kind gets it; compiled where it is not there yet.

    Raises EdgeError where it can't be: no such board is known, or a tool is missing.
    """
    machine = platform.machine()
    if machine not in _TARGETS:
        raise EdgeError(
            f"this machine is {machine}: expected one of {', '.join(_TARGETS)}; measure it as a board", "board.machine"
        )
    folder = wheel.cache() / "native" / _digest(machine)
    if not folder.exists():
        log("compiling the native program, once")
        content = build.content(target.load(_TARGETS[machine]), ["bpcp"])  # models are brought by themselves
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch("native", folder.parent) as unfinished:
            _unpack(content.payload, unfinished / "made")
            with suppress(OSError):  # another process was faster
                os.rename(unfinished / "made", folder)
    return folder / "bin/edge-infer"


def _digest(machine: str) -> str:
    """Return a digest of what the native program is made from."""
    whole = hashlib.sha256(f"{edge.__version__} {machine}\n".encode())
    sources = [path for path in SOURCE.rglob("*") if path.is_file()] + [Path(wheel.__file__).with_name("wheels.toml")]
    for path in sorted(sources):
        whole.update(f"{path.name} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return whole.hexdigest()[:16]


def _unpack(payload: Mapping[str, File | Link], folder: Path) -> None:
    for name, entry in payload.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, File):
            path.write_bytes(entry.data)
            path.chmod(0o755 if entry.executable else 0o644)
        else:
            path.symlink_to(entry.target)


class LocalSession:
    """This machine, ready.

    Attributes:
        programs: runtime -> the words that start it, in front of edge-infer's own.
    """

    emulated = False
    power = False

    def __init__(self, programs: Mapping[str, Sequence[str]], name: str = "here") -> None:
        self.programs, self.name = programs, name
        self.runtimes: Sequence[str] = tuple(programs)
        self.cores = board.usable_cores()

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Do as `Session.infer`; this machine has no reader of what it draws."""
        chosen = [] if runtime == "native" else ["--runtime", runtime]
        command = [*self.programs[runtime], *chosen, *words]
        environment = {**os.environ, "PYTHONPATH": str(Path(edge.__file__).parents[1]), "LC_ALL": "C.UTF-8"}
        return run(command, image, seconds, environment, self.name)

    def fetch(self, path: str, seconds: float) -> bytes | None:
        """Do as `Session.fetch`."""
        try:
            with open(path, "rb") as file:
                return file.read(MOST_FETCHED)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise EdgeError(f"{path} can't be read ({error.strerror}): expected a file", "board.file") from None

    def model(self, path: Path) -> str:
        """Return the path: it is here."""
        return str(path.absolute())

    def identity(self, runtime: str) -> Identity:
        """Do as `Session.identity`."""
        found = board.read()
        try:
            machine = hashlib.sha256(_ID + Path("/etc/machine-id").read_bytes().strip()).hexdigest()[:16]
        except OSError:
            machine = None
        about = {"model": found.model, "architecture": found.architecture, "cores": found.cores}
        return Identity(about, machine, os.uname().release, None, None, None, None)

    def archive_bytes(self) -> int | None:
        """Return None: nothing was deployed."""
        return None


def run(
    command: Sequence[str], image: bytes | None, seconds: float, environment: Mapping[str, str] | None, name: str
) -> Ran:
    """Run a process of this machine, and whatever it starts, for no longer than `seconds`.

    Args:
        image: for its standard input. environment: None for this process's own. name: of the device, for messages.
    """
    with Watch() as watch:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE if image is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            start_new_session=True,
        )
        try:
            output, complaints = process.communicate(image, timeout=seconds)
        except subprocess.TimeoutExpired:  # of it, or of a child that has its output
            _end(process)
            raise EdgeError(
                f"{name} did not end edge-infer within {seconds:g} s: expected its answer; give it longer with "
                "--timeout, or find out what holds it up",
                "board.timeout",
            ) from None
        except BaseException:
            _end(process)
            raise
        wall = (time.perf_counter() - begun) * 1e3
    return Ran(process.returncode, output, complaints.decode(errors="replace").splitlines(), wall, watch.states)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
