"""Python wheels with libraries for boards: fetched once, by name and SHA-256 (wheels.toml)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError
from edge.scratch import cache, scratch

_LOCK = Path(__file__).with_name("wheels.toml")


class Wheel(NamedTuple):
    """A wheel on this machine."""

    name: str
    version: str
    path: Path
    sha256: str


def fetch(name: str, architecture: str) -> Wheel:
    """Return the wheel of a package for an architecture, downloaded by pip where it is not kept yet.

    Raises EdgeError where it can't be had or is not the one that wheels.toml names.
    """
    import tomllib  # as in target.py

    entry = tomllib.loads(_LOCK.read_text(encoding="utf-8")).get(name, {}).get(architecture)
    if entry is None:
        raise EdgeError(f"{_LOCK} names no {name} for {architecture}: expected one; add its version, file and SHA-256")
    wheel = Wheel(name, entry["version"], cache() / "wheels" / entry["file"], entry["sha256"])
    if not wheel.path.exists():
        wheel.path.parent.mkdir(parents=True, exist_ok=True)
        with scratch("fetch", wheel.path.parent) as folder:
            _download(wheel, entry["platform"], folder)
            os.replace(folder / wheel.path.name, wheel.path)
    found = hashlib.sha256(wheel.path.read_bytes()).hexdigest()
    if found != wheel.sha256:
        raise EdgeError(
            f"{wheel.path} has the SHA-256 {found}: expected {wheel.sha256}, which {_LOCK.name} names; "
            "remove it, and it is fetched again"
        )
    return wheel


def _download(wheel: Wheel, platform: str, folder: Path) -> None:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation=cp", "--python-version=3.11", "--abi=cp311"]
    command += [f"--platform={platform}", f"--dest={folder}", f"{wheel.name}=={wheel.version}"]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if done.returncode or not (folder / wheel.path.name).exists():
        reason = (done.stderr.strip() or "pip downloaded another file").splitlines()[-1]
        raise EdgeError(
            f"{wheel.path.name} can't be fetched ({reason}): expected it from pip's package index; "
            f"connect, or put the file into {wheel.path.parent}"
        )
