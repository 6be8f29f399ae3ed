"""A board as a device, over ssh: a release is pushed to it as edge-deploy pushes, and its edge-infer is run there."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.devices import raspberry_pi
from benchmarks.devices.device import MOST_FETCHED, Ran
from benchmarks.measurement import Identity, State
from edge.errors import EdgeError, one_line
from firmware_bridge import target
from firmware_bridge.board import board, status
from firmware_bridge.board.ssh import Connection
from firmware_bridge.release import build, release, signature
from firmware_bridge.release.release import Archive

SCRIPT = Path(__file__).with_name("board_side.sh")
RUNTIMES = {"native": ("native",), "python": ("tflite",)}  # a release's program -> what it has
_ASKED_SECONDS = 60.0  # for what takes no time on a board that answers
_CONNECT_SECONDS = 45.0  # for the handshake, which ssh gives up after 30 s, and the login scripts
_MARGIN_SECONDS = 30.0  # for the connection, beside what edge-infer may take
_CLOCK_CENTISECONDS, _CLOCK_SHARE = 10, 0.05  # by how much a board's two clocks may differ
_EMULATED_TIMES = 20  # that an emulator takes longer here than by its own clock, at most
_KILLED = (124, 137)  # exit statuses of `timeout`


@dataclass(frozen=True, kw_only=True)
class Board:
    """A device that is reached over ssh; its fields are keys of its [[device]] table.

    Attributes:
        name, images, threads, runtimes: as `benchmarks.devices.device.Device` has them.
        target: a name of `edge-deploy targets`, or a .toml file.
        key: signs releases, and the board trusts it (`edge-deploy trust`); None: the usual one.
        folder: of releases on the board.
    """

    name: str
    target: str
    key: str | None = None
    folder: str = board.FOLDER
    images: Mapping[str, str] = field(default_factory=dict)
    threads: Sequence[int] | None = None
    runtimes: Sequence[str] | None = None

    def __post_init__(self) -> None:
        for key in ("target", "folder"):
            _check_text(key, getattr(self, key))
        if self.key is not None and not isinstance(self.key, str):
            raise ValueError(f"the key {self.key!r}")
        target.load(self.target)  # it is a name that is known

    @contextmanager
    def reached(self, host: str, models: Iterable[Path], log: Callable[[str], None]) -> Iterator[SshSession]:
        """Connect, push a release where the board has another one, bring the models that are not there."""
        chosen = target.load(self.target)
        target.check_buildable(chosen)
        with _connected(host) as connection, tempfile.TemporaryDirectory(prefix="edge-bench-") as work:
            key = signature.default_key() if self.key is None else Path(self.key).expanduser()
            archive = deployed(connection, self.folder, chosen, key, Path(work), log)
            with opened(self.name, connection, self.folder, archive.size) as session:
                for path in models:
                    log(f"bringing {path.name}")
                    session.model(path)
                yield session


def _check_text(key: str, value: object) -> None:
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ValueError(f"the {key} {value!r}")


@dataclass(frozen=True, kw_only=True)
class Ssh(Board):
    """A device of kind "ssh".

    Attributes:
        host: as ssh takes it.
    """

    host: str
    kind: str = "ssh"

    def __post_init__(self) -> None:
        _check_text("host", self.host)
        super().__post_init__()

    def open(self, models: Iterable[Path], log: Callable[[str], None]) -> AbstractContextManager[SshSession]:
        """Do as `Board.reached` does."""
        return self.reached(self.host, models, log)


@contextmanager
def _connected(host: str) -> Iterator[Connection]:
    """Return a connection; a board that takes it and then says nothing is given up, too.

    ssh itself bounds all but what login scripts do.
    """
    processes: list[subprocess.Popen[bytes]] = []

    def give_up() -> None:
        for process in processes:
            process.kill()

    late = threading.Timer(_CONNECT_SECONDS, give_up)
    late.daemon = True
    late.start()
    with ExitStack() as kept:
        try:
            connection = kept.enter_context(Connection(host, processes.append))
        finally:
            late.cancel()
        yield connection


@contextmanager
def opened(
    name: str, connection: Connection, folder: str, archive: int | None, emulated: bool = False
) -> Iterator[SshSession]:
    """Return a session of a board that has a release; its models are tidied up in the end."""
    session = SshSession(name, connection, folder, archive, emulated)
    try:
        yield session
    finally:
        with suppress(EdgeError):
            session.tidy()


def deployed(
    connection: Connection,
    folder: str,
    chosen: target.Target,
    key: Path,
    work: Path,
    log: Callable[[str], None],
    models: Sequence[str] = (),
) -> Archive:
    """Return the release that the board has now: this checkout's, with `models` or all that ship, signed with `key`."""
    now = _status(connection, folder)
    once = ", compiled once for all such boards" if chosen.program == "native" else ""
    log(f"preparing {chosen.program} edge-infer for {chosen.title}{once}")
    archive = release.read(build.write(build.content(chosen, models), _number(now), key, work))
    if now.active is not None and not now.damaged and now.active.endswith(archive.sha256[:12]):
        return archive
    log(f"pushing {archive.release.name}")
    board.push(connection, folder, archive, False, log, log, archive.models)
    return archive


