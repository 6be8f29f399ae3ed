"""Files of safetensors, written here by the format's description, whole and broken in every way."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from compress.networks.resnet import resnet_mini
from compress.state import safetensors
from compress.state.checkpoint import load_weights
from edge.errors import EdgeError

NAMES = {dtype: name for name, dtype in safetensors.DTYPES.items()}


def header(tensors: dict[str, torch.Tensor]) -> tuple[dict[str, Any], bytes]:
    entries, data = {}, b""
    for name, tensor in tensors.items():
        raw = tensor.contiguous().flatten().view(torch.uint8).numpy().tobytes()
        places = [len(data), len(data) + len(raw)]
        entries[name] = {"dtype": NAMES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": places}
        data += raw
    return entries, data


def joined(head: Any, data: bytes, text: str | None = None) -> bytes:
    raw = (json.dumps(head) if text is None else text).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def written(tensors: dict[str, torch.Tensor], **more: Any) -> bytes:
    entries, data = header(tensors)
    return joined(more | entries, data)


SOME = {"a": torch.arange(6, dtype=torch.float32).reshape(2, 3), "b": torch.tensor(7), "c": torch.zeros(0, 4)}


@pytest.mark.parametrize("dtype", NAMES)
def test_every_kind_of_number_is_read(dtype: torch.dtype) -> None:
    tensor = torch.tensor([[0, 1], [2, 3]]).to(dtype)
    found = safetensors.read(written({"x": torch.ones(1, dtype=torch.int8), "odd": tensor}))["odd"]
    assert found.dtype == dtype and torch.equal(found, tensor)


def test_names_shapes_and_values_are_read() -> None:
    found = safetensors.read(written(SOME, __metadata__={"format": "pt"}))
    assert list(found) == list(SOME)
    assert all(torch.equal(found[name], tensor) for name, tensor in SOME.items())
    assert safetensors.read(joined({}, b"")) == {}


@pytest.mark.parametrize("name", ["x.safetensors", "x.bin"])
def test_a_network_is_loaded_from_it(name: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    trained = resnet_mini(2)
    state = {f"model.{n}": t.half() if t.is_floating_point() else t for n, t in trained.state_dict().items()}
    (tmp_path / name).write_bytes(written(state, __metadata__={"format": "pt"}))
    said: list[str] = []
    network = load_weights(tmp_path / name).into(resnet_mini(2), said.append)
    assert said == [
        f"weights {name}: names are read without model.",
        f"weights {name}: tensors of float16 become float32",
    ]
    for n, tensor in network.state_dict().items():
        assert torch.equal(tensor, state[f"model.{n}"].to(tensor.dtype))


def changed(**entry: Any) -> bytes:
    entries, data = header(SOME)
    entries["a"] = {key: value for key, value in (entries["a"] | entry).items() if value is not None}
    return joined(entries, data)


ENTRIES, DATA = header(SOME)
TEXT = json.dumps(ENTRIES)
BROKEN: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "it is empty"),
    "no length": (b"\1\0\0", "cut short"),
    "a header behind the end": (struct.pack("<Q", 100) + b"{}", "cut short"),
    "a header of 2^63": (struct.pack("<Q", 2**63) + b"{" + b" " * 50, "cut short"),
    "no JSON": (joined(None, DATA, "{nonsense"), "Expecting"),
    "not UTF-8": (struct.pack("<Q", 4) + b"{\xff\xfe}", "utf-8"),
    "a list": (joined([], b""), "no JSON object"),
    "a name twice": (joined(None, DATA, TEXT[:-1] + ", " + TEXT[1:]), "twice"),
    "NaN": (joined(None, DATA, TEXT.replace("[2, 3]", "[NaN, 3]")), "NaN"),
    "very deep": (joined(None, b"", '{"a":' * 100_000), "."),
    "data missing": (joined(ENTRIES, DATA[:-1]), "."),
    "data left over": (joined(ENTRIES, DATA + b"x"), "are there"),
    "an entry that is a list": (joined(ENTRIES | {"d": []}, DATA), "no dtype"),
    "no dtype": (changed(dtype=None), "no dtype"),
    "no shape": (changed(shape=None), "no dtype"),
    "a shape that is a number": (changed(shape=6), "no dtype"),
    "an unknown dtype": (changed(dtype="F31"), "'F31'"),
    "a dtype that is a list": (changed(dtype=["F32"]), "kind"),
    "one offset": (changed(data_offsets=[0]), "no dtype"),
    "another size": (changed(shape=[2, 4]), "24 bytes"),
    "a negative size": (changed(shape=[-2, -3]), "impossible"),
    "a size that is text": (changed(shape=["2", 3]), "impossible"),
    "a size that is true": (changed(shape=[True, 6]), "impossible"),
    "a size that is no whole number": (changed(shape=[2.0, 3]), "impossible"),
    "a huge size": (changed(shape=[2**62, 2**62]), "impossible"),
    "an end before the beginning": (changed(data_offsets=[24, 0]), "bytes"),
    "an end behind the end": (changed(data_offsets=[0, 10**9]), "impossible"),
    "an overlap": (joined(ENTRIES | {"d": ENTRIES["a"]}, DATA), "begins at"),
    "a hole": (joined({"a": ENTRIES["a"] | {"data_offsets": [8, 32]}}, DATA), "begins at 8"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_words(name: str, tmp_path: Path) -> None:
    content, said = BROKEN[name]
    (tmp_path / "x.safetensors").write_bytes(content)
    with pytest.raises(EdgeError, match=r"x\.safetensors can't be read \(.+\): expected a state_dict") as error:
        load_weights(tmp_path / "x.safetensors")
    assert said in str(error.value)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_whatever_is_changed_is_read_or_refused(data: st.DataObject) -> None:
    content = bytearray(written(SOME, __metadata__={"a": "b"}))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    for piece in (bytes(content), bytes(content[:cut])):
        try:
            found = safetensors.read(piece)
        except ValueError:
            continue
        assert all(isinstance(tensor, torch.Tensor) for tensor in found.values())


def test_a_tensor_of_its_own_does_not_keep_the_file() -> None:
    found = safetensors.read(written(SOME))
    nn.init.ones_(found["a"])
    assert found["a"].untyped_storage().nbytes() == 24
