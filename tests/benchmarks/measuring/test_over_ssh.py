"""Accuracy, heat and energy on a board over a real ssh: what the seam between host and device has to carry.

The board's `vcgencmd` is a stand-in whose text is composed (tests/benchmarks/devices/test_raspberry_pi.py).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import edge
from benchmarks.devices.ssh import Ssh, SshSession
from benchmarks.measurement import MODEL, Cell
from benchmarks.measuring.energy import energy
from benchmarks.measuring.measure import Effort, accuracy, measure
from compress.data.phantom import colon
from compress.tasks import metrics
from edge.model import find
from tests.benchmarks.devices.test_raspberry_pi import PMIC
from tests.firmware_bridge.boards import LocalBoard, with_path

pytestmark = [pytest.mark.compile, pytest.mark.timeout(300)]

POLYP = Path(find("polyp"))
CELL = Cell("pi", "polyp", "native", 1)
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshSession]:
    folder = tmp_path_factory.mktemp("board")
    program = folder / "vendor" / "vcgencmd"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n[ \"$1\" = pmic_read_adc ] || {{ echo throttled=0x50000; exit; }}\ncat <<'END'\n{PMIC}END\n"
    )
    program.chmod(0o755)
    board = LocalBoard(folder, with_path(Path(f"{program.parent}:{_PATH}")))
    before = dict(os.environ)
    try:
        os.environ |= {key: board.environment[key] for key in ("PATH", "HOME", "XDG_CACHE_HOME")}
        done = board.deploy("trust", "board", "--key", f"{board.signer}.pub")
        assert done.returncode == 0, done.stderr
        with Ssh(name="pi", host="board", target="x86-64", key=str(board.signer)).open(
            [POLYP], lambda text: None
        ) as opened:
            yield opened
    finally:
        os.environ.clear()
        os.environ.update(before)
        board.stop()


def test_masks_come_from_the_board(session: SshSession, tmp_path: Path) -> None:
    for kind in ("images", "masks"):
        (tmp_path / "it's a set" / kind).mkdir(parents=True)
    folder = tmp_path / "it's a set"
    for number in range(3):
        image, mask = colon(number, polyp=True, size=128)
        Image.fromarray(image).save(folder / f"images/{number}.png")
        Image.fromarray((np.asarray(mask) > 0).astype(np.uint8) * 255).save(folder / f"masks/{number}.png")
    timed = measure(session, CELL, POLYP, MODEL, 0, Effort(5, 1, 60))
    found = accuracy(session, CELL, POLYP, str(folder), 60, answer=timed.answer)
    engine = edge.load(str(POLYP), threads=1)
    masks = [engine(folder / f"images/{number}.png").mask for number in range(3)]
    truth = [np.asarray(Image.open(folder / f"masks/{number}.png")) > 127 for number in range(3)]
    assert (found["count"], found["unanswered"]) == (3, 0)
    assert found["metrics"]["dice"] == pytest.approx(metrics.dices(masks, truth).mean(), abs=1e-3)  # two programs
    assert timed.states[0].occurred == ["under-voltage", "throttled"]


def test_energy_is_read_on_the_board(session: SshSession) -> None:
    assert session.power
    found = energy(session, CELL, POLYP, 4.0, 60)
    assert found.watts == pytest.approx(1.9)
    assert found.joules == pytest.approx(1.9 * found.p50_ms / 1000)
    assert 10 <= found.samples <= 60
