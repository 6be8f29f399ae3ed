"""The door for formats from outside: one file that is no part of the repository, and images of it are answered."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge
from edge import image as images
from edge import readers
from edge.errors import EdgeError
from edge.preprocess import Preprocessing, pixels
from edge.readers import BUILT_IN, HEAD, Reader, Request, Stored, find, knows, register, suffixes
from edge.sources import expand
from tests.edge import packing
from tests.edge.pictures import encoded, png
from tests.edge.processes import environment, run

HERE = Path(__file__).parent
WINDOW = (29000, 31000)  # 16.85 to 36.85 degrees Celsius
MATRIX = np.linspace(28000, 32000, 30 * 40).astype("<u2").reshape(30, 40)


def tmx(matrix: np.ndarray = MATRIX) -> bytes:
    height, width = matrix.shape
    return b"TMX1" + struct.pack("<2H", width, height) + matrix.astype("<u2").tobytes()


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch):
    """What a test registers is gone behind it."""
    monkeypatch.setattr(readers, "_registered", [])
    monkeypatch.setattr(readers, "_installed", [])


@pytest.fixture
def thermal(tmp_path, flatbuffer) -> Path:
    """A model with a window of temperatures."""
    raw = packing.manifest(flatbuffer)
    raw["inputs"][0]["window"] = list(WINDOW)
    path = tmp_path / "thermal.tflite"
    path.write_bytes(packing.pack(flatbuffer, raw, {}))
    return path


@pytest.fixture
def reader(tmp_path) -> Reader:
    """The reader, imported from a file outside of the repository."""
    path = tmp_path / "tmx.py"
    shutil.copy(HERE / "data/tmx.py", path)
    spec = importlib.util.spec_from_file_location("tmx_outside", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.READER


def installed(folder: Path, value: str = "tmx:READER", module: str | None = None) -> dict[str, str]:
    """Return the environment of a process for which a package with this entry point is installed in `folder`."""
    site = folder / "site"
    (site / "tmx-1.dist-info").mkdir(parents=True)
    (site / "tmx-1.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: tmx\nVersion: 1\n")
    (site / "tmx-1.dist-info/entry_points.txt").write_text(f"[edge_infer.readers]\ntmx = {value}\n")
    (site / "tmx.py").write_text(module or (HERE / "data/tmx.py").read_text())
    known = environment()
    return {**known, "PYTHONPATH": os.pathsep.join([known["PYTHONPATH"], str(site)])}


def test_a_registered_format_is_answered_through_the_window(reader, thermal, tmp_path):
    engine = edge.load(thermal)
    (tmp_path / "x.tmx").write_bytes(tmx())
    with pytest.raises(EdgeError, match="is not an image that can be read") as caught:
        engine(tmp_path / "x.tmx")
    assert caught.value.code == "image.format"
    register(reader)
    # What the window makes of each temperature, by its equation in docs/model-file.md.
    low, high = WINDOW
    seen = np.clip(np.floor((255 * (MATRIX.astype(float) - low)) / (high - low) + 0.5), 0, 255).astype(np.uint8)
    picture = images.read(tmp_path / "x.tmx", engine.file.manifest.inputs[0])
    assert picture.size == (40, 30) and np.array_equal(np.asarray(picture.image), seen)
    assert picture.image.getextrema() == (0, 255) and picture.warnings == ()
    without = images.read(tmx())
    assert np.array_equal(np.asarray(without.image), MATRIX >> 8)
    answer = engine(tmp_path / "x.tmx")
    plain = edge.load(thermal)(seen_by_hand(thermal, seen))
    assert answer.results == plain.results and answer.decision == plain.decision


def seen_by_hand(model: Path, seen: np.ndarray) -> np.ndarray:
    """Return stored values that the model's window maps to these 8-bit ones."""
    low, high = WINDOW
    values = np.rint(low + seen.astype(float) * (high - low) / 255).astype(np.uint16)
    spec = edge.load(model).file.manifest.inputs[0]
    assert np.array_equal(np.asarray(images.take(Image.fromarray(values), spec=spec).image), seen)
    return values


def test_an_installed_format_is_answered_by_the_command_and_found_in_folders(thermal, tmp_path):
    env = installed(tmp_path)
    folder = tmp_path / "images"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner/a.TMX").write_bytes(tmx())
    (folder / "b.png").write_bytes(png(MATRIX.astype(np.uint16)))
    (folder / "notes.txt").write_bytes(b"")
    done = run("--model", thermal, "--json", folder, env=env)
    assert done.status == 0 and "left out (1 .txt)" in done.err
    same, temperatures = (json.loads(line) for line in done.out.splitlines())
    assert temperatures["image"].endswith("inner/a.TMX") and not temperatures["warnings"]
    assert temperatures["results"] == same["results"]
    assert json.loads(run("--model", thermal, "--json", "-", stdin=tmx(), env=env).out)["results"] == same["results"]
    # Where it is not installed nothing knows the format.
    done = run("--model", thermal, "--json", folder)
    assert "left out (1 .tmx, 1 .txt)" in done.err and len(done.out.splitlines()) == 1


