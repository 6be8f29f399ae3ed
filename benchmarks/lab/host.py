"""How a user reaches a board, for measurements and tests: an ssh configuration and keys of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[2]


def new_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _usual_signals() -> None:
    """Let a process be interrupted though this one's parent has that ignored, as nohup does."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Host:
    """How one user reaches one board: an ssh configuration of its own, which ssh on this PATH uses.

    Attributes:
        folder: with `known_hosts`, `config` and the program `bin/ssh`.
        user, signer: keys, for the login and for archives.
        environment: for edge-deploy.
    """

    def __init__(self, folder: Path, port: int, user: Path, host_key: str) -> None:
        self.folder, self.port, self.user, self.host_key = folder, port, user, host_key
        self.signer = new_key(folder / "signer")
        self.known_hosts = folder / "known_hosts"
        self.know(host_key)
        self.config = folder / "config"
        self.config.write_text(
            f"Host board\n HostName 127.0.0.1\n Port {port}\n User root\n IdentityFile {self.user}\n"
            f" IdentitiesOnly yes\n UserKnownHostsFile {self.known_hosts}\n GlobalKnownHostsFile /dev/null\n"
        )
        (folder / "bin").mkdir()
        wrapper = folder / "bin/ssh"
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {self.config} "$@"\n')
        wrapper.chmod(0o755)
        path = f"{folder}/bin:{os.environ['PATH']}"
        self.environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "HOME": str(folder)}
        # Downloads are the user's own, whatever home is set.
        self.environment.setdefault("XDG_CACHE_HOME", str(Path.home() / ".cache"))
        self.environment.pop("SSH_AUTH_SOCK", None)

    def know(self, host_key: str) -> None:
        """Let the user know the board by this key."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}\n" if host_key else "")

    def start(self, *words: object, stdin: IO[bytes] | None = None) -> subprocess.Popen[bytes]:
        """Start edge-deploy."""
        command = [sys.executable, "-m", "firmware_bridge", *map(str, words)]
        pipe = subprocess.PIPE
        return subprocess.Popen(
            command, env=self.environment, stdin=stdin, stdout=pipe, stderr=pipe, preexec_fn=_usual_signals
        )

    def deploy(
        self, *words: object, stdin: IO[bytes] | None = None, timeout: float = 300
    ) -> subprocess.CompletedProcess[bytes]:
        """Run edge-deploy to its end."""
        process = self.start(*words, stdin=stdin)
        out, err = process.communicate(timeout=timeout)
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def ssh(self, command: str, timeout: float = 60) -> str:
        """Return what a command says on the board."""
        words = [str(self.folder / "bin/ssh"), "-o", "BatchMode=yes", "board", command]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=timeout).stdout
