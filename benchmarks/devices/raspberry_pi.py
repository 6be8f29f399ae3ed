"""What a Raspberry Pi says of its power and heat, read from text: of files here, or as a device's shell printed them.

Sources: the kernel's driver drivers/hwmon/raspberrypi-hwmon.c and its page Documentation/hwmon/raspberrypi-hwmon.rst;
the vendor's page on vcgencmd (raspberrypi.com/documentation, "os", `get_throttled`, `pmic_read_adc`).

- The driver asks the firmware every 2 s whether the voltage was low since it asked before, and `in0_lcrit_alarm` is
  that answer: 1 for a dip between two of its questions. Whoever reads it less often than `ALARM_SECONDS` misses dips.
  hwmon numbers its folders in the order of their drivers, so the one meant is found by its name, `rpi_volt`.
- `vcgencmd get_throttled`: bits 0-3 hold now, 16-19 have held since the start. A call takes some 10 ms of the
  firmware's and a core's time: before and after a timed run, never in one.
- `vcgencmd pmic_read_adc` is a Pi 5's alone: volts and amperes of the rails behind the power chip. Their product is
  not the whole board: EXT5V, which feeds USB and all else, has no current, and the chip's own loss is in none.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from edge import board
from edge.errors import EdgeError, brief

HWMON = "rpi_volt"
ALARM = "in0_lcrit_alarm"
ALARM_SECONDS = 2.0  # between two questions of the driver
ENERGY_HERTZ = 10.0  # at most: a faster reader slows what it measures
UNDER_VOLTAGE = board.causes(1)["now"][0]
_THROTTLED = re.compile(r"(?:throttled=)?(?:0x)?([0-9a-fA-F]{1,8})")
_RAIL = re.compile(r"([A-Z0-9_]{1,24})_([AV]) (?:current|volt)\(\d{1,3}\)=(\d{1,4}\.\d{1,12})([AV])")


class Power(NamedTuple):
    """What holds now, and what held since the start, as `edge.board` names it; None where the board does not say."""

    now: list[str] | None
    occurred: list[str] | None


class Rails(NamedTuple):
    """One reading of the power chip.

    Attributes:
        watts: of the rails that have both volts and amperes: a part of what the board draws.
        counted: their names.
        without: rails that have volts alone, whose power is in no sum.
    """

    watts: float
    counted: list[str]
    without: list[str]


def power(alarm: str | None, throttled: str | None) -> Power:
    """Return what the two texts say.

    Args:
        alarm: content of `in0_lcrit_alarm`; None where there is no such file. It is the only one that may be read while
            something is timed, and knows of the voltage alone.
        throttled: what `vcgencmd get_throttled` printed ("throttled=0x50005"), or the content of the firmware's file of
            that name ("50005"); None without.
    """
    found = None if throttled is None else _THROTTLED.fullmatch(throttled.strip())
    bits = None if found is None else board.causes(int(found[1], 16))
    low = {"0": False, "1": True}.get((alarm or "").strip())
    now = None if bits is None else bits["now"]
    if low is not None:
        now = sorted({*(now or []), *([UNDER_VOLTAGE] if low else [])})
    return Power(now, None if bits is None else bits["occurred"])


def alarm_file(root: Path = Path("/")) -> Path | None:
    """Return the file of the under-voltage alarm; None where no hwmon is called `rpi_volt`."""
    for folder in sorted((root / "sys/class/hwmon").glob("hwmon*")):
        try:
            if (folder / "name").read_text(errors="replace").strip() == HWMON and (folder / ALARM).is_file():
                return folder / ALARM
        except OSError:
            continue
    return None


def rails(text: str) -> Rails:
    """Return one reading of what `vcgencmd pmic_read_adc` printed.

    Raises EdgeError ("board.power") where no rail has both volts and amperes, as on every board but a Pi 5.
    """
    found: dict[str, dict[str, float]] = {}
    for line in text.splitlines():
        match = _RAIL.fullmatch(line.strip())
        if match and match[2] == match[4]:
            found.setdefault(match[1], {})[match[2]] = float(match[3])
    counted = [name for name, values in found.items() if len(values) == 2]
    if not counted:
        raise EdgeError(
            f"vcgencmd pmic_read_adc printed {brief(ascii(text), 80)}: expected volts and amperes of rails, as a "
            "Raspberry Pi 5 gives them; measure energy there",
            "board.power",
        )
    return Rails(
        sum(found[name]["V"] * found[name]["A"] for name in counted),
        counted,
        [name for name, values in found.items() if "A" not in values],
    )
