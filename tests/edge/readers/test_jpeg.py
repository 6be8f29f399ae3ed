"""JPEGs whose data was lost, as libjpeg says of them, and those that only look so."""

from __future__ import annotations

import re
from random import Random

import numpy as np
import pytest
from PIL import Image

from edge import image as images
from edge.errors import EdgeError
from edge.preprocess import Preprocessing
from edge.readers import libjpeg
from tests.edge.jpeg_encoder import jpeg
from tests.edge.pictures import encoded, grey_ramp

NOISE = Image.fromarray(np.random.default_rng(5).integers(0, 256, (12, 15, 3), dtype=np.uint8)).resize((240, 180))
BASELINE = encoded(NOISE, "JPEG", quality=85)
PROGRESSIVE = encoded(NOISE, "JPEG", quality=85, progressive=True)
GREY = encoded(Image.fromarray(grey_ramp(200, 220)), "JPEG", quality=90, optimize=True)
RESTARTS = encoded(NOISE, "JPEG", quality=85, restart_marker_blocks=10)
CMYK = encoded(NOISE.convert("CMYK"), "JPEG", quality=70)
ALL = {"baseline": BASELINE, "progressive": PROGRESSIVE, "grey": GREY, "restarts": RESTARTS, "cmyk": CMYK}


def refused(data: bytes, **options) -> tuple[str, str]:
    """Return the code and the sentence."""
    with pytest.raises(EdgeError) as caught:
        images.decode(data, **options)
    return caught.value.code, str(caught.value)


