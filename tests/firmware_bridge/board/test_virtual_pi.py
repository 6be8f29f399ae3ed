"""The real release on a virtual Pi, over real ssh: its golden vectors, a clock in 1970, power that goes."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.lab import debian
from benchmarks.lab.virtual_pi import VirtualPi
from benchmarks.robustness import power_cut
from firmware_bridge import target
from firmware_bridge.release import build, release, signature
from firmware_bridge.release.release import File
from tests.edge import packing, processes
from tests.edge.processes import Ended
from tests.firmware_bridge.release.test_build import content

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(600)]
CUTS = 6  # benchmarks.robustness.power_cut has a hundred


@pytest.fixture(scope="module")
def arm() -> build.Content:
    return content("pi4", ["pneumonia"])


@pytest.fixture(scope="module")
def pi(arm: build.Content, tmp_path_factory: pytest.TempPathFactory) -> Iterator[VirtualPi]:
    """A virtual Pi whose clock was never set, with the first release on it."""
    try:
        machine = VirtualPi(tmp_path_factory.mktemp("pi"), clock="1970-01-01")
    except debian.Unavailable as error:
        pytest.skip(str(error))
    try:
        machine.boot()
        assert Ended(machine.deploy("trust", "board", "--key", machine.signer)).status == 0
        done = Ended(push(machine, arm, 1))
        assert done.status == 0, done.err
        assert "pneumonia.tflite: 4 of 4 golden vectors passed" in done.out
        yield machine
    finally:
        machine.cut()


def push(pi: VirtualPi, what: build.Content, number: int) -> subprocess.CompletedProcess[bytes]:
    archive = build.write(what, number, pi.signer, pi.folder)
    return pi.deploy("push", "pi4", "board", "--archive", archive)


def answers(pi: VirtualPi) -> str:
    """The release that serves, after it has answered an image."""
    for _ in range(20):
        done = Ended(pi.deploy("run", "board", processes.ROOT / "docs/phantom.png"))
        if "can't be reached" not in done.err:  # else the emulator is slow, which says nothing of releases
            break
    assert done.status == 0, done.err
    assert json.loads(done.out)["decision"] == "PNEUMONIA"
    return pi.ssh("readlink edge-infer/current").strip().split("/")[1]


def test_it_answers_as_this_machine_does(pi: VirtualPi) -> None:
    assert pi.ssh("date +%Y").strip() == "1970"
    done = Ended(pi.deploy("run", "board", processes.ROOT / "docs/phantom.png"))
    here = json.loads(processes.run("--json", processes.ROOT / "docs/phantom.png").out)
    there = json.loads(done.out)
    assert there["board"]["architecture"] == "aarch64" and there["runtime"]["delegate"] == "xnnpack"
    assert [item["label"] for item in there["results"]] == [item["label"] for item in here["results"]]
    for mine, theirs in zip(here["results"], there["results"], strict=True):
        assert abs(mine["score"] - theirs["score"]) < 1e-12
    words = ("run", "board", processes.ROOT / "docs/phantom.png", "--runtime", "edgetpu")
    assert "the runtime edgetpu is not part of the native edge-infer" in Ended(pi.deploy(*words)).err


def test_the_doctor_knows_it(pi: VirtualPi) -> None:
    lines = Ended(pi.deploy("doctor", "board")).out.splitlines()
    assert any(line.startswith("ok    processor   aarch64") for line in lines)
    assert any("glibc 2.36, libstdc++ 3.4.30" in line for line in lines)
    assert any("1970-01-01: never set" in line for line in lines)
    assert any(line.startswith("-     Python") for line in lines)


def test_a_board_without_python_is_told_so(pi: VirtualPi, arm: build.Content, tmp_path: Path) -> None:
    what = release.Release("0.1.0-2", "pi4", "aarch64", "python", "2.17", "0", "3.11")
    digests, packed = release.digest_list(what, arm.payload)
    archive = tmp_path / "python.tar"
    archive.write_bytes(release.archive_bytes(what, digests, signature.sign(digests, pi.signer), packed))
    done = Ended(pi.deploy("push", "pi4", "board", "--archive", archive))
    assert done.status == 2 and "the board has no Python: expected Python 3.11" in done.err


def test_an_archive_for_a_pc_is_refused(pi: VirtualPi, arm: build.Content) -> None:
    pc = arm._replace(target=target.load("x86-64"))
    archive = build.write(pc, 2, pi.signer, pi.folder)
    done = Ended(pi.deploy("push", "x86-64", "board", "--archive", archive))
    assert done.status == 2 and "the archive is for x86_64 and the board's system is aarch64" in done.err


def test_a_task_that_the_installed_program_does_not_know(pi: VirtualPi, arm: build.Content) -> None:
    """A newer model file with an older program: its golden vectors can't pass, and the old release stays active."""
    flatbuffer = (processes.ROOT / "tests/edge/data/tiny.tflite").read_bytes()
    model = packing.pack(flatbuffer, packing.manifest(flatbuffer, task="detection", name="finder"))
    newer = arm._replace(payload={**arm.payload, "models/finder.tflite": File(model)})
    done = Ended(push(pi, newer, 2))
    assert done.status == 2 and "finder.tflite fails on the board (status 2" in done.err and "detection" in done.err
    assert "stays active" in done.err
    assert "-0.1.0-1-pi4-" in answers(pi)


def test_power_and_connection_that_are_cut(pi: VirtualPi, arm: build.Content) -> None:
    """Killed at random moments, the board has the old or the new release, and it answers."""
    moments = random.Random(3)
    serving = answers(pi)
    for number in range(CUTS):
        archive = build.write(arm, 10 + number, pi.signer, pi.folder)
        process = pi.start("push", "pi4", "board", "--archive", archive)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(moments.uniform(1, 15))
        if number % 2 == 0:
            pi.cut()
        if process.poll() is None:
            power_cut.kill(process)
        if number % 2 == 0:
            pi.boot()
        found = answers(pi)
        assert found == serving or f"-0.1.0-{10 + number}-pi4-" in found
        pi.ssh("flock edge-infer/lock true", timeout=900)
        serving = answers(pi)
    done = Ended(push(pi, arm, 99))
    assert done.status == 0, done.err
    assert "-0.1.0-99-pi4-" in answers(pi)


def test_a_clock_that_counts_instructions_gives_the_same_time_again(tmp_path: Path) -> None:
    """Half as much work takes half the time, and the same work the same, whatever this machine does meanwhile."""
    try:
        machine = VirtualPi(tmp_path, "cortex-a76", counts=True)
    except debian.Unavailable as error:
        pytest.skip(str(error))
    work = "begun=$EPOCHREALTIME; for ((n = 0; n < {count}; n++)); do :; done; ended=$EPOCHREALTIME"
    work += "; echo $((${{ended/./}} - ${{begun/./}}))"
    try:
        machine.boot()
        counts = [100_000, 100_000, 50_000, 100_000]
        times = machine.ssh("; ".join(work.format(count=count) for count in counts))
    finally:
        machine.cut()
    first, second, half, third = map(int, times.split())
    assert max(first, second, third) / min(first, second, third) < 1.02
    assert 0.49 < half / second < 0.51