def test_a_damaged_file_and_one_too_large_are_invalid_input(reader):
    register(reader)
    with pytest.raises(EdgeError, match=r"^x\.tmx is damaged or cut short") as caught:
        images.decode(tmx()[:-1], "x.tmx")
    assert caught.value.code == "image.damaged"
    with pytest.raises(EdgeError, match=r"x\.tmx has 40x30 pixels, more than the limit of 1199") as caught:
        images.decode(tmx(), "x.tmx", max_pixels=1199)
    assert caught.value.code == "image.too-large"
    assert images.decode(tmx(), max_pixels=1200).size == (40, 30)


def test_the_limit_holds_for_a_reader_that_forgets_it():
    register(Reader("TMX", (b"TMX1",), (".tmx",), lambda data, request: Stored(Image.fromarray(MATRIX))))
    with pytest.raises(EdgeError) as caught:
        images.decode(tmx(), max_pixels=1199)
    assert caught.value.code == "image.too-large"


def test_a_reader_that_returns_something_else_is_said():
    register(Reader("TMX", (b"TMX1",), (".tmx",), lambda data, request: MATRIX))
    with pytest.raises(
        EdgeError, match=r"the reader TMX gave a ndarray for x: expected an edge\.readers\.Stored"
    ) as said:
        images.decode(tmx(), "x")
    assert said.value.code == "reader.invalid"


@pytest.mark.parametrize("place", [128, HEAD - 4])
def test_a_magic_may_lie_behind_a_preamble(tmp_path, place):
    """DICOM's does; and a file that is shorter than that is no image, whatever the function makes of it."""

    def fits(head: bytes) -> bool:
        return struct.unpack_from("4s", head, place)[0] == b"DICM"

    def read(data: bytes, request: Request) -> Stored:
        return Stored(Image.new("L", (3, 2), data[place + 4]))

    register(Reader("DICOM", fits, (".dcm",), read))
    path = tmp_path / "x"
    path.write_bytes(bytes(place) + b"DICM" + b"\x63" + bytes(5000))
    assert images.read(path).image.getpixel((0, 0)) == 0x63
    path.write_bytes(bytes(5000))
    for data in (path, bytes(9), b""):
        with pytest.raises(EdgeError, match=r"expected .*WEBP, DICOM"):
            images.read(data)


def test_a_stored_orientation_warning_and_number_of_images_are_taken_over():
    def read(data: bytes, request: Request) -> Stored:
        warning = edge.errors.ImageWarning("image.padding", "made up")
        return Stored(Image.fromarray(MATRIX), orientation=6, images=2, warnings=(warning,))

    register(Reader("TMX", (b"TMX1",), (".tmx",), read))
    picture = images.decode(tmx(), spec=Preprocessing(24, 24, "grey", 1, window=WINDOW))
    assert picture.size == (30, 40) and picture.orientation == 6
    assert [warning.code for warning in picture.warnings] == ["image.padding", "image.pages"]
    assert images.stored(tmx())[1] == 6 and images.stored(tmx())[0].size == (40, 30)


def test_a_reader_is_told_what_the_network_reads(reader):
    asked = []

    def read(data: bytes, request: Request) -> Stored:
        asked.append(request)
        return reader.read(data, request)

    register(reader._replace(read=read))
    spec = Preprocessing(24, 20, "grey", 1, window=WINDOW)
    images.decode(tmx(), "x.tmx", spec, 5000)
    images.decode(tmx(), "x.tmx", spec, 5000, full_size=True)
    images.decode(tmx())
    images.stored(tmx())
    assert asked[0] == ("x.tmx", 5000, (20, 24), WINDOW) and asked[1] == ("x.tmx", 5000, None, WINDOW)
    assert [one.size for one in asked[2:]] == [one.window for one in asked[2:]] == [None, None]


@pytest.mark.parametrize(
    ("value", "module", "said"),
    [
        ("tmx:NOTHING", None, "can't be loaded (AttributeError"),
        ("nowhere:READER", None, "can't be loaded (ModuleNotFoundError"),
        ("tmx:READER", "raise RuntimeError('old')", "can't be loaded (RuntimeError: old)"),
        ("tmx:READER", "READER = 5", "is no edge.readers.Reader"),
        ("tmx:READER", "from edge.readers import Reader\nREADER = Reader('TMX', (), ('.tmx',), len)", "has no magic"),
    ],
)
def test_a_broken_package_is_named_and_harms_no_other_image(thermal, tmp_path, value, module, said):
    env = installed(tmp_path, value, module)
    (tmp_path / "x.tmx").write_bytes(tmx())
    (tmp_path / "x.png").write_bytes(png(MATRIX.astype(np.uint16)))
    done = run("--model", thermal, "--quiet", tmp_path / "x.tmx", tmp_path / "x.png", env=env)
    assert done.status == 2 and len(done.out.splitlines()) == 1
    (complaint,) = done.complaints
    assert f"the installed reader tmx ({value}) {said}" in complaint and "PNG" in complaint


