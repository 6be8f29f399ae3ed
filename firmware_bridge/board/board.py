"""What the host asks of a board, and what the board's side (board.sh) answers."""

from __future__ import annotations

import base64
import binascii
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from edge.errors import EdgeError, one_line
from edge.strict_json import loads
from firmware_bridge.board.ssh import Connection
from firmware_bridge.release.release import Archive

SCRIPT = Path(__file__).with_name("board.sh")
FOLDER = "edge-infer"  # in the home of the user that logs in
_CHUNK = 1 << 16
_KINDS = ("say", "active", "offset", "heard", "answer", "file", "fact", "done", "fail")
_ON_STDIN = "the image on standard input"  # as edge-infer calls it there, for which it has a name here
STDIN = "-"

Log = Callable[[str], None]


class Ran(NamedTuple):
    """What came of an image.

    Attributes:
        record: of edge-infer's JSON, by the image's name on this machine; with "error" where there is no answer.
        notes: lines that it writes to standard error.
        files: what it has drawn: ending (".mask.png") -> content.
    """

    record: dict[str, Any]
    notes: list[str]
    files: dict[str, bytes]


def push(
    connection: Connection,
    folder: str,
    archive: Archive,
    downgrade: bool,
    log: Log,
    progress: Log,
    models: Sequence[str] = (),
) -> None:
    """Upload a release, have it verified on the board, and activate it.

    Args:
        models: of the release, where the board is to say which of its own are not among them.

    Raises EdgeError where any of it fails: then the release before stays active, and the message says so.
    """
    words = [archive.sha256, str(archive.size), str(archive.unpacked), archive.release.text().rstrip("\n")]
    words += ["yes" if downgrade else "no", "\n".join(models)]

    def send(process: subprocess.Popen[bytes], offset: int) -> None:
        _send(process, archive, offset, progress)

    _act(connection, "push", folder, *words, log=log, send=send)


def ask(connection: Connection, action: str, folder: str, *words: str, log: Log) -> None:
    """Have another of the board's actions done (ready, trust, rollback, status ...); EdgeError where it fails."""
    _act(connection, action, folder, *words, log=log)


def run(connection: Connection, folder: str, image: str, model: str | None, runtime: str, draw: bool = False) -> Ran:
    """Return what the board's `edge-infer --json` says of an image.

    The image (`-`: standard input's) goes into the board's memory and into no file there. `runtime` is for the program
    there to know. Raises EdgeError where the image can't be read, or the board has no word of it.
    """
    words = [model or "", runtime, "yes" if draw else "no"]
    try:
        with nullcontext(sys.stdin) if image == STDIN else open(image, "rb") as file:
            process, mark = _start(connection, SCRIPT, "run", folder, *words, stdin=file)
            try:
                output = process.communicate()[0]
            finally:
                _end(process)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        code = "image.missing" if isinstance(error, FileNotFoundError) else "image.unreadable"
        raise EdgeError(f"{image} can't be read ({reason}): expected an image; check the path", code) from None
    files: dict[str, bytes] = {}
    for kind, text in _parsed(output.splitlines(), mark):
        if kind == "file":
            name, _, data = text.partition(" ")
            with suppress(binascii.Error):
                files[name.removeprefix("stdin")] = base64.b64decode(data)
        elif kind == "answer":
            record = _record(connection, image, text)
            return Ran(record, _named(connection.complaints(), image, "error" in record), files)
        elif kind == "fail":
            for line in connection.complaints():
                if line.startswith("edge-infer: "):
                    text = _as(line.removeprefix("edge-infer: "), image)
            raise EdgeError(f"{connection.host}: {text}", "board.refused")
    raise connection.ended("gave no answer", process)


def _record(connection: Connection, image: str, text: str) -> dict[str, Any]:
    """Return edge-infer's record with the image's name here."""
    try:
        record = {**loads(text.encode()), "image": image}
    except (ValueError, TypeError):
        raise EdgeError(
            f"{connection.host}: edge-infer's answer is no JSON ({text[:40]!r}...): push it again", "board.answer"
        ) from None
    error = record.get("error")
    if isinstance(error, dict) and isinstance(error.get("message"), str):
        error["message"] = _as(error["message"], image)
    return record


