"""The targets that ship, and what is refused as one."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge.errors import EdgeError
from firmware_bridge import target

GOOD = (target.FOLDER / "pi5.toml").read_text()


def test_every_shipped_target_is_read() -> None:
    assert {"pi5", "pi4", "pi3", "pi-zero2w", "pi-armv7", "coral-dev", "pi4-coral", "aarch64", "x86-64"} == set(
        target.names()
    )
    rows = target.table(target.load(name) for name in target.names()).splitlines()
    assert len(rows) == 10 and all(row == row.rstrip() for row in rows)
    assert target.load("pi-armv7").program == "python"  # there is no LiteRT for it
    assert target.load("pi4-coral").program == "python"  # the native program does not use the Coral


@pytest.mark.parametrize("name", target.names())
def test_what_can_not_be_built_is_listed_so(name: str) -> None:
    chosen = target.load(name)
    if chosen.program != "none":
        target.check_buildable(chosen)
        return
    assert "no release" in chosen.title
    with pytest.raises(EdgeError, match=r"no release for .*: expected .*; install that by hand .*docs/coral\.md"):
        target.check_buildable(chosen)


def test_an_unknown_name_is_told_the_known_ones() -> None:
    with pytest.raises(EdgeError, match=r"no target 'pi9': expected one of aarch64, .*pi5"):
        target.load("pi9")


@pytest.mark.parametrize("name", ["../targets/pi5", "pi5 ", "", "PI5"])
def test_a_name_is_no_path(name: str) -> None:
    with pytest.raises(EdgeError, match="there is no target"):
        target.load(name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"aarch64"', '"mips"', "architecture is 'mips': expected 'x86_64' or 'aarch64' or 'armv7l'"),
        ('"native"', '"rust"', "program is 'rust'"),
        ("cores = 4", "cores = 0", "cores is 0: expected a whole number"),
        ("cores = 4", "cores = true", "cores is True"),
        ("cores = 4\n", "", "has no 'cores'"),
        ("cores = 4", "cores = 4\nsize = 3", "unknown key 'size'"),
        ('"2.36"', '"new"', "libraries.GLIBC is 'new'"),
        ('GLIBC = "2.36"\n', "", "libraries is"),
        ('"none"', '"gpu"', "accelerator is 'gpu'"),
        ('"none"', '"edgetpu-usb"', "program is 'native': expected 'python' beside an accelerator"),
        ("title = ", "title ", "is not TOML"),
        ('"Raspberry Pi 5, 64-bit Raspberry Pi OS 12"', '""', "title is ''"),
    ],
)
def test_wrong_files_are_refused(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert target.load(str(path)).name == "mine"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(EdgeError) as told:
        target.load(str(path))
    assert said in str(told.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"mine.toml can't be read"):
        target.load(str(tmp_path / "mine.toml"))
