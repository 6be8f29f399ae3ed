"""OpenSSH's signatures: what a board can verify with what it has."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
from pathlib import Path

from edge.errors import EdgeError, one_line
from edge.scratch import scratch
from firmware_bridge import tools

NAMESPACE = "edge-infer"  # a signature for anything else, made with the same key, is none for a release
SIGNER = "edge-deploy"  # by this name the board's list of trusted keys calls every signer
_MAKE = "name one with --key, or make one with ssh-keygen -t ed25519"


def default_key() -> Path:
    """Return the key that is used where none is named."""
    return Path.home() / ".ssh/id_ed25519"


def sign(data: bytes, key: Path) -> bytes:
    """Return the signature of `data` by `key`: a private key, or a public one whose other half the agent holds.

    No passphrase is ever asked for. With an Ed25519 key the same data gives the same signature. Raises EdgeError where
    there is no such key or it does not sign.
    """
    if not key.exists():
        raise EdgeError(f"{key} does not exist: expected an OpenSSH key to sign with; {_MAKE}")
    with scratch("sign") as folder:
        path = folder / "digests"
        path.write_bytes(data)
        command = ["ssh-keygen", "-Y", "sign", "-f", str(key), "-n", NAMESPACE, str(path)]
        done = _ssh_keygen(command)
        if done.returncode:
            reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
            if "passphrase" in reason:  # ssh-keygen's question, which nobody was there to answer
                reason = "it has a passphrase"
            private, public = _halves(key)
            raise EdgeError(
                f"{key} does not sign ({reason}): expected a key without passphrase, or one that the agent holds; "
                f"ssh-add {private}, then --key {public}"
            )
        return path.with_suffix(".sig").read_bytes()


def signer(signature: bytes) -> str:
    """Return the key of a signature that `sign` made, in base64 as its .pub file has it."""
    blob = base64.b64decode(b"".join(signature.splitlines()[1:-1]))
    size = int.from_bytes(blob[10:14], "big")  # behind "SSHSIG" and a version: the key, with its length in front
    return base64.b64encode(blob[14 : 14 + size]).decode()


def public_key(key: Path) -> tuple[str, str]:
    """Return "type base64" and the comment of a public key's file, or of the one beside a private key's.

    Raises EdgeError where it is none.
    """
    private, path = _halves(key)
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        if private.exists():
            cure = f"make it with ssh-keygen -y -f {private} > {path}"
            raise EdgeError(f"{path} does not exist: expected the public half of {private}; {cure}") from None
        raise EdgeError(f"{path} does not exist: expected a public OpenSSH key; {_MAKE}") from None
    except OSError as error:
        raise EdgeError(f"{path} can't be read ({error.strerror}): expected a public OpenSSH key; name it") from None
    words = lines[0].split(maxsplit=2) if lines else []
    if len(words) < 2 or not re.fullmatch(r"[a-z0-9@.-]+", words[0]) or not re.fullmatch(r"[\w+/=]+", words[1]):
        raise EdgeError(f"{path} is no public OpenSSH key: expected a line as of ssh-keygen's .pub files; name it")
    if _ssh_keygen(["ssh-keygen", "-l", "-f", str(path)]).returncode:
        raise EdgeError(f"{path} is no whole public OpenSSH key: expected one that ssh-keygen -l reads; copy it again")
    return f"{words[0]} {words[1]}", one_line(" ".join(words[2:]))


def fingerprint(key: str) -> str:
    """Return a key's fingerprint, "SHA256:...", from itself or from the file that `public_key` reads."""
    if re.fullmatch(r"SHA256:[A-Za-z0-9+/]{43}", key):
        return key
    if not any(half.exists() for half in _halves(Path(key))):
        raise EdgeError(
            f"{key} is no file and no fingerprint: expected one that edge-deploy status shows; copy it whole"
        )
    data = base64.b64decode(public_key(Path(key))[0].split()[1])
    return "SHA256:" + base64.b64encode(hashlib.sha256(data).digest()).decode().rstrip("=")


def _halves(key: Path) -> tuple[Path, Path]:
    """Return the files of the private and of the public half, whichever of them is named."""
    if key.suffix == ".pub":
        return key.with_suffix(""), key
    return key, key.with_name(f"{key.name}.pub")


def _ssh_keygen(command: list[str]) -> subprocess.CompletedProcess[str]:
    # In a session of its own it has no terminal to ask on.
    try:
        return tools.run(command, keep=("SSH_AUTH_SOCK", "SSH_SK_HELPER", "SSH_SK_PROVIDER"))
    except FileNotFoundError:
        raise EdgeError("ssh-keygen is not installed: expected OpenSSH; apt-get install openssh-client") from None
