"""Debian's libraries for a board's processor, unpacked beside this machine's own: what its program is linked with."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError
from edge.scratch import cache, scratch
from firmware_bridge import tools

DEBIAN = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf"}
LINKED = ("libjansson-dev", "libjpeg62-turbo-dev", "libpng-dev", "zlib1g-dev")


class Sysroot(NamedTuple):
    """A folder with Debian packages unpacked in it, and their versions by name."""

    folder: Path
    packages: Mapping[str, str]


def sysroot(architecture: str, names: Sequence[str] = LINKED) -> Sysroot:
    """Return these packages for an architecture, downloaded by apt where they are not kept yet.

    apt checks them against Debian's signed index; its state is apart, this machine's own is untouched. What is kept is
    not renewed: removing the folder fetches what Debian has by then. Raises EdgeError where they can't be had.
    """
    digest = hashlib.sha256(" ".join(sorted(names)).encode()).hexdigest()[:12]
    place = cache() / "debian" / f"{architecture}-{digest}"
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with scratch("fetch", place.parent) as folder:
            root = folder / "root"
            root.mkdir(mode=0o755)
            for package in download(architecture, folder, names):
                _run("dpkg-deb", "-x", str(package), str(root))
                (root / "packages").open("a").write(_run("dpkg-deb", "--show", str(package)))
            os.replace(root, place)
    return Sysroot(place, _packages(place, names))


def _packages(place: Path, names: Sequence[str]) -> dict[str, str]:
    """Return the versions that were noted when the folder was made; EdgeError where it has been damaged since."""
    try:
        lines = (place / "packages").read_text(encoding="utf-8").splitlines()
        found = {name: version for name, _, version in (line.partition("\t") for line in sorted(lines))}
    except (OSError, UnicodeDecodeError) as error:
        found, reason = {}, str(error)
    else:
        reason = "names are missing in its list of packages"
    if not set(names) <= set(found) or not all(found.values()):
        raise EdgeError(f"{place} is damaged ({reason}): remove it, and it is fetched again")
    return found


def download(architecture: str, folder: Path, names: Sequence[str]) -> list[Path]:
    """Return the .deb files of these packages alone, downloaded by apt with a state of its own under `folder`."""
    for path in ("state/lists/partial", "packages/partial", "packages/archives/partial"):
        (folder / path).mkdir(parents=True)
    (folder / "status").touch()
    options = {
        "APT::Architecture": DEBIAN[architecture],
        "APT::Architectures": DEBIAN[architecture],
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "packages",
        "APT::Sandbox::User": "root",
    }
    words = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
    try:
        _run("apt-get", *words, "-qq", "update")
    except EdgeError as error:  # one of several indexes: what the others name is signed all the same
        print(f"warning: {error}; Debian's newest repairs may be missing", file=sys.stderr)
    _run("apt-get", *words, "-qq", "download", *names, folder=folder / "packages")
    return sorted((folder / "packages").glob("*.deb"))


def _run(*command: str, folder: Path | None = None) -> str:
    if shutil.which(command[0]) is None:
        raise EdgeError(
            f"{command[0]} is not installed: expected a Debian 12 host, whose packages the board's program is "
            "linked with; build there"
        )
    done = tools.run(command, folder, (*tools.NETWORK, "APT_CONFIG"))
    if done.returncode:
        reason = (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
        raise EdgeError(
            f"Debian's libraries for the board can't be fetched: {command[0]} says {reason!r}; "
            "check the connection and the sources of apt"
        )
    return done.stdout
