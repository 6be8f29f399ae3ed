"""The native program's tensors and warnings are edge's, to the byte: any image, any size, any preprocessing."""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edge import image as images
from edge.errors import EdgeError
from edge.plausibility import uniform
from edge.preprocess import Preprocessing, float_table, int8_table, look_up, pixels
from tests.edge.pictures import encoded, raw_png

SCALE, ZERO_POINT = 0.017, -3
Found = tuple[tuple[int, int], bytes, list[tuple[str, str]]]
Probe = Callable[..., "Found | str"]


@pytest.fixture(scope="module")
def probe(build: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Probe]:
    """An image's size, tensor and warnings by the native program, or its sentence."""
    path = tmp_path_factory.mktemp("probe") / "picture"
    pipe = subprocess.PIPE
    with subprocess.Popen([build / "edge-probe"], stdin=pipe, stdout=pipe) as process:
        assert process.stdin is not None and process.stdout is not None

        def ask(data: bytes, spec: Preprocessing, kind: str, full: bool) -> Found | str:
            path.write_bytes(data)
            mean, std = (list(np.broadcast_to(values, 3)) for values in (spec.mean, spec.std))
            words = [
                spec.height,
                spec.width,
                spec.color,
                spec.channels,
                spec.fit,
                "full" if full else "draft",
                kind,
                SCALE,
            ]
            line = " ".join(map(str, [*words, ZERO_POINT, *mean, *std, *(spec.window or (0, 0)), path])) + "\n"
            process.stdin.write(line.encode())
            process.stdin.flush()
            verdict, _, rest = process.stdout.readline().decode().rstrip("\n").partition(" ")
            if verdict != "ok":
                return rest.replace(str(path), "the image")
            width, height, count = map(int, rest.split())
            tensor, warnings = process.stdout.read(count), []
            while line := process.stdout.readline().decode().rstrip("\n"):
                code, _, message = line.partition(" ")
                warnings.append((code, message))
            return (width, height), tensor, warnings

        yield ask
        process.stdin.close()
        assert process.wait(10) == 0


def expected(data: bytes, spec: Preprocessing, kind: str, full: bool) -> Found | None:
    """The same by edge; None where it refuses the image."""
    try:
        picture = images.decode(data, spec=spec, full_size=full)
    except EdgeError:
        return None
    table = int8_table(spec, SCALE, ZERO_POINT) if kind == "int8" else float_table(spec)
    array = pixels(picture, spec)
    doubt = uniform(array, picture.size, spec)
    warnings = [tuple(warning) for warning in (*picture.warnings, doubt) if warning]
    return picture.size, look_up(array, table).tobytes(), warnings


def adam7(array: np.ndarray, depth: int, colour: int) -> bytes:
    """An interlaced PNG of (height, width, channels) values of `depth` bits; Pillow writes none."""
    rows = []
    for left, top, across, down in (
        (0, 0, 8, 8),
        (4, 0, 8, 8),
        (0, 4, 4, 8),
        (2, 0, 4, 4),
        (0, 2, 2, 4),
        (1, 0, 2, 2),
        (0, 1, 1, 2),
    ):
        part = array[top::down, left::across]
        for row in part if part.shape[1] else []:
            bits = "".join(f"{int(value):0{depth}b}" for value in row.ravel())
            bits += "0" * (-len(bits) % 8)
            rows.append(b"\0" + int(bits, 2).to_bytes(len(bits) // 8, "big"))
    return raw_png(array.shape[1], array.shape[0], depth, colour, b"".join(rows), interlaced=True)


WINDOWS = (
    st.none()
    | st.tuples(st.integers(0, 65534), st.integers(1, 65535)).filter(lambda ends: ends[0] < ends[1])
    | (st.sampled_from([(0, 1), (0, 255), (0, 4095), (100, 140), (1000, 3000), (0, 65535), (65534, 65535)]))
)
SIZES = st.integers(1, 90) | st.integers(1, 700)
KINDS = [(1, 0), (2, 0), (4, 0), (8, 0), (16, 0), (4, 3), (8, 2), (16, 2), (8, 4), (16, 6)]
MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]


@st.composite
def pictures(draw: st.DrawFn) -> bytes:
    width, height = draw(SIZES), draw(SIZES)
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    exif = Image.Exif()
    if draw(st.booleans()):
        exif[0x0112] = draw(st.integers(0, 9))
    mode = draw(st.sampled_from([*MODES, "adam7", "JPEG L", "JPEG RGB", "JPEG CMYK"]))
    if mode == "adam7":
        depth, colour = draw(st.sampled_from(KINDS))
        channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
        return adam7(generator.integers(0, 2**depth, (height % 40 + 1, width % 40 + 1, channels)), depth, colour)
    # Noise over something smooth: both the filter's weights and its rounding show.
    smooth = Image.fromarray(generator.integers(0, 256, (3, 4, 4), dtype=np.uint8), "RGBA").resize((width, height))
    noise = generator.integers(-20, 21, (height, width, 4))
    array = np.clip(np.asarray(smooth).astype(int) + noise, 0, 255).astype(np.uint8)
    if mode.startswith("JPEG"):
        image = (
            Image.fromarray(array, "CMYK")
            if mode.endswith("CMYK")
            else Image.fromarray(array[:, :, :3]).convert(mode[5:])
        )
        options = {"quality": draw(st.integers(20, 100)), "progressive": draw(st.booleans())}
        if mode == "JPEG RGB":
            options["subsampling"] = draw(st.integers(0, 2))
        return encoded(image, "JPEG", exif=exif, **options)
    if mode == "I;16":
        image = Image.fromarray(generator.integers(0, 65536, (height, width), dtype=np.uint16))
    elif mode == "P":
        image = Image.fromarray(array[:, :, :3]).quantize(draw(st.integers(2, 256)))
    else:
        image = Image.fromarray(array, "RGBA").convert(mode)
    return encoded(image, "PNG", exif=exif, compress_level=1)


@st.composite
def preprocessings(draw: st.DrawFn) -> Preprocessing:
    color = draw(st.sampled_from(["grey", "rgb"]))
    channels = 3 if color == "rgb" else draw(st.sampled_from([1, 3]))
    length = draw(st.sampled_from([1, channels]))
    floats = st.floats(0.125, 2)
    return Preprocessing(
        height=draw(st.integers(1, 80)),
        width=draw(st.integers(1, 80)),
        color=color,
        channels=channels,
        fit=draw(st.sampled_from(["stretch", "crop", "pad"])),
        mean=tuple(draw(st.lists(floats, min_size=length, max_size=length))),
        std=tuple(draw(st.lists(floats, min_size=length, max_size=length))),
        window=draw(WINDOWS),
    )


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=pictures(), spec=preprocessings(), kind=st.sampled_from(["int8", "float32"]), full=st.booleans())
def test_the_same_bytes(probe: Probe, data: bytes, spec: Preprocessing, kind: str, full: bool) -> None:
    assert probe(data, spec, kind, full) == expected(data, spec, kind, full)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=pictures(), share=st.floats(0, 1))
