"""What must be the same of two programs, and what may differ: times, memory, and the reasons that libraries give."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.edge.processes import Ended

SCORE = 1e-6  # of a region: its mean is one of exponentials in single precision, which libraries round differently
CLASS_SCORE = 1e-14  # of a label: in double precision
_MEASURED_HERE = ("latency_ms", "memory_mb")

_MASKED = [
    (r"(cost: ).*( ms \(invoke)", r"\1...\2"),
    (r"load [0-9.]+, first invoke [0-9.]+ ms", "load ..., first invoke ... ms"),
    (r"peak [0-9.]+ MB, of it the model [0-9.]+ MB", "peak ..., of it the model ..."),
    (r"(?m)^(  (?:latency_ms|memory_mb) .*?) *measured .*$", r"\1"),
    (r"(?m)measured +", "measured "),  # the column is as wide as its widest number
    # Decoders' and parsers' own words.
    (r"(damaged or cut short|is not JSON|damaged zip behind the flatbuffer|can't be unpacked) \(.*\): ", r"\1 (...): "),
    # The native program has LiteRT alone, and so another usage, which is broken into other lines.
    (r"(?s)(usage: edge-infer.*?\[IMAGE \.\.\.\])", lambda usage: " ".join(usage[1].split())),
    (r"\{auto,litert,tflite,edgetpu\}", "{auto,litert}"),
    (r", else tflite; edgetpu: a\s+Coral\s+Edge\s+TPU\s+or\s+an\s+error", ""),
    # It reads these two formats.
    (r"PNG, JPEG, GIF, BMP, TIFF, WEBP", "PNG, JPEG"),
    (r"(?m)^(edge-infer: argument --runtime: invalid choice: '\w+') .*", r"\1"),  # Python's versions differ
]


def masked(text: str) -> str:
    """Return the text without what may differ."""
    for pattern, replacement in _MASKED:
        text = re.sub(pattern, replacement, text)
    return text


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return the object of one picture without what may differ; scores are compared apart."""
    record = dict(record)
    record["latency_ms"], record["memory_mb"] = list(record["latency_ms"]), list(record["memory_mb"])
    record["results"] = [{**result, "score": None} for result in record["results"]]
    record["targets"] = [
        {**row, "measured": None, "met": None} if row["name"] in _MEASURED_HERE else row for row in record["targets"]
    ]
    return record


def same_records(python: Ended, native: Ended) -> list[dict[str, Any]]:
    """Hold that two runs with --json said the same; return the objects."""
    lines = [[json.loads(line) for line in done.out.splitlines()] for done in (python, native)]
    assert len(lines[0]) == len(lines[1]), (python.err, native.err)
    for one, other in zip(*lines, strict=True):
        if "results" not in one:
            assert one == other
            continue
        assert list(one) == list(other) and json.dumps(plain(one)) == json.dumps(plain(other))
        tolerance = CLASS_SCORE if one["task"] == "classification" else SCORE
        for mine, theirs in zip(one["results"], other["results"], strict=True):
            assert abs(mine["score"] - theirs["score"]) <= tolerance
    assert (python.status, masked(python.err)) == (native.status, masked(native.err))
    return lines[0]


def same_text(python: Ended, native: Ended) -> None:
    """Hold that two runs wrote the same lines and ended the same."""
    assert masked(native.out) == masked(python.out)
    assert masked(native.err) == masked(python.err)
    assert native.status == python.status