def _status(connection: Connection, folder: str) -> status.Status:
    """Return what the board has; nothing yet is no error here."""
    try:
        return status.ask(connection, folder)
    except EdgeError as error:
        if error.code != "board.refused":
            raise
        return status.Status()


def _number(now: status.Status) -> int:
    """Return the number of the release that is active, so that the same content is the same release; at first 1."""
    number = (now.version or "").rpartition("-")[2]
    return int(number) if number.isdecimal() else 1


class SshSession:
    """A board that is reached and has a release."""

    def __init__(
        self, name: str, connection: Connection, folder: str, archive: int | None, emulated: bool = False
    ) -> None:
        """Raises EdgeError where the board lacks a tool or has no release in `folder`."""
        self.name, self.emulated = name, emulated
        self._connection, self._folder, self._archive = connection, folder, archive
        self._brought: set[str] = set()
        self._facts = dict(text.partition(" ")[::2] for kind, text in self._ask("about") if kind == "fact")
        program = self._facts.get("program", "")
        if program not in RUNTIMES:
            raise EdgeError(
                f"{name} has no release in {folder}: expected one; edge-deploy push {name} first", "board.release"
            )
        self.runtimes: Sequence[str] = RUNTIMES[program]
        cores = self._facts.get("cores", "")
        self.cores = max(1, int(cores)) if cores.isdecimal() and len(cores) < 6 else 1
        self.power = self._facts.get("power") == "yes"

    def infer(
        self, runtime: str, words: Sequence[str], image: bytes | None, seconds: float, power: bool = False
    ) -> Ran:
        """Do as `Session.infer`; the time-out is kept there, so that nothing goes on when this machine is gone."""
        chosen = [] if runtime == "native" else ["--runtime", runtime]
        with tempfile.TemporaryFile() as file:
            file.write(image or b"")
            file.seek(0)
            asked = ["infer", f"{seconds:.1f}", "yes" if power and self.power else "no", *chosen, *words]
            patience = seconds * (_EMULATED_TIMES if self.emulated else 1) + _MARGIN_SECONDS
            said = self._ask(*asked, stdin=file, seconds=patience)
        of: dict[str, list[str]] = {}
        for kind, text in said:
            of.setdefault(kind, []).append(text)
        try:
            code, (nanoseconds, centiseconds) = int(of["status"][0]), map(int, of["wall"][0].split())
            states = [_state(text) for text in of.get("state", [])]
            readings = _readings(of.get("power", []))
        except (KeyError, ValueError, IndexError):
            raise self._strange(said) from None
        if code in _KILLED:
            raise EdgeError(
                f"{self.name} did not end edge-infer within {seconds:g} s: expected its answer; give it longer with "
                "--timeout, or find out what holds it up",
                "board.timeout",
            )
        return Ran(
            status=code,
            output="".join(f"{line}\n" for line in of.get("out", [])).encode("utf-8", "surrogateescape"),
            complaints=[one_line(line) for line in of.get("err", [])],
            wall_ms=self._wall(nanoseconds, centiseconds),
            states=sorted(states, key=lambda state: state.seconds),
            power=readings,
        )

    def _wall(self, nanoseconds: int, centiseconds: int) -> float:
        """Return milliseconds of the finer clock, which may be set; the coarse one, which can't be, says if it was."""
        allowed = _CLOCK_CENTISECONDS + _CLOCK_SHARE * centiseconds
        if abs(nanoseconds / 1e7 - centiseconds) > allowed:
            raise EdgeError(
                f"{self.name}'s clock was set while edge-infer ran (it says {nanoseconds / 1e9:.2f} s, and "
                f"{centiseconds / 100:.2f} s have passed): expected a steady one; measure again",
                "measure.clock",
            )
        return nanoseconds / 1e6

    def fetch(self, path: str, seconds: float) -> bytes | None:
        """Do as `Session.fetch`."""
        said = self._ask("fetch", path, str(MOST_FETCHED), seconds=seconds)
        if ("fact", "found yes") not in said:
            return None
        try:
            return base64.b64decode("".join(text for kind, text in said if kind == "data"), validate=True)
        except binascii.Error:
            raise self._strange(said) from None

    def model(self, path: Path) -> str:
        """Do as `Session.model`; the file goes into a folder of edge-bench's own on the board, by its digest."""
        data = path.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        found = dict(text.partition(" ")[::2] for kind, text in self._ask("has", digest) if kind == "fact")
        if found.get("found") != "yes":
            with open(path, "rb") as file:
                self._ask("put", digest, stdin=file, seconds=_ASKED_SECONDS + len(data) / 20_000)
        self._brought.add(digest)
        return found["path"]

    def tidy(self) -> None:
        """Remove the models on the board that were not asked for in this session."""
        with tempfile.TemporaryFile() as file:
            file.write("".join(f"{digest}\n" for digest in self._brought).encode())
            file.seek(0)
            self._ask("keep", stdin=file)

    def identity(self, runtime: str) -> Identity:
        """Do as `Session.identity`."""
        facts = self._facts
        model = facts.get("board") or facts.get("product") or facts.get("architecture")
        own = facts.get("serial") or facts.get("machine")
        about: dict[str, Any] = {"model": model, "architecture": facts.get("architecture"), "cores": self.cores}
        machine = hashlib.sha256(f"edge-bench {own}".encode()).hexdigest()[:16] if own else None
        return Identity(about, machine, facts.get("kernel"), None, facts.get("release"), None, None, self.emulated)

    def archive_bytes(self) -> int | None:
        """Do as `Session.archive_bytes`."""
        return self._archive

    def _ask(
        self, action: str, *words: str, stdin: IO[bytes] | None = None, seconds: float = _ASKED_SECONDS
    ) -> list[tuple[str, str]]:
        """Return what the board's side says, kind and text; EdgeError where it fails, breaks off or takes longer."""
        mark = secrets.token_hex(8)
        process = self._connection.start(SCRIPT, mark, action, self._folder, *words, stdin=stdin)
        try:
            output = process.communicate(timeout=seconds)[0]
        except subprocess.TimeoutExpired:
            raise EdgeError(
                f"{self.name} gave no answer within {seconds:g} s: expected one; check network and power",
                "board.timeout",
            ) from None
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()
        said = []
        for line in output.decode("utf-8", "surrogateescape").splitlines():
            _, found, rest = line.partition(f"{mark} ")
            kind, _, text = rest.partition(" ")
            if found and kind == "fail":
                code, _, sentence = text.partition(" ")
                raise EdgeError(f"{self.name}: {one_line(sentence)}", one_line(code))
            if found:
                said.append((kind, text))
        if ("done", "") not in said:
            raise self._connection.ended("broke off", process)
        return said

    def _strange(self, said: Sequence[tuple[str, str]]) -> EdgeError:
        return EdgeError(
            f"{self.name} says what edge-bench's side there does not say ({one_line(str(said))[:80]}): expected its "
            "own lines; see what the login scripts do",
            "board.answer",
        )


def _state(text: str) -> State:
    """Return the sample of a line: WHEN CENTISECONDS KEY=VALUE|..."""
    when, centiseconds, rest = text.split(" ", 2)
    values = dict(part.partition("=")[::2] for part in rest.split("|"))
    clocks = [int(word) / 1000 for word in values.get("clocks", "").split(",") if word.isdecimal()]
    temperature = values.get("temperature", "")
    power = raspberry_pi.power(values.get("alarm") or None, values.get("throttled") or None)
    return State(
        when if when in ("before", "during", "after") else "during",
        int(centiseconds) / 100,
        values.get("governor") or None,
        clocks or None,
        int(temperature) / 1000 if temperature.lstrip("-").isdecimal() else None,
        power.now,
        power.occurred,
    )


def _readings(lines: Sequence[str]) -> list[tuple[float, str]]:
    """Return the power chip's readings: lines of one moment are one."""
    found: dict[int, list[str]] = {}
    for line in lines:
        at, _, text = line.partition(" ")
        found.setdefault(int(at), []).append(text)
    return [(at / 100, "\n".join(texts)) for at, texts in sorted(found.items())]
