"""The native `edge-infer`, compiled for a target."""

from __future__ import annotations

import os
import platform
import shutil
from pathlib import Path

from edge.errors import EdgeError
from edge.scratch import scratch
from firmware_bridge import tools
from firmware_bridge.release.sysroot import Sysroot
from firmware_bridge.target import Target

SOURCE = Path(__file__).parents[1] / "native"
_TOOLCHAINS = {"aarch64": ("aarch64.cmake", "aarch64-linux-gnu-gcc", "gcc-aarch64-linux-gnu")}


def build(target: Target, sysroot: Sysroot) -> bytes:
    """Return the program, linked with the libraries of `sysroot`, stripped; in every folder the same bytes.

    Raises EdgeError where a tool is missing or the compiler refuses.
    """
    roots = [f"-DEDGE_ROOT={sysroot.folder}"]
    if target.architecture in _TOOLCHAINS:
        toolchain, compiler, package = _TOOLCHAINS[target.architecture]
        roots.append(f"-DCMAKE_TOOLCHAIN_FILE={SOURCE / toolchain}")
    elif target.architecture == platform.machine():
        compiler, package = "cc", "gcc"
        roots = [f"-DCMAKE_FIND_ROOT_PATH={sysroot.folder}"]
        roots += [f"-DCMAKE_FIND_ROOT_PATH_MODE_{kind}=ONLY" for kind in ("LIBRARY", "INCLUDE")]
    else:
        raise EdgeError(
            f"the native program for {target.architecture} can't be built on {platform.machine()}: expected such a "
            "machine; build there"
        )
    for tool, origin in (("cmake", "cmake"), (compiler, package)):
        if shutil.which(tool) is None:
            raise EdgeError(f"{tool} is not installed: expected it to compile edge-infer; apt-get install {origin}")
    with scratch("build") as folder:
        options = [*roots, "-DCMAKE_BUILD_TYPE=Release", "-DCMAKE_EXE_LINKER_FLAGS=-s"]
        _run("cmake", "-S", str(SOURCE), "-B", str(folder), *options)
        _run("cmake", "--build", str(folder), "--target", "edge-infer", "--parallel", str(os.cpu_count() or 1))
        return (folder / "edge-infer").read_bytes()


def _run(*command: str) -> None:
    done = tools.run(command)
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
        reason = next((line for line in lines if "rror" in line), lines[0])
        raise EdgeError(f"the native edge-infer can't be built ({reason.strip()}): correct what the compiler names")
