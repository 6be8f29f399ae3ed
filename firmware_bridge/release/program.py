"""The native `edge-infer`, compiled for a target."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import platform
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError
from edge.files import write_beside
from edge.scratch import cache, scratch
from firmware_bridge import tools
from firmware_bridge.release.sysroot import Sysroot
from firmware_bridge.target import Target

SOURCE = Path(__file__).parents[1] / "native"
_DIGEST_BYTES = hashlib.sha256().digest_size
_TOOLCHAINS = {"aarch64": ("aarch64.cmake", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")}


class _Setup(NamedTuple):
    """Compiler, and what CMake is told of it and of the libraries."""

    compiler: str
    options: Sequence[str]


def build(target: Target, sysroot: Sysroot) -> bytes:
    """Return the program, linked with the libraries of `sysroot`, stripped; in every folder the same bytes.

    It is compiled once: the cache keeps it by a digest of its sources, its libraries' versions, the compiler and the C
    library; whoever wants one meanwhile waits for it. Raises EdgeError where a tool is missing, the compiler refuses or
    the cache can't be written.
    """
    setup = _setup(target.architecture, sysroot)
    place = cache() / "programs" / _digest(target.architecture, sysroot, setup.compiler)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        with open(place.parent / "lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            program = _kept(place)
            if program is None:
                program = _compiled(setup.options)
                write_beside(place, hashlib.sha256(program).digest() + program)
            return program
    except OSError as error:
        raise EdgeError(
            f"the compiled edge-infer can't be kept in {place.parent} ({error.strerror}): expected room and the right "
            "to write; make room, or set XDG_CACHE_HOME to another folder"
        ) from None


def _setup(architecture: str, sysroot: Sysroot) -> _Setup:
    """Return what the program is compiled with; EdgeError where it is missing."""
    options = [f"-DEDGE_ROOT={sysroot.folder}"]
    if architecture in _TOOLCHAINS:
        toolchain, compiler, package = _TOOLCHAINS[architecture]
        options.append(f"-DCMAKE_TOOLCHAIN_FILE={SOURCE / toolchain}")
    elif architecture == platform.machine():
        compiler, package = "cc", "gcc"
        options = [f"-DCMAKE_FIND_ROOT_PATH={sysroot.folder}"]
        options += [f"-DCMAKE_FIND_ROOT_PATH_MODE_{kind}=ONLY" for kind in ("LIBRARY", "INCLUDE")]
    else:
        raise EdgeError(
            f"the native program for {architecture} can't be built on {platform.machine()}: expected such a machine; "
            "build there"
        )
    for tool, origin in (("cmake", "cmake"), (compiler, package)):
        if shutil.which(tool) is None:
            raise EdgeError(f"{tool} is not installed: expected it to compile edge-infer; apt-get install {origin}")
    return _Setup(compiler, options)


def _digest(architecture: str, sysroot: Sysroot, compiler: str) -> str:
    """Return a digest of what the program is made from."""
    libc = Path(_run(compiler, "-print-file-name=libc.so.6").strip())
    files = sorted(path for path in SOURCE.rglob("*") if path.is_file())
    named = [*((str(path.relative_to(SOURCE)), path) for path in files), ("libc", libc), ("here", Path(__file__))]
    made_from = {
        "architecture": architecture,
        "files": [(name, hashlib.sha256(path.read_bytes()).hexdigest()) for name, path in named if path.is_file()],
        "libraries": sorted(sysroot.packages.items()),
        "tools": [_run(tool, "--version") for tool in (compiler, "cmake")],
    }
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()


def _kept(place: Path) -> bytes | None:
    """Return the program that is kept there; None where there is none, or another one than was kept."""
    try:
        data = place.read_bytes()
    except FileNotFoundError:
        return None
    digest, program = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    return program if hashlib.sha256(program).digest() == digest else None


def _compiled(options: Sequence[str]) -> bytes:
    with scratch("build") as folder:
        more = ["-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXE_LINKER_FLAGS=-s"]
        _run("cmake", "-S", str(SOURCE), "-B", str(folder), *options, *more)
        _run("cmake", "--build", str(folder), "--target", "edge-infer", "--parallel", str(os.cpu_count() or 1))
        return (folder / "edge-infer").read_bytes()


def _run(*command: str) -> str:
    done = tools.run(command)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
        reason = next((line for line in lines if "rror" in line), lines[0])
        raise EdgeError(f"the native edge-infer can't be built ({reason.strip()}): correct what the compiler names")
    return done.stdout
