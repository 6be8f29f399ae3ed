"""The Python `edge-infer` as a release carries it: all but Python itself.

It is for boards that have no LiteRT library, and for those with an accelerator, which the native program does not use.

tflite-runtime comes from its wheel, numpy and Pillow with the libraries that they need from Debian: there are no wheels
of them for 32-bit Arm, and tflite-runtime wants an old numpy, as Debian's is. Everything is compiled beforehand:
without its .pyc files Python starts twice as slowly.
"""

from __future__ import annotations

import importlib.util
import marshal
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import edge
from edge.errors import EdgeError
from firmware_bridge.release import elf, sbom, sysroot, wheel
from firmware_bridge.release.release import File, Link, Payload
from firmware_bridge.release.sbom import Component
from firmware_bridge.target import SYSTEM_LIBRARIES, Target

ROOT = "lib/python"
# Packages, and what of Debian their modules are linked to; a library that is missing here is named.
_PACKAGES = {
    "python3-numpy": ("numpy", "BSD-3-Clause"),
    "python3-pil": ("Pillow", "HPND"),
}
# With the licence of what is linked, as its copyright file in Debian 12 has it.
_GCC = "GPL-3.0-or-later WITH GCC-exception-3.1"
_LIBRARIES = {
    "gcc-12-base": _GCC,
    "libblas3": "BSD-3-Clause",
    "libbsd0": "BSD-3-Clause AND BSD-2-Clause AND ISC AND MIT",
    "libdeflate0": "MIT",
    "libgfortran5": _GCC,
    "libgomp1": _GCC,
    "libimagequant0": "GPL-3.0-or-later AND HPND",
    "libjbig0": "GPL-2.0-or-later",
    "libjpeg62-turbo": "IJG AND BSD-3-Clause AND Zlib",
    "liblapack3": "BSD-3-Clause",
    "liblerc4": "Apache-2.0",
    "liblzma5": "LicenseRef-public-domain",
    "libmd0": "BSD-3-Clause AND BSD-2-Clause AND ISC AND LicenseRef-public-domain",
    "libopenjp2-7": "BSD-2-Clause",
    "libtiff6": "libtiff",
    "libwebp7": "BSD-3-Clause",
    "libwebpdemux2": "BSD-3-Clause",
    "libwebpmux3": "BSD-3-Clause",
    "libxau6": "X11",
    "libxcb1": "X11",
    "libxdmcp6": "X11",
    "libzstd1": "BSD-3-Clause OR GPL-2.0-only",
    "zlib1g": "Zlib",
}
# Not read by edge-infer, and a third of the size.
_FOLDERS_LEFT_OUT = ("/tests/", "/numpy/f2py/", "/numpy/distutils/", "/PIL/_imagingcms.", "/PIL/_imagingft.")
_ENDINGS_LEFT_OUT = (".pyi", ".pxd", ".a", ".h")
_APACHE = Path("/usr/share/common-licenses/Apache-2.0")  # of Debian, which the host is; the wheel has no licence
_LAUNCHER = """#!/bin/sh
# edge-infer in Python: the board's Python, and all else from this release.
here=$(dirname "$(readlink -f "$0")")/..
unset PYTHONHOME
LD_LIBRARY_PATH=$here/lib PYTHONPATH=$here/lib/python
export LD_LIBRARY_PATH PYTHONPATH
exec python3 -P -s -B -m edge "$@"
"""


