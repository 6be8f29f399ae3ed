"""The command `edge-compress pack`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from edge.command import log
from edge.errors import EdgeError, one_line, quoted
from edge.strict_json import loads


def run(model: Path, manifest: Path | None, output: Path | None, init: bool) -> None:
    """Pack a model, or with `init` write an example manifest beside it; the file's path goes to standard output.

    Raises EdgeError, with nothing written, where one of the files can't be read or they do not fit.
    """
    if init:
        _init(model, manifest, output)
        return
    if manifest is None or output is None:
        raise EdgeError(
            f"pack lacks {' and '.join(_absent(manifest, output))}: expected both; `edge-compress pack "
            f"{quoted(str(model))} --init` writes a manifest to begin with",
            "arguments.invalid",
        )
    from compress.convert.packing import pack

    if output.exists() and manifest.exists() and output.samefile(manifest):
        raise EdgeError(f"{output} is the manifest and would be replaced: give another --output", "output.unwritable")
    raw = manifest_of(manifest)
    packed = pack(bytes_of(model), raw, output, str(model), str(manifest))
    if packed.taken_off:
        _tell(f"taken off behind the flatbuffer: {packed.taken_off}")
    if packed.filled_in:
        _tell(f"filled in: {', '.join(packed.filled_in)}")
    for note in packed.notes:
        _tell(f"note: {note}")
    _tell(f"golden vectors: {packed.golden}")
    _tell(f"compare with them on a device: edge-infer --check --model {quoted(str(output))}")
    log(str(output))


def _absent(manifest: Path | None, output: Path | None) -> list[str]:
    return ["--manifest FILE"] * (manifest is None) + ["--output FILE"] * (output is None)


def _init(model: Path, manifest: Path | None, output: Path | None) -> None:
    from compress.convert.packing import example

    if output is not None:
        raise EdgeError(
            "--output was given with --init, which packs nothing: leave one of them out", "arguments.invalid"
        )
    path = manifest or model.with_name(f"{model.stem}.manifest.json")
    example.write(bytes_of(model), model, path)
    _tell(f"fill in what is null, then: {example.next_command(model, path)}")
    log(str(path))


def manifest_of(path: Path) -> dict[str, Any]:
    """Return a file's JSON object; EdgeError where it has none."""
    try:
        manifest = loads(bytes_of(path))
    except ValueError as error:
        raise EdgeError(
            f"{path} is no JSON ({str(error)[:80]}): expected a manifest as in docs/model-file.md", "model.manifest"
        ) from None
    if not isinstance(manifest, dict):
        raise EdgeError(f"{path} has a {type(manifest).__name__}: expected a JSON object", "model.manifest")
    return manifest


def bytes_of(path: Path) -> bytes:
    """Return the bytes of a model or a manifest; EdgeError where it can't be read."""
    from edge.model import MAX_FILE_BYTES

    try:
        if path.exists() and (not path.is_file() or path.stat().st_size > MAX_FILE_BYTES):
            raise EdgeError(
                f"{path} is not a file of at most {MAX_FILE_BYTES} bytes: check the path", "model.unreadable"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise EdgeError(f"{path} does not exist: expected a file; check the path", "model.missing") from None
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise EdgeError(
            f"{path} can't be read ({reason}): check the file and its permissions", "model.unreadable"
        ) from None


def _tell(text: str) -> None:
    """Write a line for people to standard error; standard output has the path alone."""
    print(one_line(text), file=sys.stderr)
