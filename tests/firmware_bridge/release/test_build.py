"""Archives: reproducible, small, signed, whole; and what a target can't run is refused."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from benchmarks.lab import debian
from benchmarks.lab.host import new_key
from edge.errors import EdgeError
from edge.model import shipped
from firmware_bridge import target
from firmware_bridge.release import build, elf, release, signature, sysroot, wheel
from firmware_bridge.release.release import File, Link
from tests.edge import packing, processes
from tests.firmware_bridge import releases

LIMIT_MB = 25  # of an archive for a Raspberry Pi with all shipped models
NATIVE = {**debian.COMPILER, "cmake": "cmake", "dpkg-deb": "dpkg", "ssh-keygen": "openssh-client"}
PLACES = {"x86-64": NATIVE, "pi4": {**NATIVE, **debian.ARM_COMPILER}}


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new_key(tmp_path_factory.mktemp("keys") / "signer")


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache with what was downloaded and no program yet, in a folder whose name has spaces and quotes."""
    folder = tmp_path / 'a "cache" of O\'Neill/edge-infer'
    folder.mkdir(parents=True)
    for name in ("debian", "wheels"):
        (wheel.cache() / name).mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(wheel.cache() / name)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder.parent))
    return folder


def programs(cache: Path) -> list[Path]:
    """The compiled programs that it keeps."""
    return [path for path in (cache / "programs").iterdir() if len(path.name) == 64]


def content(name: str, models: list[str] | None = None, board: target.Target | None = None) -> build.Content:
    """What is built for a target, or one like it; the test is skipped where what it is built from can't be had."""
    try:
        debian.need(PLACES[name])
    except debian.Unavailable as error:
        pytest.skip(str(error))
    try:
        return build.content(board or target.load(name), models or [])
    except EdgeError as error:
        if "can't be fetched" in str(error):
            pytest.skip(str(error))
        raise


@pytest.mark.compile
@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", PLACES)
def test_an_archive_is_small_whole_and_the_same_every_time(
    name: str, key: Path, tmp_path: Path, own_cache: Path
) -> None:
    paths = []
    for turn in ("one", "other"):
        paths.append(build.write(content(name), 3, key, tmp_path / turn))
        for program in programs(own_cache):  # one that was damaged is compiled again
            program.write_bytes(program.read_bytes()[:-1])
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert paths[0].stat().st_size <= LIMIT_MB * 1e6
    archive = release.read(paths[0])
    board = target.load(name)
    assert archive.release.name == f"edge-infer-0.1.0-3-{name}" and archive.release.architecture == board.architecture
    # What it says it needs is what its binaries ask for: no less, and of nothing else.
    unpacked = tmp_path / "unpacked"
    unpacked.mkdir()
    subprocess.run(["tar", "-xf", paths[0], "-C", tmp_path], check=True)
    subprocess.run(["tar", "-xzf", tmp_path / "payload.tar.gz", "-C", unpacked], check=True)
    binaries = [unpacked / "bin/edge-infer", unpacked / "lib/libLiteRt.so"]
    versions = [elf.read(path).versions for path in binaries]
    assert elf.highest(found["GLIBC"] for found in versions) == archive.release.glibc
    if board.architecture == platform.machine():
        for model in sorted((unpacked / "models").glob("*.tflite")):
            done = subprocess.run([unpacked / "bin/edge-infer", "--model", model, "--check"], capture_output=True)
            assert done.returncode == 0 and done.stdout.count(b": bit-exact: ") == 4, done.stderr + done.stdout
    shutil.copy(tmp_path / "release", unpacked)
    lines = (tmp_path / "digests").read_text().splitlines(keepends=True)
    inside = "".join(line for line in lines if "payload.tar.gz" not in line)
    subprocess.run(["sha256sum", "--strict", "-c", "-"], input=inside.encode(), cwd=unpacked, check=True)
    files = {
        str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if path.is_file() and not path.is_symlink()
    }
    assert files == {line.split("  ", 1)[1].rstrip("\n") for line in inside.splitlines(keepends=True)}
    materials = json.loads((unpacked / "sbom.json").read_text())
    names = {part["name"] for part in materials["components"]}
    assert {
        "edge-infer",
        "LiteRT",
        "libpng",
        "libjpeg-turbo",
        "zlib",
        "jansson",
        "bpcp",
        "pneumonia",
        "cpgresnet50",
        "polyp",
    } == names
    for licence in ("edge-infer", "LiteRT", "libpng", "libjpeg-turbo", "zlib", "jansson"):
        assert (unpacked / "licences" / licence).stat().st_size > 500


