"""The boards that are known: small TOML files, each saying what one kind of board has."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from edge.errors import EdgeError, one_line
from edge.terminal import columns
from firmware_bridge.release import elf

FOLDER = Path(__file__).with_name("targets")
# Names of a board's C and C++ libraries: all else that a binary is linked to must be in the release.
SYSTEM_LIBRARIES = ("libc.so", "libm.so", "libdl.so", "libpthread.so", "librt.so", "libstdc++.so", "libgcc_s.so", "ld-")
_CHOICES = {
    "architecture": tuple(elf.ARCHITECTURES.values()),
    "program": ("native", "python", "none"),
    "accelerator": ("none", "edgetpu-usb", "edgetpu-pcie"),
}
_VERSION = re.compile(r"[0-9]{1,5}(\.[0-9]{1,5}){0,3}")


@dataclass(frozen=True)
class Target:
    """One kind of board, with the system that its maker gives it.

    Attributes:
        name: the file's, without its ending.
        title: one line for people.
        architecture: of its programs, as `uname -m` says it; a 32-bit system's kernel may say another.
        program: which `edge-infer` it gets: "native" or "python"; "none" where its system is too old for both.
        python: version of its system's Python.
        cores, memory_mb: of the smallest such board.
        accelerator: "none", "edgetpu-usb" or "edgetpu-pcie".
        libraries: versions that its C and C++ libraries have, by the names that binaries ask by: "GLIBC", "GLIBCXX".
    """

    name: str
    title: str
    architecture: str
    program: str
    python: str
    cores: int
    memory_mb: int
    accelerator: str
    libraries: Mapping[str, str]


def names() -> list[str]:
    """Return the names of the targets that came with the program."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def load(name: str) -> Target:
    """Return the target of a name or of a `.toml` file; EdgeError where there is none or it is wrong."""
    import tomllib  # Python 3.11 has it; the package is installed on boards with 3.10, too

    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    if not name.endswith(".toml") and name not in names():
        raise EdgeError(f"there is no target {name!r}: expected one of {', '.join(names())}, or a .toml file")
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgeError(f"{path} can't be read ({error.strerror}): expected a target's TOML file") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EdgeError(f"{path} is not TOML ({error}): expected a target; see firmware_bridge/targets") from None
    return _parse(path, raw)


def _parse(path: Path, raw: Mapping[str, object]) -> Target:
    def refuse(key: str, found: object, expected: str) -> EdgeError:
        return EdgeError(f"{path}: {key} is {found!r}: expected {expected}; correct it")

    _check_names(path, raw)
    for key in ("title", "architecture", "program", "python", "accelerator"):
        value = raw[key]
        if not isinstance(value, str) or not value or not value.isprintable():
            raise refuse(key, value, "one line of text in quotes")
        if key in _CHOICES and value not in _CHOICES[key]:
            raise refuse(key, value, " or ".join(map(repr, _CHOICES[key])))
    for key in ("cores", "memory_mb"):
        number = raw[key]
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number < 1 << 31:
            raise refuse(key, number, "a whole number of at least 1")
    if raw["program"] == "native" and raw["accelerator"] != "none":
        raise refuse("program", "native", "'python' beside an accelerator, which the native program does not use")
    libraries = raw["libraries"]
    if not isinstance(libraries, dict) or set(libraries) != {"GLIBC", "GLIBCXX"}:
        raise refuse("libraries", libraries, "a table with GLIBC and GLIBCXX")
    for key, version in [("python", raw["python"]), *((f"libraries.{key}", libraries[key]) for key in libraries)]:
        if not isinstance(version, str) or not _VERSION.fullmatch(version):
            raise refuse(key, version, 'a version in quotes, as "2.36"')
    return Target(name=path.stem, **raw)  # type: ignore[arg-type]  # each was checked above


def _check_names(path: Path, raw: Mapping[str, object]) -> None:
    """Raise EdgeError where the file's name can't be a target's, or its keys are not those of one."""
    known = [key for key in Target.__dataclass_fields__ if key != "name"]
    for key in raw:
        if key not in known:
            raise EdgeError(f"{path} has the unknown key {key!r}: known are {', '.join(known)}; correct it")
    for key in known:
        if key not in raw:
            raise EdgeError(f"{path} has no {key!r}: expected {', '.join(known)}; add it")
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", path.stem):
        raise EdgeError(f"{path} can't name a target: expected a file name of lower-case letters, digits and -")


def table(targets: Iterable[Target]) -> str:
    """Return the targets as lines for people."""
    header = ("target", "processor", "program", "Python", "glibc", "cores", "MB", "accelerator", "")
    rows: list[tuple[str, ...]] = [header]
    for target in targets:
        version = target.libraries["GLIBC"]
        numbers = str(target.cores), str(target.memory_mb)
        first = (target.name, target.architecture, target.program, target.python, version)
        rows.append(tuple(map(one_line, (*first, *numbers, target.accelerator, target.title))))  # a user's own file
    return "".join(f"{line}\n" for line in columns(rows, range(len(header))))


def check_buildable(target: Target) -> None:
    """Raise EdgeError where no release can be built for it."""
    if target.program == "none":
        raise EdgeError(
            f"there is no release for {target.name}, which has glibc {target.libraries['GLIBC']} and Python "
            f"{target.python}: expected glibc 2.34, as LiteRT's library wants, or Python 3.10, as the Python program "
            "does; install that by hand with Python 3.10 and tflite-runtime 2.13.0 for it (docs/coral.md)"
        )


def require(target: Target, binaries: Mapping[str, elf.Elf]) -> dict[str, str]:
    """Return the versions that binaries ask of a board's libraries; EdgeError where `target` has not all of them.

    Args:
        binaries: by the names that messages call them. What is in another one of them is not asked of the board.
    """
    needs = {"GLIBC": "0", "GLIBCXX": "0"}
    for name, binary in binaries.items():
        if binary.architecture != target.architecture:
            raise EdgeError(f"{name} is for {binary.architecture}: expected {target.architecture}, as {target.name} is")
        # CXXABI and GCC go with GLIBCXX: one compiler release numbers all three.
        for kind in needs:
            needed = binary.versions.get(kind, "0")
            if elf.order(needed) > elf.order(target.libraries[kind]):
                raise EdgeError(
                    f"{name} needs {kind} {needed}: the target {target.name} has {target.libraries[kind]}; give the "
                    "board a newer system, or take a build of it for an older one"
                )
            needs[kind] = elf.highest([needs[kind], needed])
    return needs
