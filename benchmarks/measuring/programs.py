"""Any `edge-infer` of this machine as a session: a release's, another checkout's, the program in C."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.devices.device import Ran
from benchmarks.devices.local import LocalSession, run
from benchmarks.measurement import Cell
from benchmarks.measuring import answers, models
from benchmarks.measuring.answers import Answer
from benchmarks.measuring.measure import failed

HERE = "this machine"
_IN_A_RELEASE = Path("bin/edge-infer")


class Program(LocalSession):
    """This machine with one program, which is started in its own environment and on whichever runtime it has."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """`command` is what stands before edge-infer's words; `environment` the process's, by default this one's."""
        super().__init__({}, HERE)
        self.command, self._environment = list(command), environment

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Do as `Session.infer`, whatever `runtime` says."""
        return run([*self.command, *words], image, seconds, self._environment, self.name)


def command(word: str) -> list[str] | None:
    """Return the program that `word` means: an executable file, or a release's folder; None for anything else."""
    for path in (Path(word) / _IN_A_RELEASE, Path(word)):
        if path.is_file() and path.suffix != ".tflite" and os.access(path, os.X_OK):
            return [str(path.absolute())]
    return None


def cell(program: Program, path: Path, threads: int, seconds: float) -> Cell:
    """Return the cell of a model file on `program`, which says itself what it runs on; EdgeError where it can't."""
    model = models.read(path)
    asked = Cell(HERE, model.name, Path(program.command[0]).name, threads)
    words = ["--json", "--model", program.model(path), "--threads", str(threads), "-"]
    ran = program.infer("", words, model.image, seconds)
    found = answers.read(ran.output, HERE)
    if ran.status or len(found) != 1 or not isinstance(found[0], Answer):
        raise failed(asked, ran, found)
    kind = "native" if found[0].implementation == "native" else found[0].runtime
    return Cell(HERE, model.name, kind, threads)
