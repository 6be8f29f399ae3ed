"""The devices of a matrix: a TOML file, or without one this machine."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.devices import KINDS, device_class
from benchmarks.devices.device import Device
from benchmarks.measurement import RUNTIMES
from benchmarks.measuring.labelled import TASKS
from edge.errors import EdgeError

CANARY = "bpcp"  # the smallest of the shipped models
_KEYS = ("alarm", "canary", "retention_days", "device")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")


@dataclass(frozen=True)
class Inventory:
    """What is measured on, and who is told.

    Attributes:
        devices: in the file's order.
        alarm: words of a command that gets alarming verdicts as JSON on its standard input; None for none.
        canary: name or file of the model that is measured before and after all others.
        retention_days: how long measurements are kept; None: for ever.
    """

    devices: Sequence[Device]
    alarm: Sequence[str] | None = None
    canary: str = CANARY
    retention_days: int | None = None


def load(path: Path | None) -> Inventory:
    """Return the inventory of a file, or of this machine alone; EdgeError ("inventory. ...") where it is wrong."""
    if path is None:
        return Inventory([device_class("local")("here")])
    import tomllib  # Python 3.11 has it

    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise EdgeError(
            f"{path} can't be read ({error.strerror}): expected an inventory's TOML file; check the path",
            "inventory.unreadable",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise EdgeError(
            f"{path} is not TOML ({error}): expected an inventory; docs/bench-inventory.md has an example",
            "inventory.invalid",
        ) from None
    return _parse(path, raw)


def _parse(path: Path, raw: Mapping[str, Any]) -> Inventory:
    for key in raw:
        if key not in _KEYS:
            raise _wrong(path, f"has the unknown key {key!r}", f"one of {', '.join(_KEYS)}")
    tables = raw.get("device")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise _wrong(path, "has no device", "a [[device]] table for each")
    devices = [_device(path, table) for table in tables]
    names = [device.name for device in devices]
    for name in names:
        if names.count(name) > 1:
            raise _wrong(path, f"has two devices called {name!r}", "a name of its own for each")
    alarm, days = raw.get("alarm"), raw.get("retention_days")
    if alarm is not None and not (_strings(alarm) and alarm):
        raise _wrong(path, f"has the alarm {alarm!r}", 'a list of words, as ["mail", "-s", "bench", "me@here"]')
    if days is not None and not (type(days) is int and days > 0):
        raise _wrong(path, f"has the retention_days {days!r}", "a whole number of days")
    canary = raw.get("canary", CANARY)
    if not isinstance(canary, str) or not canary:
        raise _wrong(path, f"has the canary {canary!r}", "a model's name or file")
    return Inventory(devices, alarm, canary, days)


def _device(path: Path, table: Mapping[str, Any]) -> Device:
    name, kind = table.get("name"), table.get("kind")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise _wrong(path, f"has a device with the name {name!r}", "letters, digits, dots and dashes")
    if not isinstance(kind, str) or kind not in KINDS:
        raise _wrong(path, f"has the device {name!r} of the unknown kind {kind!r}", f"one of {', '.join(KINDS)}")
    made = device_class(kind)
    known = [field.name for field in dataclasses.fields(made)]
    for key in table:
        if key not in known:
            raise _wrong(path, f"has the unknown key {key!r} in device {name!r}", f"one of {', '.join(known)}")
    for key, fine, expected in (
        ("threads", _counts, "a list of whole numbers from 1 to 64"),
        ("runtimes", _runtimes, f"a list of {', '.join(RUNTIMES)}"),
        ("images", _places, f'a folder for each task ({", ".join(TASKS)}), as {{ classification = "/data/test" }}'),
    ):
        if key in table and not fine(table[key]):
            raise _wrong(path, f"has the {key} {table[key]!r} in device {name!r}", expected)
    missing = [
        field.name
        for field in dataclasses.fields(made)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        if field.name not in table
    ]
    if missing:
        raise _wrong(path, f"has no {missing[0]!r} in device {name!r}", f"it, as kind {kind!r} needs it")
    try:
        device: Device = made(**table)
    except ValueError as error:  # of the kind's own keys
        raise _wrong(path, f"has {error} in device {name!r}", "what docs/bench-inventory.md says") from None
    except EdgeError as error:  # of what they name
        raise EdgeError(f"{path}, device {name!r}: {error}", "inventory.invalid") from None
    return device


def _strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(word, str) and word and "\0" not in word for word in value)


def _counts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(one) is int and 1 <= one <= 64 for one in value)


def _runtimes(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(one in RUNTIMES for one in value)


def _places(value: object) -> bool:
    return isinstance(value, dict) and all(
        task in TASKS and isinstance(one, str) and one and "\0" not in one for task, one in value.items()
    )


def _wrong(path: Path, found: str, expected: str) -> EdgeError:
    return EdgeError(f"{path} {found}: expected {expected}; correct it", "inventory.invalid")