def segments(data: bytes) -> list[tuple[int, int, int]]:
    """Return (code, begin, end) of the segments, a scan's data with its header."""
    found, at = [], 2
    while data[at : at + 2] != b"\xff\xd9" and data[at + 1] != 0xFF:
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] == 0xDA:
            end = re.compile(rb"\xff[^\x00\xd0-\xd7]", re.DOTALL).search(data, end).start()
        found.append((data[at + 1], at, end))
        at = end
    return found


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
@pytest.mark.parametrize("reduced", [False, True])
def test_bytes_lost_from_the_middle_are_missed(name, share, reduced):
    data = ALL[name]
    begin = segments(data)[-1][1] if name == "progressive" else next(b for c, b, _ in segments(data) if c == 0xDA)
    at = begin + 14 + int((len(data) - begin - 16) * share)
    lost = max(60, (len(data) - begin) // 20)
    damaged = data[:at] + data[min(at + lost, len(data) - 3) :]
    assert damaged.endswith(b"\xff\xd9") and images.decode(data).size
    code, sentence = refused(damaged, spec=Preprocessing(20, 20) if reduced else None)
    assert code == "image.damaged" and "is damaged or cut short (" in sentence and "copy it again" in sentence


def test_what_libjpeg_warns_of_is_the_reason():
    at = len(BASELINE) // 2
    assert "premature end of data segment" in refused(BASELINE[:at] + BASELINE[at + 400 :])[1]
    assert "extraneous bytes before marker" in refused(BASELINE[:-2] + b"\x12\x34\x56" * 9 + b"\xff\xd9")[1]


def test_an_end_marker_in_the_middle_is_missed():
    at = len(BASELINE) * 2 // 3
    assert refused(BASELINE[:at] + b"\xff\xd9" + BASELINE[at:])[0] == "image.damaged"
    assert refused(PROGRESSIVE[: len(PROGRESSIVE) // 2] + b"\xff\xd9")[0] == "image.damaged"


@pytest.mark.parametrize("number", [0, 3, 7])
def test_a_restart_marker_that_is_missing_or_another_one_is_missed(number):
    if b"\xff\xd0" not in RESTARTS:
        pytest.skip("Pillow before 10.2 writes no restart markers")
    at = RESTARTS.index(bytes([0xFF, 0xD0 + number]))
    assert refused(RESTARTS[:at] + RESTARTS[at + 2 :])[0] == "image.damaged"
    other = bytes([0xFF, 0xD0 + (number + 3) % 8])
    assert refused(RESTARTS[:at] + other + RESTARTS[at + 2 :])[0] == "image.damaged"
    following = RESTARTS.index(bytes([0xFF, 0xD0 + (number + 1) % 8]), at)
    assert refused(RESTARTS[:at] + RESTARTS[following:])[0] == "image.damaged"


def test_each_scan_of_a_progressive_file_is_missed():
    scans = [(begin, end) for code, begin, end in segments(PROGRESSIVE) if code == 0xDA]
    assert len(scans) > 5
    for begin, end in scans:
        assert "scan" in refused(PROGRESSIVE[:begin] + PROGRESSIVE[end:])[1]
    assert "a scan is missing" in refused(PROGRESSIVE[: scans[3][1]] + b"\xff\xd9")[1]


def test_a_scan_of_a_file_with_one_for_each_component_is_missed():
    data = next(
        data
        for data in (jpeg(Random(seed)) for seed in range(400))
        if data.count(b"\xff\xc0") == 1 and accepted(data) and [code for code, _, _ in segments(data)].count(0xDA) == 3
    )
    for code, begin, end in segments(data):
        if code == 0xDA:
            assert "a scan is missing" in refused(data[:begin] + data[end:])[1]


def accepted(data: bytes) -> bool:
    try:
        images.decode(data)
    except EdgeError:
        return False
    return True


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("bytes_", [1, 2, 3, 50])
def test_a_file_that_ends_early_is_refused(name, bytes_):
    assert refused(ALL[name][:-bytes_])[0] == "image.damaged"


def same(one: bytes, other: bytes) -> list[str]:
    """Hold that both are the same pixels; return the codes of the other's warnings."""
    pictures = [images.decode(data) for data in (one, other)]
    assert np.array_equal(*(np.asarray(picture.image) for picture in pictures))
    return [warning.code for warning in pictures[1].warnings]


@pytest.mark.parametrize("name", ALL)
def test_what_follows_the_end_does_not_count(name):
    for more in (b"\0", bytes(1000), b"\xff\xd8\xff", ALL["grey"], b"garbage"):
        assert same(ALL[name], ALL[name] + more) == []


@pytest.mark.parametrize("name", ALL)
def test_fill_bytes_before_markers_are_allowed(name):
    data = ALL[name][:-2] + b"\xff\xff\xff\xd9"
    assert same(ALL[name], data[:2] + b"\xff" * 5 + data[2:]) == []


def test_zero_bytes_behind_the_pixels_are_a_warning():
    for data in (BASELINE, GREY, CMYK):
        assert same(data, data[:-2] + bytes(32) + data[-2:]) == ["image.padding"]


def test_an_unknown_revision_of_jfif_is_no_damage():
    at = BASELINE.index(b"JFIF\0") + 5
    assert same(BASELINE, BASELINE[:at] + b"\x09" + BASELINE[at + 1 :]) == []


def test_another_end_of_the_spectrum_in_a_baseline_scan_is_no_damage():
    at = BASELINE.index(b"\xff\xda")
    last = at + 2 + int.from_bytes(BASELINE[at + 2 : at + 4], "big") - 2
    assert BASELINE[last] == 63
    assert same(BASELINE, BASELINE[:last] + b"\0" + BASELINE[last + 1 :]) == []


def with_frame(change) -> bytes:
    at = BASELINE.index(b"\xff\xc0")
    frame = bytearray(BASELINE[at : at + 19])
    change(frame)
    return BASELINE[:at] + bytes(frame) + BASELINE[at + 19 :]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (1, 0xC3, "lossless JPEG"),
        (1, 0xC7, "hierarchical JPEG"),
        (1, 0xDE, "hierarchical JPEG"),
        (4, 12, "12-bit JPEG"),
    ],
)
def test_kinds_that_are_not_read_are_named(place, value, said):
    code, sentence = refused(with_frame(lambda frame: frame.__setitem__(place, value)))
    assert code == "image.unsupported" and f"is a {said}, which is not read" in sentence and "convert it" in sentence


def test_a_height_that_comes_after_the_pixels_is_not_read():
    assert refused(with_frame(lambda frame: frame.__setitem__(slice(5, 7), b"\0\0")))[0] == "image.unsupported"


def test_a_second_height_that_is_another_is_damage():
    behind = segments(BASELINE)[-1][2]
    for height, fits in ((180, True), (190, False)):
        data = BASELINE[:behind] + b"\xff\xdc\0\4" + height.to_bytes(2, "big") + BASELINE[behind:]
        assert accepted(data) is fits


@pytest.mark.parametrize(
    "junk", [b"\0", b"junk", b"\xff\x00", b"\xff\x01", b"\xff\xd0", b"\xff\xf3\0\2", b"\xff\xc8\0\2"]
)
def test_what_belongs_nowhere_is_damage(junk):
    at = BASELINE.index(b"\xff\xdb")
    assert refused(BASELINE[:at] + junk + BASELINE[at:])[0] == "image.damaged"


def test_two_frames_are_damage():
    at = BASELINE.index(b"\xff\xc0")
    assert "two frames" in refused(BASELINE[:at] + BASELINE[at : at + 19] + BASELINE[at:])[1]


@pytest.mark.parametrize(
    "segment",
    [
        b"\xff\xe0\0\7JFIF\0",
        b"\xff\xed\0\x16Photoshop 3.0\0" + b"8BIM\xff\xff",
        b"\xff\xe2\0\x0cMPF\0II*\0\xff\xff",
        b"\xff\xe2\0\x0eICC_PROFILE\0",
        b"\xff\xee\0\x09Adobe\0\1",
        b"\xff\xe1\0\x1fhttp://ns.adobe.com/xap/1.0/\0",
        b"\xff\xfe\0\2",
    ],
)
def test_metadata_of_any_kind_changes_nothing(segment):
    assert same(BASELINE, BASELINE[:2] + segment + BASELINE[2:]) == []


def test_a_jpeg_in_a_tiff_is_held_as_well():
    data = encoded(NOISE, "TIFF", compression="jpeg", quality=85)
    begin = data.index(b"\xff\xda") + 14
    end = data.index(b"\xff\xd9", begin)
    assert images.decode(data).size == NOISE.size
    middle = (begin + end) // 2
    damaged = data[:middle] + data[middle + 60 : end] + data[end : end + 2] + bytes(60) + data[end + 2 :]
    assert len(damaged) == len(data) and refused(damaged)[0] == "image.damaged"


def test_an_error_of_libtiff_is_no_line_on_standard_error(capfd):
    data = bytearray(encoded(NOISE.convert("1"), "TIFF", compression="group4"))
    data[len(data) // 2] ^= 0x5A
    assert "Fax4Decode" not in capfd.readouterr().err
    assert refused(bytes(data))[0] == "image.damaged"
    assert capfd.readouterr().err == ""


def test_a_libjpeg_that_cannot_be_asked_is_said(monkeypatch):
    monkeypatch.setattr(libjpeg, "_found", [])
    monkeypatch.setattr(libjpeg, "CDLL", lambda path: object())
    code, sentence = refused(BASELINE)
    assert code == "runtime.broken" and "pip install" in sentence


def test_many_threads_ask_libjpeg_at_once():
    from concurrent.futures import ThreadPoolExecutor

    at = len(BASELINE) // 2
    files = [BASELINE, BASELINE[:at] + BASELINE[at + 400 :], PROGRESSIVE, GREY] * 12
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(accepted, files)) == [True, False, True, True] * 12