@pytest.mark.qemu
@pytest.mark.network
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("name", "emulator", "architecture", "libraries"),
    [
        ("pi-armv7", "qemu-arm", "armv7l", "arm-linux-gnueabihf"),
        ("pi4-coral", "qemu-aarch64", "aarch64", "aarch64-linux-gnu"),
    ],
)
def test_the_python_releases_run_on_arm(
    name: str, emulator: str, architecture: str, libraries: str, key: Path, tmp_path: Path
) -> None:
    """Built in two processes of other hash seeds it is the same; emulated, its golden vectors pass."""
    flatbuffer, paths = (Path(packing.__file__).with_name("data") / "tiny.tflite").read_bytes(), []
    compiled = tmp_path / "compiled.tflite"
    field = {"bytes": len(flatbuffer), "sha256": hashlib.sha256(flatbuffer).hexdigest(), "compiler": "16.0"}
    field |= {"operators": 1, "mapped": 1, "on_chip_bytes": 1, "on_chip_free_bytes": 1, "off_chip_bytes": 0}
    raw = packing.manifest(flatbuffer, edgetpu={**field, "unmapped": []})
    compiled.write_bytes(packing.pack(flatbuffer, raw, {"edgetpu.tflite": flatbuffer}))
    for seed in ("1", "2"):
        output = tmp_path / seed
        words = ["build", name, "--key", str(key), "--output", str(output)]
        words += [word for model in [*(path.stem for path in shipped()), compiled] for word in ("--model", str(model))]
        done = processes.Ended(
            subprocess.run(
                [sys.executable, "-m", "firmware_bridge", *words],
                capture_output=True,
                env=processes.environment(PYTHONHASHSEED=seed),
            )
        )
        if "can't be fetched (" in done.err or "apt-get is not" in done.err:
            pytest.skip(done.err)
        assert done.status == 0, done.err
        told_of_it = "\nCoral: edge-infer --runtime edgetpu has it compute tiny; how: docs/coral.md\n" in done.out
        assert told_of_it == (target.load(name).accelerator != "none")
        paths.append(output / f"edge-infer-0.1.0-1-{name}.tar")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    archive = release.read(paths[0])
    assert (archive.release.program, archive.release.python) == ("python", "3.11")
    assert archive.size <= LIMIT_MB * 1e6
    try:
        debian.need({emulator: "qemu-user"})
    except debian.Unavailable as error:
        pytest.skip(str(error))
    system = "libc6 libexpat1 libffi8 libgcc-s1 libpython3.11-minimal libpython3.11-stdlib libssl3 libstdc++6"
    root = sysroot.sysroot(architecture, f"{system} python3.11-minimal zlib1g".split()).folder
    subprocess.run(["tar", "-xf", paths[0], "-C", tmp_path], check=True)
    subprocess.run(["tar", "-xzf", "payload.tar.gz"], cwd=tmp_path, check=True)
    python = tmp_path / "board/python3"
    python.parent.mkdir()
    python.write_text(
        f"#!/bin/sh\nlibraries=$LD_LIBRARY_PATH:{root}/usr/lib/{libraries}\nunset LD_LIBRARY_PATH\n"
        f'exec {emulator} -L {root} -E "LD_LIBRARY_PATH=$libraries" {root}/usr/bin/python3.11 "$@"\n'
    )
    python.chmod(0o755)
    environ = processes.environment(PATH=f"{python.parent}:{os.environ['PATH']}")
    command = [tmp_path / "bin/edge-infer", "--check", "--model", "pneumonia"]
    told = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=600)
    assert told.returncode == 0, told.stderr
    assert "4 of 4 golden vectors passed on tflite 2.14.0" in told.stdout
    parts = json.loads((tmp_path / "sbom.json").read_text())["components"]
    libraries_in_it = {part["name"] for part in parts if part["type"] == "library"}
    assert {"tflite-runtime", "numpy", "Pillow"} <= libraries_in_it
    assert [name for name in libraries_in_it if (tmp_path / "licences" / name).stat().st_size < 500] == []


