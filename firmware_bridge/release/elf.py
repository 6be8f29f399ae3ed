"""What a binary needs of the system it is to run on, read from the binary itself."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError

# (class, machine) of the ELF header -> architecture as `uname -m` says it
ARCHITECTURES = {(2, 62): "x86_64", (2, 183): "aarch64", (1, 40): "armv7l"}

_LOAD, _DYNAMIC, _INTERPRETER = 1, 2, 3
_END, _NEEDED, _STRTAB, _VERNEED, _VERNEEDNUM = 0, 1, 5, 0x6FFFFFFE, 0x6FFFFFFF
_MOST = 10_000  # entries of any list: far above a real file's, so that a damaged one ends


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
    """Return what an ELF file's bytes need; EdgeError where they are no whole one for a processor that is known here.

    From the program headers, the dynamic section and its version needs (System V ABI, chapter 5; Linux Standard Base,
    symbol versioning): what the dynamic loader itself reads. Section headers may have been stripped.
    """
    try:
        return _Reader(data).elf()
    except (struct.error, IndexError, KeyError, ValueError) as error:
        raise EdgeError(
            f"{where} can't be read as an ELF file ({error}): expected a program or library for Linux; build it again"
        ) from None


class _Reader:
    def __init__(self, data: bytes) -> None:
        if data[:4] != b"\x7fELF":
            raise ValueError(f"it begins with {data[:4]!r}")
        self.data, self.wide = data, data[4] == 2
        if data[5] != 1:
            raise ValueError("it is not little-endian")
        machine = self.take("<H", 18)[0]
        if (data[4], machine) not in ARCHITECTURES:
            raise ValueError(f"it is for machine {machine}, class {data[4]}, which is not known here")
        self.architecture = ARCHITECTURES[data[4], machine]
        if self.wide:
            table, (size, count) = self.take("<Q", 32)[0], self.take("<HH", 54)
            form, order = "<IIQQQQQQ", (0, 2, 3, 5)
        else:
            table, (size, count) = self.take("<I", 28)[0], self.take("<HH", 42)
            form, order = "<IIIIIIII", (0, 1, 2, 4)
        # (kind, offset in the file, address in memory, bytes in the file)
        self.segments = [
            tuple(self.take(form, table + number * size)[place] for place in order) for number in range(count)
        ]

    def take(self, form: str, offset: int) -> tuple[int, ...]:
        if not 0 <= offset < len(self.data):
            raise ValueError("an offset lies outside of it")
        return struct.unpack_from(form, self.data, offset)

    def offset(self, address: int) -> int:
        for kind, offset, start, size in self.segments:
            if kind == _LOAD and start <= address < start + size:
                return offset + address - start
        raise ValueError(f"address {address:#x} is in none of its segments")

    def word(self, offset: int) -> str:
        end = self.data.index(b"\0", offset)
        return self.data[offset:end].decode("ascii")

    def elf(self) -> Elf:
        interpreter, entries = None, []
        for segment, offset, _, size in self.segments:
            if segment == _INTERPRETER:
                interpreter = self.word(offset)
            elif segment == _DYNAMIC:
                entries = self.dynamic(offset, size)
        found = dict(entries)
        if not entries:  # linked statically
            return Elf(self.architecture, interpreter, (), {})
        strings = self.offset(found[_STRTAB])
        libraries = tuple(self.word(strings + value) for tag, value in entries if tag == _NEEDED)
        versions: dict[str, str] = {}
        if _VERNEED in found:
            for name in self.version_names(self.offset(found[_VERNEED]), found[_VERNEEDNUM], strings):
                kind, _, version = name.partition("_")
                if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})*", version):
                    versions[kind] = highest([version, versions.get(kind, "0")])
                elif kind == "GLIBC":  # GLIBC_PRIVATE: of one build of the C library and no other
                    raise ValueError(f"it asks for {name}")
        return Elf(self.architecture, interpreter, libraries, versions)

    def dynamic(self, offset: int, size: int) -> list[tuple[int, int]]:
        step, form = (16, "<qQ") if self.wide else (8, "<iI")
        entries = []
        for place in range(offset, offset + min(size, _MOST * step), step):
            tag, value = self.take(form, place)
            if tag == _END:
                break
            entries.append((tag, value))
        return entries

    def version_names(self, place: int, count: int, strings: int) -> Iterable[str]:
        for _ in range(min(count, _MOST)):
            _, names, _, first, following = self.take("<HHIII", place)
            item = place + first
            for _ in range(min(names, _MOST)):
                _, _, _, name, step = self.take("<IHHII", item)
                yield self.word(strings + name)
                item += step
            place += following


def order(version: str) -> tuple[int, ...]:
    """Return "2.34" as (2, 34), to compare."""
    return tuple(int(part) for part in version.split("."))


def highest(versions: Iterable[str]) -> str:
    """Return the highest of several versions."""
    return max(versions, key=order)
