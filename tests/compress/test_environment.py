"""Environments of other tools: made once by a real pip, from a wheel that is here."""

from __future__ import annotations

import subprocess
import zipfile
from pathlib import Path

import pytest

from compress import environment
from compress.environment import Packages
from edge.errors import EdgeError


def wheel(folder: Path, version: str) -> str:
    """Return the path of a wheel with one module."""
    path = folder / f"tiny_tool-{version}-py3-none-any.whl"
    info = f"tiny_tool-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("tiny_tool.py", f"print({version!r})\n")
        packed.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: tiny-tool\nVersion: {version}\n")
        packed.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        packed.writestr(f"{info}/RECORD", "")
    return str(path)


def says(place: Path) -> str:
    command = [str(place / "bin/python"), "-I", "-m", "tiny_tool"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.compile  # pip takes seconds for each environment
def test_an_environment_is_made_once_and_again_for_other_requirements(tmp_path: Path) -> None:
    said: list[str] = []
    first, second = wheel(tmp_path, "1.0"), wheel(tmp_path, "2.0")
    place = environment.ready("tiny", Packages((first,)), tmp_path / "env", said.append)
    assert environment.is_ready("tiny", Packages((first,)), tmp_path / "env")
    assert not environment.is_ready("tiny", Packages((second,)), tmp_path / "env")
    assert says(place) == "1.0" and said[0].startswith("making the environment of tiny, once: ")
    said.clear()
    assert environment.ready("tiny", Packages((first,)), tmp_path / "env", said.append) == place and said == []
    (place / "complete").unlink()  # as where its making was interrupted
    assert says(environment.ready("tiny", Packages(alone=(second,)), tmp_path / "env", said.append)) == "2.0"
    assert len(said) == 1
    (place / "bin/python").unlink()  # as where the Python that made it was removed
    assert not environment.is_ready("tiny", Packages(alone=(second,)), tmp_path / "env")


@pytest.mark.compile
def test_what_pip_can_not_install(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match="the environment of tiny can't be made") as raised:
        environment.ready("tiny", Packages((str(tmp_path / "none-1.0-py3-none-any.whl"),)), tmp_path, lambda text: None)
    assert raised.value.code == "environment.failed"
    assert "none-1.0" in (tmp_path / "tiny.log").read_text()


def test_a_folder_that_can_not_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EdgeError, match="can't be written") as raised:
        environment.ready("tiny", Packages(("tiny-tool",)), tmp_path / "file", lambda text: None)
    assert raised.value.code == "environment.failed"