@pytest.mark.compile
@pytest.mark.timeout(300)
def test_the_program_is_compiled_once_and_kept(own_cache: Path) -> None:
    first = content("x86-64", ["pneumonia"]).payload["bin/edge-infer"]
    (kept,) = programs(own_cache)
    assert isinstance(first, File) and kept.read_bytes() == hashlib.sha256(first.data).digest() + first.data
    kept.write_bytes(hashlib.sha256(b"kept").digest() + b"kept")
    assert content("x86-64", ["pneumonia"]).payload["bin/edge-infer"] == File(b"kept", executable=True)


@pytest.mark.compile
def test_a_cache_that_can_not_be_written(own_cache: Path) -> None:
    (own_cache / "programs").write_text("no folder")
    with pytest.raises(EdgeError, match=r"can't be kept in .*/programs .*: expected room and the right to write"):
        content("x86-64", ["pneumonia"])


def test_a_python_that_compiles_for_another_is_refused(tmp_path: Path) -> None:
    (tmp_path / "old.toml").write_text((target.FOLDER / "pi-armv7.toml").read_text().replace('"3.11"', '"3.9"'))
    with pytest.raises(EdgeError, match=r"old has 3\.9: expected the same"):
        build.content(target.load(str(tmp_path / "old.toml")), [])


def test_openssh_verifies_what_was_signed(key: Path, tmp_path: Path) -> None:
    archive = releases.make(tmp_path, key)
    subprocess.run(["tar", "-xf", archive, "-C", tmp_path], check=True)
    (tmp_path / "trusted").write_text(f'edge-deploy namespaces="edge-infer" {" ".join(signature.public_key(key))}\n')
    verify = ["ssh-keygen", "-Y", "verify", "-f", "trusted", "-I", "edge-deploy", "-n", "edge-infer"]
    verify += ["-s", "digests.sig"]
    digests = (tmp_path / "digests").read_bytes()
    assert subprocess.run(verify, cwd=tmp_path, input=digests, capture_output=True).returncode == 0
    assert subprocess.run(verify, cwd=tmp_path, input=digests + b" ", capture_output=True).returncode != 0


@pytest.mark.compile
@pytest.mark.timeout(300)
def test_a_target_with_an_older_system_is_refused_for_its_binaries(tmp_path: Path) -> None:
    """The wheel's file name says glibc 2.27, which this target has; the library in it asks for more."""
    old = (target.FOLDER / "pi4.toml").read_text().replace("2.36", "2.31")
    (tmp_path / "old-pi.toml").write_text(old)
    with pytest.raises(EdgeError, match=r"needs GLIBC 2\.3[0-9]: the target old-pi has 2\.31"):
        content("pi4", board=target.load(str(tmp_path / "old-pi.toml")))
    assert "2_27" in wheel.fetch("ai-edge-litert", "aarch64").path.name


def test_a_library_that_nobody_brings_is_refused() -> None:
    python = File(Path(shutil.which("git") or "/usr/bin/git").read_bytes())  # linked to zlib
    with pytest.raises(EdgeError, match=r"bin/edge-infer needs the library lib.*link it statically"):
        build._binaries({"bin/edge-infer": python})


def test_models_that_no_program_knows_are_refused(tmp_path: Path) -> None:
    flatbuffer = (Path(packing.__file__).with_name("data") / "tiny.tflite").read_bytes()
    path = tmp_path / "new.tflite"
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer, task="detection")))
    with pytest.raises(EdgeError, match="detection"):
        build.content(target.load("x86-64"), [str(path)])
    path.write_bytes(packing.pack(flatbuffer, packing.manifest(flatbuffer)))
    with pytest.raises(EdgeError, match="two models are called"):
        build.content(target.load("x86-64"), [str(path), str(path)])


def test_keys_that_do_not_sign(tmp_path: Path) -> None:
    with pytest.raises(EdgeError, match=r"no does not exist: expected an OpenSSH key"):
        signature.sign(b"", tmp_path / "no")
    locked = tmp_path / "locked"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", locked], check=True)
    with pytest.raises(EdgeError, match=r"does not sign.*ssh-add"):
        signature.sign(b"", locked)


