"""Debian's tools, installed where that may be."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from functools import cache
from glob import glob
from pathlib import Path

PATH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"

LOCK = Path("/run/edge-infer-apt.lock")  # root's
# Without recommended packages a compiler comes without the C library's files.
COMPILER = {"cc": "gcc", "/usr/include/stdio.h": "libc6-dev"}
ARM_COMPILER = {
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "/usr/aarch64-linux-gnu/lib/crti.o": "libc6-dev-arm64-cross",
}


class Unavailable(Exception):
    """Something that a measurement or test needs is not to be had here; the message says what and why."""


def need(tools: dict[str, str]) -> None:
    """Have these programs and files (whole paths or patterns of them), each by the package that brings it.

    Raises Unavailable where they can't be installed.
    """
    packages = sorted({package for tool, package in tools.items() if not _is_there(tool)})
    if packages and (reason := _install(tuple(packages))):
        raise Unavailable(f"{', '.join(packages)} can't be installed: {reason}")


def _is_there(tool: str) -> bool:
    return bool(glob(tool)) if tool.startswith("/") else shutil.which(tool, path=PATH) is not None


@cache
def _install(packages: tuple[str, ...]) -> str:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        return "that takes apt-get and root"
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    with LOCK.open("w") as lock:  # apt-get fails where another one is at work
        fcntl.flock(lock, fcntl.LOCK_EX)
        for words in (["update"], ["install", "--yes", "--no-install-recommends", *packages]):
            done = subprocess.run(["apt-get", "-qq", *words], capture_output=True, text=True, env=environment)
            if done.returncode:
                return (done.stderr.strip() or f"status {done.returncode}").splitlines()[-1]
    return ""
