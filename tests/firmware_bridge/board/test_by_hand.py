"""A release brought to a board by hand, with the README's own commands, over a real ssh and scp."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.lab import debian
from benchmarks.lab.host import new_key
from tests.documents import ROOT, code
from tests.firmware_bridge.boards import LocalBoard

NEEDED = {**debian.COMPILER, "cmake": "cmake", "dpkg-deb": "dpkg", "scp": "openssh-client"}
SFTP = "/usr/lib/openssh/sftp-server"  # Debian's: scp speaks with it
PROFILE = Path("/etc/skel/.profile")  # what a login reads on a Debian system


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of the user on the board."""
    folder = tmp_path / "home"
    folder.mkdir()
    if PROFILE.exists():
        shutil.copy(PROFILE, folder)
    return folder


@pytest.fixture
def board(tmp_path: Path, home: Path) -> Iterator[LocalBoard]:
    """A board whose commands, copies and logins happen in that home, with a login's own environment."""
    login = tmp_path / "login"
    login.write_text(
        "#!/bin/sh\n"
        f"cd {home}\n"
        f"set -- env -i HOME={home} PATH=/usr/bin:/bin /bin/sh -l ${{SSH_ORIGINAL_COMMAND:+-c}}\n"
        'exec "$@" ${SSH_ORIGINAL_COMMAND:+"$SSH_ORIGINAL_COMMAND"}\n'
    )
    login.chmod(0o755)
    folder = tmp_path / "board"
    folder.mkdir()
    board = LocalBoard(folder, f"Subsystem sftp {SFTP}\nForceCommand {login}")
    yield board
    board.stop()


@pytest.mark.compile
@pytest.mark.timeout(600)
@pytest.mark.skipif(platform.machine() != "x86_64", reason="the release is built for x86-64 and run here")
def test_build_scp_unpack_infer(board: LocalBoard, home: Path, tmp_path: Path) -> None:
    try:
        debian.need({**NEEDED, SFTP: "openssh-sftp-server"})
    except debian.Unavailable as error:
        pytest.skip(str(error))
    host, there = code("README.md", "sh")
    build, copy, login = host.splitlines()
    assert login == "ssh pi@bench"
    (board.folder / ".ssh").mkdir()
    new_key(board.folder / ".ssh/id_ed25519")
    scp = board.folder / "bin/scp"
    scp.write_text(f'#!/bin/sh\nexec {shutil.which("scp")} -F {board.config} "$@"\n')
    scp.chmod(0o755)
    deploy = board.folder / "bin/edge-deploy"
    deploy.write_text(f'#!/bin/sh\nexec {sys.executable} -m firmware_bridge "$@"\n')
    deploy.chmod(0o755)
    docs = tmp_path / "docs"
    docs.symlink_to(ROOT / "docs")

    def run(command: str, stdin: str = "") -> str:
        """Run a README's command, for this board and its processor."""
        ours = re.sub(r"\bpi5\b", "x86-64", command).replace("pi@bench", "board")
        words = ["/bin/sh", "-c", ours]
        done = subprocess.run(
            words, cwd=tmp_path, env=board.environment, input=stdin, capture_output=True, text=True, timeout=300
        )
        if "can't be fetched" in done.stderr:
            pytest.skip(done.stderr)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run(build)
    run(copy)
    assert {path.name for path in home.iterdir()} - {PROFILE.name} == {"edge-infer-0.1.0-1-x86-64.tar", "phantom.png"}
    # Typed after the login: one command, then answers.
    install, infer = there.splitlines()
    (compare,) = re.findall(r"^    (tar -xf .* sha256sum -c)$", (ROOT / "docs/deploy.md").read_text(), re.MULTILINE)
    typed = f"{there}edge-infer --check\n{compare}\ncommand -v edge-infer\n".replace("pi5", "x86-64")
    answer = run("ssh pi@bench", typed)
    assert "payload.tar.gz: OK" in answer
    assert infer == "edge-infer phantom.png" and install.count("\n") == 0
    assert "  decision: PNEUMONIA" in answer and "board: x86_64" in answer
    assert answer.count(": bit-exact: ") == 16
    assert answer.splitlines()[-1] == f"{home}/edge/bin/edge-infer"
    assert os.listdir(home / "edge/models")