def test_release_numbers(key: Path, tmp_path: Path) -> None:
    made = build.Content(target.load("x86-64"), releases.payload(), {"GLIBC": "2.17", "GLIBCXX": "0"})
    for number in (-1, 1_000_000):
        with pytest.raises(EdgeError, match="expected 0 to 999999"):
            build.write(made, number, key, tmp_path)
    assert list(tmp_path.iterdir()) == []


FULL = """
import resource, sys
from pathlib import Path
from edge.command import ended
from firmware_bridge.release import build
from firmware_bridge import target
from tests.firmware_bridge import releases
made = build.Content(target.load("x86-64"), releases.payload(bulk=200_000), {"GLIBC": "2.17", "GLIBCXX": "0"})
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
sys.exit(ended("edge-deploy", lambda: build.write(made, 1, Path(sys.argv[1]), Path(sys.argv[2])), ""))
"""


def test_an_archive_that_can_not_be_written_is_named(key: Path, tmp_path: Path) -> None:
    """On a disk that gets full, and where a file is in the folder's place; nothing half-written is left."""
    (tmp_path / "file").touch()
    for output, reason in (("out", "File too large"), ("file/below", "Not a directory"), ("file", "File exists")):
        command = [sys.executable, "-c", FULL, key, tmp_path / output]
        told = processes.Ended(subprocess.run(command, capture_output=True, env=processes.environment(), timeout=60))
        assert told.status == 2 and told.err.count("\n") == 1
        assert f"{tmp_path / output}/edge-infer-0.1.0-1-x86-64.tar can't be written ({reason}): expected" in told.err
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("out", "file"))] == ["file"]


def outer(path: Path, **changes: bytes | None) -> None:
    """Write an archive again with members changed, added or (None) left out."""
    with tarfile.open(path) as tar:
        members = {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]
    members |= {name.replace("_", ".", 1): data for name, data in changes.items()}  # type: ignore[dict-item]
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            if data is not None:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))


DAMAGE = {
    "another member": ({"letter": b"dear"}, "holds release, digests"),
    "no signature": ({"digests_sig": None}, "expected release, digests"),
    "another release file": ({"release": b"version: 9\n"}, "release is not the one in its digest list"),
    "another list": ({"digests": b"\xff\xfe"}, "damaged or no archive"),
    "an empty list": ({"digests": b""}, "release is not the one"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_archives_are_refused(name: str, key: Path, tmp_path: Path) -> None:
    changes, said = DAMAGE[name]
    path = releases.make(tmp_path, key)
    outer(path, **changes)
    with pytest.raises(EdgeError, match=said):
        release.read(path)


@pytest.mark.parametrize("length", [0, 1, 511, 600, 2000, -600])
def test_archives_that_were_cut_short_are_refused(length: int, key: Path, tmp_path: Path) -> None:
    path = releases.make(tmp_path, key)
    whole = path.read_bytes()
    end = whole.index(b"payload.tar.gz\0") + 700
    path.write_bytes(whole[:length] if length >= 0 else whole[:end])
    with pytest.raises(EdgeError):
        release.read(path)


def test_a_release_file_says_what_was_put_into_it() -> None:
    what = releases.release_of("12.3.4-56", python="3.11")
    assert release.parse(what.text(), "here") == what
    for wrong in ("0.1-1", "0.1.0", "0.1.0-x", "0.1.0-1\nformat: x", "../0.1.0-1"):
        with pytest.raises(EdgeError, match="here"):
            release.parse(what._replace(version=wrong).text(), "here")
    with pytest.raises(EdgeError, match="says format: 'edge-infer release 2'"):
        release.parse(what.text().replace("release 1", "release 2"), "here")


def test_links_and_modes_are_kept(key: Path, tmp_path: Path) -> None:
    digests, packed = release.digest_list(
        releases.release_of(), {"a": File(b"x", True), "b": Link("a"), "c": File(b"")}
    )
    with tarfile.open(fileobj=io.BytesIO(packed)) as tar:
        found = [(item.name, item.mode, item.linkname, item.mtime, item.uid) for item in tar]
    assert found == [("a", 0o755, "", 0, 0), ("b", 0o777, "a", 0, 0), ("c", 0o644, "", 0, 0)]
    assert [line.split("  ")[1] for line in digests.decode().splitlines()] == ["a", "c", "payload.tar.gz", "release"]
