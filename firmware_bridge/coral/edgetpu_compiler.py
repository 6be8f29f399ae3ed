"""Coral's own compiler, where it is installed: run, its report read, what it makes kept in the model file.

`edgetpu_compiler` is a closed program for 64-bit x86 Linux (https://coral.ai/docs/edgetpu/compiler/). It writes
NAME_edgetpu.tflite and NAME_edgetpu.log, a table of operators, and says on standard output what memory is used.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, NamedTuple

from compress.convert import model_file
from compress.report import tensors
from edge.errors import EdgeError
from edge.manifest import Unmapped
from edge.model import EDGETPU, MAX_BYTES, MODELS, ModelFile
from edge.scratch import scratch

PROGRAM = "edgetpu_compiler"
LIMIT_SECONDS = 600.0
MAPPED = "Mapped to Edge TPU"

_UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_MEMORY = {
    "on_chip_bytes": "On-chip memory used for caching model parameters",
    "on_chip_free_bytes": "On-chip memory remaining for caching model parameters",
    "off_chip_bytes": "Off-chip memory used for streaming uncached model parameters",
}
_VERSION = re.compile(r"^Edge TPU Compiler version (\S+)", re.MULTILINE)
_ROW = re.compile(r"^([A-Za-z0-9_-]+)\s+(\d+)\s+(\S.*?)\s*$", re.MULTILINE)


class Result(NamedTuple):
    """A compiled network, and what the manifest says of it (docs/model-file.md, `edgetpu`)."""

    flatbuffer: bytes
    field: dict[str, Any]


def compile_model(file: ModelFile) -> Result:
    """Return what the compiler makes of the model file's network.

    Raises EdgeError where the compiler is not installed, fails, takes nothing, or says what can't be read.
    """
    program = shutil.which(PROGRAM)
    if program is None:
        raise EdgeError(
            f"{PROGRAM} is not installed: expected it on PATH; Coral has it for x86-64 Debian "
            "(https://coral.ai/docs/edgetpu/compiler/), and without --compile the documented rules are checked"
        )
    with scratch("coral") as work:
        (work / "network.tflite").write_bytes(file.flatbuffer)
        command = [program, "--out_dir", str(work), str(work / "network.tflite")]
        try:
            done = subprocess.run(
                command,
                cwd=work,
                env={**os.environ, "LC_ALL": "C"},
                capture_output=True,
                text=True,
                errors="replace",
                timeout=LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise EdgeError(
                f"{PROGRAM} was not done with {file.path} after {LIMIT_SECONDS:g} seconds and was ended: "
                "compile a smaller network"
            ) from None
        made, log = work / "network_edgetpu.tflite", work / "network_edgetpu.log"
        if done.returncode or not made.exists() or not log.exists():
            raise EdgeError(
                f"{PROGRAM} could not compile {file.path} (exit status {done.returncode}): "
                f"{_last_line(done.stderr, done.stdout)}; see what `edge-deploy coral` says of it without --compile"
            )
        flatbuffer, messages = _read(made), _read(log).decode(errors="replace")
    if flatbuffer[4:8] != b"TFL3":
        raise EdgeError(f"{PROGRAM} made no TFLite file of {file.path}: install version 14 to 16 of it")
    field = {"bytes": len(flatbuffer), "sha256": hashlib.sha256(flatbuffer).hexdigest(), **parse(done.stdout, messages)}
    if not field["mapped"]:
        raise EdgeError(
            f"{PROGRAM} mapped none of the {field['operators']} operators of {file.path} to the Edge TPU: "
            "see what `edge-deploy coral` says of it without --compile"
        )
    return Result(flatbuffer, field)


def _read(path: Path) -> bytes:
    limit = MAX_BYTES[EDGETPU]
    if path.stat().st_size > limit:
        raise EdgeError(
            f"{PROGRAM} made {path.name} with more than {limit} bytes: expected less; compile a smaller network"
        )
    return path.read_bytes()


def parse(output: str, log: str) -> dict[str, Any]:
    """Return what the compiler said, from its standard output and its log: the manifest's `edgetpu` but the digest.

    Raises EdgeError where something that is needed is not there.
    """
    version = _VERSION.search(log) or _VERSION.search(output)
    rows = [Unmapped(name, int(count), status) for name, count, status in _ROW.findall(_table(log))]
    memory = {key: _bytes(output, words) for key, words in _MEMORY.items()}
    missing = [words for key, words in _MEMORY.items() if memory[key] is None]
    if version is None or not rows or missing:
        what = "its version" if version is None else "the table of operators" if not rows else f'"{missing[0]}"'
        raise EdgeError(
            f"{PROGRAM} said what can't be read ({what} is missing): expected the report of version 14 to 16; "
            "install that version"
        )
    return {
        "compiler": version[1],
        "operators": sum(row.times for row in rows),
        "mapped": sum(row.times for row in rows if row.reason == MAPPED),
        **memory,
        "unmapped": [row._asdict() for row in sorted(rows) if row.reason != MAPPED],
    }


def destination(file: ModelFile, output: Path | None) -> Path:
    """Return where the model file with the compiled network goes: `output`, else the place of `file` itself.

    Raises EdgeError where that is a shipped model, which is not to be changed where it is installed.
    """
    if output is not None:
        return output
    if Path(file.path).resolve().parent == Path(MODELS).resolve():
        raise EdgeError(
            f"{file.path} is a shipped model, which stays as it is: say where the compiled one goes with --output FILE"
        )
    return Path(file.path)


def store(file: ModelFile, compiled: Result, path: Path) -> None:
    """Write `file` with the compiled network in it to `path`, whole or not at all.

    The compiler's result takes the place of an earlier one. `file_bytes`, where it was measured, is set right.
    """
    names = {name for vector in file.manifest.golden for name in vector.members()}
    names |= {tensors.MEMBER} if file.has(tensors.MEMBER) else set()
    members = {name: file.member(name) for name in names} | {EDGETPU: compiled.flatbuffer}
    manifest = {**file.manifest.raw, "edgetpu": compiled.field}
    while True:  # the file's size is one of its own fields; it is right as soon as its number of digits is
        data = model_file.pack(path, file.flatbuffer, manifest, members)
        if manifest["measured"].get("file_bytes", len(data)) == len(data):
            break
        manifest["measured"] = {**manifest["measured"], "file_bytes": len(data)}
    model_file.store(path, data)


def _table(log: str) -> str:
    """Return what follows the line of headings."""
    return re.split(r"^Operator\s+Count\s+Status\s*$", log, maxsplit=1, flags=re.MULTILINE)[-1]


def _bytes(output: str, words: str) -> int | None:
    found = re.search(rf"^{re.escape(words)}:\s*([0-9.]+)(B|KiB|MiB|GiB)\s*$", output, re.MULTILINE)
    return None if found is None else round(float(found[1]) * _UNITS[found[2]])


def _last_line(*texts: str) -> str:
    lines = [line.strip() for text in texts for line in text.splitlines()[::-1] if line.strip()]
    return (lines or ["it said nothing"])[0][:300]
