"""The native program for 64-bit Arm, and what runs it here: Debian's cross compiler, qemu-user, LiteRT's Arm wheel."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest

from benchmarks.lab import debian
from edge.scratch import cache
from firmware_bridge.release.sysroot import sysroot
from tests.edge.processes import ROOT

LITERT = "2.1.0"  # later ones crash under qemu-user 7.2, which Debian 12 has
SYSTEM = Path("/usr/aarch64-linux-gnu")  # of the cross compiler: C and C++ libraries, and the loader


def require_tools() -> None:
    """Skip the test where this machine can't build for Arm, or run what was built."""
    try:
        debian.need(
            {
                **debian.ARM_COMPILER,
                "qemu-aarch64": "qemu-user",
                "cmake": "cmake",
                "make": "make",
                f"{SYSTEM}/lib/libstdc++.so.6": "libstdc++6-arm64-cross",
            }
        )
    except debian.Unavailable as error:
        pytest.skip(str(error))


def litert() -> Path:
    """Return LiteRT's library for Arm, out of its wheel, under a name that says the version."""
    place = cache() / "wheels"
    library = place / "aarch64" / f"libLiteRt.so.{LITERT}"
    if library.exists():
        return library
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place) as name:
        choice = ["--only-binary=:all:", "--python-version=3.11", "--platform=manylinux_2_27_aarch64"]
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
        fetch([*pip, *choice, f"--dest={name}", f"ai-edge-litert=={LITERT}"], Path(name))
        (wheel,) = Path(name).glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            archive.extract("ai_edge_litert/libLiteRt.so", name)
        os.replace(Path(name) / "ai_edge_litert/libLiteRt.so", library)
    return library


def fetch(command: list[str], folder: Path) -> None:
    """Run a command that needs the network; skip the test where it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{command[0]} can't fetch what 64-bit Arm needs: {done.stderr.strip().splitlines()[-1:]}")


def build(folder: Path) -> Path:
    """Build the program for Arm; return it."""
    source = ROOT / "firmware_bridge/native"
    options = [f"-DEDGE_ROOT={sysroot('aarch64').folder}", f"-DCMAKE_TOOLCHAIN_FILE={source / 'aarch64.cmake'}"]
    for command in (["cmake", "-S", source, "-B", folder, *options], ["cmake", "--build", folder]):
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    return folder / "edge-infer"
