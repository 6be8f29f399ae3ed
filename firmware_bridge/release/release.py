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
import os
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple, Protocol, cast

from edge.errors import EdgeError, one_line

FORMAT = "edge-infer release 1"
MEMBERS = ("release", "digests", "digests.sig", "payload.tar.gz")
# Far above any release for a board. Held while reading, so that a few megabytes can't become gigabytes here.
MAX_TEXT = 4 * 2**20  # bytes of `release`, `digests` and `digests.sig` each; no more files than its list has room for
MAX_PAYLOAD = 2**29  # bytes of payload.tar.gz
MAX_UNPACKED = 2**30  # bytes of the tar in it
MAX_LINKS = 10_000
_BLOCK, _CHUNK = tarfile.BLOCKSIZE, 1 << 16
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
        unpacked: bytes of the tar in payload.tar.gz.
        models: names of the models in it.
    """

    path: Path
    release: Release
    sha256: str
    size: int
    unpacked: int
    models: tuple[str, ...] = ()


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
    """Return what is in the archive at `path`; EdgeError where it is none, was cut short or changed.

    It reads the file by the chunk, and never keeps more than MAX_TEXT of it or unpacks more than MAX_UNPACKED.
    """
    try:
        if path.exists() and not path.is_file():
            raise EdgeError(f"{path} is no ordinary file: expected an archive of edge-deploy build", "archive.format")
        with open(path, "rb") as file:
            _check_bound(path, "itself", os.fstat(file.fileno()).st_size, MAX_PAYLOAD + 4 * MAX_TEXT)
            whole = _Hashed(file)
            texts, digest, begin, size = _outer(whole, path)
            while whole.read(_CHUNK):
                pass
            listed = _listed(texts["digests"])
            for name, found in (("release", hashlib.sha256(texts["release"]).hexdigest()), ("payload.tar.gz", digest)):
                if listed.get(name) != found:
                    raise EdgeError(
                        f"{path} was changed: its {name} is not the one in its digest list; {_AGAIN}", "archive.damaged"
                    )
            file.seek(begin)
            unpacked = _held(_Part(file, size), listed, path)
    except (tarfile.TarError, EOFError, ValueError, zlib.error, gzip.BadGzipFile) as error:
        raise EdgeError(
            f"{path} is damaged or no archive ({error}): expected a release; {_AGAIN}", "archive.damaged"
        ) from None
    except OSError as error:
        raise EdgeError(
            f"{path} can't be read ({error.strerror}): expected an archive of edge-deploy build", "archive.unreadable"
        ) from None
    release = parse(texts["release"].decode(errors="replace"), str(path))
    models = sorted(name[7:-7] for name in listed if re.fullmatch(r"models/[^/]+\.tflite", name))
    return Archive(path, release, whole.digest.hexdigest(), whole.bytes, unpacked, tuple(models))


def _check_bound(path: Path, what: str, size: int, limit: int) -> None:
    if size > limit:
        raise EdgeError(
            f"{path} is too large ({what} has {size} bytes): expected at most {limit}; do not use it unless you trust "
            f"it, and {_AGAIN}, with fewer or smaller models",
            "archive.too-large",
        )


class _Readable(Protocol):
    def read(self, count: int, /) -> bytes: ...


class _Hashed:
    """A file's bytes in their order, counted and digested."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest, self.bytes = file, hashlib.sha256(), 0

    def read(self, count: int) -> bytes:
        data = self._file.read(count)
        self.digest.update(data)
        self.bytes += len(data)
        return data


class _Part(io.RawIOBase):
    """The next `count` bytes of a file, as a file."""

    def __init__(self, file: IO[bytes], count: int) -> None:
        self._file, self._left = file, count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        data = self._file.read(min(len(buffer), self._left))
        self._left -= len(data)
        buffer[: len(data)] = data
        return len(data)


