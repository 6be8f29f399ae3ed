"""What a board has and lacks for edge-infer: one check a line, with what to do where it fails."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from edge.board import causes
from firmware_bridge.board import board
from firmware_bridge.board.ssh import Connection
from firmware_bridge.release import elf

SCRIPT = Path(__file__).with_name("doctor.sh")
MEMORY_MB, DISK_MB = 64, 64  # free: a model in work, a release beside the running one
HOT_C = 80.0  # a Raspberry Pi slows down from here on
BUILT = 1_700_000_000  # seconds since 1970; a clock that shows less was never set
USB3 = 5000  # megabits a second
_ARCHITECTURES = {f"{kind}-{machine}": name for (kind, machine), name in elf.ARCHITECTURES.items()}


class Finding(NamedTuple):
    """One check: `ok` is None where the answer is neither good nor bad."""

    subject: str
    ok: bool | None
    text: str

    def line(self) -> str:
        """Return it for people."""
        mark = {True: "ok", False: "FAIL", None: "-"}[self.ok]
        return f"{mark:<4}  {self.subject:<10}  {self.text}"

    def record(self) -> dict[str, Any]:
        """Return it for programs."""
        check = {True: "ok", False: "failed", None: "unknown"}[self.ok]
        return {"subject": self.subject, "check": check, "text": self.text}


def examine(connection: Connection, folder: str) -> list[Finding]:
    """Return what is found on a board where releases go to `folder`."""
    return findings(board.facts(connection, SCRIPT, folder), connection.host)


def findings(facts: Mapping[str, str], host: str) -> list[Finding]:
    """Return what the facts of doctor.sh mean."""
    bits = facts.get("throttled", "").removeprefix("0x")
    throttling = causes(int(bits, 16)) if re.fullmatch("[0-9a-fA-F]{1,8}", bits) else None
    return [
        _processor(facts),
        _libraries(facts),
        _python(facts),
        _tools(facts),
        _memory(facts),
        _disk(facts),
        _governor(facts),
        _temperature(facts),
        _power(throttling),
        _throttling(throttling),
        _clock(facts),
        *_coral(facts),
        _trust(facts, host),
        _release(facts),
    ]


def _number(facts: Mapping[str, str], key: str) -> int | None:
    text = facts.get(key, "")
    return int(text) if re.fullmatch("-?[0-9]{1,12}", text) else None


def _processor(facts: Mapping[str, str]) -> Finding:
    name = _ARCHITECTURES.get(facts.get("elf", ""))
    parts = [name or f"unknown ({facts.get('elf', '?')})", f"{facts.get('cores', '?')} cores", facts.get("board", "")]
    text = ", ".join(part for part in [*parts, facts.get("kernel", "")] if part)
    if name is None:
        return Finding("processor", False, f"{text}: expected {', '.join(_ARCHITECTURES.values())}; take another board")
    if name == "armv7l" and facts.get("kernel", "").endswith("64"):
        text += ": 32-bit programs on a 64-bit kernel; its target is pi-armv7"
    return Finding("processor", True, text)


def _libraries(facts: Mapping[str, str]) -> Finding:
    if "glibc" not in facts:
        return Finding("libraries", False, "no glibc: expected a Debian, Raspberry Pi OS or Ubuntu; install one")
    if "glibcxx" not in facts:
        return Finding("libraries", False, f"glibc {facts['glibc']}, no libstdc++: apt-get install libstdc++6")
    return Finding("libraries", True, f"glibc {facts['glibc']}, libstdc++ {facts['glibcxx']}")


def _python(facts: Mapping[str, str]) -> Finding:
    if "python" in facts:
        return Finding("Python", True, facts["python"])
    return Finding("Python", None, "none; only targets whose program is Python need it (apt-get install python3)")


def _tools(facts: Mapping[str, str]) -> Finding:
    if "missing" in facts:
        packages = "coreutils findutils tar gzip util-linux openssh-client"
        return Finding("tools", False, f"{facts['missing'].strip()} missing: apt-get install {packages}")
    return Finding("tools", True, "all that edge-deploy calls")


def _memory(facts: Mapping[str, str]) -> Finding:
    total, free = ((_number(facts, key) or 0) // 1024 for key in ("MemTotal", "MemAvailable"))
    text = f"{free} of {total} MB free"
    return Finding(
        "memory", free >= MEMORY_MB, text if free >= MEMORY_MB else f"{text}: expected {MEMORY_MB}; stop other programs"
    )


def _disk(facts: Mapping[str, str]) -> Finding:
    free = (_number(facts, "free_kb") or 0) // 1024
    folder = facts.get("folder", "none")
    if folder not in ("ours", "none"):
        cure = "expected edge-deploy's, an empty one or none; choose another with --folder, or move it elsewhere"
        return Finding("disk", False, f"the folder is {folder}: {cure}")
    if facts.get("writable") != "yes":
        return Finding("disk", False, "the folder can't be written: mount it for writing, or choose another")
    if free < DISK_MB:
        return Finding("disk", False, f"{free} MB free: expected {DISK_MB}; remove files, or choose another")
    return Finding("disk", True, f"{free} MB free")


def _governor(facts: Mapping[str, str]) -> Finding:
    governor = facts.get("governor")
    if governor is None:
        return Finding("governor", None, "none: the system does not change the cores' frequency")
    # The pstate drivers' "powersave" is their ordinary mode and no slow one.
    if governor == "powersave" and "pstate" not in facts.get("driver", ""):
        return Finding("governor", False, "powersave keeps the cores slow: cpufreq-set -g performance makes them fast")
    return Finding("governor", True, governor)


def _temperature(facts: Mapping[str, str]) -> Finding:
    thousandths = _number(facts, "temperature")
    if thousandths is None:
        return Finding("heat", None, "the system does not say")
    degrees = thousandths / 1000
    if degrees >= HOT_C:
        return Finding("heat", False, f"{degrees:.1f} degC: expected less than {HOT_C:.0f}; add a heat sink or a fan")
    return Finding("heat", True, f"{degrees:.1f} degC")


def _power(throttling: Mapping[str, list[str]] | None) -> Finding:
    if throttling is None:
        return Finding("power", None, "the system does not say")
    for when, text in (("now", "now"), ("occurred", "since its start")):
        if "under-voltage" in throttling[when]:
            return Finding("power", False, f"under-voltage {text}: use the board's own power supply and a short cable")
    return Finding("power", True, "enough")


def _throttling(throttling: Mapping[str, list[str]] | None) -> Finding:
    if throttling is None:
        return Finding("throttling", None, "the system does not say")
    for when, text in (("now", "now"), ("occurred", "since its start")):
        found = [cause for cause in throttling[when] if cause != "under-voltage"]
        if found:
            return Finding("throttling", False, f"{', '.join(found)} {text}: correct power and cooling, start it again")
    return Finding("throttling", True, "none")


def _clock(facts: Mapping[str, str]) -> Finding:
    seconds = _number(facts, "clock") or 0
    text = time.strftime("%Y-%m-%d", time.gmtime(seconds))
    if seconds < BUILT:
        return Finding("clock", None, f"{text}: never set; releases don't depend on it (timedatectl set-ntp true)")
    return Finding("clock", True, text)


def _coral(facts: Mapping[str, str]) -> list[Finding]:
    kind = facts.get("coral")
    if kind is None:
        return [Finding("Coral", None, "none is present")]
    found = [Finding("Coral", True, f"present on {kind.upper() if kind == 'usb' else 'PCIe'}")]
    speed = _number(facts, "coral_speed")
    if kind == "usb" and speed is not None and speed < USB3:
        found = [Finding("Coral", False, f"on USB with {speed} Mbit/s: expected {USB3}; plug it into a blue port")]
    # Coral's own package, of 2021, crashes newer runtimes.
    cure = "install one made for TensorFlow 2.13 or later, as docs/coral.md says"
    if "delegate" not in facts:
        return [*found, Finding("delegate", False, f"libedgetpu.so.1 is not on the board: {cure}")]
    if facts.get("delegate_loads") != "yes":
        reason = facts.get("delegate_loads", "no answer")
        return [*found, Finding("delegate", False, f"{facts['delegate']} does not load ({reason}): {cure}")]
    return [*found, Finding("delegate", True, f"{facts['delegate']} loads; edge-infer --runtime edgetpu tries it")]


def _trust(facts: Mapping[str, str], host: str) -> Finding:
    if "trusted" in facts:
        return Finding("trust", True, f"{facts['trusted']} key{'' if facts['trusted'] == '1' else 's'}")
    return Finding("trust", False, f"no key yet: edge-deploy trust {host}")


def _release(facts: Mapping[str, str]) -> Finding:
    if "damaged" in facts and "active" in facts:
        text = f"{facts['active']} is active and damaged ({facts['damaged']})"
        return Finding("release", False, f"{text}: push it again, and check the board's storage")
    if "active" in facts:
        return Finding("release", True, f"{facts['active']} is active, its files as they were signed")
    return Finding("release", None, "none yet: edge-deploy push TARGET HOST")