def _as(text: str, image: str) -> str:
    return text if image == STDIN else text.replace(_ON_STDIN, image).replace("warning: -: ", f"warning: {image}: ")


def _named(lines: list[str], image: str, failed: bool) -> list[str]:
    """Return edge-infer's notes; not its sentence of what failed, which is in the record."""
    return [_as(line, image) for line in lines if not (failed and line.startswith("edge-infer: "))]


def facts(connection: Connection, script: Path, folder: str) -> dict[str, str]:
    """Return what a script that only looks finds on the board, by key."""
    return dict(_facts(connection, script, folder))


def status(connection: Connection, folder: str) -> list[tuple[str, str]]:
    """Return what board.sh's `status` finds, as keys and values in their order; EdgeError where it refuses."""
    return _facts(connection, SCRIPT, "status", folder)


def _facts(connection: Connection, script: Path, *words: str) -> list[tuple[str, str]]:
    process, mark = _start(connection, script, *words)
    found = []
    try:
        for kind, text in _lines(process, mark):
            if kind == "fact":
                key, _, value = text.partition(" ")
                found.append((key, value))
            elif kind == "fail":
                raise EdgeError(f"{connection.host}: {text}", "board.refused")
            elif kind == "done":
                return found
        raise connection.ended("broke off", process)
    finally:
        _end(process)


def _act(
    connection: Connection,
    action: str,
    folder: str,
    *words: str,
    log: Log,
    send: Callable[[subprocess.Popen[bytes], int], None] | None = None,
) -> None:
    process, mark = _start(connection, SCRIPT, action, folder, *words, stdin=subprocess.PIPE)
    active = None
    try:
        for kind, text in _lines(process, mark):
            if kind == "active":
                active = text
            elif kind == "offset" and send is not None:
                send(process, int(text))
            elif kind == "say":
                log(text)
            elif kind == "heard":
                _heard(process)
            elif kind == "fail":
                raise EdgeError(f"{connection.host}: {text}{_stays(active)}", "board.refused")
            elif kind == "done":
                return
        raise connection.ended("broke off", process)
    finally:
        _end(process)


def _start(
    connection: Connection, script: Path, *words: str, stdin: int | IO[Any] | None = None
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a script on the board; return it, and the mark of its lines: no login script can know that one."""
    mark = secrets.token_hex(8)
    return connection.start(script, mark, *words, stdin=stdin), mark


def _lines(process: subprocess.Popen[bytes], mark: str) -> Iterator[tuple[str, str]]:
    assert process.stdout is not None
    return _parsed(process.stdout, mark)


def _parsed(lines: Iterable[bytes], mark: str) -> Iterator[tuple[str, str]]:
    for line in lines:
        # What stands before the mark is a login script's, too: the end of a line that it did not end.
        _, _, words = line.decode(errors="replace").rstrip("\r\n").partition(f"{mark} ")
        kind, _, text = words.partition(" ")
        if kind in _KINDS:
            yield kind, text if kind in ("answer", "file") else one_line(text)


def _heard(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    with suppress(BrokenPipeError):
        process.stdin.write(b"heard\n")
        process.stdin.flush()


def _send(process: subprocess.Popen[bytes], archive: Archive, offset: int, progress: Log) -> None:
    """Send the archive from `offset` on; a board that hears no more says itself why."""
    assert process.stdin is not None
    with suppress(BrokenPipeError), open(archive.path, "rb") as file:
        file.seek(offset)
        while chunk := file.read(_CHUNK):
            process.stdin.write(chunk)
            progress(f"sent {file.tell() / 1e6:.1f} of {archive.size / 1e6:.1f} MB")
        process.stdin.close()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin is not None:
        with suppress(BrokenPipeError):
            process.stdin.close()
    process.kill()
    process.wait()


def _stays(active: str | None) -> str:
    if active is None:
        return ""
    return f"; {active} stays active" if active else "; no release is active"
