"""The reader of model files: a TFLite flatbuffer, a zip behind it, a digest at the end (docs/model-file.md)."""

from __future__ import annotations

import os
import re
from stat import S_ISDIR, S_ISREG

from edge.archive import Archive, Member
from edge.digest import sha256
from edge.errors import EdgeError, quoted
from edge.manifest import Manifest, parse
from edge.strict_json import loads

MODELS = os.path.join(os.path.dirname(__file__), "models")
DEFAULT = "pneumonia"
_NAME_LETTERS = 255  # of a file's name

EDGETPU = "edgetpu.tflite"  # the network as the Edge TPU's compiler made it

MAX_MEMBERS = 64
MAX_BYTES = {"manifest.json": 2**20, "labels.txt": 2**20, EDGETPU: 2**26}
MAX_GOLDEN_BYTES = 8 * 2**20
MAX_RATIO = 100
MAX_FILE_BYTES = 2**30  # far above any network for a board; keeps /dev/zero and the like from filling the memory

_TRAILER = re.compile(rb"sha256:([0-9a-f]{64})")
_TRAILER_BYTES = 71
_AGAIN = "copy it again from where it was made"
_REBUILD = "build the model file again with edge-compress"

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from edge.network import Network


class ModelFile:
    """A model file that passed every check.

    Attributes:
        path: where it was read from.
        data: all its bytes. A TFLite runtime takes them as they are: it ignores what follows the flatbuffer.
        manifest: the checked manifest.
    """

    manifest: Manifest

    def __init__(self, path: str, data: bytes, archive: Archive, members: dict[str, Member]) -> None:
        self.path, self.data, self._archive, self._members = path, data, archive, members

    @property
    def size(self) -> int:
        """Bytes of the whole file."""
        return len(self.data)

    @property
    def sha256(self) -> str:
        """The digest that the file ends with, lower-case hex: of all bytes before it."""
        return self.data[-64:].decode()

    @property
    def flatbuffer(self) -> bytes:
        """A copy of the flatbuffer part alone."""
        return self.data[: self.manifest.model_bytes]

    def network(self) -> Network:
        """Read the flatbuffer, every offset and index of it checked; to be done before a runtime sees it.

        Raises EdgeError ("model.network") where it is damaged, too large, or newer than this program.
        """
        from edge.flatbuffer import read

        return read(memoryview(self.data)[: self.manifest.model_bytes], self.path)

    def has(self, name: str) -> bool:
        """Return whether there is a member of this name."""
        return name in self._members

    def member(self, name: str) -> bytes:
        """Return a member's bytes; EdgeError where there is no such member or it can't be unpacked."""
        if name not in self._members:
            raise EdgeError(f"{self.path} lacks the member {name!r} in its zip: {_REBUILD}", "model.damaged")
        try:
            return self._archive.read(self._members[name])
        except ValueError as error:
            raise EdgeError(
                f"{self.path} has a member {name!r} that can't be unpacked ({error}): {_REBUILD}", "model.damaged"
            ) from None


def shipped() -> list[Path]:
    """Return the model files that came with the program, sorted by name."""
    from pathlib import Path  # importing it costs a cold start 3 ms

    return sorted(Path(MODELS).glob("*.tflite"))


def find(name: str | os.PathLike[str] | None) -> str:
    """Return the file of a shipped model's name, or the path that `name` is; for None, DEFAULT's or the only one's.

    Raises EdgeError for a bare word that is neither; a path that does not exist is left to `read`.
    """
    if name is None:
        return _usual()
    text = os.fspath(name)
    by_name = os.path.join(MODELS, f"{text}.tflite")
    is_path = os.sep in text or text.endswith(".tflite")
    if not is_path and os.path.isfile(by_name):
        return by_name
    if is_path or os.path.exists(text):
        return text
    known = _listed(shipped())
    raise EdgeError(
        f"there is no model {text!r}: expected a shipped one ({known}) or the path of a .tflite file", "model.unknown"
    )


def _usual() -> str:
    chosen = _chosen()
    path = os.path.join(MODELS, f"{chosen or DEFAULT}.tflite")
    if os.path.isfile(path):
        return path
    if chosen is not None:
        raise EdgeError(
            f"the default model of this installation, {chosen!r}, is not there: expected an installed one "
            f"({_listed(shipped())}); name one with --model",
            "model.unknown",
        )
    there = shipped()
    if len(there) == 1:
        return str(there[0])
    raise EdgeError(
        f"no model was named, and {DEFAULT} is not installed: expected a shipped one ({_listed(there)}) or the path of "
        "a .tflite file; name it",
        "model.unknown",
    )


def _chosen() -> str | None:
    """Return the name in the file `default` beside the models, which edge-deploy writes; None where there is none."""
    try:
        with open(os.path.join(MODELS, "default"), encoding="utf-8", errors="replace") as file:
            return file.readline(_NAME_LETTERS).rstrip("\n").replace(os.sep, "_")
    except OSError:
        return None


def _listed(models: list[Path]) -> str:
    return ", ".join(path.stem for path in models) or "none came with this installation"


