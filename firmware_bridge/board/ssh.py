"""One connection to a board, through the OpenSSH that the user has: its configuration, agent and known hosts."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO

from edge.errors import EdgeError, one_line
from edge.scratch import scratch

# Nothing is asked for, nobody's host key is taken on trust, a dead connection is noticed within a minute. Of the
# user's configuration only what would make the commands other ones is set aside.
_OPTIONS = {
    "BatchMode": "yes",
    "StrictHostKeyChecking": "yes",
    "VerifyHostKeyDNS": "no",
    "NoHostAuthenticationForLocalhost": "no",
    "ConnectTimeout": "30",
    "ServerAliveInterval": "15",
    "ServerAliveCountMax": "4",
    "ClearAllForwardings": "yes",
    "ForwardAgent": "no",
    "PermitLocalCommand": "no",
    "RemoteCommand": "none",
    "RequestTTY": "no",
    "ControlPersist": "no",
    "LogLevel": "INFO",
}
# The environment of the scripts and of all that they run there: nothing that a board exports (PATH, CDPATH, LD_PRELOAD,
# EDGE_INFER_MODELS, a function called tar) changes what they do or verify. Only the home is the login shell's to say.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_ENVIRONMENT = f'exec /usr/bin/env -i HOME="$HOME" LC_ALL=C PATH={_PATH} '  # a path, as login scripts may have aliases
TEMPORARY = "/tmp"  # a socket's path has room for a hundred characters, which a TMPDIR can exceed
_OWN = 255  # the exit status with which ssh itself fails, or tells of a signal; all others are the command's
_CAUSES = [
    (
        r"IDENTIFICATION HAS CHANGED|Host key for .* has changed",
        "{host} shows another host key than the one that is known: expected the same; if the board was set up again, "
        "remove the old key with ssh-keygen -R, else somebody may stand between",
    ),
    (
        r"Host key verification failed|host key is known",
        "{host} is not among the known hosts: expected its host key there; connect once with ssh {host} and compare "
        "the fingerprint",
    ),
    (
        r"Permission denied|Too many authentication failures",
        "{host} takes none of the offered keys ({reason}): expected a key that the board knows; ssh-copy-id {host}, "
        "or ssh-add the key",
    ),
]


class Connection:
    """An open, multiplexed connection: every command goes through it without another handshake.

    Used as a context manager; entering raises EdgeError where the board can't be reached, is not the known one, or does
    not know the user.
    """

    def __init__(
        self,
        host: str,
        watch: Callable[[subprocess.Popen[bytes]], None] | None = None,
        config: Path | None = None,
    ) -> None:
        """Connect to nothing yet.

        Args:
            watch: is given the process that holds the connection, as soon as there is one.
            config: read in place of the user's configuration of ssh, for a board that only this program knows.
        """
        # ssh takes a host that begins with a dash for an option.
        if not re.fullmatch(r"(ssh://)?[\w.][\w.@:%\[\]-]*", host):
            raise EdgeError(
                f"{host!r} is no host: expected a name, user@name or ssh://user@name:port", "arguments.invalid"
            )
        if shutil.which("ssh") is None:
            raise EdgeError("ssh is not installed: expected OpenSSH; apt-get install openssh-client")
        self.host, self._watch, self._config = host, watch, config

    def __enter__(self) -> Connection:
        self._kept = contextlib.ExitStack()
        try:
            self._open()
            return self
        except BaseException:  # a Ctrl-C, too, leaves no process and no file
            self.__exit__(None, None, None)
            raise

    def _open(self) -> None:
        folder = self._kept.enter_context(scratch("deploy", TEMPORARY))
        control = folder / "ssh"
        self._errors = (folder / "errors").open("w+", errors="replace")
        self._kept.callback(self._errors.close)
        options = [word for key, value in _OPTIONS.items() for word in ("-o", f"{key}={value}")]
        own = [] if self._config is None else ["-F", str(self._config)]
        self._command = ["ssh", *own, *options, "-o", f"ControlPath={control}"]
        # The one handshake: it says a word when it is through, and goes on until its standard input ends.
        self._master = subprocess.Popen(
            [*self._command, "-o", "ControlMaster=yes", "--", self.host, "echo connected; exec /bin/cat >/dev/null"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,  # no terminal to ask on
        )
        self._kept.callback(self._end)
        if self._watch is not None:
            self._watch(self._master)
        assert self._master.stdout is not None
        for line in self._master.stdout:
            if line.rstrip().endswith(b"connected"):
                return
        raise self._unreachable(self._master.wait())

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._kept.close()

    def _end(self) -> None:
        if self._master.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._master.pid, signal.SIGTERM)
        self._master.communicate()

    def start(self, script: Path, *words: str, stdin: int | IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start a script of this machine on the board, with these words; its standard output is a pipe.

        ssh hands the board's shell one string. Each word of it is quoted by shlex, which leaves a POSIX shell nothing
        to interpret: not in paths with spaces or quotes, nor in any other text. A NUL can be in no word.
        """
        text = script.read_text(encoding="utf-8")
        command = _ENVIRONMENT + shlex.join(["/bin/sh", "-c", text, "edge-deploy", *words])
        if "\0" in command:
            raise EdgeError("a zero byte was given in a name: expected none; choose another name")
        self._errors.seek(0)
        self._errors.truncate()
        return subprocess.Popen(
            [*self._command, "-o", "ControlMaster=no", "--", self.host, command],
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    def complaints(self) -> list[str]:
        """Return what the last action, or ssh itself, wrote to standard error."""
        self._errors.seek(0)
        return [one_line(line) for line in self._errors.read().splitlines() if line.strip()]

    def _unreachable(self, status: int) -> EdgeError:
        """Return why there is no connection as an error, with the way out."""
        lines = self.complaints()
        reason = lines[-1] if lines else "no word of why"
        if status != _OWN:  # it is another's: the login came through
            return EdgeError(
                f"{self.host} lets the user in and runs no command ({reason}, status {status}): expected a POSIX "
                "shell; give the user one with chsh -s /bin/sh",
                "board.login",
            )
        for pattern, sentence in _CAUSES:
            if re.search(pattern, "\n".join(lines)):
                return EdgeError(sentence.format(host=self.host, reason=reason), "board.login")
        return EdgeError(
            f"{self.host} can't be reached ({reason}): expected an ssh server; check name, network and power",
            "board.unreachable",
        )

    def ended(self, what: str, process: subprocess.Popen[bytes]) -> EdgeError:
        """Return why a command on the board ended without its last word, with the way out."""
        status = process.wait()
        lines = self.complaints()
        reason = f": {lines[-1]}" if lines else ""
        if status == _OWN:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it ends together with the connection
                self._master.wait(1)
            if self._master.poll() is not None:
                return EdgeError(
                    f"{self.host} {what} (the connection ended{reason}): expected it to last; check network and power, "
                    f"and see with edge-deploy status {self.host} which release is active",
                    "board.lost",
                )
            how = "a signal ended its shell, as where memory runs out"
        else:
            how = f"its shell ended with status {status}"
        return EdgeError(
            f"{self.host} {what} ({how}{reason}): correct what edge-deploy doctor {self.host} "
            "names, and give the same command again",
            "board.lost",
        )
