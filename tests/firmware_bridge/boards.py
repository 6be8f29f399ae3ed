"""A board that is this machine: a real sshd of its own, with its own keys, on a port of its own."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.edge.processes import Ended, environment

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))


def new_key(path: Path) -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    return path


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


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
        self.environment = environment(PATH=f"{folder}/bin:{os.environ['PATH']}", HOME=str(folder))
        self.environment.pop("SSH_AUTH_SOCK", None)

    def know(self, host_key: str) -> None:
        """Let the user know the board by this key."""
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {host_key}\n" if host_key else "")

    def start(self, *words: object) -> subprocess.Popen[bytes]:
        """Start edge-deploy."""
        command = [sys.executable, "-m", "firmware_bridge", *map(str, words)]
        return subprocess.Popen(command, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def deploy(self, *words: object, timeout: float = 300) -> Ended:
        """Run edge-deploy to its end."""
        process = self.start(*words)
        out, err = process.communicate(timeout=timeout)
        return Ended(subprocess.CompletedProcess(words, process.returncode, out, err))

    def ssh(self, command: str) -> str:
        """Return what a command says on the board."""
        words = [self.folder / "bin/ssh", "-o", "BatchMode=yes", "board", command]
        return subprocess.run(words, capture_output=True, text=True, check=True, timeout=60).stdout


class LocalBoard(Host):
    """This machine as a board, reached as the user that runs the tests."""

    def __init__(self, folder: Path, settings: str = "") -> None:
        port = free_port()
        key, user = new_key(folder / "host_key"), new_key(folder / "user")
        super().__init__(folder, port, user, " ".join(key.with_suffix(".pub").read_text().split()[:2]))
        self.config.write_text(self.config.read_text().replace("User root", f"User {os.environ.get('USER', 'root')}"))
        (folder / "authorized_keys").write_text(self.user.with_suffix(".pub").read_text())
        (folder / "sshd_config").write_text(
            f"Port {port}\nListenAddress 127.0.0.1\nHostKey {key}\nAuthorizedKeysFile {folder}/authorized_keys\n"
            f"UsePAM no\nStrictModes no\nPidFile none\nPasswordAuthentication no\nMaxStartups 100\n{settings}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        assert SSHD is not None
        self.process = subprocess.Popen([SSHD, "-D", "-f", folder / "sshd_config", "-E", folder / "sshd.log"])
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((folder / "sshd.log").read_text())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
