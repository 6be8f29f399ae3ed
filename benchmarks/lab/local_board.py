"""A board that is this machine: a real sshd of its own, with its own keys, on a port of its own."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from benchmarks.lab import debian
from benchmarks.lab.host import Host, free_port, new_key


class LocalBoard(Host):
    """This machine as a board, reached as the user that runs this process.

    Attributes:
        home: on the board, in `folder`: boards of one home would wait for each other, as login scripts take locks
            there (pyenv's do), and a board that hangs keeps them.

    Raises debian.Unavailable where there is no sshd and none can be installed.
    """

    def __init__(self, folder: Path, settings: str = "", exported: Mapping[str, str] | None = None) -> None:
        """Start it; `settings` are lines for its sshd_config, `exported` is what its shells find exported."""
        debian.need({"sshd": "openssh-server", "ssh": "openssh-client"})
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        # sshd takes the first such line alone.
        values = {"HOME": str(self.home), **(exported or {})}
        settings = "SetEnv " + " ".join(f'"{name}={value}"' for name, value in values.items()) + f"\n{settings}"
        key, user = new_key(folder / "host_key"), new_key(folder / "user")
        settings = (
            f"ListenAddress 127.0.0.1\nHostKey {key}\nAuthorizedKeysFile {folder}/authorized_keys\n"
            f"UsePAM no\nStrictModes no\nPidFile none\nPasswordAuthentication no\nMaxStartups 100\n{settings}\n"
        )
        for _ in range(5):  # a free port may be another's a moment later
            port = free_port()
            self.process = _started(folder, f"Port {port}\n{settings}")
            if self.process.poll() is None:
                break
        else:
            raise AssertionError((folder / "sshd.log").read_text())
        super().__init__(folder, port, user, " ".join(key.with_suffix(".pub").read_text().split()[:2]))
        self.config.write_text(self.config.read_text().replace("User root", f"User {os.environ.get('USER', 'root')}"))
        (folder / "authorized_keys").write_text(self.user.with_suffix(".pub").read_text())

    def stop(self) -> None:
        """End the server."""
        self.process.terminate()
        self.process.wait()


def _started(folder: Path, settings: str) -> subprocess.Popen[bytes]:
    """Start a server; return it when it listens or has ended."""
    (folder / "sshd_config").write_text(settings)
    (folder / "sshd.log").write_text("")
    server = shutil.which("sshd", path=debian.PATH)
    assert server is not None
    command = [server, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "sshd.log")]
    process = subprocess.Popen(command, preexec_fn=_usual_ends)
    for _ in range(400):
        if process.poll() is not None or "Server listening on" in (folder / "sshd.log").read_text():
            return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    return process


def _usual_ends() -> None:
    """Let signals end the server though this process's parent has them ignored, as nohup does."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
