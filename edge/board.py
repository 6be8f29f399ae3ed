"""The board that this runs on, as far as its system tells: what it is, and whether it is held back just now."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

# Bits of the Raspberry Pi firmware's get_throttled; the same ones 16 higher say that it happened since the start.
_THROTTLED = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_PER_DEGREE = 1000  # the kernel gives thousandths of a degree


class Board(NamedTuple):
    """What was found; None where the system does not say.

    Attributes:
        model: of a board its name, of a PC the product's, else the architecture.
        architecture: as `uname -m` says it.
        cores: that the system has.
        governor, driver: of the first core's frequency.
        temperature_c: of the processor, degrees Celsius.
        throttled: {"now": [...], "occurred": [...]}, causes that hold now, and that held since the start (Pi).
    """

    model: str
    architecture: str
    cores: int
    governor: str | None
    driver: str | None
    temperature_c: float | None
    throttled: dict[str, list[str]] | None

    def record(self) -> dict[str, Any]:
        """Return it as an object for JSON."""
        return self._asdict()

    def line(self) -> str:
        """Return it as one line for people."""
        parts = [self.model, self.architecture, f"{self.cores} core{'s' if self.cores > 1 else ''}"]
        if self.governor:
            parts.append(f"governor {self.governor}")
        if self.temperature_c is not None:
            parts.append(f"{self.temperature_c:.1f} degC")
        if self.throttled is not None:
            parts.append(f"throttled: {', '.join(self.throttled['now']) or 'no'}")
        return ", ".join(dict.fromkeys(parts))

    def warnings(self) -> list[str]:
        """Return what makes the measured times longer than the board's best, each with the way out."""
        found = []
        held = self.throttled or {"now": [], "occurred": []}
        if held["now"]:
            found.append(f"the board is held back now ({', '.join(held['now'])}): check power supply and cooling")
        elif held["occurred"]:
            causes = ", ".join(held["occurred"])
            found.append(f"the board was held back since its start ({causes}): check power supply and cooling")
        # The pstate drivers' "powersave" is their ordinary mode and no slow one.
        if self.governor == "powersave" and "pstate" not in (self.driver or ""):
            found.append("the governor powersave keeps the cores slow: `cpufreq-set -g performance` makes them fast")
        return found


def read(root: str | os.PathLike[str] = "/") -> Board:
    """Return what the files under `root` say."""
    architecture = os.uname().machine if hasattr(os, "uname") else "unknown"
    join = os.path.join
    frequency = join(root, "sys/devices/system/cpu/cpu0/cpufreq")
    model = _text(join(root, "proc/device-tree/model")) or _text(join(root, "sys/class/dmi/id/product_name"))
    return Board(
        model=model or architecture,
        architecture=architecture,
        cores=os.cpu_count() or 1,
        governor=_text(join(frequency, "scaling_governor")),
        driver=_text(join(frequency, "scaling_driver")),
        temperature_c=_temperature(join(root, "sys/class/thermal")),
        throttled=_throttled(join(root, "sys/devices/platform/soc/soc:firmware/get_throttled")),
    )


def usable_cores(root: str | os.PathLike[str] = "/") -> int:
    """Return how many cores this process may use: those of its affinity, and no more than its CPU quota, rounded up.

    A container's limit (`docker --cpus=0.5`) is a quota of its control group: time per period, on whatever cores.
    `root` is where proc and the control groups are looked for.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *_quotas(os.fspath(root))]))


def _quotas(root: str) -> Iterator[int]:
    """Yield the CPU quota of each control group around this process, in cores, rounded up.

    Version 1 and 2 may be there at once; the one that counts the processor's time has the files.
    """
    groups = dict(_groups(_lines(os.path.join(root, "proc/self/cgroup"))))
    for line in _lines(os.path.join(root, "proc/self/mountinfo")):
        fields, _, rest = line.partition(" - ")
        place, kind = fields.split(" "), rest.split(" ")
        if len(place) < 5 or len(kind) < 3:
            continue
        if kind[0] == "cgroup2":
            group = groups.get("")
        else:
            group = groups.get("cpu") if kind[0] == "cgroup" and "cpu" in kind[2].split(",") else None
        if group is None:
            continue
        top, path = place[3].rstrip("/"), group.rstrip("/")
        inside = path[len(top) :] if f"{path}/".startswith(f"{top}/") and "/../" not in f"{path}/" else ""
        mount = os.path.join(root, re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place[4]).lstrip("/"))
        while True:  # a group is limited by those that it lies in, too
            yield from _quota(mount + inside)
            if not inside:
                break
            inside = inside[: inside.rfind("/")]


def _groups(lines: list[str]) -> Iterator[tuple[str, str]]:
    """Yield (controller, path of this process's group); "" is the controller of version 2."""
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        for controller in controllers.split(","):
            yield controller, path


def _quota(folder: str) -> Iterator[int]:
    words = (_text(os.path.join(folder, "cpu.max")) or "").split()
    words = words or [_text(os.path.join(folder, f"cpu.cfs_{name}_us")) or "" for name in ("quota", "period")]
    # "max" and -1 say that there is none.
    if len(words) == 2 and all(word.isascii() and word.isdecimal() and int(word) > 0 for word in words):
        yield -(-int(words[0]) // int(words[1]))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _text(path: str) -> str | None:
    """Return a small file's text, printable characters only; None where there is none."""
    try:
        with open(path, errors="replace") as file:
            text = file.read()
    except OSError:
        return None
    return "".join(letter for letter in text if letter.isprintable()).strip() or None


def _temperature(folder: str) -> float | None:
    zones = {}
    try:
        names = sorted(name for name in os.listdir(folder) if name.startswith("thermal_zone"))
    except OSError:
        return None
    for zone in names:
        text = _text(os.path.join(folder, zone, "temp"))
        if text is not None and text.lstrip("-").isdecimal():
            zones[_text(os.path.join(folder, zone, "type")) or zone] = int(text) / _PER_DEGREE
    for word in ("cpu", "soc", "pkg"):
        for name, degrees in zones.items():
            if word in name.lower():
                return degrees
    return next(iter(zones.values()), None)


def _throttled(path: str) -> dict[str, list[str]] | None:
    try:
        bits = int(_text(path) or "", 16)
    except ValueError:
        return None
    return causes(bits)


def causes(bits: int) -> dict[str, list[str]]:
    """Return what a Raspberry Pi's firmware means by the bits of get_throttled, as `Board.throttled` has it."""
    return {
        "now": [name for bit, name in enumerate(_THROTTLED) if bits >> bit & 1],
        "occurred": [name for bit, name in enumerate(_THROTTLED) if bits >> bit + 16 & 1],
    }
