"""The reader of model files against files that were cut, changed, mixed up or made to harm."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge import model as models
from edge.errors import EdgeError
from tests.edge import packing


@pytest.fixture
def refused(tmp_path):
    """A function that writes bytes to a file, holds that it is refused, and returns the sentence."""

    def check(data: bytes) -> str:
        path = tmp_path / "bad.tflite"
        path.write_bytes(data)
        with pytest.raises(EdgeError) as caught:
            models.read(path)
        message = str(caught.value)
        assert "bad.tflite" in message and "\n" not in message
        return message

    return check


@pytest.fixture
def parts(flatbuffer):
    """The members of a valid file without golden vectors."""
    raw = packing.manifest(flatbuffer)
    return {"manifest.json": packing.dump(raw), "labels.txt": packing.labels_txt(raw)}


def test_a_valid_file_is_read(model, model_bytes, flatbuffer):
    file = models.read(model)
    assert file.flatbuffer == flatbuffer and file.size == len(model_bytes) and file.path == str(model)
    assert file.manifest.name == "tiny" and file.manifest.labels == ("normal", "opacity")
    assert file.member("labels.txt") == b"normal\nopacity\n"
    with pytest.raises(EdgeError, match="lacks the member 'other'"):
        file.member("other")


def test_other_tools_open_it(model, model_bytes):
    assert zipfile.is_zipfile(model)
    with zipfile.ZipFile(io.BytesIO(model_bytes)) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("manifest.json"))["format"] == "edge-infer"


def test_deflated_members_are_read(tmp_path, flatbuffer, parts):
    path = tmp_path / "m.tflite"
    path.write_bytes(packing.pack_members(flatbuffer, parts, zipfile.ZIP_DEFLATED))
    assert models.read(path).manifest.name == "tiny"


@settings(max_examples=300)
@given(st.data())
def test_any_changed_byte_is_refused(model, model_bytes, tmp_path_factory, data):
    at = data.draw(st.integers(0, len(model_bytes) - 1))
    bits = data.draw(st.integers(1, 255))
    changed = bytearray(model_bytes)
    changed[at] ^= bits
    path = tmp_path_factory.getbasetemp() / "changed.tflite"
    path.write_bytes(changed)
    with pytest.raises(EdgeError) as caught:
        models.read(path)
    assert "changed" in str(caught.value) or "not a TFLite file" in str(caught.value)


@settings(max_examples=100)
@given(st.data())
def test_any_truncation_is_refused(model_bytes, flatbuffer, tmp_path_factory, data):
    length = data.draw(st.integers(0, len(model_bytes) - 1))
    path = tmp_path_factory.getbasetemp() / "cut.tflite"
    path.write_bytes(model_bytes[:length])
    with pytest.raises(EdgeError) as caught:
        models.read(path)
    if length > len(flatbuffer) + 100:
        assert "cut short" in str(caught.value)


def test_bytes_behind_the_end_are_refused(refused, model_bytes):
    assert "cut short or changed" in refused(model_bytes + b"\n")


def test_a_file_without_manifest_says_how_to_add_one(refused, flatbuffer):
    assert "bad.tflite --init`" in refused(flatbuffer)


def test_other_metadata_is_no_manifest(refused, flatbuffer):
    buffer = io.BytesIO(flatbuffer)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr("labels.txt", "a\nb\n")
    assert "without a manifest" in refused(buffer.getvalue())


def test_what_is_no_tflite_file(refused, tmp_path):
    assert "is empty" in refused(b"")
    assert "not a TFLite file" in refused(b"hello")
    assert "not a TFLite file" in refused(b"PK\x03\x04" + bytes(100))
    with pytest.raises(EdgeError, match="is a folder"):
        models.read(tmp_path)
    with pytest.raises(EdgeError, match="does not exist"):
        models.read(tmp_path / "none.tflite")
    with pytest.raises(EdgeError, match="can't be read"):
        models.read("nul\0l.tflite")
    with pytest.raises(EdgeError, match="not a file of at most"):
        models.read("/dev/null")


def test_a_newer_version_asks_for_an_upgrade(refused, flatbuffer):
    message = refused(packing.pack(flatbuffer, packing.manifest(flatbuffer, version=2)))
    assert "version 2" in message and "upgrade edge-infer" in message


def test_missing_members_are_named(refused, flatbuffer, parts):
    for name in parts:
        rest = {member: content for member, content in parts.items() if member != name}
        assert f"lacks the member '{name}'" in refused(packing.pack_members(flatbuffer, rest))


def test_a_golden_member_that_is_missing_is_named(refused, flatbuffer, golden):
    members, entries = golden
    rest = {name: content for name, content in members.items() if name != "golden/1.png"}
    message = refused(packing.pack(flatbuffer, packing.manifest(flatbuffer, golden=entries), rest))
    assert "lacks the member 'golden/1.png'" in message


def test_other_labels_are_refused(refused, flatbuffer, parts):
    assert "other labels" in refused(packing.pack_members(flatbuffer, {**parts, "labels.txt": b"opacity\nnormal\n"}))


def test_another_flatbuffer_is_refused(refused, flatbuffer):
    other = flatbuffer[:-1] + bytes([flatbuffer[-1] ^ 1])
    assert "another flatbuffer" in refused(packing.pack(other, packing.manifest(flatbuffer)))
    wrong_size = packing.manifest(
        flatbuffer,
        model={"bytes": len(flatbuffer) - 8, "sha256": hashlib.sha256(flatbuffer).hexdigest()},
    )
    assert "another flatbuffer" in refused(packing.pack(flatbuffer, wrong_size))


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b'{"version": ' + b"9" * 5000 + b"}"])
def test_a_manifest_that_is_not_json_is_refused(refused, flatbuffer, parts, content):
    assert "not JSON" in refused(packing.pack_members(flatbuffer, {**parts, "manifest.json": content}))


def test_a_zip_bomb_is_refused(refused, flatbuffer, parts):
    bomb = packing.pack_members(flatbuffer, {**parts, "manifest.json": bytes(2**27)}, zipfile.ZIP_DEFLATED)
    assert len(bomb) < 200_000
    message = refused(bomb)
    assert "134217728 bytes" in message and "1048576" in message


def test_a_small_bomb_is_refused_by_its_ratio(refused, flatbuffer, parts):
    bomb = packing.pack_members(flatbuffer, {**parts, "manifest.json": b" " * 2**20}, zipfile.ZIP_DEFLATED)
    assert "more than 100 to 1" in refused(bomb)


def test_a_bomb_that_lies_about_its_size_is_refused(refused, flatbuffer, parts):
    bomb = bytearray(packing.pack_members(flatbuffer, {**parts, "manifest.json": bytes(2**27)}, zipfile.ZIP_DEFLATED))
    size, lie = (2**27).to_bytes(4, "little"), (2**16).to_bytes(4, "little")
    while (at := bomb.find(size)) >= 0:
        bomb[at : at + 4] = lie
    # It says 64 KiB, under every limit; only so much is unpacked, and the checksum can't be right.
    assert "can't be unpacked" in refused(packing.seal(bytes(bomb)))


def test_too_many_or_double_members_are_refused(refused, flatbuffer, parts):
    many = {f"golden/{number}.png": b"" for number in range(63)}
    assert "65 members" in refused(packing.pack_members(flatbuffer, {**parts, **many}))
    # Two names of one length, the second then overwritten by the first.
    double = packing.pack_members(flatbuffer, {**parts, "golden/1": b"", "golden/2": b""})
    assert "two members of one name" in refused(packing.seal(double.replace(b"golden/2", b"golden/1")))


def test_a_golden_member_that_is_too_large_is_refused(refused, flatbuffer, parts):
    assert "'golden/0.png'" in refused(packing.pack_members(flatbuffer, {**parts, "golden/0.png": bytes(2**23 + 1)}))


def test_a_damaged_zip_with_a_right_digest_is_refused(refused, model_bytes):
    end = model_bytes.rindex(b"PK\x05\x06")
    broken = packing.seal(model_bytes[:end] + b"XX" + model_bytes[end + 2 :])
    assert "damaged zip" in refused(broken)


@settings(max_examples=150)
@given(st.data())
def test_any_damage_under_a_right_digest_is_read_or_refused(model_bytes, flatbuffer, tmp_path_factory, data):
    damaged = bytearray(model_bytes)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(len(flatbuffer), len(damaged) - 72))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "damaged.tflite"
    path.write_bytes(packing.seal(bytes(damaged)))
    try:
        file = models.read(path)
        for name in ("manifest.json", *(golden.image for golden in file.manifest.golden)):
            file.member(name)
    except EdgeError as error:
        assert "\n" not in str(error)


def test_find_knows_names_and_paths(monkeypatch, tmp_path, model_bytes):
    monkeypatch.setattr(models, "MODELS", tmp_path)
    assert models.shipped() == []
    with pytest.raises(EdgeError, match="none came"):
        models.find("pneumonia")
    (tmp_path / "pneumonia.tflite").write_bytes(model_bytes)
    assert models.shipped() == [tmp_path / "pneumonia.tflite"]
    assert models.find("pneumonia") == str(tmp_path / "pneumonia.tflite")
    assert models.find("./pneumonia") == "./pneumonia"
    assert models.find("other.tflite") == "other.tflite"
    with pytest.raises(EdgeError, match="pneumonia"):
        models.find("pnemonia")


def test_where_none_is_named_it_is_pneumonia_or_the_only_one(monkeypatch, tmp_path, model_bytes):
    monkeypatch.setattr(models, "MODELS", tmp_path)
    with pytest.raises(EdgeError, match=r"pneumonia is not installed: .*\(none came with this installation\)"):
        models.find(None)
    (tmp_path / "mine.tflite").write_bytes(model_bytes)
    assert models.find(None) == str(tmp_path / "mine.tflite")
    (tmp_path / "other.tflite").write_bytes(model_bytes)
    with pytest.raises(EdgeError, match=r"no model was named, .*\(mine, other\) .*; name it$"):
        models.find(None)
    (tmp_path / "pneumonia.tflite").write_bytes(model_bytes)
    assert models.find(None) == str(tmp_path / "pneumonia.tflite")


@pytest.mark.parametrize("name", ["x" * 5000, "nul\0l", "x" * 5000 + ".tflite", ""])
def test_names_that_no_file_can_have(name):
    with pytest.raises(EdgeError):
        models.read(models.find(name))
