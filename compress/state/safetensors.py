"""Reading safetensors: a length, a JSON header, and numbers; nothing in such a file can be run.

The format is https://github.com/huggingface/safetensors's: 8 bytes, little-endian, of the header's length N; N bytes of
JSON, an object of name -> {"dtype", "shape", "data_offsets": [begin, end]}, which count from behind the header; then
the tensors, little-endian, row by row, one after another without a gap. What the file says is trusted nowhere.
"""

from __future__ import annotations

import json
import math
from typing import Any

import torch
from torch import Tensor

DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
LONGEST = 100_000_000  # bytes of a header, the format's own limit


def looks_like(content: bytes) -> bool:
    """Return whether a file's content begins as the format says; no file that torch.save writes does."""
    return content[8:9] == b"{" and not content.startswith(b"PK")


def read(content: bytes) -> dict[str, Tensor]:
    """Return a file's tensors by their names; ValueError says what is wrong with it."""
    length = int.from_bytes(content[:8], "little")
    if len(content) < 8 or length > min(LONGEST, len(content) - 8):
        raise ValueError(
            f"a header of {length} bytes in a file of {len(content)}: it was cut short, or is another kind"
        )
    try:
        header = json.loads(content[8 : 8 + length].decode(), object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("its header is nested too deep") from None
    if not isinstance(header, dict):
        raise ValueError("its header is no JSON object")
    header.pop("__metadata__", None)
    data = memoryview(content)[8 + length :]
    places = sorted((_place(name, entry, len(data)), name) for name, entry in header.items())
    end = 0
    for (begin, stop), name in places:
        if begin != end:
            raise ValueError(f"tensor {name!r} begins at {begin} and the one before it ends at {end}")
        end = stop
    if end != len(data):
        raise ValueError(f"its tensors are {end} bytes, and {len(data)} are there")
    return {name: _tensor(entry, data) for name, entry in header.items()}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("its header has a name twice")
    return found


def _no_number(text: str) -> None:
    raise ValueError(f"its header has {text}")


def _place(name: str, entry: Any, size: int) -> tuple[int, int]:
    """Return where a tensor's bytes begin and end, after all that the header says of it was checked."""
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        numbers = [begin, end, *shape]
    except (TypeError, KeyError, ValueError):
        raise ValueError(f"tensor {name!r} has no dtype, shape and data_offsets") from None
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise ValueError(f"tensor {name!r} is of the kind {dtype!r}, not one of {', '.join(DTYPES)}")
    if not all(type(n) is int and 0 <= n <= size for n in numbers if n != 0):
        raise ValueError(f"tensor {name!r} has an impossible size or place: {numbers}")
    if math.prod(shape) * DTYPES[dtype].itemsize != end - begin:
        raise ValueError(f"tensor {name!r} of shape {shape} has {end - begin} bytes")
    return begin, end


def _tensor(entry: Any, data: memoryview) -> Tensor:
    begin, end = entry["data_offsets"]
    dtype, shape = DTYPES[entry["dtype"]], entry["shape"]
    if begin == end:
        return torch.empty(shape, dtype=dtype)
    return torch.frombuffer(bytearray(data[begin:end]), dtype=dtype).reshape(shape)
