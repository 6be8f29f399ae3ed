"""One command for several boards at once: a line and an exit status for each."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from edge.command import INVALID, OK
from edge.errors import EdgeError, one_line
from edge.strict_json import dumps
from firmware_bridge.board.ssh import Connection

AT_ONCE = 8  # boards; each takes a process of ssh and a handshake
_PATIENCE_S = 10.0  # for connections to end after a Ctrl-C


LINES, JSON, BARE = "lines", "json", "bare"  # how what is said is printed; bare: as it is, for what is JSON already


class Board:
    """One board of a command: what an action says and finds there.

    Attributes:
        host: as ssh takes it.
        folder: on the board.
        tell: prints a line of a kind ("say", "note", "complain").
        fields: for programs, what the action found; in the JSON beside "host" and "exit_status".
    """

    def __init__(self, host: str, folder: str, crew: Crew, tell: Callable[[str, str], None]) -> None:
        self.host, self.folder, self.tell, self._crew = host, folder, tell, crew
        self.fields: dict[str, Any] = {}

    def connect(self) -> Connection:
        """Return a connection to it, to be entered."""
        return Connection(self.host, self._crew.watch)

    def log(self, text: str) -> None:
        """Print a line of result."""
        self.tell("say", text)

    def note(self, text: str) -> None:
        """Print a line on standard error."""
        self.tell("note", text)

    def complain(self, text: str) -> None:
        """Print what went wrong, as a sentence of the program's own."""
        self.tell("complain", text)


class Crew:
    """The processes that reach the boards: all end together after a Ctrl-C."""

    def __init__(self) -> None:
        self._lock, self._stopped = threading.Lock(), False
        self._processes: list[subprocess.Popen[bytes]] = []

    def watch(self, process: subprocess.Popen[bytes]) -> None:
        """Take a connection's process, which leads a process group."""
        with self._lock:
            self._processes.append(process)
            if self._stopped:
                _end(process)

    def stop(self) -> None:
        """End all of them, and each that is yet to come."""
        with self._lock:
            self._stopped = True
            for process in self._processes:
                _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def hosts(words: Sequence[str]) -> list[str]:
    """Return the hosts of a command line's words, each one or several with commas between; EdgeError for doubles."""
    found = [host for word in words for host in word.split(",")]
    for host in found:
        if found.count(host) > 1:
            raise EdgeError(f"{host} was named twice: expected each host once; leave one out", "arguments.invalid")
    return found


class Fleet:
    """The boards of a command, and how what is said of them is printed: by one thread, a whole line at a time.

    LINES: as it comes; with several hosts behind the host's name, and in the end a line with the exit status of each.
    JSON: one object a host, when it is done with. BARE: as it is.
    """

    def __init__(self, hosts: Sequence[str], folder: str, how: str = LINES) -> None:
        self._how, self._several, self._crew = how, len(hosts) > 1, Crew()
        self._boards = [Board(host, folder, self._crew, partial(self._tell, host)) for host in hosts]
        self._count, self._failed = len(hosts), list[str]()
        self._said: dict[str, list[str]] = {host: [] for host in hosts}

    def each(self, action: Callable[[Board], None], more: bool = False) -> None:
        """Do `action` for every board that is still good, at most AT_ONCE at a time.

        Args:
            more: something is to be done afterwards, with those where this was done.

        Raises EdgeError where it fails: of one host its own; of several one that counts them, each having been printed;
        with `more` only where none is left.
        """
        if self._several:
            _at_once(self._boards, action, self._crew, partial(self._end, more=more))
        else:
            error = None
            try:
                action(self._boards[0])
            except EdgeError as raised:
                error = raised
            self._end(self._boards[0], error, more)
            if error is not None:
                raise error
        if self._failed and not (more and self._boards):
            raise EdgeError(
                f"{len(self._failed)} of {self._count} hosts failed ({', '.join(self._failed)}): expected none; see "
                "their lines",
                "board.failed",
            )

    def _tell(self, host: str, kind: str, text: str) -> None:
        """Print a line of the board's, or keep it for its object."""
        if kind == "say" and self._how == JSON:
            self._said[host].append(text)
        elif kind == "say":
            print(f"{host}: {text}" if self._several and self._how == LINES else text, flush=True)
        else:
            text = one_line(text)
            text = f"{host}: {text}" if self._several and not text.startswith(host) else text
            print(f"edge-deploy: {text}" if kind == "complain" else text, file=sys.stderr, flush=True)

    def _end(self, board: Board, error: EdgeError | None, more: bool) -> None:
        """Print what came of the board."""
        if error is not None:
            self._failed.append(board.host)
            self._boards.remove(board)
        elif more:
            return
        status = OK if error is None else INVALID
        if self._how == JSON:
            record = {"host": board.host, "exit_status": status, **board.fields}
            if self._said[board.host]:
                record["messages"] = self._said[board.host]
            if error is not None:
                record["error"] = {"code": error.code, "message": str(error)}
            print(dumps(record, f"the record of {board.host}"), flush=True)
        elif self._several:
            where = sys.stdout if self._how == LINES else sys.stderr
            print(f"{board.host}: exit status {status}", file=where, flush=True)
        if error is not None and self._several:
            self._tell(board.host, "complain", str(error))


def _at_once(
    boards: Sequence[Board], action: Callable[[Board], None], crew: Crew, end: Callable[[Board, EdgeError | None], None]
) -> None:
    """Let threads do it, whose words this one prints; after a Ctrl-C all have ended when it is raised."""
    waiting, events = queue.SimpleQueue[Board](), queue.SimpleQueue[Callable[[], bool]]()
    for board in boards:
        waiting.put(board)

    def work() -> None:
        while True:
            try:
                board = waiting.get_nowait()
            except queue.Empty:
                return
            tell = board.tell
            board.tell = partial(_put, events, tell)
            error = _failure(action, board)
            board.tell = tell
            events.put(partial(_ended, end, board, error))

    left = len(boards)
    threads = _start([threading.Thread(target=work, daemon=True) for _ in boards[:AT_ONCE]])
    try:
        while left:
            left -= events.get()()
    except BaseException:
        with suppress(queue.Empty):
            while True:
                waiting.get_nowait()
        crew.stop()
        for thread in threads:
            thread.join(_PATIENCE_S)
        raise


def _put(events: queue.SimpleQueue[Callable[[], bool]], tell: Callable[[str, str], None], kind: str, text: str) -> None:
    events.put(partial(_told, tell, kind, text))


def _told(tell: Callable[[str, str], None], kind: str, text: str) -> bool:
    tell(kind, text)
    return False


def _start(threads: list[threading.Thread]) -> list[threading.Thread]:
    started = []
    for thread in threads:
        try:
            thread.start()
        except RuntimeError:  # no more of them: fewer at once
            break
        started.append(thread)
    if not started:
        raise EdgeError("no thread can be started: expected room for one; stop other programs (ulimit -u)", "memory")
    return started


def _failure(action: Callable[[Board], None], board: Board) -> BaseException | None:
    try:
        action(board)
    except EdgeError as error:
        return error
    except MemoryError:
        return EdgeError("the memory is full: expected room to work; name fewer hosts at once", "memory")
    except OSError as error:
        return EdgeError(f"{error.filename or 'a process'} can't be had ({error.strerror}): name fewer hosts at once")
    except BaseException as error:  # a fault of the program, for the thread that can show it
        return error
    return None


def _ended(end: Callable[[Board, EdgeError | None], None], board: Board, error: BaseException | None) -> bool:
    if error is not None and not isinstance(error, EdgeError):
        raise error
    end(board, error)
    return True
