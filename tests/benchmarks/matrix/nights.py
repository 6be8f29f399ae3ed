"""Nights on stand-in devices: in this process, or in one of their own that can be interrupted.

`python -m tests.benchmarks.matrix.nights WORD ...` is `edge-bench matrix WORD ...` that knows the kind "stand-in".
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.cli import main
from benchmarks.devices import KINDS
from benchmarks.history.store import open_store
from benchmarks.inventory import Inventory
from benchmarks.lab.stand_in import StandIn
from benchmarks.matrix import command
from benchmarks.measurement import Measurement, Verdict
from edge.arguments import Parser
from tests.edge.processes import Ended, environment, usual_ends

TWO = ("bpcp", "polyp")  # models; in a test they are as good as four


def options(history: Path, *words: str) -> argparse.Namespace:
    """Return what is read of a command line, with one model where it names none."""
    parser = Parser()
    command.add_arguments(parser)
    models = () if "--models" in words else ("--models", "bpcp")
    return parser.parse_args(["--history", str(history), *models, *words])


def inventory(devices: Iterable[StandIn], alarm: Sequence[str] | None = None, days: int | None = None) -> Inventory:
    return Inventory(devices=tuple(devices), alarm=alarm, canary="bpcp", retention_days=days)


def measure(history: Path, devices: Iterable[StandIn], *words: str, alarm: Sequence[str] | None = None) -> int:
    """Measure a night in this process; return the exit status."""
    return command.measure(inventory(devices, alarm), options(history, *words))


def last(history: Path) -> tuple[str, list[Measurement], list[Verdict]]:
    """Return the newest night of a history, what was measured and what was said."""
    with open_store(history, create=False) as store:
        unfinished = store.unfinished()
        night = unfinished[0] if unfinished else store.nights()[-1]
        return night, store.measurements(night), store.verdicts(night)


def start(history: Path, devices: Iterable[StandIn], *words: str) -> subprocess.Popen[bytes]:
    """Start a night in a process of its own, which leads a group as it does on a terminal."""
    file = history.with_name("inventory.toml")
    file.write_text("".join(map(_table, devices)))
    words = ("--inventory", str(file), "--history", str(history), "--models", "bpcp", *words)
    pipe = subprocess.PIPE
    line = [sys.executable, "-m", __name__, *words]
    return subprocess.Popen(
        line, stdout=pipe, stderr=pipe, env=environment(), preexec_fn=usual_ends, start_new_session=True
    )


def _table(device: StandIn) -> str:
    """Return its table in an inventory."""
    fields = {field.name: getattr(device, field.name) for field in dataclasses.fields(device)} | {"kind": "stand-in"}
    said = {key: value for key, value in fields.items() if value not in (None, {})}
    return "[[device]]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in said.items())


def end(process: subprocess.Popen[bytes], seconds: float = 60) -> Ended:
    """Wait for its end."""
    out, err = process.communicate(timeout=seconds)
    return Ended(subprocess.CompletedProcess(process.args, process.returncode, out, err))


if __name__ == "__main__":
    KINDS["stand-in"] = ("benchmarks.lab.stand_in", "StandIn")
    sys.exit(main(["matrix", *sys.argv[1:]]))