def test_what_is_cut_short_is_refused_the_same(probe: Probe, data: bytes, share: float) -> None:
    spec = Preprocessing(8, 8)
    cut = data[: int(len(data) * share)]
    theirs = expected(cut, spec, "int8", True)
    mine = probe(cut, spec, "int8", True)
    assert mine == theirs if theirs is not None else isinstance(mine, str)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(KINDS), width=st.integers(1, 20), height=st.integers(1, 20), rows=st.integers(0, 22),
    fill=st.sampled_from([0, 0xA5, 0xFF]), interlaced=st.booleans(),
)  # fmt: skip
def test_rows_that_are_missing_are_refused_the_same(
    probe: Probe, kind: tuple[int, int], width: int, height: int, rows: int, fill: int, interlaced: bool
) -> None:
    depth, colour = kind
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    data = raw_png(width, height, depth, colour, (b"\0" + bytes([fill]) * ((width * bits + 7) // 8)) * rows, interlaced)
    spec = Preprocessing(8, 8)
    theirs, mine = expected(data, spec, "int8", True), probe(data, spec, "int8", True)
    assert mine == theirs if theirs is not None else isinstance(mine, str)
    if not interlaced:
        assert (theirs is None) == (rows < height)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(data=pictures(), places=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_what_is_changed_ends_no_process(probe: Probe, data: bytes, places: list[tuple[float, int]]) -> None:
    changed = bytearray(data)
    for share, value in places:
        changed[int(share * (len(changed) - 1))] = value
    probe(bytes(changed), Preprocessing(8, 8), "int8", False)


def test_orientation_by_xmp_and_by_text(probe: Probe) -> None:
    from PIL.PngImagePlugin import PngInfo

    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 41, 3), dtype=np.uint8))
    xmp = '<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
    exif = Image.Exif()
    exif[0x0112] = 8
    digits = exif.tobytes().hex()
    raw = f"\nexif\n{len(digits) // 2:8}\n{digits[:72]}\n{digits[72:]}\n"
    files = [encoded(image, "JPEG", xmp=xmp.encode())]
    for packed in (False, True):
        for key, text in (("XML:com.adobe.xmp", xmp), ("Raw profile type exif", raw)):
            info = PngInfo()
            info.add_text(key, text, zip=packed)
            files.append(encoded(image, "PNG", pnginfo=info))
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp, zip=packed)
        files.append(encoded(image, "PNG", pnginfo=info))
    for data in files:
        assert Image.open(io.BytesIO(data)).getexif().get(0x0112) in (6, 8)
        assert probe(data, Preprocessing(9, 11), "int8", False) == expected(data, Preprocessing(9, 11), "int8", False)
