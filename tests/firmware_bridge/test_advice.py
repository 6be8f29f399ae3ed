"""Commands that a program prints are words that a shell takes as they stand."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.edge.conftest import HERE

NAMES = ["plain.tflite", "a b.tflite", 'it\'s "$HOME".tflite', "-x.tflite", "back\\slash.tflite", "é.tflite"]
NAMES += ["two\nlines.tflite", "it's\\\x1b[31mred.tflite"]


@pytest.mark.parametrize("name", NAMES)
def test_the_file_that_pack_is_to_begin_with(programs, tmp_path, name):
    if shutil.which("bash") is None:
        pytest.skip("bash is not installed")
    shutil.copy(HERE / "data/tiny.tflite", tmp_path / name)
    python, native = [programs[key](f"--model={name}", "x.png", cwd=tmp_path) for key in ("python", "native")]
    for done in (python, native):  # the native one names no file in its command
        assert done.status == 2 and done.err.count("\n") == 1 and "\x1b" not in done.err
        assert "edge-compress pack" in done.err
    command = python.err.split("`")[1]
    shell = ["bash", "-c", f"printf '%s\\0' {command}"]
    words = (
        subprocess.run(shell, capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"}).stdout.decode().split("\0")
    )
    assert words[:2] == ["edge-compress", "pack"] and words[3:] == ["--init", ""]
    assert (tmp_path / words[2]).samefile(tmp_path / name) and not words[2].startswith("-")
