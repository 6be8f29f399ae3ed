"""The page's way from an empty Pi to the first night, on a virtual one over real ssh; its units need a systemd."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.lab import debian
from benchmarks.lab.virtual_pi import VirtualPi
from tests.documents import code
from tests.edge.processes import Ended

pytestmark = [pytest.mark.qemu, pytest.mark.timeout(1800)]


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[VirtualPi]:
    """An empty one, whose clocks count instructions: on a busy machine an emulator's others do not keep step."""
    try:
        machine = VirtualPi(tmp_path, memory_mb=1024, counts=True)
    except debian.Unavailable as error:
        pytest.skip(str(error))
    try:
        machine.boot()
        yield machine
    finally:
        machine.cut()


def bench(pi: VirtualPi, *words: str) -> Ended:
    command = [sys.executable, "-m", "benchmarks", *words]
    return Ended(subprocess.run(command, cwd=pi.folder, env=pi.environment, capture_output=True, timeout=1500))


def test_from_an_empty_pi_to_the_first_night(pi: VirtualPi) -> None:
    (example,) = code("docs/bench-nightly.md", "toml")
    table = example[example.index("[[device]]") :]
    inventory = pi.folder / "boards.toml"
    inventory.write_text(re.sub(r"^host = .*$", f'host = "board"\nkey = "{pi.signer}"', table, flags=re.MULTILINE))
    untrusted = bench(pi, "matrix", "--inventory", "boards.toml", "--models", "bpcp", "--threads", "1")
    assert untrusted.status == 1 and "DEVICE-DOWN" in untrusted.out and "trust" in untrusted.out
    assert Ended(pi.deploy("trust", "board", "--key", pi.signer)).status == 0
    night = bench(pi, "matrix", "--inventory", "boards.toml", "--models", "bpcp", "--threads", "1", "--timeout", "300")
    assert night.status == 0, night.err
    assert re.search(r"^MISSED +bpcp on pi4, native, 1 thread +misses accuracy", night.out, re.MULTILINE), night.out
    shown = bench(pi, "history", "show", "--cells")
    assert shown.status == 0 and "bpcp" in shown.out and "pi4" in shown.out
    assert bench(pi, "report").status == 0
    page = (pi.folder / "build/bench/report.html").read_text()
    assert "bpcp" in page and "pi4" in page
    assert list(pi.ssh("ls edge-infer").split()) != []  # the release, and nothing else was installed there