def _headers(stream: _Readable) -> Iterator[tarfile.TarInfo]:
    """Yield the members of a tar as `_tar` writes one; read the content (`_content`) of each before the next.

    tarfile itself would read whole what an extended header says of itself, and fill what a sparse one leaves out.
    """
    while True:
        block = stream.read(_BLOCK)
        if len(block) < _BLOCK:
            raise EOFError("it ends early")
        if not any(block):
            return
        member = tarfile.TarInfo.frombuf(block, "utf-8", "strict")
        if member.type not in (tarfile.REGTYPE, tarfile.SYMTYPE) or member.size < 0:
            raise ValueError(f"{member.name!a} is no ordinary file")
        if member.type == tarfile.SYMTYPE and member.size:
            raise ValueError(f"{member.name!a} is a link with content")
        yield member


def _content(stream: _Readable, size: int) -> Iterator[bytes]:
    """Yield a member's content by the chunk, and read the zeros that fill its last block."""
    left = size
    while left:
        data = stream.read(min(left, _CHUNK))
        if not data:
            raise EOFError("it ends early")
        left -= len(data)
        yield data
    fill = -size % _BLOCK
    if len(stream.read(fill)) != fill:
        raise EOFError("it ends early")


def _outer(stream: _Hashed, path: Path) -> tuple[dict[str, bytes], str, int, int]:
    """Return the members that are texts, the payload's digest, and where it begins and how long it is."""
    texts: dict[str, bytes] = {}
    names: list[str] = []
    digest, begin, size = hashlib.sha256(), 0, 0
    for member in _headers(stream):
        names.append(member.name)
        if len(names) > len(MEMBERS) or member.type != tarfile.REGTYPE:
            break
        _check_bound(path, one_line(member.name), member.size, MAX_PAYLOAD if member.name == MEMBERS[-1] else MAX_TEXT)
        if member.name == MEMBERS[-1]:
            begin, size = stream.bytes, member.size
            for data in _content(stream, member.size):
                digest.update(data)
        else:
            texts[member.name] = b"".join(_content(stream, member.size))
    if tuple(names) != MEMBERS:
        shown = one_line(", ".join(names[: len(MEMBERS) + 1]))
        raise EdgeError(
            f"{path} contains {shown or 'nothing'}: expected {', '.join(MEMBERS)}; {_AGAIN}", "archive.format"
        )
    return texts, digest.hexdigest(), begin, size


def _held(packed: _Part, listed: Mapping[str, str], path: Path) -> int:
    """Return the bytes of the payload's tar, after each of its files was checked against the digest list."""
    files, links = set[str](), set[str]()
    with gzip.GzipFile(fileobj=io.BufferedReader(cast(io.RawIOBase, packed))) as stream:
        for member in _headers(stream):
            name = member.name
            _check_bound(path, "its payload, unpacked,", stream.tell() + member.size, MAX_UNPACKED)
            if name in files or name in links or len(links) > MAX_LINKS:
                raise ValueError(f"{name!a} is there twice, or is one link too many")
            if name.startswith("/") or ".." in name.split("/"):
                raise ValueError(f"{name!a} leads out of it")
            digest = hashlib.sha256()
            for data in _content(stream, member.size):
                digest.update(data)
            if member.type == tarfile.SYMTYPE:
                links.add(name)
                continue
            files.add(name)
            if listed.get(name) != digest.hexdigest():
                raise EdgeError(
                    f"{path} was changed: {one_line(name)} is not the one in its digest list; {_AGAIN}",
                    "archive.damaged",
                )
        while stream.read(_CHUNK):
            _check_bound(path, "its payload, unpacked,", stream.tell(), MAX_UNPACKED)
        missing = set(listed) - files - {"release", "payload.tar.gz"}
        if missing:
            raise ValueError(f"it lacks {len(missing)} files of its digest list")
        return stream.tell()


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


def _listed(digests: bytes) -> dict[str, str]:
    found = {}
    for line in digests.decode().split("\n")[:-1]:
        match = re.fullmatch("([0-9a-f]{64})  (.+)", line)
        if match is None:
            raise ValueError("a line of its digest list is no digest and name")
        found[match[2]] = match[1]
    return found


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
