"""A board of a fleet that several hosts share: labgrid reserves and locks it, and says how it is reached.

labgrid is a program here, in an environment of its own (`labgrid-client`), and no library: it wants another protobuf
than our converter. Its coordinator does all the scheduling: a reservation waits for its turn among those of other
hosts, the place that it gets is locked ("acquired"), measured over ssh, and released. Source: labgrid's documentation,
"Remote Access" and `labgrid-client(1)`.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import environment
from benchmarks.devices.ssh import Board, SshSession
from edge.errors import EdgeError, one_line
from edge.strict_json import loads

REQUIREMENTS = ("labgrid==26.0.1",)
WAIT_SECONDS = 600.0  # for a place that others have
_ASKED_SECONDS = 60.0  # for what the coordinator answers at once
_POLL_SECONDS = 15.0  # a reservation that nobody asks for is dropped after 60 s
_LEAST_SECONDS = 5.0  # for asking once: a client takes a second or two to start
_LET_GO_SECONDS = 4.0  # for releasing; it goes on by itself afterwards
_TAG_KEY, _TAG_VALUE = re.compile(r"[a-z][a-z0-9_]+"), re.compile(r"[A-Za-z0-9_.:/][A-Za-z0-9_.:/-]*")
_COORDINATOR = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:]+\]:[0-9]{1,5}")
# Lets the place go when its standard input ends: when this process says so, and when it is gone, however it ended. It
# must not go before, whatever signal the terminal sends.
_KEEPER = """trap '' HUP INT TERM
cat >/dev/null
"$1" -x "$2" -p "+$3" release
"$1" -x "$2" cancel-reservation "$3"
"""


@dataclass(frozen=True, kw_only=True)
class Labgrid(Board):
    """A device of kind "labgrid".

    Attributes:
        coordinator: "host:port" of the labgrid coordinator.
        place, tags: which board: the place of that name, or any free one that has all these tags; one of the two.
        wait_seconds: for its turn at most.
    """

    coordinator: str
    kind: str = "labgrid"
    place: str | None = None
    tags: Mapping[str, str] | None = None
    wait_seconds: float = WAIT_SECONDS

    def __post_init__(self) -> None:
        if not isinstance(self.coordinator, str) or not _COORDINATOR.fullmatch(self.coordinator):
            raise ValueError(f"the coordinator {self.coordinator!r}")
        if (self.place is None) == (self.tags is None):
            raise ValueError("both place and tags" if self.place is not None else "neither place nor tags")
        # What labgrid takes as a filter: a name is one, too.
        if self.place is not None and not (isinstance(self.place, str) and _TAG_VALUE.fullmatch(self.place)):
            raise ValueError(f"the place {self.place!r}, which labgrid can't reserve,")
        if self.tags is not None and not _are_tags(self.tags):
            raise ValueError(f"the tags {self.tags!r}, which labgrid can't reserve,")
        if type(self.wait_seconds) not in (int, float) or not 0 <= self.wait_seconds < 1e6:
            raise ValueError(f"the wait_seconds {self.wait_seconds!r}")
        super().__post_init__()

    @contextmanager
    def open(self, models: Iterable[Path], log: Callable[[str], None]) -> Iterator[SshSession]:
        """Wait for a place, lock it, and go on as kind "ssh" does; it is released in the end, also where this fails."""
        client = _Client(self, environment.ready("labgrid", REQUIREMENTS, log))
        with _locked(self, client, log) as place:
            host = _host(self, client, place)
            log(f"{place} is ours, at {host}")
            with self.reached(host, models, log) as session:
                yield session


def _are_tags(value: object) -> bool:
    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(tag, str) and _TAG_VALUE.fullmatch(tag) for tag in value.values())
        and all(_TAG_KEY.fullmatch(key) for key in value)
    )


class _Client:
    """`labgrid-client` of an environment, at one coordinator."""

    def __init__(self, device: Labgrid, folder: Path) -> None:
        self.name, self.coordinator = device.name, device.coordinator
        self.program, self._python = folder / "bin/labgrid-client", folder / "bin/python"

    def ask(self, *words: str) -> str:
        """Return what it prints; EdgeError where it fails or gives no answer."""
        return self._output([str(self.program), "-x", self.coordinator, *words], None)

    def yaml(self, text: str) -> Any:
        """Return what a text of labgrid's means, read by labgrid's own reader."""
        program = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))"
        try:
            return loads(self._output([str(self._python), "-I", "-c", program], text).encode())
        except ValueError:
            raise EdgeError(
                f"{self.name}: labgrid's answer is not to be read ({one_line(text)[:80]}): expected the resources of a "
                "place; see labgrid-client env",
                "board.labgrid",
            ) from None

    def _output(self, command: Sequence[str], text: str | None) -> str:
        try:
            # A session of its own: a Ctrl-C at the terminal is not to end it between two of the coordinator's steps.
            done = subprocess.run(
                command, input=text or "", capture_output=True, text=True, errors="replace", timeout=_ASKED_SECONDS,
                start_new_session=True,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EdgeError(
                f"{self.name}: the coordinator {self.coordinator} gave no answer within {_ASKED_SECONDS:g} s: expected "
                "one; check network and coordinator",
                "board.timeout",
            ) from None
        if done.returncode == 0:
            return done.stdout
        reason = one_line(([line for line in done.stderr.splitlines() if line.strip()] or ["no word of why"])[-1])
        if "connect to coordinator" in done.stderr:
            raise EdgeError(
                f"{self.name}: the labgrid coordinator {self.coordinator} can't be reached: expected one there; check "
                "address and network",
                "board.unreachable",
            )
        raise EdgeError(
            f"{self.name}: labgrid refuses ({reason}): expected a place to measure on; see labgrid-client -x "
            f"{self.coordinator} places",
            "board.labgrid",
        )


@contextmanager
def _locked(device: Labgrid, client: _Client, log: Callable[[str], None]) -> Iterator[str]:
    """Reserve a place, wait for it, lock it, and return its name; it is let go in the end, whatever happens."""
    if device.place is not None and device.place not in _places(client):
        raise EdgeError(
            f"{device.name}: the coordinator {device.coordinator} has no place {device.place!r}: expected one; see "
            f"labgrid-client -x {device.coordinator} places",
            "board.labgrid",
        )
    wanted = {"name": device.place} if device.place is not None else dict(device.tags or {})
    filters = [f"{key}={value}" for key, value in wanted.items()]
    said = client.ask("reserve", "--shell", *filters)
    token = re.search(r"^export LG_TOKEN=([A-Z0-9]{1,40})$", said, re.MULTILINE)
    if token is None:
        raise EdgeError(
            f"{device.name}: labgrid gave no reservation ({one_line(said)[:80]}): expected one; see labgrid-client",
            "board.labgrid",
        )
    with _kept(client, token[1]):
        place = _turn(device, client, token[1], " ".join(filters), log)
        client.ask("-p", place, "acquire")
        yield place


def _places(client: _Client) -> list[str]:
    return [line.split()[0] for line in client.ask("places").splitlines() if line.strip()]


@contextmanager
def _kept(client: _Client, token: str) -> Iterator[None]:
    """Have the reservation and its lock let go after the block, and also where this process is killed in it."""
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "labgrid", str(client.program), client.coordinator, token],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert keeper.stdin is not None
    try:
        yield
    finally:
        keeper.stdin.close()
        with suppress(subprocess.TimeoutExpired):  # it goes on without us
            keeper.wait(_LET_GO_SECONDS)


def _turn(device: Labgrid, client: _Client, token: str, filters: str, log: Callable[[str], None]) -> str:
    """Wait until the reservation has a place; return its name."""
    begun = time.monotonic()
    while True:
        log(f"waiting for a place ({filters}): {time.monotonic() - begun:.0f} s")
        left = begun + device.wait_seconds - time.monotonic()
        place = _allocated(client, token, min(_POLL_SECONDS, max(left, _LEAST_SECONDS)))
        if place is not None:
            return place
        if time.monotonic() > begun + device.wait_seconds:
            raise EdgeError(
                f"{device.name} was not free within {device.wait_seconds:g} s ({filters}): expected a place to become "
                f"free; see with labgrid-client -x {device.coordinator} who and reservations who has it, or give it "
                "longer with wait_seconds",
                "board.busy",
            )


def _allocated(client: _Client, token: str, seconds: float) -> str | None:
    """Return the place that a reservation has got; None where it has none after so many seconds.

    `wait` asks every second, which keeps the reservation from being dropped, and for ever, so it is ended.
    """
    command = [str(client.program), "-x", client.coordinator, "wait", token]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        errors="replace", start_new_session=True,
    )  # fmt: skip
    try:
        output, errors = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    found = re.findall(r"^\s*main: ([^\s,]+)$", output, re.MULTILINE)
    states = re.findall(r"^\s*state: (\w+)$", output, re.MULTILINE)
    if process.returncode == 0 and found and states and states[-1] in ("allocated", "acquired"):
        return str(found[-1])
    reason = one_line((errors.strip().splitlines() or [f"it is {(states or ['lost'])[-1]}"])[-1])
    raise EdgeError(
        f"{client.name}: labgrid dropped the reservation ({reason}): expected a place; give the same command again",
        "board.labgrid",
    )


def _host(device: Labgrid, client: _Client, place: str) -> str:
    """Return the host of a locked place's NetworkService as ssh takes it."""
    targets = client.yaml(client.ask("-p", place, "env"))
    try:
        resources = targets["targets"][place]["resources"]
        services = [each["NetworkService"] for each in resources if "NetworkService" in each]
        address, user, port = services[0]["address"], services[0]["username"], int(services[0].get("port", 22))
        if not (isinstance(address, str) and isinstance(user, str) and 0 < port < 1 << 16):
            raise ValueError
    except (KeyError, IndexError, TypeError, ValueError):
        raise EdgeError(
            f"{device.name}: the place {place} has no NetworkService with address and username "
            f"({one_line(json.dumps(targets))[:120]}): expected one, over which ssh reaches the board; add it to the "
            "exporter's configuration",
            "board.labgrid",
        ) from None
    return f"ssh://{user}@{f'[{address}]' if ':' in address else address}:{port}"
