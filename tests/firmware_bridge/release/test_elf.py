"""The ELF reader against readelf, and on damaged files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import EdgeError
from firmware_bridge import target
from firmware_bridge.release import elf
from tests.firmware_bridge.conftest import library

READELF = shutil.which("readelf")
SMALL = Path(shutil.which("true") or "/bin/true").resolve()


def by_readelf(path: Path) -> tuple[set[str], dict[str, str]]:
    """Return the libraries and the highest version of each kind, as binutils read them."""
    dynamic = subprocess.run([READELF, "-dW", path], capture_output=True, text=True, check=True).stdout
    needs = subprocess.run([READELF, "-VW", path], capture_output=True, text=True, check=True).stdout
    needs = needs.partition("Version needs section")[2]
    versions: dict[str, tuple[int, ...]] = {}
    for kind, version in re.findall(r"Name: ([A-Z]+)_([0-9.]+) ", needs):
        versions[kind] = max(versions.get(kind, ()), tuple(map(int, version.split("."))))
    joined = {kind: ".".join(map(str, version)) for kind, version in versions.items()}
    return set(re.findall(r"\(NEEDED\).*\[(.+)\]", dynamic)), joined


@pytest.mark.skipif(READELF is None, reason="readelf is not installed")
@pytest.mark.parametrize("name", ["program", "python", "litert"])
def test_what_binutils_read(name: str) -> None:
    path = {"program": SMALL, "python": Path(sys.executable).resolve(), "litert": library()}[name]
    found = elf.read(path)
    libraries, versions = by_readelf(path)
    assert set(found.libraries) == libraries and dict(found.versions) == versions
    assert libraries and versions


def test_a_program_names_its_loader_and_processor() -> None:
    found = elf.read(SMALL)
    assert found.interpreter is not None and Path(found.interpreter).exists()
    assert found.architecture == subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()


def test_other_processors(tmp_path: Path) -> None:
    data = bytearray(SMALL.read_bytes())
    data[18:20] = (183).to_bytes(2, "little")
    (tmp_path / "arm").write_bytes(data)
    assert elf.read(tmp_path / "arm").architecture == "aarch64"
    data[18:20] = (243).to_bytes(2, "little")  # RISC-V
    (tmp_path / "riscv").write_bytes(data)
    with pytest.raises(EdgeError, match=r"machine 243.*not known here"):
        elf.read(tmp_path / "riscv")


@pytest.mark.parametrize("data", [b"", b"\x7fELF", b"#!/bin/sh\n", b"\x7fELF\x02\x02" + bytes(100)])
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "file").write_bytes(data)
    with pytest.raises(EdgeError, match="can't be read as an ELF file"):
        elf.read(tmp_path / "file")


def test_stripped_section_headers_are_refused_and_not_taken_for_no_needs() -> None:
    data = bytearray(SMALL.read_bytes())
    data[40:48] = bytes(8)  # where the section headers are
    data[60:64] = bytes(4)  # how many there are, and which has their names
    with pytest.raises(EdgeError, match="section headers are stripped"):
        elf.parse(bytes(data), "file")


def test_a_private_symbol_of_the_c_library_is_refused(tmp_path: Path) -> None:
    data = bytearray(SMALL.read_bytes())
    place = data.index(b"GLIBC_2.")
    end = data.index(b"\0", place)
    data[place:end] = b"GLIBC_PRIVATE"[: end - place].ljust(end - place, b"_")
    with pytest.raises(EdgeError, match="it asks for GLIBC_P"):
        elf.parse(bytes(data), "file")


def test_without_pyelftools_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "elftools"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "elftools", None)
    with pytest.raises(EdgeError, match=r"pyelftools is not installed: expected it.*pip install '\.\[host\]'"):
        elf.read(SMALL)


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 4096), st.binary(min_size=1, max_size=16), st.integers(64, 60_000))
def test_damage_is_an_error_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, place: int, change: bytes, length: int
) -> None:
    data = bytearray(SMALL.read_bytes())
    data[place : place + len(change)] = change
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(data[:length])
    try:
        found = elf.read(path)
    except EdgeError:
        return
    assert found.architecture in elf.ARCHITECTURES.values()


def binary(architecture: str = "aarch64", **versions: str) -> elf.Elf:
    return elf.Elf(architecture, None, (), versions)


def test_requirements_are_the_highest_of_all_binaries() -> None:
    board = target.load("pi5")
    needs = target.require(
        board, {"a": binary(GLIBC="2.34"), "b": binary(GLIBC="2.4", GLIBCXX="3.4.30", CXXABI="1.3.7")}
    )
    assert needs == {"GLIBC": "2.34", "GLIBCXX": "3.4.30"}  # 2.34 is more than 2.4


def test_what_a_target_has_not_is_refused() -> None:
    board = target.load("coral-dev")
    with pytest.raises(EdgeError, match=r"lib needs GLIBC 2\.34: the target coral-dev has 2\.28"):
        target.require(board, {"program": binary(GLIBC="2.17"), "lib": binary(GLIBC="2.34")})
    with pytest.raises(EdgeError, match="lib is for x86_64: expected aarch64"):
        target.require(board, {"lib": binary("x86_64")})
