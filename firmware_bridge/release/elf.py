"""What a binary needs of the system it is to run on, read from the binary itself by pyelftools."""

from __future__ import annotations

import io
import itertools
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edge.errors import EdgeError

# (class, machine) of the ELF header -> architecture as `uname -m` says it
ARCHITECTURES = {(2, 62): "x86_64", (2, 183): "aarch64", (1, 40): "armv7l"}

_MOST = 10_000  # entries of a list: far above a real file's, so that a damaged one ends


class Elf(NamedTuple):
    """One program or library.

    Attributes:
        architecture: one of ARCHITECTURES' values.
        interpreter: the dynamic loader's path; None for a library.
        libraries: names of the libraries that it is linked to.
        versions: of each kind of version that it asks of them ("GLIBC", "GLIBCXX", ...) the highest, as "2.34".
    """

    architecture: str
    interpreter: str | None
    libraries: tuple[str, ...]
    versions: Mapping[str, str]


def read(path: Path) -> Elf:
    """Return what the file at `path` needs; raises as `parse` does."""
    return parse(path.read_bytes(), str(path))


def parse(data: bytes, where: str) -> Elf:
    """Return what an ELF file's bytes need.

    Raises EdgeError where they are no whole one for a processor that is known here, and where pyelftools is missing.
    """
    try:
        from elftools.elf.elffile import ELFFile
    except ModuleNotFoundError:
        raise EdgeError(
            "pyelftools is not installed: expected it, to read what a release's programs need; install it with "
            "pip install '.[host]' in the project's folder"
        ) from None
    try:
        return _needs(ELFFile(io.BytesIO(data)), data)
    except MemoryError:
        raise
    except Exception as error:  # a damaged file leads anywhere: ELF, construct, index, Unicode errors
        raise EdgeError(
            f"{where} can't be read as an ELF file ({str(error) or type(error).__name__}): expected a program or "
            "library for Linux; build it again"
        ) from None


def _needs(file: Any, data: bytes) -> Elf:
    from elftools.elf.gnuversions import GNUVerNeedSection

    if not file.little_endian:
        raise ValueError("it is not little-endian")
    machine = data[4], int.from_bytes(data[18:20], "little")
    if machine not in ARCHITECTURES:
        raise ValueError(f"it is for machine {machine[1]}, class {machine[0]}, which is not known here")
    interpreter, libraries, is_versioned = None, [], False
    for segment in file.iter_segments():
        if segment["p_type"] == "PT_INTERP":
            interpreter = segment.get_interp_name()
        elif segment["p_type"] == "PT_DYNAMIC":
            tags = _first(segment.iter_tags())
            libraries = [tag.needed for tag in tags if tag["d_tag"] == "DT_NEEDED"]
            is_versioned = any(tag["d_tag"] == "DT_VERNEED" for tag in tags)
    sections = [section for section in file.iter_sections() if isinstance(section, GNUVerNeedSection)]
    if is_versioned and not sections:
        raise ValueError("its section headers are stripped")
    asked = [asked for section in sections for _, asked in _first(section.iter_versions())]
    names = [one.name for each in asked for one in _first(each)]
    return Elf(ARCHITECTURES[machine], interpreter, tuple(libraries), _highest_of(names))


def _first(entries: Iterable[Any]) -> list[Any]:
    return list(itertools.islice(entries, _MOST))


def _highest_of(names: Iterable[str]) -> dict[str, str]:
    """Return the highest version of each kind, of names like GLIBC_2.34."""
    versions: dict[str, str] = {}
    for name in names:
        kind, _, version = name.partition("_")
        if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", version):
            versions[kind] = highest([version, versions.get(kind, "0")])
        elif kind == "GLIBC":  # GLIBC_PRIVATE: of one build of the C library and no other
            raise ValueError(f"it asks for {name}")
    return versions


def order(version: str) -> tuple[int, ...]:
    """Return "2.34" as (2, 34), to compare."""
    return tuple(int(part) for part in version.split("."))


def highest(versions: Iterable[str]) -> str:
    """Return the highest of several versions."""
    return max(versions, key=order)
