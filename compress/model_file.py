"""Writing a model file: flatbuffer, zip, digest (docs/model-file.md). The same content gives the same bytes."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tflite

from edge.errors import EdgeError
from edge.manifest import Manifest, parse
from edge.model import MAX_BYTES, MAX_GOLDEN_BYTES, MAX_MEMBERS

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: no file tells when it was made
UNIX = 3


def write(path: Path, flatbuffer: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write a model file as `pack` makes it; `path` holds it whole or is left as it was."""
    write_beside(path, pack(path, flatbuffer, manifest, members))


def pack(path: Path, flatbuffer: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a model file.

    Args:
        path: where it will be written, for messages.
        flatbuffer: a TFLite model.
        manifest: every field of the specification but `model`, which is computed here.
        members: names and bytes of what else goes into the zip: golden vectors, a compiled network.

    Raises EdgeError for a manifest or members that a reader would refuse.
    """
    if flatbuffer[4:8] != b"TFL3":
        raise EdgeError(f"{path} can't be written: the model is no TFLite flatbuffer (it lacks 'TFL3' at byte 4)")
    digest = {"bytes": len(flatbuffer), "sha256": hashlib.sha256(flatbuffer).hexdigest()}
    raw = dict(manifest) | {"model": digest}
    parsed = parse(raw, str(path))
    contents = {
        "manifest.json": (json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False) + "\n").encode(),
        "labels.txt": ("\n".join(raw["labels"]) + "\n").encode(),
    } | {name: members[name] for name in sorted(members)}
    _check_members(path, parsed, contents)
    buffer = io.BytesIO()
    buffer.write(flatbuffer)
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_STORED) as archive:
        for name, data in contents.items():
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.create_system, entry.external_attr = UNIX, 0o100644 << 16
            archive.writestr(entry, data)
        archive.comment = b"sha256:" + b"0" * 64
    body = buffer.getvalue()[:-71]
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()


def _check_members(path: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    """Raise EdgeError where a reader would refuse the file for its members."""
    if len(contents) > MAX_MEMBERS:
        raise EdgeError(f"{path} can't be written: it has {len(contents)} members, expected at most {MAX_MEMBERS}")
    for name, data in contents.items():
        limit = MAX_BYTES.get(name, MAX_GOLDEN_BYTES)
        if len(data) > limit:
            raise EdgeError(f"{path} can't be written: {name} has {len(data)} bytes, expected at most {limit}")
    for vector in manifest.golden:
        for name in (vector.image, *vector.outputs.values()):
            if name not in contents:
                raise EdgeError(f"{path} can't be written: the manifest names the member {name!r}, which is not given")


def write_beside(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and rename it: nobody sees a part of it, and a full disk leaves nothing behind."""
    if path.exists() and not path.is_file():
        raise EdgeError(f"{path} is no ordinary file and can't be replaced: give another path for the output")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        with open(beside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def operators(flatbuffer: bytes) -> dict[str, int]:
    """Return operator name -> how often the model uses it, by the flatbuffer's own schema."""
    names = {value: key for key, value in vars(tflite.BuiltinOperator).items() if isinstance(value, int)}
    model = tflite.Model.GetRootAsModel(flatbuffer, 0)
    codes = [model.OperatorCodes(i) for i in range(model.OperatorCodesLength())]
    kinds = [max(code.BuiltinCode(), code.DeprecatedBuiltinCode()) for code in codes]
    graph = model.Subgraphs(0)
    used = Counter(names[kinds[graph.Operators(i).OpcodeIndex()]] for i in range(graph.OperatorsLength()))
    return dict(sorted(used.items()))
