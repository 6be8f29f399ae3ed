"""Python and the Python program as a 64-bit Arm board has them after `pip install`, put together on this machine.

Python is Debian's, numpy, Pillow and LiteRT come out of their wheels (firmware_bridge/release/wheels.toml), and all
of it is compiled, as Debian and pip do when they install: nothing has to be installed on the board.
"""

from __future__ import annotations

import compileall
import shutil
import sys
import zipfile
from pathlib import Path

import edge
from firmware_bridge.release import sysroot, wheel

ARCHITECTURE, VERSION = "aarch64", "3.11"
DEBIAN = "python3.11-minimal libpython3.11-minimal libpython3.11-stdlib"
DEBIAN += " libexpat1 libffi8 zlib1g libbz2-1.0 liblzma5"
LIBRARIES = "usr/lib/aarch64-linux-gnu"
WHEELS = ("ai-edge-litert", "numpy", "pillow")


def versions() -> str:
    """Return what is in it, for people."""
    packages = sysroot.sysroot(ARCHITECTURE, DEBIAN.split()).packages
    wheels = [wheel.fetch(name, ARCHITECTURE) for name in WHEELS]
    python = packages["libpython3.11-minimal"].partition("-")[0]
    return ", ".join([f"Python {python}", *(f"{found.name} {found.version}" for found in wheels)])


def install(folder: Path) -> None:
    """Put it into the root `folder`, under `usr`; without models.

    It starts as `usr/bin/python3.11 -m edge`, with LIBRARIES for the loader where the root is not the board's own.
    """
    interpreter(folder)
    packages = folder / f"usr/local/lib/python{VERSION}/dist-packages"  # where Debian's Python looks
    packages.mkdir(parents=True)
    for name in WHEELS:
        with zipfile.ZipFile(wheel.fetch(name, ARCHITECTURE).path) as archive:
            archive.extractall(packages)
    left_out = shutil.ignore_patterns("models", "__pycache__")
    shutil.copytree(Path(edge.__file__).parent, packages / "edge", ignore=left_out)
    compiled(packages)


def interpreter(folder: Path) -> None:
    """Put Python with its standard library alone into the root `folder`, under `usr`."""
    if not sys.version.startswith(f"{VERSION}."):
        raise SystemExit(f"this is Python {sys.version.split()[0]}: expected {VERSION}, to compile for the board's")
    root = sysroot.sysroot(ARCHITECTURE, DEBIAN.split()).folder
    shutil.copytree(root / "usr", folder / "usr", symlinks=True)
    shutil.copytree(root / "lib", folder / "usr/lib", symlinks=True, dirs_exist_ok=True)  # Debian's /lib is a link
    compiled(folder / f"usr/lib/python{VERSION}")


def compiled(place: Path) -> None:
    """Compile the modules of a folder; dates are compared with the sources', as pip has it."""
    compileall.compile_dir(place, quiet=2)  # what it can't compile are examples of broken code
