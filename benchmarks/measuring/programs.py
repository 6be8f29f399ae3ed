"""Any `edge-infer` of this machine as a session: a release's, another checkout's, the program in C."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks.devices.device import Ran
from benchmarks.measurement import Cell, Identity
from benchmarks.measuring import answers, models
from benchmarks.measuring.answers import Answer
from benchmarks.measuring.measure import failed
from edge import board
from edge.errors import EdgeError

HERE = "this machine"
_IN_A_RELEASE = Path("bin/edge-infer")


class Program:
    """A session (`devices.device.Session`) without a device: this machine, and one program on it."""

    emulated = False
    power = False

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """`command` is what stands before edge-infer's words; `environment` the process's, by default this one's."""
        self._command, self._environment = list(command), environment
        self.cores = board.usable_cores()
        self.runtimes: Sequence[str] = ()

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Run the program, whichever runtime it has; EdgeError ("board.timeout") where it takes longer."""
        begun = time.perf_counter()
        process = subprocess.Popen(
            [*self._command, *words],
            stdin=subprocess.DEVNULL if image is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        try:
            output, complaints = process.communicate(image, timeout=seconds)
        except subprocess.TimeoutExpired:
            raise EdgeError(
                f"{self._command[0]} took more than {seconds:.0f} s: expected an answer; give it more time",
                "board.timeout",
            ) from None
        finally:
            if process.poll() is None:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)  # what it has started, too
                process.communicate()
        wall = (time.perf_counter() - begun) * 1e3
        return Ran(process.returncode, output, complaints.decode(errors="replace").splitlines(), wall, [])

    def fetch(self, path: str, seconds: float) -> bytes | None:
        """Return a file of this machine."""
        return Path(path).read_bytes() if Path(path).is_file() else None

    def model(self, path: Path) -> str:
        """Return the file itself."""
        return str(path.absolute())

    def identity(self, runtime: str) -> Identity:
        """Return what this machine is."""
        return Identity(board.read().record(), None, os.uname().release, None, None, None, None)

    def archive_bytes(self) -> int | None:
        """Return None: nothing was deployed."""
        return None


def command(word: str) -> list[str] | None:
    """Return the program that `word` means: an executable file, or a release's folder; None for anything else."""
    for path in (Path(word) / _IN_A_RELEASE, Path(word)):
        if path.is_file() and path.suffix != ".tflite" and os.access(path, os.X_OK):
            return [str(path.absolute())]
    return None


def cell(program: Program, path: Path, threads: int, seconds: float) -> Cell:
    """Return the cell of a model file on `program`, which says itself what it runs on; EdgeError where it can't."""
    model = models.read(path)
    asked = Cell(HERE, model.name, "", threads)
    words = ["--json", "--model", program.model(path), "--threads", str(threads), "-"]
    ran = program.infer("", words, model.image, seconds)
    found = answers.read(ran.output, HERE)
    if ran.status or len(found) != 1 or not isinstance(found[0], Answer):
        raise failed(asked, ran, found)
    kind = "native" if found[0].implementation == "native" else found[0].runtime
    program.runtimes = (kind,)
    return Cell(HERE, model.name, kind, threads)
