"""A virtual Pi whose power or connection is cut at random moments of a push: what answers afterwards?

    python -m benchmarks.robustness.power_cut [--cuts 100]

The real program and a real model go over real ssh to an Arm machine under QEMU. In turns the machine is killed, which
loses all that was not on its disk, and booted again; or edge-deploy and its connection are killed. Then the board is
asked at once for its answer to an image: the release that served before, or the new one, must give the right one.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from benchmarks import table
from benchmarks.lab.virtual_pi import VirtualPi
from compress.data.phantom import phantom
from firmware_bridge import target
from firmware_bridge.release import build

TARGET, MODEL = "pi4", "pneumonia"
POWER, CONNECTION = "power", "connection"
NOTES = """
A virtual Pi (QEMU, cortex-a72, ext4): `edge-deploy push {target}`, native program, model {model}. Moments
are uniform over a whole push ({whole:.0f} s under emulation, which is no board's time). Power: the machine is killed,
which loses what its kernel had not given to the disk, and booted again. Connection: ssh and edge-deploy are killed, and
the board is asked at once. Each time an image is sent, and its decision held against the uninterrupted one's.
"""


class Board:
    """The virtual Pi and the releases that go to it."""

    def __init__(self, folder: Path) -> None:
        self.pi, self.folder, self.number = VirtualPi(folder), folder, 0
        self.content = build.content(target.load(TARGET), [MODEL])
        self.image = folder / "picture.png"
        Image.fromarray(phantom(1, opacity=True, size=224)).save(self.image)
        self.decision = ""

    def start(self) -> int:
        """Boot it and bring it its first release; return that one's number."""
        self.pi.boot()
        self.pi.deploy("trust", "board", "--key", self.pi.signer)
        begun = self.begin()
        _, errors = begun.communicate()
        if begun.returncode:
            raise SystemExit(errors.decode())
        self.decision = self.answer()[1]
        return self.number

    def begin(self) -> subprocess.Popen[bytes]:
        """Start the push of one more release."""
        self.number += 1
        archive = build.write(self.content, self.number, self.pi.signer, self.folder)
        return self.pi.start("push", TARGET, "board", "--archive", archive)

    def answer(self) -> tuple[int, str]:
        """Return the number of the release that answers, and its decision; 0 where none answers."""
        for _ in range(20):
            done = self.pi.deploy("run", "board", self.image)
            if b"can't be reached" not in done.stderr:  # else the emulator is slow, which says nothing of releases
                break
        if done.returncode:
            print(done.stderr.decode())
            return 0, ""
        serves = self.pi.ssh("readlink edge-infer/current")
        found = re.search(r"edge-infer-[0-9.]+-([0-9]+)-", serves)
        return int(found.group(1)) if found else 0, json.loads(done.stdout)["decision"]

    def wait(self) -> None:
        """Wait until no push is at work on the board any more."""
        for _ in range(20):
            try:
                self.pi.ssh("flock edge-infer/lock true", timeout=900)
            except subprocess.CalledProcessError as error:
                print(error.stderr)  # the emulator took no connection
            else:
                return
        raise SystemExit("the virtual Pi takes no connection any more")


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill edge-deploy, and first its connection."""
    with contextlib.suppress(ProcessLookupError, FileNotFoundError):  # it may be ending by itself
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    process.kill()
    process.communicate()


def write(counts: dict[str, Counter[str]], whole: float, options: argparse.Namespace) -> None:
    """Write the table of the cuts counted so far."""
    rows = [
        [kind, count.total(), count["old"], count["new"], count["neither"], table.met(not count["neither"])]
        for kind, count in counts.items()
    ]
    table.write(
        "power_cut",
        "Pushes cut off at random moments: which release answers afterwards",
        f"python -m benchmarks.robustness.power_cut --cuts {options.cuts} --seed {options.seed}",
        ["what", "cuts", "old", "new", "neither", "target: never neither"],
        rows,
        NOTES.format(target=TARGET, model=MODEL, whole=whole),
    )


def main() -> None:
    """Cut, ask, count, and write `results/power_cut.md`."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cuts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    moments = random.Random(options.seed)
    counts: dict[str, Counter[str]] = {POWER: Counter(), CONNECTION: Counter()}
    with tempfile.TemporaryDirectory() as folder:
        board = Board(Path(folder))
        try:
            serving = board.start()
            begun = time.monotonic()
            board.begin().communicate()
            whole = time.monotonic() - begun  # seconds of a push that nothing cuts off
            serving = board.number
            with contextlib.suppress(KeyboardInterrupt):
                for number in range(options.cuts):
                    kind = (POWER, CONNECTION)[number % 2]
                    push = board.begin()
                    moment = moments.uniform(0, whole)
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        push.wait(moment)
                    if kind == POWER:
                        board.pi.cut()
                    if push.poll() is None:
                        kill(push)
                    if kind == POWER:
                        board.pi.boot()
                    answers, decision = board.answer()
                    right = decision == board.decision
                    outcome = {serving: "old", board.number: "new"}.get(answers, "neither") if right else "neither"
                    counts[kind][outcome] += 1
                    print(f"{number + 1}: {kind} cut after {moment:.1f} s: {outcome}", flush=True)
                    write(counts, whole, options)  # it takes an hour: what was counted so far is not lost
                    if kind == CONNECTION:
                        board.wait()
                        answers = board.answer()[0]
                    serving = answers
        finally:
            board.pi.cut()


if __name__ == "__main__":
    main()
