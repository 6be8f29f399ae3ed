"""Writing a model file: flatbuffer, zip, digest (docs/model-file.md). The same content gives the same bytes.

It needs nothing that a device's own installation lacks.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge import flatbuffer as flatbuffers
from edge.activation import check_activations
from edge.errors import EdgeError
from edge.files import write_beside
from edge.manifest import Manifest, parse
from edge.model import MAX_BYTES, MAX_GOLDEN_BYTES, MAX_MEMBERS, read
from edge.strict_json import dumps, loads

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date a zip can hold: no file tells when it was made
UNIX = 3


def write(path: Path, flatbuffer: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> None:
    """Write a model file as `pack` makes it; `path` holds it whole and proven or is left as it was.

    Raises EdgeError also where the file, read back, is one that `edge-infer` would refuse.
    """
    store(path, pack(path, flatbuffer, manifest, members))


def store(path: Path, data: bytes) -> None:
    """Write a model file's bytes beside `path`, read them back as a device does, and rename the file."""

    def check(beside: Path) -> None:
        try:
            open_as_a_device(beside)
        except EdgeError as error:
            said = str(error).replace(str(beside), "the file")
            raise EdgeError(f"{path} was not written, as it would be refused: {said}", error.code) from None

    write_beside(path, data, check)


def open_as_a_device(path: Path) -> None:
    """Read a model file and open its network; the latter where a TFLite runtime is installed, which a host may lack.

    Raises EdgeError where either is refused.
    """
    from edge.engine import load
    from edge.runtime import import_runtime

    try:
        import_runtime()
    except EdgeError:
        file = read(path)
        check_activations(file.manifest.outputs, file.network(), file.path)
    else:
        load(path.absolute())


def strip(data: bytes, where: str) -> tuple[bytes, str]:
    """Return the flatbuffer at the beginning of `data`, and in words what other content was behind it ("": nothing).

    TFLite Metadata appends a zip of associated files, and a model file of this project has one, too. Padding stays.

    Raises EdgeError where the flatbuffer is damaged or cut short; `where` names the file.
    """
    if data[4:8] != b"TFL3":
        raise EdgeError(
            f"{where} is no TFLite flatbuffer (it lacks 'TFL3' at byte 4): expected a .tflite file", "model.format"
        )
    end = flatbuffers.read(data, where).end
    if not data[end:].strip(b"\0"):
        return data, ""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            begin = min((entry.header_offset for entry in archive.infolist()), default=0)
    except (zipfile.BadZipFile, ValueError, NotImplementedError, OSError, struct.error):
        begin = 0  # no zip
    if begin < end:
        return data[:end], f"{len(data) - end:,} bytes behind the flatbuffer"
    earlier = "an earlier packing" if "manifest.json" in names else "a zip of associated files"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return data[:begin], f"{earlier} ({', '.join(names[:3])}{more})"


def pack(path: Path, flatbuffer: bytes, manifest: Mapping[str, Any], members: Mapping[str, bytes]) -> bytes:
    """Return the bytes of a model file.

    Args:
        path: where it will be written, for messages.
        flatbuffer: a TFLite model; what other tools appended to it is left out (`strip`).
        manifest: every field of the specification but `model`, which is computed here.
        members: names and bytes of what else goes into the zip: golden vectors, a compiled network.

    Raises EdgeError for a manifest or members that a reader would refuse, and for a damaged flatbuffer.
    """
    flatbuffer, _ = strip(flatbuffer, f"the flatbuffer for {path}")
    digest = {"bytes": len(flatbuffer), "sha256": hashlib.sha256(flatbuffer).hexdigest()}
    raw = dict(manifest) | {"model": digest}
    parsed = parse(raw, str(path))
    contents = {"manifest.json": _manifest(path, raw)}
    if parsed.labels:
        contents["labels.txt"] = ("\n".join(parsed.labels) + "\n").encode()
    contents |= {name: members[name] for name in sorted(members)}
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


def _manifest(path: Path, raw: Mapping[str, Any]) -> bytes:
    """Return the manifest's bytes, which every reader takes: what is for people only is under the limits, too."""
    what = f"the manifest of {path}"
    text = dumps(raw, what, "model.manifest", sort_keys=True, indent=1, ensure_ascii=False) + "\n"
    try:
        data = text.encode()
        loads(data)
    except ValueError as error:  # half of a surrogate pair can't be encoded: a ValueError, too
        raise EdgeError(f"{what} can't be written ({str(error)[:80]}): change it", "model.manifest") from None
    return data


def _check_members(path: Path, manifest: Manifest, contents: Mapping[str, bytes]) -> None:
    """Raise EdgeError where a reader would refuse the file for its members."""
    if len(contents) > MAX_MEMBERS:
        raise EdgeError(f"{path} can't be written: it has {len(contents)} members, expected at most {MAX_MEMBERS}")
    for name, data in contents.items():
        limit = MAX_BYTES.get(name, MAX_GOLDEN_BYTES)
        if len(data) > limit:
            raise EdgeError(f"{path} can't be written: {name} has {len(data)} bytes, expected at most {limit}")
    for vector in manifest.golden:
        for name in vector.members():
            if name not in contents:
                raise EdgeError(f"{path} can't be written: the manifest names the member {name!r}, which is not given")


def operators(flatbuffer: bytes) -> dict[str, int]:
    """Return operator name -> how often the model uses it; a custom operator's name is its own."""
    network = flatbuffers.read(flatbuffer, "the converted network")
    used = Counter(operator.custom or operator.name for operator in network.graphs[0].operators)
    return dict(sorted(used.items()))
