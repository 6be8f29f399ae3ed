"""`edge-bench history`: show, export, back up, check or prune what was measured."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from benchmarks.history import care
from benchmarks.history.exports import FORMATS
from benchmarks.history.store import DEFAULT, Night, Store, open_store
from benchmarks.measurement import Word
from edge.arguments import add_command, count
from edge.command import log
from edge.errors import EdgeError, one_line
from edge.files import write_all_beside
from edge.terminal import columns

_LAST = 14  # nights that `show` lists


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench history` takes."""
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    show = _command(commands, "show", "show the nights and cells, or one night's verdicts", _show)
    show.add_argument("--night", metavar="N", help="one of the nights, or last: its verdicts")
    show.add_argument("--cells", action="store_true", help="each cell with its last night")
    export = _command(commands, "export", "write the history as other programs read it", _export)
    formats = "; ".join(f"{name}: {each.text}" for name, each in FORMATS.items())
    export.add_argument("--format", required=True, choices=sorted(FORMATS), help=formats)
    export.add_argument("--output", required=True, type=Path, metavar="PATH", help="a file; for asv a folder")
    export.add_argument("--night", metavar="N", help="one night (default: asv, csv: all; others: the last)")
    backup = _command(
        commands, "backup", "copy the history, also while a night is measured, and check the copy", _backup
    )
    backup.add_argument("file", type=Path, metavar="FILE", help="where to; an older backup is replaced")
    prune = _command(commands, "prune", "let old measurements go; nights and verdicts stay", _prune)
    prune.add_argument("--keep", required=True, type=count(1), metavar="DAYS", help="that have a night, the newest")
    _command(commands, "check", "look for damage, and read every record", _check)


def run(options: argparse.Namespace) -> int | None:
    """Do what was asked; EdgeError "history.missing" where there is no history."""
    with open_store(options.history, create=False) as store:
        return options.history_action(store, options)


def _command(commands: object, name: str, text: str, action: object) -> argparse.ArgumentParser:
    parser = add_command(commands, name, text)
    parser.add_argument("--history", type=Path, default=DEFAULT, metavar="FILE", help=f"default: {DEFAULT}")
    parser.set_defaults(history_action=action)
    return parser


def _show(store: Store, options: argparse.Namespace) -> None:
    if options.night:
        _show_night(store, _night(store, options.night))
        return
    nights, cells = store.summary(), store.cells()
    devices = {cell.device for cell in cells}
    log(f"{store.path}: {store.path.stat().st_size / 1e6:.1f} MB")
    log(
        f"{_many(len(nights), 'night')}, {_many(len(cells), 'cell')} on {_many(len(devices), 'device')}, "
        f"{_many(sum(night.measurements for night in nights), 'measurement')}"
    )
    if nights:
        log("")
        _table(("night", "measured", "faults", "verdicts"), [_night_row(night) for night in nights[-_LAST:]], (0, 3))
        if len(nights) > _LAST:
            log(f"and {_many(len(nights) - _LAST, 'night')} before, from {nights[0].name} on")
    if options.cells and cells:
        log("")
        _show_cells(store)


def _night_row(night: Night) -> tuple[str, str, str, str]:
    words = ", ".join(f"{count} {word}" for word, count in sorted(night.words.items()))
    state = "pruned" if night.pruned else "" if night.finished else "unfinished"
    return night.name, str(night.measurements), str(night.faults), "; ".join(filter(None, (words, state)))


def _show_cells(store: Store) -> None:
    rows = []
    for cell, samples in store.all_series(evidence=False).items():
        last = samples[-1]
        times = f"{sorted(last.p50_ms)[len(last.p50_ms) // 2]:.3g}" if last.p50_ms else "-"
        word = last.verdict.word.value if last.verdict else "-"
        rows.append((str(cell), str(len(samples)), last.night, times, word))
    _table(("cell", "nights", "last", "p50 ms", "verdict"), rows, (0, 2, 4))


def _show_night(store: Store, night: str) -> None:
    verdicts = store.verdicts(night)
    counts = Counter(verdict.word for verdict in verdicts)
    log(f"{night}: {', '.join(f'{counts[word]} {word.value}' for word in Word if counts[word]) or 'no verdicts'}")
    if verdicts:
        _table(("cell", "verdict", "reason"), [(str(v.cell), v.word.value, v.reason) for v in verdicts], (0, 1, 2))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int]) -> None:
    for line in columns([header, *([one_line(word) for word in row] for row in rows)], left):
        log(line)


def _export(store: Store, options: argparse.Namespace) -> None:
    chosen = FORMATS[options.format]
    nights = store.nights()
    if not nights:
        raise EdgeError(
            f"{store.path} has no finished night: expected one; `edge-bench matrix` measures it", "history.night"
        )
    if options.night or not chosen.all_nights:
        nights = [_night(store, options.night or "last")]
    files = chosen.files(store, nights, options.output)
    if any(path.exists() and path.samefile(store.path) for path in files):
        raise EdgeError(f"{options.output} is the history itself: give another path", "history.export")
    write_all_beside(files)
    log(f"{options.output}: {_many(len(nights), 'night')} as {options.format}")


def _night(store: Store, name: str) -> str:
    """Return a night's name; "last" is the newest finished one."""
    nights = store.nights() if name == "last" else store.all_nights()
    if not nights or name not in ("last", *nights):
        raise EdgeError(
            f"{store.path} has no night {one_line(name)}: expected one that `edge-bench history show` lists",
            "history.night",
        )
    return nights[-1] if name == "last" else name


def _backup(store: Store, options: argparse.Namespace) -> None:
    size = care.backup(store, options.file)
    log(f"{options.file}: {size / 1e6:.1f} MB, read back and found the same")


def _prune(store: Store, options: argparse.Namespace) -> None:
    gone = store.prune(options.keep)
    if not gone.nights and not gone.latencies:
        log(f"{store.path}: nothing is older than the newest {_many(options.keep, 'day')} with a night")
        return
    if gone.nights:
        log(
            f"{_many(gone.measurements, 'measurement')} of {_many(len(gone.nights), 'night')} from {gone.nights[0]} to "
            f"{gone.nights[-1]} are gone; their verdicts stay"
        )
    if gone.latencies:
        log(f"{_many(gone.latencies, 'latency table')} gone")
    log(f"{store.path}: {gone.bytes / 1e6:.1f} MB smaller")


def _check(store: Store, options: argparse.Namespace) -> int:
    found = care.faults(store)
    for line in found:
        log(line)
    log(f"{store.path}: {_many(len(found), 'fault') if found else 'no fault found'}")
    return 1 if found else 0


def _many(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"
