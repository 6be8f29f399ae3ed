"""Timing the operators on a device, pass after pass, and keeping what was timed in the history."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import io
import shutil
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

import edge.model
from benchmarks.devices.device import Session
from benchmarks.history.store import LatencyTable, Store
from benchmarks.latency import networks
from benchmarks.latency.networks import Baseline
from benchmarks.latency.operators import CALL, Operator
from benchmarks.latency.prediction import Table
from benchmarks.measurement import Cell, Identity
from benchmarks.measuring import measure, models
from edge.errors import EdgeError

PASSES = 5  # over all operators; the fastest counts, as whatever disturbs only adds
RESUMED_HOURS = 12  # so old may a table be that is still gone on with
PROCESS_MS = 8.0  # that the invokes of one process are to take
LEAST_INVOKES, MOST_INVOKES, WARMUP = 5, 100, 3
PROCESS_SECONDS = 60.0
# What a middling core does in a millisecond; a device's own speed is learned on the way.
_MACS_PER_MS, _ELEMENTS_PER_MS = 1e7, 1e6
What = Operator | Baseline


class Setting(NamedTuple):
    """What is timed: the device's name, the runtime and its threads."""

    device: str
    runtime: str
    threads: int


class Timer:
    """Times networks on an open device.

    Attributes:
        identity: the device and its software; what `edge-infer` says of itself is in it from the first answer on.
    """

    def __init__(self, session: Session, setting: Setting, check: Callable[[], None] = lambda: None) -> None:
        """`check` is called before each process; what it raises ends the work."""
        self.session, self.setting, self._check = session, setting, check
        self.identity: Identity = session.identity(setting.runtime)
        self._slower = 1.0  # than a middling core

    def group(self, files: Mapping[What, Path], baseline: Baseline, operators: Sequence[Operator]) -> dict[str, Any]:
        """Return the milliseconds of networks of the operators, timed between two timings of their baseline.

        Raises EdgeError where the device fails.
        """
        first = self._timed(files, baseline)
        found = {networks.name(operator): _rounded(self._timed(files, operator)) for operator in operators}
        return {
            "runtime": self.setting.runtime,
            "threads": self.setting.threads,
            "baseline_ms": _rounded(min(first, self._timed(files, baseline))),
            "network_ms": found,
        }

    def network(self, path: Path, invokes: int, image: bytes) -> float:
        """Return the milliseconds of the fastest warm invoke of a model file in a fresh process."""
        self._check()
        file = edge.model.read(path)
        task, name = file.manifest.task.name, file.manifest.name
        model = models.Model(name, file.sha256, file.size, task, (), image, (), {})
        cell = Cell(self.setting.device, name, self.setting.runtime, self.setting.threads)
        words = ["--repeat", str(invokes + 1), "--warmup", str(WARMUP)]
        _, answer = measure.ask(self.session, cell, model, self.session.model(path), words, PROCESS_SECONDS)
        if not answer.count:
            raise EdgeError(
                f"{cell.device} counted no warm invoke of {name}: expected {invokes}; update its edge-infer",
                "measure.answer",
            )
        self.identity = dataclasses.replace(
            self.identity, program=answer.program, release=answer.release, runtime_version=answer.version
        )
        return answer.warm_ms["least"]

    def _timed(self, files: Mapping[What, Path], what: What) -> float:
        guess = _guess(what)
        invokes = min(MOST_INVOKES, max(LEAST_INVOKES, round(PROCESS_MS / (guess * self._slower))))
        least = self.network(files[what], invokes, dot())
        self._slower = max(1.0, least / guess)
        return least


def run(
    timer: Timer,
    files: Mapping[What, Path],
    operators: Sequence[Operator],
    store: Store,
    seconds: float,
    say: Callable[[str], None],
    after: int = 0,
) -> bool:
    """Time the operators, and keep the times in the history group by group; what was interrupted goes on.

    Args:
        files: the model file of each operator and of what stands before it.
        seconds: a further pass begins only where it would end within so many; the first always does.
        say: gets lines of progress.
        after: days; a whole table of the same device and software that is younger is left as it is.

    Returns whether there was something to time.
    """
    setting, begun = timer.setting, time.monotonic()
    baseline = networks.baseline(operators[0])
    timer.network(files[baseline], LEAST_INVOKES, dot())  # now it is known what runs there
    since = age(store, setting, timer.identity, operators)
    if since is not None and abs(since) < datetime.timedelta(days=after):
        return False
    night, done = unfinished(store, setting, timer.identity, operators) or (store.new_night(), Counter())
    first = min(done[operator] for operator in operators)
    took = 0.0
    for number in range(first, PASSES):
        pass_begun = time.monotonic()
        if number > first and pass_begun - begun + took > seconds:
            break
        count = 0
        for baseline, members in groups(operators).items():
            say(f"{setting.device}: pass {number + 1} of {PASSES}, {count} of {len(operators)} operators")
            wanted = [operator for operator in members if done[operator] <= number]
            if wanted:
                row = timer.group(files, baseline, wanted)
                store.add_latencies(night, setting.device, timer.identity, [row])
            count += len(members)
        took = time.monotonic() - pass_begun
    return True


