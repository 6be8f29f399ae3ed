"""Image files that end late, never, or are none."""

from __future__ import annotations

import io
import os
import socket
import threading

import pytest

from edge import files
from edge import image as images
from edge.errors import EdgeError
from tests.edge.pictures import grey_ramp, png

PNG = png(grey_ramp())


def refused(path) -> tuple[str, str]:
    with pytest.raises(EdgeError) as caught:
        images.read(path)
    assert "\n" not in str(caught.value)
    return caught.value.code, str(caught.value)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/urandom", "/dev/full", "/proc/self/status", __file__])
def test_what_begins_like_no_image_is_not_read_further(path):
    if not os.path.exists(path):
        pytest.skip(f"there is no {path} here")
    code, sentence = refused(path)
    assert code == "image.format" and "is not an image that can be read (it begins with b" in sentence
    assert len(files.read_image(path)) == 12


def test_files_that_are_not_there_or_empty_or_none(tmp_path, monkeypatch):
    assert refused("/dev/null")[0] == "image.empty"
    assert refused(tmp_path / "none.png")[0] == "image.missing"
    assert refused(tmp_path)[0] == "image.folder"
    assert refused("nul\0l.png")[0] == "image.unreadable"
    assert refused("/proc/self/mem")[0] == "image.unreadable"
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket.png")
        assert refused("socket.png")[0] == "image.unreadable"


def test_too_few_descriptors_are_named(tmp_path):
    resource = pytest.importorskip("resource")
    (tmp_path / "p.png").write_bytes(PNG)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as last:
        resource.setrlimit(resource.RLIMIT_NOFILE, (last.fileno(), limits[1]))
        try:
            code, sentence = refused(tmp_path / "p.png")
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert code == "image.unreadable" and "ulimit -n" in sentence


@pytest.fixture
def fed(tmp_path):
    """A function that makes a pipe which something is written into, as long as it is read."""
    writers = []

    def make(name, pieces):
        path = tmp_path / name
        os.mkfifo(path)

        def write():
            try:
                with open(path, "wb", buffering=0) as pipe:
                    for piece in pieces:
                        pipe.write(piece)
            except BrokenPipeError:
                pass

        writers.append(threading.Thread(target=write))
        writers[-1].start()
        return path

    yield make
    for writer in writers:
        writer.join(10)
        assert not writer.is_alive()


def endless(piece):
    while True:
        yield piece


def test_a_pipe_is_an_image(fed):
    pieces = [PNG[:1], PNG[1:5], PNG[5:100], PNG[100:]]
    assert images.read(fed("p.png", pieces)).size == (60, 50)


def test_a_pipe_that_never_ends_is_refused(fed, monkeypatch):
    assert refused(fed("zeros", endless(bytes(4096))))[0] == "image.format"
    monkeypatch.setattr(files, "LIMIT", 5 << 20)
    code, sentence = refused(fed("images", endless(PNG)))
    assert code == "image.too-large" and "more than 5242880 bytes" in sentence


def test_the_limit_is_of_whole_files_too(tmp_path, monkeypatch):
    path = tmp_path / "p.png"
    path.write_bytes(PNG)
    monkeypatch.setattr(files, "LIMIT", len(PNG))
    assert images.read(path).size == (60, 50)
    path.write_bytes(PNG + b"\0")
    assert refused(path)[0] == "image.too-large"
    with open(path, "wb") as file:
        file.write(PNG)
        file.truncate(1 << 40)  # a file with a hole is not read either
    monkeypatch.undo()
    assert refused(path)[0] == "image.too-large"


def test_the_limit_is_no_more_than_half_of_the_memory(monkeypatch):
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 1000, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert files.image_limit() == 2_048_000
    monkeypatch.setattr(os, "sysconf", {"SC_PHYS_PAGES": 10**9, "SC_PAGE_SIZE": 4096}.__getitem__)
    assert files.image_limit() == files.LIMIT == 2**30


@pytest.mark.parametrize("size", [0, 1, 11, 12, 13, 1 << 20, (1 << 20) + 13, 3 << 20])
def test_every_byte_is_read(size):
    content = (PNG[:12] + os.urandom(3 << 20))[:size]
    assert files.read_stream(io.BytesIO(content), "it") == content[: size if size >= 12 else 12]
    assert files.read_stream(io.BytesIO(content), "it", size) == content
    assert files.read_stream(io.BytesIO(content), "it", 1 << 21) == content


@pytest.mark.parametrize("broken", ["replace", "fsync"])
@pytest.mark.parametrize("there", [True, False])
def test_several_files_are_written_all_or_none(tmp_path, monkeypatch, broken, there):
    first, second = tmp_path / "a/one", tmp_path / "b/c/two"
    if there:
        first.parent.mkdir()
        first.write_bytes(b"before")
    calls = []

    def fail(*words: object) -> None:
        calls.append(words)
        if broken == "replace" or len(calls) == 2:
            raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, broken, fail)
        with pytest.raises(OSError, match="No space"):
            files.write_all_beside({first: b"1", second: b"2"})
    left = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*"))
    assert left == (["a", "a/one"] if there else [])
    assert not there or first.read_bytes() == b"before"
    checked = []
    files.write_all_beside({first: b"1", second: b"2"}, lambda part: checked.append(part.read_bytes()))
    assert (first.read_bytes(), second.read_bytes(), checked) == (b"1", b"2", [b"1", b"2"])
    assert [path.name for path in second.parent.iterdir()] == ["two"]


def test_what_fails_its_check_or_reads_otherwise_is_not_put_in_place(tmp_path, monkeypatch):
    place = tmp_path / "x"
    place.write_bytes(b"before")

    def refuse(part: object) -> None:
        raise EdgeError("no")

    with pytest.raises(EdgeError, match=r"^no$"):
        files.write_beside(place, b"after", refuse)
    with monkeypatch.context() as patched:
        patched.setattr(type(place), "read_bytes", lambda path: b"other")
        with pytest.raises(EdgeError, match="reads as something else than was written: check the disk"):
            files.write_beside(place, b"after")
    assert place.read_bytes() == b"before" and [path.name for path in tmp_path.iterdir()] == ["x"]
    (tmp_path / "folder").mkdir()
    with pytest.raises(EdgeError, match="no ordinary file"):
        files.write_all_beside({place: b"after", tmp_path / "folder": b""})
    assert place.read_bytes() == b"before"