def test_packages_that_can_not_be_looked_through_are_said(monkeypatch, tmp_path):
    def fail(**group: str) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr("importlib.metadata.entry_points", fail)
    (tmp_path / "notes.txt").write_bytes(b"")
    (tmp_path / "x.png").write_bytes(png(MATRIX.astype(np.uint8)))
    assert expand(str(tmp_path)) == [f"{tmp_path}/x.png"]
    with pytest.raises(EdgeError, match=r"WEBP; installed readers can't be looked up \(OSError: \[Errno 24\] Too many"):
        images.read(b"not an image")


def test_only_an_unknown_image_looks_for_installed_readers(tmp_path, thermal):
    """A package that ends the process it is imported in shows where it is."""
    env = installed(tmp_path, module="import os\nos._exit(77)")
    (tmp_path / "x.png").write_bytes(png(MATRIX.astype(np.uint16)))
    (tmp_path / "only").mkdir()
    (tmp_path / "only/a.jpg").write_bytes(encoded(Image.new("L", (30, 30), 5), "JPEG"))
    assert run("--model", thermal, tmp_path / "x.png", tmp_path / "only", env=env).status == 0
    (tmp_path / "x.tmx").write_bytes(tmx())
    for word in (tmp_path / "x.tmx", tmp_path):
        assert run("--model", thermal, word, env=env).status == 77


@pytest.mark.parametrize(
    "wrong",
    [
        5,
        Reader("", (b"T",), (".t",), len),
        Reader("T", (), (".t",), len),
        Reader("T", b"TMX1", (".t",), len),
        Reader("T", (b"",), (".t",), len),
        Reader("T", (bytes(HEAD + 1),), (".t",), len),
        Reader("T", (b"T",), ("t",), len),
        Reader("T", (b"T",), (".T",), len),
        Reader("T", (b"T",), ".t", len),
        Reader("T", (b"T",), (".t",), None),
        Reader("PNG", (b"T",), (".t",), len),
    ],
)
def test_what_is_no_reader_is_not_registered(wrong):
    with pytest.raises(EdgeError) as caught:
        register(wrong)
    assert caught.value.code == "reader.invalid" and not readers._registered


def test_the_built_in_ones_come_first(reader):
    register(Reader("MINE", (b"\x89PNG",), (".png", ".mine"), lambda data, request: Stored(Image.new("L", (9, 9)))))
    register(reader)
    assert images.read(png(np.zeros((4, 5), np.uint8))).size == (5, 4)
    assert find(b"\x89PNG\r\n\x1a\n....").name == "PNG" and find(b"\x89PNG\n").name == "MINE"
    assert find(b"TMX1").name == "TMX" and find(b"TMX") is None
    with pytest.raises(EdgeError, match="another reader, TMX"):
        register(reader._replace(suffixes=(".other",)))
    assert knows(".tmx") and knows(".mine") and not knows(".other") and suffixes()[-1] == ".tmx"


def test_a_built_in_reader_is_imported_for_its_own_format_only(model, tmp_path):
    script = "import sys; from edge.cli import main; main(sys.argv[1:]); print(*sys.modules, file=sys.stderr)"
    for form in ("PNG", "GIF"):
        path = tmp_path / f"x.{form.lower()}"
        path.write_bytes(encoded(Image.new("L", (30, 30), 5), form))
        done = subprocess.run(
            [sys.executable, "-c", script, "--model", str(model), str(path)],
            capture_output=True, text=True, env=environment(), timeout=60,
        )  # fmt: skip
        loaded = {name for name in done.stderr.splitlines()[-1].split() if name.startswith("edge.readers.")}
        formats = {f"edge.readers.{reader.name.lower()}" for reader in BUILT_IN}
        assert loaded & formats == {f"edge.readers.{form.lower()}"}


def test_folders_are_searched_for_it(reader, tmp_path):
    (tmp_path / "x.tmx").write_bytes(tmx())
    with pytest.raises(EdgeError, match=r"no images in it, 2 files were left out \(1 \.py, 1 \.tmx\)"):
        expand(str(tmp_path))
    register(reader)
    assert expand(str(tmp_path)) == [f"{tmp_path}/x.tmx"]
    seen = pixels(images.read(tmp_path / "x.tmx"), Preprocessing(30, 40, "grey", 1))
    assert np.array_equal(seen[:, :, 0], MATRIX >> 8)
