"""What the host asks of a board, and what the board's side (board.sh) answers."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from edge.errors import EdgeError, one_line
from firmware_bridge.release import Archive
from firmware_bridge.ssh import Connection

SCRIPT = Path(__file__).with_name("board.sh")
FOLDER = "edge-infer"  # in the home of the user that logs in
_CHUNK = 1 << 16
_KINDS = ("say", "serves", "offset", "fact", "done", "fail")

Say = Callable[[str], None]


def push(connection: Connection, folder: str, archive: Archive, downgrade: bool, say: Say, progress: Say) -> None:
    """Send a release, have it verified and proven on the board, and let it serve.

    Raises EdgeError where any of it fails: then what served before goes on serving, and the message says so.
    """
    words = [archive.sha256, str(archive.size), str(archive.unpacked), archive.release.text().rstrip("\n")]
    words.append("yes" if downgrade else "no")
    process = connection.start(SCRIPT, "push", folder, *words, stdin=subprocess.PIPE)
    serves = None
    try:
        for kind, text in _lines(process):
            if kind == "serves":
                serves = text
            elif kind == "offset":
                _send(process, archive, int(text), progress)
            elif kind == "say":
                say(text)
            elif kind == "fail":
                raise EdgeError(f"{connection.host}: {text}{_goes_on(serves)}")
            else:
                return
        raise EdgeError(f"{connection.error('broke off')}{_goes_on(None)}; the same command goes on where it stopped")
    finally:
        _end(process)


def ask(connection: Connection, action: str, folder: str, *words: str, say: Say) -> None:
    """Have one of the board's other actions done (trust, rollback, status, remove); EdgeError where it fails."""
    process = connection.start(SCRIPT, action, folder, *words)
    try:
        for kind, text in _lines(process):
            if kind == "say":
                say(text)
            elif kind == "fail":
                raise EdgeError(f"{connection.host}: {text}")
            elif kind == "done":
                return
        raise connection.error("broke off")
    finally:
        _end(process)


def run(connection: Connection, folder: str, image: Path, model: str | None) -> tuple[dict[str, Any], list[str]]:
    """Return what the board's `edge-infer --json` says of a picture, and the lines that it says besides.

    The picture goes into the board's memory and into no file there. Raises EdgeError where it gives no answer.
    """
    words = [] if model is None else ["--model", model]
    try:
        with open(image, "rb") as file:
            process = connection.start(SCRIPT, "run", folder, *words, stdin=file)
            output = process.communicate()[0].decode(errors="replace")
    except OSError as error:
        raise EdgeError(f"{image} can't be read ({error.strerror}): expected a picture; check the path") from None
    for line in output.splitlines():
        if line.startswith("{"):
            return {**json.loads(line), "image": str(image)}, connection.complaints()
        if line.startswith("fail "):
            raise EdgeError(f"{connection.host}: {line[5:]}")
    for line in connection.complaints():
        if line.startswith("edge-infer: "):
            raise EdgeError(f"{connection.host}: {line}")
    raise connection.error("gave no answer")


def facts(connection: Connection, script: Path, folder: str) -> dict[str, str]:
    """Return what a script that only looks finds on the board, by key."""
    process = connection.start(script, folder)
    found = {}
    try:
        for kind, text in _lines(process):
            if kind == "fact":
                key, _, value = text.partition(" ")
                found[key] = value
            elif kind == "done":
                return found
        raise connection.error("broke off")
    finally:
        _end(process)


def _lines(process: subprocess.Popen[bytes]) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    for line in process.stdout:
        kind, _, text = one_line(line.decode(errors="replace").rstrip("\n")).partition(" ")
        if kind in _KINDS:
            yield kind, text


def _send(process: subprocess.Popen[bytes], archive: Archive, offset: int, progress: Say) -> None:
    """Send the archive from `offset` on; a board that hears no more says itself why."""
    assert process.stdin is not None
    with contextlib.suppress(BrokenPipeError), open(archive.path, "rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHUNK):
            process.stdin.write(chunk)
            progress(f"sent {file.tell() / 1e6:.1f} of {archive.size / 1e6:.1f} MB")
        process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    process.kill()
    process.wait()


def _goes_on(serves: str | None) -> str:
    if serves is None:
        return ""
    return f"; {serves} goes on serving" if serves else "; no release serves"
