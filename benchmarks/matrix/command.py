"""`edge-bench matrix`: measure models on devices, judge the night, and say what a CI must hear of."""

from __future__ import annotations

import argparse
import hashlib
import signal
from collections.abc import Callable, Sequence
from pathlib import Path

import edge.model
from benchmarks import inventory as inventories
from benchmarks.history import alarm
from benchmarks.history.store import DEFAULT, Store, open_store
from benchmarks.inventory import Inventory
from benchmarks.matrix import night as nights
from benchmarks.matrix import plan as plans
from benchmarks.matrix import summary
from benchmarks.matrix.lane import Lane, end_all
from benchmarks.matrix.lock import alone
from benchmarks.matrix.night import Course
from benchmarks.matrix.plan import Plan
from benchmarks.matrix.progress import Lines
from benchmarks.matrix.scheduler import Scheduler
from benchmarks.measurement import RUNTIMES, Verdict, Word
from edge.arguments import count
from edge.errors import EdgeError, one_line
from edge.files import read_bytes
from edge.terminal import log as complain

LEAST_STARTS = 3  # a night has at least so many: the median of fewer is an outlier's
FAILING = (Word.REGRESSED, Word.DEVICE_DOWN)

_ENDS = (signal.SIGTERM, signal.SIGHUP)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's."""
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="devices (TOML); default: this machine alone")
    parser.add_argument(
        "--models", nargs="+", default=[], metavar="NAME|FILE|DIR", help="default: the models that came with edge-infer"
    )
    parser.add_argument("--devices", nargs="+", default=[], metavar="NAME", help="of the inventory; default: all")
    parser.add_argument(
        "--threads", type=_list(count(1, 64)), metavar="N,N", help="default: 1 and the device's cores, at most 4"
    )
    parser.add_argument(
        "--runtimes", type=_list(_one_of(RUNTIMES)), metavar="NAME,NAME",
        help=f"of {', '.join(RUNTIMES)}; default: those that the device has",
    )  # fmt: skip
    parser.add_argument(
        "--starts", type=count(LEAST_STARTS, 100), default=LEAST_STARTS, metavar="N",
        help="fresh starts of each cell (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=count(1, 86_400), default=120, metavar="S",
        help="seconds that one process on a device may take; a labelled folder is one (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--history", type=Path, default=DEFAULT, metavar="FILE", help="what was measured (default: %(default)s)"
    )
    parser.add_argument("--new-history", action="store_true", help="keep a damaged history aside, and begin a new one")
    parser.add_argument("--json", action="store_true", help="one JSON object a line for each verdict")
    parser.add_argument(
        "--fail-on", type=_list(_word), default=list(FAILING), metavar="WORD,WORD",
        help="verdicts that make the exit status 1, a step's from its second night on (default: "
        "REGRESSED,DEVICE-DOWN)",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Measure a night; return 1 where a verdict is among those to fail on, else 0."""
    for number in _ENDS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has set another
            signal.signal(number, _interrupt)
    return measure(inventories.load(options.inventory), options)


def measure(inventory: Inventory, options: argparse.Namespace) -> int:
    """Do the same on an inventory that is loaded."""
    plan = _plan(options, inventory)
    with alone(options.history):
        night, verdicts, unsent = _night(plan, inventory, options.history, options.new_history)
    if options.json:
        for line in summary.objects(verdicts):
            print(line)
    else:
        print(summary.table(night, verdicts))
    if unsent is not None:
        raise unsent
    return int(any(verdict.word in options.fail_on and not verdict.is_watched for verdict in verdicts))


def _plan(options: argparse.Namespace, inventory: Inventory) -> Plan:
    file = options.inventory
    return Plan(
        networks=plans.networks(options.models),
        canary=plans.read(Path(edge.model.find(inventory.canary))),
        devices=plans.chosen(inventory.devices, options.devices),
        inventory=None if file is None else hashlib.sha256(read_bytes(file)).hexdigest(),
        threads=options.threads,
        runtimes=options.runtimes,
        starts=options.starts,
        seconds=float(options.timeout),
    )


def _night(
    plan: Plan, inventory: Inventory, history: Path, begin_new: bool
) -> tuple[str, list[Verdict], EdgeError | None]:
    """Measure and judge a night, and send its alarms; return its name, its verdicts, and why they were not sent."""
    with open_store(history, begin_new=begin_new):
        pass  # what is wrong with it is said before a device is asked for
    started = [Lane(device, plan.files(), plan.seconds) for device in plan.devices]  # forks, before SQLite is open
    try:
        with open_store(history) as store:
            night = _measured(plan, store, started)
            verdicts = store.verdicts(night)
            _say_absent(store, night, plan, verdicts)
            unsent = _alarmed(inventory, night, verdicts)
            store.finish(night)
            if inventory.retention_days is not None:
                gone = store.prune(inventory.retention_days)
                if gone.measurements:
                    complain(f"{gone.measurements} measurements of {len(gone.nights)} old nights were let go of")
            return night, verdicts, unsent
    finally:
        end_all(started)


def _measured(plan: Plan, store: Store, started: Sequence[Lane]) -> str:
    """Measure and judge a night on devices that wait; return its name."""
    lines = Lines([device.name for device in plan.devices])
    try:
        night = nights.begin(store, plan, lines.say)
        courses = [Course(store, night, plan, device) for device in plan.devices]
        left = [(lane, course) for lane, course in zip(started, courses, strict=True) if not course.is_judged()]
        Scheduler(plan, [lane for lane, _ in left], [course for _, course in left], lines).run()
    finally:
        lines.end()
    return night


def _alarmed(inventory: Inventory, night: str, verdicts: Sequence[Verdict]) -> EdgeError | None:
    """Tell the user's command of the verdicts that alarm; return why it could not be told: the night stays."""
    alarming = [verdict for verdict in verdicts if verdict.evidence.get("alarm")]
    if not alarming or not inventory.alarm:
        return None
    try:
        alarm.send(inventory.alarm, night, alarming)
    except EdgeError as error:
        return error
    return None


def _say_absent(store: Store, night: str, plan: Plan, verdicts: Sequence[Verdict]) -> None:
    """Say which cells of the last night are missing in this one, though their device and model are in the plan."""
    earlier = [name for name in store.nights() if name < night]
    if not earlier:
        return
    names, models = {device.name for device in plan.devices}, {network.name for network in plan.networks}
    here = {verdict.cell for verdict in verdicts}
    gone = [
        verdict.cell
        for verdict in store.verdicts(earlier[-1])
        if verdict.cell not in here and verdict.cell.device in names and verdict.cell.model in models
    ]
    if gone:
        complain(one_line(f"{len(gone)} cells of the last night are not in this one: {'; '.join(map(str, gone))}"))


def _interrupt(number: int, frame: object) -> None:
    """Let an end from outside tidy up as a Ctrl-C does, and no second one cut that short."""
    for each in _ENDS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _list(read: Callable[[str], object]) -> Callable[[str], list[object]]:
    """Return what reads words with commas between them, each of which `read` reads; no word twice."""
    return lambda text: list(dict.fromkeys(read(word) for word in text.split(",")))


def _one_of(names: Sequence[str]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text not in names:
            raise argparse.ArgumentTypeError(f"expected {', '.join(names)}, not {text!r}")
        return text

    return read


def _word(text: str) -> Word:
    return Word(_one_of([word.value for word in Word])(text.upper()))