def files(target: Target) -> tuple[Payload, list[Component]]:
    """Return the program's files and its parts.

    Raises EdgeError where they can't be had, and where this Python is none that compiles for the target's.
    """
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    if target.python != here:
        raise EdgeError(
            f"this is Python {here}, and {target.name} has {target.python}: expected the same, to compile for it; "
            f"run edge-deploy with Python {target.python}"
        )
    payload: dict[str, File | Link] = {"bin/edge-infer": File(_LAUNCHER.encode(), executable=True)}
    package = Path(edge.__file__).parent
    for path in sorted(package.rglob("*.py")):
        payload[f"{ROOT}/edge/{path.relative_to(package)}"] = File(path.read_bytes())
    payload[f"{ROOT}/edge/models"] = Link("../../../models")
    runtime = wheel.fetch("tflite-runtime", target.architecture)
    with zipfile.ZipFile(runtime.path) as archive:
        for name in sorted(archive.namelist()):
            if not name.endswith("/"):
                payload[f"{ROOT}/{name}"] = File(archive.read(name))
    if not _APACHE.exists():
        raise EdgeError(
            f"{_APACHE} does not exist: expected a Debian host, as the release contains tflite-runtime's licence"
        )
    payload["licences/tflite-runtime"] = File(b"Copyright The TensorFlow Authors\n\n" + _APACHE.read_bytes())
    purl = sbom.pypi("tflite-runtime", runtime.version)
    parts = [Component("library", "tflite-runtime", runtime.version, purl, "Apache-2.0", runtime.path.read_bytes())]
    root = sysroot.sysroot(target.architecture, [*_PACKAGES, *_LIBRARIES])
    payload |= {f"{ROOT}/{name}": File(data) for name, data in _modules(root.folder)}
    payload |= _closure(payload, root.folder)
    for name, version in root.packages.items():
        title, terms = _PACKAGES.get(name) or (name, _LIBRARIES[name])
        payload[f"licences/{title}"] = File((root.folder / f"usr/share/doc/{name}/copyright").read_bytes())
        purl = sbom.deb(name, version, sysroot.DEBIAN[target.architecture])
        parts.append(Component("library", title, version, purl, terms, None))
    return {**payload, **_compiled(payload)}, parts


def _modules(root: Path) -> Iterator[tuple[str, bytes]]:
    packages = root / "usr/lib/python3/dist-packages"
    for path in sorted(packages.rglob("*")):
        name = f"/{path.relative_to(packages)}"
        left_out = name.endswith(_ENDINGS_LEFT_OUT) or any(word in name for word in _FOLDERS_LEFT_OUT)
        if path.is_file() and not left_out:
            yield name[1:], path.read_bytes()


def _closure(payload: Payload, root: Path) -> dict[str, File | Link]:
    """Return the libraries of `root` that the payload's modules are linked to, and those that these are linked to."""
    known = {path.name: path for path in sorted(root.rglob("*.so.*"))}
    found: dict[str, File | Link] = {}
    waiting = [file.data for file in payload.values() if isinstance(file, File) and file.data.startswith(b"\x7fELF")]
    while waiting:
        for needed in elf.parse(waiting.pop(), "a module").libraries:
            if f"lib/{needed}" in found or needed.startswith(SYSTEM_LIBRARIES):
                continue
            if needed in known:  # what is not is reported where the whole release is checked
                data = known[needed].read_bytes()  # under the name by which it is asked for, whatever it links to
                found[f"lib/{needed}"] = File(data)
                waiting.append(data)
    return found


def _compiled(payload: Payload) -> dict[str, File | Link]:
    """Return the .pyc of every module: reproducible, and not compared with the source at each start."""
    found: dict[str, File | Link] = {}
    for name, file in payload.items():
        if isinstance(file, File) and name.endswith(".py"):
            code = compile(file.data, name.removeprefix(f"{ROOT}/"), "exec", dont_inherit=True, optimize=0)
            source = importlib.util.source_hash(file.data)
            header = importlib.util.MAGIC_NUMBER + (0b01).to_bytes(4, "little") + source
            folder, _, module = name.rpartition("/")
            place = f"{folder}/__pycache__/{module[:-3]}.{sys.implementation.cache_tag}.pyc"
            # Up to version 2 nothing depends on which objects this process happens to share.
            found[place] = File(header + marshal.dumps(code, 2))
    return found