def unfinished(
    store: Store, setting: Setting, identity: Identity, operators: Sequence[Operator]
) -> tuple[str, Counter[Operator]] | None:
    """Return the name of the newest table and how often each operator is in it, where that can be gone on with.

    It can where it is of the same device and software, `RESUMED_HOURS` old at most, and lacks an operator's pass.
    """
    newest, done = "", Counter[Operator]()
    for table, row in _rows(store.latencies(setting.device), setting):
        if table.night > newest:
            newest, done = table.night, Counter()
        if table.identity == identity:
            done.update(map(networks.operator, row["network_ms"]))
    if not done or all(done[operator] >= PASSES for operator in operators):
        return None
    return (newest, done) if abs(_since(newest)) <= datetime.timedelta(hours=RESUMED_HOURS) else None


def _since(night: str) -> datetime.timedelta:
    return datetime.datetime.now(datetime.timezone.utc) - datetime.datetime.fromisoformat(night.replace("Z", "+00:00"))


def age(store: Store, setting: Setting, identity: Identity, operators: Sequence[Operator]) -> datetime.timedelta | None:
    """Return how old the newest whole table of a setting is, of this device and software; None where there is none."""
    done: dict[str, set[str]] = defaultdict(set)
    for table, row in _rows(store.latencies(setting.device), setting):
        if table.identity == identity:
            done[table.night].update(row["network_ms"])
    wanted = {networks.name(operator) for operator in operators}
    whole = [night for night, names in done.items() if wanted <= names]
    return _since(max(whole)) if whole else None


def load(store: Store, setting: Setting, operators: Sequence[Operator]) -> tuple[str, Table]:
    """Return the newest whole table of a setting: the night's name, and the table.

    Raises EdgeError ("latency.missing") where the history has none that has all `operators`.
    """
    networks_ms: dict[str, dict[Operator, float]] = defaultdict(dict)
    baselines: dict[str, dict[Baseline, float]] = defaultdict(dict)
    for table, row in _rows(store.latencies(setting.device), setting):
        for name, ms in row["network_ms"].items():
            operator = networks.operator(name)
            _keep_least(networks_ms[table.night], operator, ms)
            _keep_least(baselines[table.night], networks.baseline(operator), row["baseline_ms"])
    for night in sorted(networks_ms, reverse=True):
        found = networks_ms[night]
        if all(operator in found for operator in operators):
            times = {
                operator: ms if operator.kind == CALL else difference(ms, baselines[night][networks.baseline(operator)])
                for operator, ms in found.items()
            }
            return night, Table(times)
    what = "an unfinished table" if networks_ms else "no table"
    raise EdgeError(
        f"the history has {what} of {setting.device}, {setting.runtime}, {setting.threads} thread(s): expected the "
        "times of its operators; run edge-bench latency to the end",
        "latency.missing",
    )


def _keep_least(known: dict[Any, float], key: Operator | Baseline, ms: float) -> None:
    known[key] = min(known.get(key, ms), ms)


def difference(network_ms: float, baseline_ms: float) -> float:
    """Return an operator's milliseconds: its share of what the network takes longer than without it."""
    return (network_ms - baseline_ms) / networks.COPIES


def groups(operators: Iterable[Operator]) -> dict[Baseline, list[Operator]]:
    """Return the operators by what stands before them, which is timed beside them."""
    found: dict[Baseline, list[Operator]] = defaultdict(list)
    for operator in operators:
        found[networks.baseline(operator)].append(operator)
    return dict(found)


def write_all(operators: Iterable[Operator], folder: Path) -> dict[What, Path]:
    """Write the model files that are not in the folder yet; return where each is. Those of another version go."""
    place = folder / networks.version()
    if folder.exists():
        for other in folder.iterdir():
            if other != place:
                shutil.rmtree(other, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    files: dict[What, Path] = {}
    for baseline, members in groups(operators).items():
        each: list[What] = [baseline, *members]
        for what in each:
            files[what] = place / f"{networks.name(what)}.tflite"
            if not files[what].exists():
                networks.write(files[what], what)
    return files


def _rows(tables: Iterable[LatencyTable], setting: Setting) -> Iterator[tuple[LatencyTable, dict[str, Any]]]:
    """Yield the groups of a setting with the tables that they are in."""
    for table in tables:
        for row in table.rows:
            if (row["runtime"], row["threads"]) == (setting.runtime, setting.threads):
                yield table, row


def _guess(what: What) -> float:
    """Return roughly the milliseconds of a network's invoke."""
    before = what if isinstance(what, Baseline) else networks.baseline(what)
    ms = 0.01 + max(1, before.heads) * before.side**2 * before.channels / _ELEMENTS_PER_MS
    if isinstance(what, Operator) and what.kind != CALL:
        ms += networks.COPIES * (what.macs / _MACS_PER_MS + what.elements / _ELEMENTS_PER_MS)
    return ms


def _rounded(ms: float) -> float:
    """Return five digits of it: a history keeps thousands."""
    return float(f"{ms:.5g}")


@functools.cache
def dot() -> bytes:
    """Return the smallest image there is: what it shows does not matter, and reading it is not timed."""
    file = io.BytesIO()
    Image.new("L", (1, 1)).save(file, "PNG")
    return file.getvalue()
