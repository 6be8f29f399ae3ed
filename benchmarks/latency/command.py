"""`edge-bench latency`: times of single operators, and networks predicted from them."""

from __future__ import annotations

import argparse
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import edge.model
from benchmarks.devices.device import Device
from benchmarks.history.store import DEFAULT, Store, open_store
from benchmarks.inventory import load
from benchmarks.latency import timing
from benchmarks.latency.operators import Operator, grid
from benchmarks.latency.prediction import Predicted
from benchmarks.latency.timing import Setting, Timer
from benchmarks.matrix.lock import alone
from benchmarks.measurement import RUNTIMES, Cell
from edge.arguments import add_command, count
from edge.command import Progress, log
from edge.errors import EdgeError, one_line
from edge.strict_json import dumps
from edge.terminal import columns

FAILED = 1
EMULATED = "virtual-pi"
FOLDER = DEFAULT.with_name("operators")  # of the model files; about 200 MB


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench latency` takes, and its `predict`."""
    _add_shared(parser, {"inventory": None, "device": None, "runtime": None, "threads": 1, "history": DEFAULT})
    parser.add_argument(
        "--minutes", type=count(1, 1440), default=10, metavar="N",
        help="a further pass over the operators begins only where it would end within N (default: 10)",
    )  # fmt: skip
    parser.add_argument(
        "--after", type=count(0, 10_000), default=0, metavar="DAYS",
        help="leave a whole table alone that is younger, of the same device and software (default: 0)",
    )  # fmt: skip
    parser.set_defaults(work=_time)
    commands = parser.add_subparsers(metavar="COMMAND", title="of what was timed")
    predict = add_command(commands, "predict", "predict a network's invoke from its operators' times")
    predict.add_argument("model", nargs="*", metavar="NAME|FILE", help="default: the shipped models")
    _add_shared(predict, {})
    predict.add_argument("--json", action="store_true", help="one JSON object a network on stdout")
    predict.set_defaults(work=_predict)


def run(options: argparse.Namespace) -> int | None:
    """Time operators, or predict; return 1 where a device failed."""
    status: int | None = options.work(options)
    return status


def _add_shared(parser: argparse.ArgumentParser, defaults: dict[str, Any]) -> None:
    """Add what both take; without defaults a sub-command leaves alone what was given before its name."""

    def add(name: str, **more: Any) -> None:
        parser.add_argument(f"--{name}", default=defaults.get(name, argparse.SUPPRESS), **more)

    add("inventory", type=Path, metavar="FILE", help="devices (default: this machine alone)")
    add("device", action="append", metavar="NAME", help="one of them, may be repeated (default: all)")
    add("runtime", choices=RUNTIMES, help="default: the first that the device has")
    add("threads", type=count(1, 64), metavar="N", help="default: 1")
    add("history", type=Path, metavar="FILE", help=f"default: {DEFAULT}")


def _time(options: argparse.Namespace) -> int | None:
    devices, operators, progress = _devices(options), grid(), Progress()
    if options.device is None:
        for device in devices:
            if device.kind == EMULATED:
                progress.log(
                    f"{one_line(device.name)}: left out, as an emulator's times are nobody's; --device asks for it"
                )
        devices = [device for device in devices if device.kind != EMULATED]
    if not devices:
        return None
    # A matrix at the same time would disturb the times, and they its own.
    with alone(options.history), open_store(options.history) as store:
        progress(f"writing the model files of {len(operators)} operators to {FOLDER}")
        files = timing.write_all(operators, FOLDER)
        failures = _all_at_once(devices, operators, files, store, options)
    return FAILED if failures else None


def _all_at_once(
    devices: Sequence[Device],
    operators: Sequence[Operator],
    files: Mapping[timing.What, Path],
    store: Store,
    options: argparse.Namespace,
) -> int:
    """Time the operators on all devices, one process at a time on each; return how many failed, which is said."""
    progress, failures, stopped = Progress(), 0, threading.Event()
    with ThreadPoolExecutor(len(devices)) as pool:

        def work(device: Device) -> Setting:
            def check() -> None:
                if stopped.is_set():
                    raise KeyboardInterrupt

            with device.open([], progress) as session:  # each file is brought before it is timed
                runtime = _runtime(options.runtime, device.name, session.runtimes)
                timer = Timer(session, Setting(device.name, runtime, options.threads), check)
                timing.run(timer, files, operators, store, 60 * options.minutes, progress, options.after)
                return timer.setting

        tasks = {pool.submit(work, device): device.name for device in devices}
        try:
            for task in as_completed(tasks):
                try:
                    setting = task.result()
                except EdgeError as error:
                    failures += 1
                    said = str(error)
                    progress.log(one_line(said if said.startswith(tasks[task]) else f"{tasks[task]}: {said}"))
                else:
                    night, _ = timing.load(store, setting, operators)
                    progress.log(_done(setting, night, len(operators)))
        finally:
            stopped.set()
    return failures


def _done(setting: Setting, night: str, number: int) -> str:
    plural = "s" if setting.threads > 1 else ""
    return f"{setting.device}: {number} operators, {setting.runtime}, {setting.threads} thread{plural}, {night}"


def _predict(options: argparse.Namespace) -> None:
    operators = grid()
    paths = [Path(edge.model.find(name)) for name in options.model] or edge.model.shipped()
    files = [edge.model.read(path) for path in paths]
    rows = [["device", "model", "runtime", "threads", "predicted ms", "measured ms", "ratio", "left out"]]
    with open_store(options.history, create=False) as store:
        for device in _devices(options):
            setting = _newest(store, device.name, options)
            night, table = timing.load(store, setting, operators)
            for file in files:
                name = file.manifest.name
                found = table.predict(file.network())
                measured = _measured(store, Cell(device.name, name, setting.runtime, setting.threads))
                if options.json:
                    record = _record(setting, name, night, found, measured)
                    log(dumps(record, "the prediction"))
                rows.append(_row(setting, name, found, measured))
    if not options.json:
        log("\n".join(columns(rows, left=(0, 1, 2, 7))))


def _record(setting: Setting, name: str, night: str, found: Predicted, measured: float | None) -> dict[str, Any]:
    return {
        **setting._asdict(),
        "model": name,
        "table": night,
        "predicted_ms": found.ms,
        "measured_ms": measured,
        "parts_ms": found.parts,
        "left_out": found.left_out,
    }


def _row(setting: Setting, name: str, found: Predicted, measured: float | None) -> list[str]:
    return [
        one_line(setting.device),
        name,
        setting.runtime,
        str(setting.threads),
        f"{found.ms:.3f}",
        "-" if measured is None else f"{measured:.3f}",
        "-" if measured is None else f"{found.ms / measured:.2f}",
        ", ".join(f"{number} {what}" for what, number in found.left_out.items()) or "-",
    ]


def _measured(store: Store, cell: Cell) -> float | None:
    """Return the least p50 of a cell's newest night in the history; None where there is none."""
    starts = next((sample.p50_ms for sample in reversed(store.series(cell)) if sample.p50_ms), None)
    return None if starts is None else min(starts)


def _newest(store: Store, device: str, options: argparse.Namespace) -> Setting:
    """Return the setting of a device's newest table that fits the options."""
    for table in reversed(store.latencies(device)):
        for row in table.rows[:1]:
            if row["threads"] == options.threads and options.runtime in (None, row["runtime"]):
                return Setting(device, row["runtime"], row["threads"])
    return Setting(device, options.runtime or RUNTIMES[0], options.threads)  # `timing.load` says that it lacks


def _devices(options: argparse.Namespace) -> list[Device]:
    """Return the devices that are meant; EdgeError ("arguments.invalid") for a name that the inventory lacks."""
    devices = list(load(options.inventory).devices)
    names = [device.name for device in devices]
    for name in options.device or ():
        if name not in names:
            raise EdgeError(
                f"there is no device {name!r} in the inventory: expected one of {', '.join(names)}", "arguments.invalid"
            )
    return [device for device in devices if not options.device or device.name in options.device]


def _runtime(wanted: str | None, device: str, runtimes: Sequence[str]) -> str:
    """Return what runs the networks; EdgeError ("arguments.invalid") where the device lacks it."""
    if (wanted is not None and wanted not in runtimes) or not runtimes:
        raise EdgeError(
            f"{device} has no {wanted or 'program'}: expected one of its own ({', '.join(runtimes) or 'none'}); name "
            "another with --runtime",
            "arguments.invalid",
        )
    return wanted or runtimes[0]
