"""What the doctor says of a board, from facts and from a real one."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_bridge.board import doctor
from tests.edge.processes import Ended
from tests.firmware_bridge.boards import LocalBoard
from tests.firmware_bridge.places import Place

GOOD = {
    "elf": "2-183",
    "kernel": "Linux 6.6 aarch64",
    "board": "Raspberry Pi 4 Model B",
    "cores": "4",
    "glibc": "2.36",
    "glibcxx": "3.4.30",
    "python": "3.11",
    "MemTotal": "948000",
    "MemAvailable": "700000",
    "free_kb": "9000000",
    "writable": "yes",
    "active": "0001-edge-infer-0.1.0-1-pi4-0123456789ab",
    "trusted": "1",
    "clock": "1790000000",
    "governor": "ondemand",
    "temperature": "48312",
    "throttled": "0",
    "coral": "usb",
    "coral_speed": "5000",
    "delegate": "/usr/lib/libedgetpu.so.1",
    "delegate_loads": "yes",
}
BAD = [
    ("elf", "2-243", "processor", "take another board"),
    ("glibc", None, "libraries", "no glibc"),
    ("glibcxx", None, "libraries", "apt-get install libstdc++6"),
    ("missing", " flock tar", "tools", "flock tar missing: apt-get install"),
    ("MemAvailable", "30000", "memory", "stop other programs"),
    ("free_kb", "9000", "disk", "8 MB free"),
    ("writable", "no", "disk", "mount it for writing"),
    ("governor", "powersave", "governor", "cpufreq-set -g performance"),
    ("temperature", "83000", "heat", "83.0 degC: expected less than 80"),
    ("throttled", "10000", "power", "under-voltage since its start"),
    ("throttled", "1", "power", "under-voltage now"),
    ("throttled", "4", "throttling", "throttled now"),
    ("throttled", "0x80000", "throttling", "soft temperature limit since its start"),
    ("coral_speed", "480", "Coral", "480 Mbit/s: expected 5000"),
    ("delegate", None, "delegate", "made for TensorFlow 2.13"),
    ("delegate_loads", "139 crashed", "delegate", "does not load (139 crashed)"),
    ("trusted", None, "trust", "edge-deploy trust pi"),
]


def changed(key: str, value: str | None) -> dict[str, str]:
    facts = {**GOOD, key: value}
    return {name: text for name, text in facts.items() if text is not None}


def test_a_good_board_has_nothing_to_mend() -> None:
    found = doctor.findings(GOOD, "pi")
    assert [item for item in found if not item.ok] == []
    subjects = [item.subject for item in found]
    expected = (
        "processor libraries Python tools memory disk governor heat power throttling clock Coral delegate trust release"
    )
    assert subjects == expected.split()
    assert "aarch64, 4 cores, Raspberry Pi 4 Model B" in found[0].line()


@pytest.mark.parametrize(("key", "value", "subject", "said"), BAD)
def test_each_ill_has_a_line_with_the_cure(key: str, value: str | None, subject: str, said: str) -> None:
    ills = [item for item in doctor.findings(changed(key, value), "pi") if item.ok is False]
    assert [item.subject for item in ills] == [subject]
    assert said in ills[0].line() and ills[0].line().startswith("FAIL")


def test_what_is_said_of_a_32_bit_system_on_a_64_bit_kernel() -> None:
    facts = {**GOOD, "elf": "1-40"}
    assert "its target is pi-armv7" in doctor.findings(facts, "pi")[0].line()
    assert "its target" not in doctor.findings({**facts, "kernel": "Linux 6.6 armv7l"}, "pi")[0].line()
    foreign = doctor.findings({**GOOD, "folder": "a file"}, "pi")
    (ill,) = (item.line() for item in foreign if item.ok is False)
    assert ill.startswith("FAIL  disk        the folder is a file")


def test_what_a_system_does_not_say_is_no_ill() -> None:
    for key in ("python", "governor", "temperature", "throttled", "coral", "active"):
        assert [item for item in doctor.findings(changed(key, None), "pi") if item.ok is False] == []
    clock = next(item for item in doctor.findings(changed("clock", "12"), "pi") if item.subject == "clock")
    assert clock.ok is None and "1970-01-01" in clock.text


@given(st.dictionaries(st.sampled_from([*GOOD, "missing", "driver"]), st.text(max_size=20)))
def test_whatever_a_board_says_is_one_line_each(facts: dict[str, str]) -> None:
    assert len(doctor.findings(facts, "pi")) >= 14


def test_a_real_board(local_board: LocalBoard, tmp_path: Path) -> None:
    done = Ended(local_board.deploy("doctor", "board", "--folder", tmp_path / "not there/yet"))
    assert done.status == 2 and done.err.count("\n") == 1 and "1 check failed" in done.err  # it trusts no key
    lines = {line[6:].split("  ")[0]: line for line in done.out.splitlines()}
    architecture = subprocess.run(["uname", "-m"], capture_output=True, text=True).stdout.strip()
    assert lines["processor"].startswith("ok ") and architecture in lines["processor"]
    assert lines["libraries"].startswith("ok ") and "glibc 2." in lines["libraries"]
    assert lines["tools"].startswith("ok ") and lines["disk"].startswith("ok ")
    assert lines["trust"].startswith("FAIL")
    assert not (tmp_path / "not there").exists()


@pytest.mark.parametrize(("body", "fact"), [("abort();", "134 "), ("", "yes")])
def test_a_delegate_is_tried_in_a_process_of_its_own(tmp_path: Path, body: str, fact: str) -> None:
    """A library that aborts when it is loaded is told of, and ends nothing else."""
    compiler = subprocess.run(["sh", "-c", "command -v cc"], capture_output=True, text=True).stdout.strip()
    if not compiler:
        pytest.skip("a C compiler is not installed")
    library = tmp_path / "libedgetpu.so.1"
    source = f"#include <stdlib.h>\n__attribute__((constructor)) static void first(void) {{ {body} }}\n"
    command = [compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", library]
    subprocess.run(command, input=source.encode(), check=True)
    listed = tmp_path / "ldconfig"
    listed.write_text(f"#!/bin/sh\necho '\tlibedgetpu.so.1 (libc6) => {library}'\n")
    listed.chmod(0o755)
    script = f'PATH={tmp_path}:$PATH; export PATH; eval "$SCRIPT"'
    words = ["sh", "-c", script, "edge-deploy", "MARK", str(tmp_path)]
    environment = {"SCRIPT": doctor.SCRIPT.read_text(), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    told = subprocess.run(words, env=environment, capture_output=True, text=True).stdout
    assert f"\nMARK fact delegate_loads {fact}" in told and told.endswith("\nMARK done\n")


def test_a_serving_release_that_is_damaged(place: Place) -> None:
    assert place.push(place.archive()).status == 0
    done = place("doctor", "board")
    assert "ok    release     0001-" in done.out
    place.damage("0.1.0-1")
    done = place("doctor", "board")
    assert done.status == 2 and "1 check failed on board" in done.err
    assert "is active and damaged (models/one.tflite: FAILED): push it again" in done.out
