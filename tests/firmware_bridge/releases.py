"""Releases for tests: the real format around programs that only pretend."""

from __future__ import annotations

import platform
from pathlib import Path

from firmware_bridge.release import release, signature
from firmware_bridge.release.release import File, Link, Payload, Release

PASSED = "1 of 1 golden vectors passed"
SCRIPT = """#!/bin/sh
here=$(readlink -f "$0")
case "$*" in
  *--check*) sleep {seconds}; echo "{verdict}"; exit {status} ;;
  *) cat >/dev/null; echo '{{"image": "-", "version": "'$(sed -n 's/^version: //p' "${{here%/*}}/../release")'"}}' ;;
esac
"""


def payload(
    seconds: float = 0, status: int = 0, verdict: str = "1 of 1 golden vectors passed", bulk: int = 0
) -> Payload:
    """Return files whose program passes or fails `--check` and says its release's version for every image."""
    program = SCRIPT.format(seconds=seconds, status=status, verdict=verdict)
    noise = b"".join(number.to_bytes(4, "big") for number in range(bulk // 4))  # compresses little
    return {
        "bin/edge-infer": File(program.encode(), executable=True),
        "lib/libfake.so": Link("libfake.so.1"),
        "lib/libfake.so.1": File(noise),
        "models/one.tflite": File(b"model"),
        "licences/edge-infer": File(b"MIT\n"),
    }


def release_of(version: str = "0.1.0-1", **changes: str) -> Release:
    fields = {"target": "x86-64", "architecture": platform.machine(), "program": "native"}
    return Release(**{"version": version, **fields, "glibc": "2.17", "glibcxx": "0", "python": "none", **changes})


def make(folder: Path, key: Path, what: Release | None = None, files: Payload | None = None) -> Path:
    """Write an archive that is whole and signed; return its path."""
    what = what or release_of()
    digests, packed = release.digest_list(what, payload() if files is None else files)
    path = folder / f"{what.name}.tar"
    path.write_bytes(release.archive_bytes(what, digests, signature.sign(digests, key), packed))
    return path
