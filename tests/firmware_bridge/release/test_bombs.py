"""Archives that are not what they say: bounded while they are read, a sentence and never a traceback, on both sides."""

from __future__ import annotations

import gzip
import io
import os
import random
import resource
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.lab.host import new_key
from edge.errors import EdgeError
from firmware_bridge.release import release, signature
from tests.edge import processes
from tests.firmware_bridge import releases
from tests.firmware_bridge.places import Place, refused

GIGABYTE = 2**30


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "signer")


def zeros(write: Callable[[bytes], object], count: int) -> None:
    for _ in range(count // 2**20):
        write(bytes(2**20))


def member(name: str, size: int, kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    entry = tarfile.TarInfo(name)
    entry.size, entry.type, entry.linkname = size, kind, link
    return entry.tobuf(tarfile.GNU_FORMAT)


def packed(*parts: bytes, zeros_behind: int = 0) -> bytes:
    """A payload of these bytes, and as many zeros; gzipped, so a thousandth of that."""
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0, compresslevel=9) as file:
        for part in parts:
            file.write(part)
        zeros(file.write, zeros_behind)
    return buffer.getvalue()


def signed(path: Path, key: Path, payload: bytes, names: dict[str, str] | None = None) -> Path:
    """An archive around any payload; its digest list names `release` and that one rightly."""
    import hashlib

    what = releases.release_of()
    listed = {
        "payload.tar.gz": hashlib.sha256(payload).hexdigest(),
        "release": hashlib.sha256(what.text().encode()).hexdigest(),
    }
    digests = "".join(f"{digest}  {name}\n" for name, digest in sorted({**listed, **(names or {})}.items())).encode()
    path.write_bytes(release.archive_bytes(what, digests, signature.sign(digests, key), payload))
    return path


LARGE = 3 * GIGABYTE
BOMBS = {
    "a large file": lambda: packed(member("models/one.tflite", LARGE), zeros_behind=64 * 2**20),
    "an extended header": lambda: packed(member("x", LARGE, tarfile.XHDTYPE), zeros_behind=64 * 2**20),
    "a long name": lambda: packed(member("x", LARGE, tarfile.GNUTYPE_LONGNAME), zeros_behind=64 * 2**20),
    "a sparse file": lambda: packed(member("x", LARGE, tarfile.GNUTYPE_SPARSE), zeros_behind=2**20),
    "a negative size": lambda: packed(member("x", -1), zeros_behind=2**20),
    "a link with content": lambda: packed(member("x", LARGE, tarfile.SYMTYPE, "y"), zeros_behind=2**20),
    "many links": lambda: packed(*(member(str(n), 0, tarfile.SYMTYPE, "y") for n in range(release.MAX_LINKS + 2))),
    "one link often": lambda: packed(member("x", 0, tarfile.SYMTYPE, "y") * 2),
    "a file that is not listed": lambda: packed(member("x", 0), bytes(1024)),
    "a file that leads out": lambda: packed(member("../x", 0), bytes(1024)),
    "an absolute link": lambda: packed(member("/x", 0, tarfile.SYMTYPE, "y"), bytes(1024)),
    "a device": lambda: packed(member("x", 0, tarfile.CHRTYPE), bytes(1024)),
    "a hard link": lambda: packed(member("x", 0, tarfile.LNKTYPE, "/etc/passwd"), bytes(1024)),
    "no tar": lambda: packed(b"dear"),
    "no gzip": lambda: b"dear" * 1000,
    "nothing": lambda: b"",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_payload_is_read_in_little_memory(name: str, key: Path, tmp_path: Path) -> None:
    path = signed(tmp_path / "bomb.tar", key, BOMBS[name]())
    assert path.stat().st_size < 12 * 2**20
    before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(EdgeError, match="build it again with edge-deploy build") as raised:
        release.read(path)
    assert raised.value.code in ("archive.damaged", "archive.too-large")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000  # kilobytes
    assert time.monotonic() - begun < 5


def test_what_follows_the_last_file_has_an_end(key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release, "MAX_UNPACKED", 2**20)
    path = signed(tmp_path / "bomb.tar", key, packed(bytes(1024), zeros_behind=64 * 2**20))
    with pytest.raises(EdgeError, match=r"its payload, unpacked, has .* bytes\): expected at most 1048576"):
        release.read(path)


@pytest.mark.parametrize("name", release.MEMBERS)
def test_an_outer_member_has_a_limit(name: str, key: Path, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tar"
    with open(path, "wb") as file:
        file.write(member(name, LARGE))
        file.truncate(LARGE + 1024)  # a sparse file here: it costs no disk
    with pytest.raises(EdgeError, match="is too large"):
        release.read(path)
    with open(path, "wb") as file:
        file.write(member(name, 600 * 2**20))
    with pytest.raises(EdgeError, match=rf"is too large \({name} has"):
        release.read(path)


def test_an_empty_tar_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "empty.tar").write_bytes(bytes(10240))
    with pytest.raises(EdgeError, match=r"empty\.tar holds nothing: expected release, digests"):
        release.read(tmp_path / "empty.tar")


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        with pytest.raises(EdgeError, match="no ordinary file: expected an archive"):
            release.read(path)


def test_damaged_archives_are_a_sentence(key: Path, tmp_path: Path) -> None:
    """Bytes changed, cut out and put in anywhere, in the archive and in the payload of one whose digests are right."""
    chance = random.Random(5)
    whole = releases.make(tmp_path, key).read_bytes()
    tar = gzip.decompress(whole[whole.index(b"\x1f\x8b") :])
    for number in range(300):
        inside = number % 3 == 0
        data = bytearray(tar if inside else whole)
        for _ in range(chance.choice((1, 1, 3, 30))):
            at = chance.randrange(len(data))
            way = chance.randrange(3)
            if way == 0:
                data[at] ^= 1 << chance.randrange(8)
            elif way == 1:
                del data[at : at + chance.choice((1, 100, 512))]
            else:
                data[at:at] = chance.choice((b"\0" * 512, chance.randbytes(7), b"9" * 12))
        path = tmp_path / "damaged.tar"
        if inside:
            signed(path, key, packed(bytes(data)))
        else:
            path.write_bytes(data)
        try:
            release.read(path)
        except EdgeError as error:
            assert len(str(error)) < 1000, error


LOW = """
import resource, sys
from firmware_bridge import cli
usage = [line for line in open("/proc/self/status") if line.startswith("VmSize")][0].split()[1]
limit = (int(usage) + 6_000) * 1024
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(cli.main(["push", "x86-64", "nowhere.invalid", "--archive", sys.argv[1]]))
"""


def test_little_memory_is_a_sentence(key: Path, tmp_path: Path) -> None:
    path = signed(tmp_path / "bomb.tar", key, BOMBS["a large file"]())
    done = processes.Ended(
        subprocess.run([sys.executable, "-c", LOW, path], capture_output=True, env=processes.environment(), timeout=60)
    )
    assert done.status == 2 and done.err.count("\n") == 1, done.err
    (tmp_path / "long.tar").write_bytes(member("digests", 4 * 2**20) + bytes(4 * 2**20))
    done = processes.Ended(
        subprocess.run(
            [sys.executable, "-c", LOW, tmp_path / "long.tar"],
            capture_output=True,
            env=processes.environment(),
            timeout=60,
        )
    )
    assert done.status == 2 and done.err.count("\n") == 1, done.err


def test_few_descriptors_are_a_sentence(place: Place) -> None:
    archive = place.archive()
    environment = place.board.environment
    for limit in range(3, 24, 2):
        command = f'ulimit -n {limit}; exec "$@"'
        words = ["push", "x86-64", "board", "--archive", archive, "--folder", place.folder]
        done = subprocess.run(
            ["sh", "-c", command, "sh", sys.executable, "-m", "firmware_bridge", *map(str, words)],
            capture_output=True,
            env=environment,
            timeout=60,
        )
        text = done.stderr.decode()
        if "firmware_bridge" in text or "edge" in text:  # else Python itself did not start
            assert done.returncode in (0, 2) and "Traceback" not in text, (limit, text)


def test_a_board_unpacks_no_more_than_there_was_said_to_be(place: Place) -> None:
    """A host that says less than there is, as one of another build could: the board has made room for so much only."""
    whole = place.archive(bulk=3_000_000)
    archive = release.read(whole)
    words = [archive.sha256, str(archive.size), "4096", archive.release.text().rstrip("\n"), "no", ""]
    board = f'cat {whole} | sh -c "$0" edge-deploy MARK push \'{place.folder.parent}/plain\' "$@"'
    plain = Place(place.board, place.tmp_path, place.folder.parent / "plain")
    assert plain("trust", "board", "--key", place.board.signer).status == 0
    from firmware_bridge.board import board as script

    done = subprocess.run(["sh", "-c", board, script.SCRIPT.read_text(), *words], capture_output=True, text=True)
    assert "MARK fail the archive can't be unpacked" in done.stdout, done.stdout + done.stderr
    assert [name for name in plain.names() if not name.startswith(".")] == []
    refused(plain("rollback", "board"), "no earlier release")
