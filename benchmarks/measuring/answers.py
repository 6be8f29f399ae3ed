"""What a device's `edge-infer --json` says, read as the words of a stranger: each field's type and range is checked.

docs/answers.md has the fields. What is asked for and missing, of another type or out of range is a fault of that
device's program, and never a number in the history.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge.errors import EdgeError, brief
from edge.fields import is_line
from edge.strict_json import loads

MOST_MS = 86_400_000.0  # a day
_MOST_LINE = 1 << 26  # bytes: a mask's runs are the longest
_MOST_TARGETS = 256
_CODE = re.compile(r"[a-z][a-z0-9-]{0,30}(\.[a-z][a-z0-9-]{0,30})?")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PHASES = ("load", "first_invoke", "read", "decode", "preprocess", "invoke", "postprocess", "total")
_SPREAD = ("least", "p50", "p90", "p99", "most")
# Keys of every answer; all others are what the task says of the image.
_SHARED = {
    "image", "model", "program", "release", "time", "task", "warnings", "latency_ms", "warm_invoke_ms", "memory_mb",
    "targets", "runtime", "board",
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What was answered about one image, and what it cost.

    Attributes:
        image: as it was asked for, or found in a folder.
        model, sha256, size: of the model file that the device ran.
        program, implementation, release: of `edge-infer`.
        runtime, version, threads: what ran the network.
        task: its name. decision: the answer in a word. said: all that the task says, as in the object.
        latency_ms: `load`, `first_invoke`, `read`, `decode`, `preprocess`, `invoke`, `postprocess`, `total`.
        warm_ms: `least`, `p50`, `p90`, `p99`, `most` of `count` warm invokes; {} without.
        count: of warm invokes.
        memory_mb: `peak` and `model`, those that the system says.
        targets: the manifest's, with what is measured.
    """

    image: str
    model: str
    sha256: str
    size: int
    program: str
    implementation: str
    release: str | None
    runtime: str
    version: str
    threads: int
    task: str
    decision: str
    said: dict[str, Any]
    latency_ms: dict[str, float]
    warm_ms: dict[str, float]
    count: int
    memory_mb: dict[str, float]
    targets: list[dict[str, Any]]

    @property
    def digest(self) -> str:
        """SHA-256 of all that the task says of the image: equal for equal answers of one program."""
        return hashlib.sha256(json.dumps(self.said, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Refusal:
    """An image without an answer, or None for no image, and why."""

    image: str | None
    error: EdgeError


def read(output: bytes, device: str) -> list[Answer | Refusal]:
    """Return what the lines of `edge-infer --json` say, in their order; EdgeError ("measure.answer") for other lines.

    Args:
        device: its name, for messages.
    """
    return [_answer(item) if "error" not in item.raw else _refusal(item) for item in objects(output, device)]


def objects(output: bytes, device: str) -> list[Item]:
    """Return the JSON objects of `output`, one a line; EdgeError where a line is none."""
    found = []
    for line in output.splitlines():
        try:
            if len(line) > _MOST_LINE:
                raise ValueError(f"a line of {len(line)} bytes")
            value = loads(line)
        except ValueError as error:
            raise _wrong(device, f"is no JSON ({brief(str(error), 80)}): {brief(ascii(line[:60]))}") from None
        if not isinstance(value, dict):
            raise _wrong(device, f"is no object: {brief(ascii(line[:60]))}")
        found.append(Item(value, device, ""))
    return found


class Item:
    """An object of a device's JSON, whose fields are asked for by type; EdgeError where one is not what was asked."""

    def __init__(self, raw: Mapping[str, Any], device: str, path: str) -> None:
        self.raw, self.device, self.path = raw, device, path

    def wrong(self, key: str, expected: str) -> EdgeError:
        """Return what to raise where the field `key` is not what was expected."""
        found = brief(json.dumps(self.raw[key]), 60) if key in self.raw else "nothing"
        return _wrong(self.device, f"has {found} as {self.path}{key}, where {expected} belongs")

    def object(self, key: str) -> Item:
        value = self.raw.get(key)
        if not isinstance(value, dict):
            raise self.wrong(key, "an object")
        return Item(value, self.device, f"{self.path}{key}.")

    def line(self, key: str) -> str:
        value = self.raw.get(key)
        if not isinstance(value, str) or not is_line(value):
            raise self.wrong(key, "a line of text")
        return value

    def text(self, key: str) -> str:
        """A text of any letters: a path, a sentence. It is for display through `one_line` alone."""
        value = self.raw.get(key)
        if not isinstance(value, str):
            raise self.wrong(key, "a text")
        return value

    def number(self, key: str, least: float = 0.0, most: float = MOST_MS) -> float:
        value = self.raw.get(key)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value <= most:
            raise self.wrong(key, f"a number from {least:g} to {most:g}")
        return float(value)

    def whole(self, key: str, least: int, most: int = 1 << 40) -> int:
        value = self.raw.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise self.wrong(key, f"a whole number from {least} to {most}")
        return value

    def numbers(self, names: tuple[str, ...]) -> dict[str, float]:
        """Return those of the fields that are not null."""
        return {name: self.number(name) for name in names if self.raw.get(name) is not None}


def _answer(item: Item) -> Answer:
    model, program, runtime = item.object("model"), item.object("program"), item.object("runtime")
    digest = model.text("sha256")
    if not _SHA256.fullmatch(digest):
        raise model.wrong("sha256", "a SHA-256 of 64 hexadecimal digits")
    times = item.object("latency_ms")
    warm, count = {}, 0
    if item.raw.get("warm_invoke_ms") is not None:
        spread = item.object("warm_invoke_ms")
        warm, count = {name: spread.number(name) for name in _SPREAD}, spread.whole("count", 1)
        if sorted(warm.values()) != [warm[name] for name in _SPREAD] or not warm["p50"] > 0:
            raise item.wrong("warm_invoke_ms", "percentiles in ascending order, above 0,")
    release = item.raw.get("release")
    return Answer(
        image=item.text("image"),
        model=model.line("name"),
        sha256=digest,
        size=model.whole("bytes", 1),
        program=program.line("version"),
        implementation=program.line("implementation"),
        release=None if release is None else item.line("release"),
        runtime=runtime.line("name"),
        version=runtime.line("version"),
        threads=runtime.whole("threads", 1, 1024),
        task=item.line("task"),
        decision=item.text("decision") if "decision" in item.raw else "",
        said={key: value for key, value in item.raw.items() if key not in _SHARED},
        latency_ms={name: times.number(name) for name in _PHASES},
        warm_ms=warm,
        count=count,
        memory_mb=item.object("memory_mb").numbers(("peak", "model")),
        targets=_targets(item),
    )


def _targets(item: Item) -> list[dict[str, Any]]:
    rows = item.raw.get("targets")
    if not isinstance(rows, list) or len(rows) > _MOST_TARGETS:
        raise item.wrong("targets", f"a list of at most {_MOST_TARGETS}")
    found = []
    for raw in rows:
        row = Item(raw if isinstance(raw, dict) else {}, item.device, "targets[].")
        met, measured = row.raw.get("met"), row.raw.get("measured")
        if met is not None and not isinstance(met, bool):
            raise row.wrong("met", "true, false or null")
        found.append(
            {
                "name": row.line("name"),
                "target": row.number("target", -math.inf, math.inf),
                "measured": None if measured is None else row.number("measured", -math.inf, math.inf),
                "met": met,
                "basis": row.line("basis"),
            }
        )
    return found


def _refusal(item: Item) -> Refusal:
    error = item.object("error")
    code, image = error.text("code"), item.raw.get("image")
    if not _CODE.fullmatch(code):
        raise error.wrong("code", "a code, as docs/answers.md lists them,")
    if image is not None:
        image = item.text("image")
    return Refusal(image, EdgeError(f"{item.device}: {brief(error.text('message'), 400)}", code))


def _wrong(device: str, what: str) -> EdgeError:
    return EdgeError(
        f"{device} gave a line that {what}: expected an answer of edge-infer --json; install edge-infer there again",
        "measure.answer",
    )
