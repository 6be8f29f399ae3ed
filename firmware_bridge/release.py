"""The archive that travels to a board: what is in it, its digest list, its signature (docs/deploy.md).

    edge-infer-0.1.0-1-pi5.tar
      release           what it is and what it needs, a few lines of "key: value"
      digests           SHA-256 of `release`, of the payload, and of every file in the payload; `sha256sum -c` reads it
      digests.sig       OpenSSH's signature of `digests`
      payload.tar.gz    what is unpacked on the board

The same content gives the same bytes: members sorted, dated 1970, owned by nobody in particular.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError

FORMAT = "edge-infer release 1"
MEMBERS = ("release", "digests", "digests.sig", "payload.tar.gz")
_AGAIN = "build it again with edge-deploy build"
_PATTERNS = {
    "format": re.escape(FORMAT),
    "version": r"[0-9]{1,6}(\.[0-9]{1,6}){2}-[0-9]{1,6}",
    "target": r"[a-z0-9][a-z0-9-]{0,40}",
    "architecture": r"[a-z0-9_]+",
    "program": r"native|python",
    "glibc": r"[0-9]+(\.[0-9]+)*",
    "glibcxx": r"[0-9]+(\.[0-9]+)*",
    "python": r"[0-9]+\.[0-9]+|none",
}


class Release(NamedTuple):
    """What a release is: the fields of its `release` file.

    Attributes:
        version: of the program, and the number of the build: "0.1.0-1".
        target, architecture, program: of the board it is for.
        glibc, glibcxx: versions of the board's C and C++ libraries that it needs; "0" for none.
        python: version of the board's Python that it needs, or "none".
    """

    version: str
    target: str
    architecture: str
    program: str
    glibc: str
    glibcxx: str
    python: str

    @property
    def name(self) -> str:
        """As its archive is called, without ".tar"."""
        return f"edge-infer-{self.version}-{self.target}"

    def text(self) -> str:
        """Return the `release` file."""
        return "".join(f"{key}: {value}\n" for key, value in {"format": FORMAT, **self._asdict()}.items())


class File(NamedTuple):
    """A file of the payload."""

    data: bytes
    executable: bool = False


class Link(NamedTuple):
    """A symbolic link of the payload."""

    target: str


Payload = Mapping[str, File | Link]


class Archive(NamedTuple):
    """An archive on this machine that is whole; whether its signature is to be trusted is the board's to say.

    Attributes:
        sha256: of the archive.
        size: its bytes.
        unpacked: bytes of the payload's files.
    """

    path: Path
    release: Release
    sha256: str
    size: int
    unpacked: int


def digest_list(release: Release, payload: Payload) -> tuple[bytes, bytes]:
    """Return `digests` and `payload.tar.gz`."""
    packed = _gzip(_tar(payload))
    contents = {"payload.tar.gz": packed, "release": release.text().encode()}
    contents |= {name: file.data for name, file in payload.items() if isinstance(file, File)}
    lines = [f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(contents.items())]
    return "".join(lines).encode(), packed


def archive_bytes(release: Release, digests: bytes, signature: bytes, packed: bytes) -> bytes:
    """Return the archive."""
    contents = (release.text().encode(), digests, signature, packed)
    return _tar({name: File(data) for name, data in zip(MEMBERS, contents, strict=True)}, keep_order=True)


def read(path: Path) -> Archive:
    """Return what the archive at `path` holds; EdgeError where it is none, was cut short or changed."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise EdgeError(f"{path} can't be read ({error.strerror}): expected an archive of edge-deploy build") from None
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as outer:
            contents = {member.name: _content(outer, member) for member in outer}
        if tuple(contents) != MEMBERS:
            raise EdgeError(f"{path} holds {', '.join(contents)}: expected {', '.join(MEMBERS)}; {_AGAIN}")
        listed = _listed(contents["digests"])
        for name in ("release", "payload.tar.gz"):
            if listed.get(name) != hashlib.sha256(contents[name]).hexdigest():
                raise EdgeError(f"{path} was changed: its {name} is not the one in its digest list; {_AGAIN}")
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(contents["payload.tar.gz"])), mode="r:") as inner:
            unpacked = sum(member.size for member in inner)
    except (tarfile.TarError, EOFError, OSError, ValueError, zlib.error) as error:
        raise EdgeError(f"{path} is damaged or no archive ({error}): expected a release; {_AGAIN}") from None
    release = parse(contents["release"].decode(errors="replace"), str(path))
    return Archive(path, release, hashlib.sha256(data).hexdigest(), len(data), unpacked)


def parse(text: str, where: str) -> Release:
    """Return what a `release` file says; EdgeError where it is none."""
    pairs = [line.partition(": ")[::2] for line in text.splitlines()]
    fields = dict(pairs)
    if [key for key, _ in pairs] != ["format", *Release._fields]:
        raise EdgeError(f"{where} has a release file with {', '.join(fields)}: expected {FORMAT!r}; {_AGAIN}")
    for key, pattern in _PATTERNS.items():
        if not re.fullmatch(pattern, fields[key]):
            raise EdgeError(f"{where} says {key}: {fields[key]!r}: expected another form; {_AGAIN}")
    return Release(**{key: fields[key] for key in Release._fields})


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isreg() else None
    if file is None:
        raise ValueError(f"{member.name} is no ordinary file")
    return file.read()


def _listed(digests: bytes) -> dict[str, str]:
    pairs = (line.split("  ", 1) for line in digests.decode().splitlines())
    return {name: digest for digest, name in pairs}


def _tar(payload: Payload, keep_order: bool = False) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name in payload if keep_order else sorted(payload):
            entry, item = tarfile.TarInfo(name), payload[name]
            if isinstance(item, Link):
                entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, item.target, 0o777
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(item.data), 0o755 if item.executable else 0o644
                tar.addfile(entry, io.BytesIO(item.data))
    return buffer.getvalue()


def _gzip(data: bytes) -> bytes:
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, filename="", mode="wb", mtime=0) as file:
        file.write(data)
    return buffer.getvalue()
