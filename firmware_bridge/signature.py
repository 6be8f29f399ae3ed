"""OpenSSH's signatures: what a board can verify with what it has."""

from __future__ import annotations

import re
import subprocess
import tempfile
from pathlib import Path

from edge.errors import EdgeError

NAMESPACE = "edge-infer"  # a signature for anything else, made with the same key, is none for a release
SIGNER = "edge-deploy"  # by this name the board's list of trusted keys calls every signer


def default_key() -> Path:
    """Return the key that is used where none is named."""
    return Path.home() / ".ssh/id_ed25519"


def sign(data: bytes, key: Path) -> bytes:
    """Return the signature of `data` by `key`: a private key, or a public one whose other half the agent holds.

    No passphrase is ever asked for. With an Ed25519 key the same data gives the same signature. Raises EdgeError where
    there is no such key or it does not sign.
    """
    if not key.exists():
        raise EdgeError(
            f"{key} does not exist: expected an OpenSSH key to sign with; name one with --key, or make one with "
            "ssh-keygen -t ed25519"
        )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "digests"
        path.write_bytes(data)
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path)]
        done = _ssh_keygen(command)
        if done.returncode:
            reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
            raise EdgeError(
                f"{key} does not sign ({reason}): expected a key without passphrase, or in the agent (ssh-add {key}) "
                f"and named by its public half, --key {key.with_suffix('.pub')}"
            )
        return path.with_suffix(".sig").read_bytes()


def public_key(key: Path) -> str:
    """Return "type base64" of a public key's file, or of the one beside a private key's; EdgeError where it is none."""
    path = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    try:
        words = path.read_text(encoding="utf-8", errors="replace").split()
    except OSError as error:
        raise EdgeError(f"{path} can't be read ({error.strerror}): expected a public OpenSSH key; name it") from None
    if len(words) < 2 or not re.fullmatch(r"[a-z0-9@.-]+", words[0]) or not re.fullmatch(r"[\w+/=]+", words[1]):
        raise EdgeError(f"{path} is no public OpenSSH key: expected a line as of ssh-keygen's .pub files; name it")
    if _ssh_keygen(["ssh-keygen", "-l", "-f", str(path)]).returncode:
        raise EdgeError(f"{path} is no whole public OpenSSH key: expected one that ssh-keygen -l reads; copy it again")
    return f"{words[0]} {words[1]}"


def _ssh_keygen(command: list[str]) -> subprocess.CompletedProcess[str]:
    # In a session of its own it has no terminal to ask on.
    try:
        return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, start_new_session=True)
    except FileNotFoundError:
        raise EdgeError("ssh-keygen is not installed: expected OpenSSH; apt-get install openssh-client") from None