def read(path: str | os.PathLike[str]) -> ModelFile:
    """Return the checked model file at `path`.

    Raises EdgeError where the file can't be read, is no TFLite file, has no manifest, was cut short or changed, is of a
    newer version, breaks a limit, or its parts do not belong together.
    """
    path = os.fspath(path)
    data = _bytes(path)
    trailer = _TRAILER.fullmatch(data[-_TRAILER_BYTES:])
    if trailer is None:
        if b"manifest.json" in data:
            raise EdgeError(
                f"{path} was cut short or changed (its digest is missing at the end): {_AGAIN}", "model.damaged"
            )
        raise EdgeError(
            f"{path} is a TFLite file without a manifest, or was cut short before it: "
            f"add one, beginning with `edge-compress pack {quoted(path)} --init`, or {_AGAIN}",
            "model.no-manifest",
        )
    try:
        archive, damage = Archive(data, _TRAILER_BYTES), ""
        begin = archive.start
    except ValueError as error:  # reported only where the digest is right: a changed byte explains it better
        archive, damage, begin = None, str(error), 0
    view = memoryview(data)
    digest = sha256(view[:begin])
    flatbuffer_digest = digest.hexdigest()
    digest.update(view[begin:-_TRAILER_BYTES])
    if digest.hexdigest() != trailer[1].decode():
        raise EdgeError(
            f"{path} was cut short or changed (its bytes do not match its digest): {_AGAIN}", "model.damaged"
        )
    if archive is None:
        raise EdgeError(f"{path} has a damaged zip behind the flatbuffer ({damage}): {_REBUILD}", "model.damaged")
    file = ModelFile(path, data, archive, _checked(path, archive))
    manifest = file.manifest = _manifest(file)
    if (manifest.model_bytes, manifest.model_sha256) != (begin, flatbuffer_digest):
        raise EdgeError(
            f"{path} holds another flatbuffer than its manifest says (digests differ): {_REBUILD}", "model.damaged"
        )
    expected = "".join(f"{label}\n" for label in manifest.labels).encode()
    if ("labels.txt" in file._members or expected) and file.member("labels.txt") != expected:
        raise EdgeError(f"{path} has other labels in labels.txt than in its manifest: {_REBUILD}", "model.damaged")
    if manifest.edgetpu is not None and EDGETPU not in file._members:
        raise EdgeError(f"{path} lacks the member {EDGETPU!r} that its manifest speaks of: {_REBUILD}", "model.damaged")
    for golden in manifest.golden:
        for member in golden.members():
            file.member(member)
    return file


def _bytes(path: str) -> bytes:
    try:
        status = os.stat(path)
        if S_ISDIR(status.st_mode):
            raise EdgeError(f"{path} is a folder: expected a .tflite model file", "model.format")
        if not S_ISREG(status.st_mode) or status.st_size > MAX_FILE_BYTES:
            raise EdgeError(
                f"{path} is not a file of at most {MAX_FILE_BYTES} bytes: expected a .tflite model file", "model.format"
            )
        with open(path, "rb") as file:
            data = file.read()
    except FileNotFoundError:
        raise EdgeError(
            f"{path} does not exist: expected a .tflite model file; check the path or --list", "model.missing"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise EdgeError(
            f"{path} can't be read ({reason}): check the file and its permissions", "model.unreadable"
        ) from None
    if not data:
        raise EdgeError(f"{path} is empty: expected a .tflite model file; {_AGAIN}", "model.format")
    if data[4:8] != b"TFL3":
        raise EdgeError(
            f'{path} is not a TFLite file (it begins with {data[:8]!r}, expected "TFL3" at byte 4): '
            "give a .tflite file that edge-compress made",
            "model.format",
        )
    return data


def _checked(path: str, archive: Archive) -> dict[str, Member]:
    """Return the members by name, their number and declared sizes checked; nothing is unpacked yet."""
    members = archive.members
    if len(members) > MAX_MEMBERS:
        raise EdgeError(
            f"{path} has {len(members)} members in its zip: expected at most {MAX_MEMBERS}; {_REBUILD}", "model.damaged"
        )
    by_name = {member.name: member for member in members}
    if len(by_name) < len(members):
        raise EdgeError(f"{path} has two members of one name in its zip: {_REBUILD}", "model.damaged")
    for member in members:
        limit = MAX_BYTES.get(member.name, MAX_GOLDEN_BYTES)
        if member.size > limit:
            raise EdgeError(
                f"{path} has a member {member.name!r} that unpacks to {member.size} bytes: "
                f"expected at most {limit}; do not use the file unless you trust it, and {_REBUILD}",
                "model.damaged",
            )
        if member.size > MAX_RATIO * max(member.packed, 1):
            raise EdgeError(
                f"{path} has a member {member.name!r} that is compressed more than {MAX_RATIO} to 1: "
                f"expected no more; do not use the file unless you trust it, and {_REBUILD}",
                "model.damaged",
            )
    return by_name


def _manifest(file: ModelFile) -> Manifest:
    try:
        raw = loads(file.member("manifest.json"))
    except ValueError as error:
        raise EdgeError(
            f"{file.path} has a manifest that is not JSON ({str(error)[:80]}): {_REBUILD}", "model.manifest"
        ) from None
    return parse(raw, f"the manifest of {file.path}")
