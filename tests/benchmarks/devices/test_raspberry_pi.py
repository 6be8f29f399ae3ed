"""A Raspberry Pi's words.

The texts here are composed from the vendor's documentation of vcgencmd and from the kernel's driver
(drivers/hwmon/raspberrypi-hwmon.c): the form of a line, the rails' names and numbers. They are not recordings, and
their values are nobody's board's.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.devices.raspberry_pi import alarm_file, power, rails
from edge.errors import EdgeError

# Composed; 1 V or 2 V and tenths of an ampere, so that a sum is checked by eye.
PMIC = """
 3V7_WL_SW_A current(0)=0.10000000A
   3V3_SYS_A current(1)=0.20000000A
  VDD_CORE_A current(7)=1.50000000A
      HDMI_A current(22)=0.00000000A
 3V7_WL_SW_V volt(8)=2.00000000V
   3V3_SYS_V volt(9)=1.00000000V
  VDD_CORE_V volt(15)=1.00000000V
      HDMI_V volt(23)=5.00000000V
     EXT5V_V volt(24)=5.00000000V
      BATT_V volt(25)=0.00000000V
"""


def _hwmon(root: Path, number: int, name: str, alarm: str | None) -> None:
    folder = root / f"sys/class/hwmon/hwmon{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_text(f"{name}\n")
    if alarm is not None:
        (folder / "in0_lcrit_alarm").write_text(f"{alarm}\n")


def test_hwmon_is_found_by_its_name_and_not_by_its_number(tmp_path: Path) -> None:
    _hwmon(tmp_path, 0, "cpu_thermal", None)
    _hwmon(tmp_path, 1, "another", "0")
    _hwmon(tmp_path, 3, "rpi_volt", "1")
    found = alarm_file(tmp_path)
    assert found is not None
    assert found.parent.name == "hwmon3"
    assert power(found.read_text(), None).now == ["under-voltage"]


def test_a_board_without_it_says_nothing(tmp_path: Path) -> None:
    _hwmon(tmp_path, 0, "cpu_thermal", None)
    assert alarm_file(tmp_path) is None
    assert power(None, None) == (None, None)


@pytest.mark.parametrize(
    ("text", "now", "occurred"),
    [
        ("throttled=0x0\n", [], []),
        ("throttled=0x50005\n", ["under-voltage", "throttled"], ["under-voltage", "throttled"]),
        ("throttled=0xe0008", ["soft temperature limit"], ["frequency capped", "throttled", "soft temperature limit"]),
        ("50000\n", [], ["under-voltage", "throttled"]),  # the firmware's file
    ],
)
def test_bits_now_and_since_the_start(text: str, now: list[str], occurred: list[str]) -> None:
    assert power(None, text) == (now, occurred)


def test_the_alarm_adds_what_the_bits_no_longer_say() -> None:
    assert power("1\n", "throttled=0x20002").now == ["frequency capped", "under-voltage"]
    assert power("0\n", "throttled=0x1").now == ["under-voltage"]
    assert power("0\n", None) == ([], None)


@pytest.mark.parametrize("text", ["", "error=1", "throttled=0xzz", "throttled=0x1\nthrottled=0x2", "-1"])
def test_what_is_no_answer_says_nothing(text: str) -> None:
    assert power(text, text) == (None, None)


def test_watts_of_the_rails_that_have_both() -> None:
    found = rails(PMIC)
    assert found.watts == pytest.approx(0.1 * 2 + 0.2 * 1 + 1.5 * 1)
    assert found.counted == ["3V7_WL_SW", "3V3_SYS", "VDD_CORE", "HDMI"]
    assert found.without == ["EXT5V", "BATT"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'error=1 error_msg="Command not registered"',
        "EXT5V_V volt(24)=5.1V\n",
        "VDD_CORE_A current(7)=1.0V\nVDD_CORE_V volt(15)=nanV",
    ],
)
def test_a_board_without_a_power_chip_is_said(text: str) -> None:
    with pytest.raises(EdgeError, match="as a Raspberry Pi 5 gives them") as raised:
        rails(text)
    assert raised.value.code == "board.power"
