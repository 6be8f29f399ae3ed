"""A folder on a board for tests, and what is done with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

from firmware_bridge.board import board
from tests.edge.processes import Ended
from tests.firmware_bridge import releases
from tests.firmware_bridge.boards import LocalBoard


class Place:
    """A folder on the board, and what is done with it."""

    def __init__(self, board: LocalBoard, tmp_path: Path, folder: Path | None = None) -> None:
        self.board, self.tmp_path = board, tmp_path
        self.folder = folder or tmp_path / 'it\'s "edge" $HOME `id`; infer'

    def __call__(self, *words: object) -> Ended:
        return Ended(self.board.deploy(*words, "--folder", self.folder))

    def archive(self, version: str = "0.1.0-1", key: Path | None = None, **files: object) -> Path:
        folder = self.tmp_path / version
        folder.mkdir(exist_ok=True)
        return releases.make(
            folder,
            key or self.board.signer,
            releases.release_of(version),
            releases.payload(**files),  # type: ignore[arg-type]
        )

    def push(self, archive: Path, *words: object) -> Ended:
        return self("push", "x86-64", "board", "--archive", archive, *words)

    def active(self) -> str:
        """The version that answers."""
        picture = self.tmp_path / "picture.png"
        picture.write_bytes(b"pixels")
        done = self("run", "board", picture)
        assert done.status == 0, done.err
        answer = json.loads(done.out)
        assert answer["image"] == str(picture)
        return str(answer["version"])

    def names(self) -> list[str]:
        return sorted(path.name for path in (self.folder / "releases").iterdir())

    def release(self, version: str) -> Path:
        """The folder of a release there."""
        (found,) = (self.folder / "releases").glob(f"*-{version}-x86-64-*")
        return found

    def damage(self, version: str) -> None:
        """Change a byte of a release there, as failing storage does."""
        (self.release(version) / "models/one.tflite").write_bytes(b"mobel")

    def program(self, script: str) -> None:
        """Let another program stand where the serving one does."""
        (self.folder / "current/bin/edge-infer").write_text(f"#!/bin/sh\n{script}\n")

    def unheard(self, action: str) -> None:
        """Do it there with a host that is gone before it hears of the end."""
        words = ["sh", "-c", board.SCRIPT.read_text(), "edge-deploy", "MARK", action, self.folder]
        subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)

    def interrupted(self, number: signal.Signals, after: float, *words: object) -> Ended:
        """Start it, send a signal after so many seconds; hold that no file or process of it is left on this side."""
        process = self.board.start(*words, "--folder", self.folder)
        time.sleep(after)
        links = [os.readlink(link) for link in Path(f"/proc/{process.pid}/fd").iterdir()]
        (errors,) = (Path(link) for link in links if link.endswith("/errors"))
        process.send_signal(number)
        out, err = process.communicate(timeout=30)
        assert not errors.parent.exists()
        running = subprocess.run(["ps", "-eo", "args", "ww"], capture_output=True, text=True, check=True).stdout
        assert str(errors.parent) not in running
        return Ended(subprocess.CompletedProcess(process.args, process.returncode, out, err))


def refused(done: Ended, *words: str) -> None:
    """Hold that it ended with one sentence that holds these words."""
    assert done.status == 2, (done.out, done.err)
    assert done.err.count("\n") == 1 and done.err.startswith("edge-deploy: "), done.err
    for word in words:
        assert word in done.err
