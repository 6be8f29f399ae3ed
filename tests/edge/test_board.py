"""Boards, as files in a made-up tree."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from edge import board
from tests.edge.processes import environment
from tests.edge.quotas import QUOTAS, made


@pytest.fixture
def tree(tmp_path):
    """A function that writes {path: text} and reads the board that they make."""

    def read(**files):
        for path, text in files.items():
            file = tmp_path / PATHS[path]
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        return board.read(tmp_path)

    return read


PATHS = {
    "model": "proc/device-tree/model",
    "product": "sys/class/dmi/id/product_name",
    "governor": "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "driver": "sys/devices/system/cpu/cpu0/cpufreq/scaling_driver",
    "temperature": "sys/class/thermal/thermal_zone0/temp",
    "type": "sys/class/thermal/thermal_zone0/type",
    "temperature1": "sys/class/thermal/thermal_zone1/temp",
    "type1": "sys/class/thermal/thermal_zone1/type",
    "throttled": "sys/devices/platform/soc/soc:firmware/get_throttled",
}


def test_a_raspberry_pi(tree):
    found = tree(
        model="Raspberry Pi 5 Model B Rev 1.0\0",
        governor="ondemand\n",
        driver="cpufreq-dt\n",
        temperature="51234\n",
        type="cpu-thermal\n",
        throttled="0\n",
    )
    assert found.model == "Raspberry Pi 5 Model B Rev 1.0" and found.governor == "ondemand"
    assert found.temperature_c == 51.234 and found.throttled == {"now": [], "occurred": []}
    assert found.warnings() == []
    assert "51.2 degC" in found.line() and "throttled: no" in found.line()
    assert json.loads(json.dumps(found.record()))["cores"] == found.cores >= 1


def test_a_board_that_is_held_back_is_warned_of(tree):
    found = tree(throttled="0x50005\n")
    assert found.throttled == {"now": ["under-voltage", "throttled"], "occurred": ["under-voltage", "throttled"]}
    assert len(found.warnings()) == 1 and "power supply" in found.warnings()[0]
    assert "since its start" in tree(throttled="80000\n").warnings()[0]
    assert tree(throttled="nonsense").throttled is None


def test_a_slow_governor_is_warned_of_where_it_is_slow(tree):
    assert "powersave" in tree(governor="powersave", driver="cpufreq-dt").warnings()[0]
    assert tree(governor="powersave", driver="intel_pstate").warnings() == []


def test_where_nothing_is_told_nothing_is_said(tree):
    found = tree()
    assert found.model == found.architecture
    assert found.governor is found.temperature_c is found.throttled is None and found.warnings() == []
    assert found.line().count(",") == 1


def test_a_pc_has_a_product_and_its_processors_temperature(tree):
    found = tree(
        product="ThinkCentre\n", type="acpitz", temperature="27000", type1="x86_pkg_temp", temperature1="61000"
    )
    assert found.model == "ThinkCentre" and found.temperature_c == 61.0


def test_unprintable_bytes_do_not_reach_a_terminal(tree):
    assert tree(model="Board\x1b[2J\0").model == "Board[2J"


def test_the_one_that_this_runs_on_can_be_read():
    assert board.read().cores >= 1 and board.usable_cores() >= 1


@pytest.mark.parametrize("name", QUOTAS)
def test_a_quota_is_the_number_of_cores(tmp_path, monkeypatch, name):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    files, cores = QUOTAS[name]
    assert board.usable_cores(made(tmp_path, files)) == cores


def test_affinity_counts_where_it_is_less(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {3, 5}, raising=False)
    assert board.usable_cores(made(tmp_path, QUOTAS["two and a half cores"][0])) == 2
    assert board.usable_cores(made(tmp_path, QUOTAS["half a core"][0])) == 1


@pytest.fixture
def half_a_core():
    """A control group with half a core, as this system has them; gone after the test."""
    one, two = Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")
    group = (one if one.is_dir() else two) / f"edge-test-{os.getpid()}"
    try:
        group.mkdir()
        if one.is_dir():
            (group / "cpu.cfs_period_us").write_text("100000")
            (group / "cpu.cfs_quota_us").write_text("50000")
        else:
            (group / "cpu.max").write_text("50000 100000")
    except OSError as error:
        with contextlib.suppress(OSError):
            group.rmdir()
        pytest.skip(f"no control group can be made here ({error.strerror}): it takes root, and a CPU controller")
    yield group
    group.rmdir()


def test_a_real_quota_of_half_a_core_is_one_thread(half_a_core):
    script = "import edge.board; print(edge.board.usable_cores())"
    command = f'echo $$ >{half_a_core}/cgroup.procs; exec "{sys.executable}" -c "{script}"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, env=environment(), timeout=60)
    assert done.stdout == "1\n", done.stderr
