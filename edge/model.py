"""The reader of model files: a TFLite flatbuffer, a zip behind it, a digest at the end (docs/model-file.md)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
import zlib
from pathlib import Path

from edge.errors import EdgeError
from edge.manifest import Manifest, parse

MODELS = Path(__file__).parent / "models"

MAX_MEMBERS = 64
MAX_BYTES = {"manifest.json": 2**20, "labels.txt": 2**20}
MAX_GOLDEN_BYTES = 8 * 2**20
MAX_RATIO = 100
MAX_FILE_BYTES = 2**30  # far above any network for a board; keeps /dev/zero and the like from filling the memory

_TRAILER = re.compile(rb"sha256:([0-9a-f]{64})")
_TRAILER_BYTES = 71
_AGAIN = "copy it again from where it was made"
_REBUILD = "build the model file again with edge-compress"


class ModelFile:
    """A model file that passed every check.

    Attributes:
        path: where it was read from.
        data: all its bytes. A TFLite runtime takes them as they are: it ignores what follows the flatbuffer.
        manifest: the checked manifest.
    """

    def __init__(self, path: Path, data: bytes, manifest: Manifest, archive: zipfile.ZipFile) -> None:
        self.path, self.data, self.manifest, self._archive = path, data, manifest, archive

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.data)

    @property
    def flatbuffer(self) -> bytes:
        """A copy of the flatbuffer part alone."""
        return self.data[: self.manifest.model_bytes]

    def member(self, name: str) -> bytes:
        """Return a member's bytes; EdgeError where there is no such member or it can't be unpacked."""
        return _member(self._archive, name, self.path)


def shipped() -> list[Path]:
    """Return the model files that came with the program, sorted by name."""
    return sorted(MODELS.glob("*.tflite"))


def find(name: str | os.PathLike[str]) -> Path:
    """Return the file of a shipped model's name, or the path that `name` is.

    Raises EdgeError for a bare word that is neither; a path that does not exist is left to `read`.
    """
    text = os.fspath(name)
    by_name = MODELS / f"{text}.tflite"
    is_path = os.sep in text or text.endswith(".tflite")
    if not is_path and by_name.is_file():
        return by_name
    if is_path or Path(text).exists():
        return Path(text)
    known = ", ".join(path.stem for path in shipped()) or "none came with this installation"
    raise EdgeError(f"there is no model {text!r}: expected a shipped one ({known}) or the path of a .tflite file")


def read(path: str | os.PathLike[str]) -> ModelFile:
    """Return the checked model file at `path`.

    Raises EdgeError where the file can't be read, is no TFLite file, has no manifest, was cut short or changed, is of a
    newer version, breaks a limit, or its parts do not belong together.
    """
    path = Path(path)
    data = _bytes(path)
    trailer = _TRAILER.fullmatch(data[-_TRAILER_BYTES:])
    if trailer is None:
        if b"manifest.json" in data:
            raise EdgeError(f"{path} was cut short or changed (its digest is missing at the end): {_AGAIN}")
        raise EdgeError(
            f"{path} is a TFLite file without a manifest, or was cut short before it: "
            f"add one with `edge-compress pack {path.name} --manifest manifest.json`, or {_AGAIN}"
        )
    view = memoryview(data)
    if hashlib.sha256(view[:-_TRAILER_BYTES]).hexdigest() != trailer[1].decode():
        raise EdgeError(f"{path} was cut short or changed (its bytes do not match its digest): {_AGAIN}")
    archive = _archive(path, data)
    manifest = _manifest(archive, path)
    if hashlib.sha256(view[: manifest.model_bytes]).hexdigest() != manifest.model_sha256:
        raise EdgeError(f"{path} holds another flatbuffer than its manifest says (digests differ): {_REBUILD}")
    if _member(archive, "labels.txt", path) != "".join(f"{label}\n" for label in manifest.labels).encode():
        raise EdgeError(f"{path} has other labels in labels.txt than in its manifest: {_REBUILD}")
    present = set(archive.namelist())
    for golden in manifest.golden:
        for member in (golden.image, *golden.outputs.values()):
            if member not in present:
                raise EdgeError(f"{path} lacks the member {member!r}, which its manifest names: {_REBUILD}")
    return ModelFile(path, data, manifest, archive)


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_FILE_BYTES or not path.is_file():
                raise EdgeError(
                    f"{path} is not a file of at most {MAX_FILE_BYTES} bytes: expected a .tflite model file"
                )
            data = file.read()
    except FileNotFoundError:
        raise EdgeError(f"{path} does not exist: expected a .tflite model file; check the path or --list") from None
    except IsADirectoryError:
        raise EdgeError(f"{path} is a folder: expected a .tflite model file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EdgeError(f"{path} can't be read ({reason}): check the file and its permissions") from None
    if not data:
        raise EdgeError(f"{path} is empty: expected a .tflite model file; {_AGAIN}")
    if data[4:8] != b"TFL3":
        raise EdgeError(
            f'{path} is not a TFLite file (it begins with {data[:8]!r}, expected "TFL3" at byte 4): '
            "give --model a .tflite file that edge-compress made"
        )
    return data


def _archive(path: Path, data: bytes) -> zipfile.ZipFile:
    """Return the opened zip, its members' number and declared sizes checked; nothing is unpacked yet."""
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise EdgeError(f"{path} has a damaged zip behind the flatbuffer ({error}): {_REBUILD}") from None
    members = archive.infolist()
    if len(members) > MAX_MEMBERS:
        raise EdgeError(f"{path} has {len(members)} members in its zip: expected at most {MAX_MEMBERS}; {_REBUILD}")
    if len({member.filename for member in members}) < len(members):
        raise EdgeError(f"{path} has two members of one name in its zip: {_REBUILD}")
    for member in members:
        limit = MAX_BYTES.get(member.filename, MAX_GOLDEN_BYTES)
        if member.file_size > limit:
            raise EdgeError(
                f"{path} has a member {member.filename!r} that unpacks to {member.file_size} bytes: "
                f"expected at most {limit}; do not use the file unless you trust it, and {_REBUILD}"
            )
        if member.file_size > MAX_RATIO * max(member.compress_size, 1):
            raise EdgeError(
                f"{path} has a member {member.filename!r} that is compressed more than {MAX_RATIO} to 1: "
                f"expected no more; do not use the file unless you trust it, and {_REBUILD}"
            )
    return archive


def _member(archive: zipfile.ZipFile, name: str, path: Path) -> bytes:
    try:
        return archive.read(name)
    except KeyError:
        raise EdgeError(f"{path} lacks the member {name!r} in its zip: {_REBUILD}") from None
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError, zlib.error) as error:
        raise EdgeError(f"{path} has a member {name!r} that can't be unpacked ({error}): {_REBUILD}") from None


def _manifest(archive: zipfile.ZipFile, path: Path) -> Manifest:
    text = _member(archive, "manifest.json", path)
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise EdgeError(f"{path} has a manifest that is not JSON ({str(error)[:80]}): {_REBUILD}") from None
    return parse(raw, f"the manifest of {path}")
