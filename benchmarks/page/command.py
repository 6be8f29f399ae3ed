"""`edge-bench report`: the page of a history, and a Markdown summary."""

from __future__ import annotations

import argparse
import datetime
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.history.store import DEFAULT, open_store
from benchmarks.page.content import content
from benchmarks.page.document import document
from benchmarks.page.markdown import NOTHING, counts, markdown
from benchmarks.verdicts.steps import steps
from edge import __version__
from edge.command import log
from edge.errors import EdgeError
from edge.files import write_all_beside
from edge.terminal import write

PAGE = DEFAULT.with_name("report.html")
TITLE = "edge-bench"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what `edge-bench report` takes."""
    parser.add_argument("--history", type=Path, default=DEFAULT, metavar="FILE", help=f"default: {DEFAULT}")
    parser.add_argument("--output", type=Path, default=PAGE, metavar="FILE.html", help=f"the page (default: {PAGE})")
    parser.add_argument("--markdown", metavar="FILE", help="also a summary for a CI; - for standard output")
    parser.add_argument("--night", metavar="N", help="a night of the history (default: the last one)")


def run(options: argparse.Namespace) -> None:
    """Write the page, and the summary where it is asked for."""
    outputs = [options.output, *([Path(options.markdown)] if options.markdown not in (None, "-") else [])]
    _check(options.history, outputs)
    with open_store(options.history, create=False) as store:
        found = content(store, steps, options.night)
    files = {options.output: page(found).encode()}
    summary = markdown(found)
    files |= {path: summary.encode() for path in outputs[1:]}
    write_all_beside(files)
    if options.markdown == "-":
        write(summary)
        return
    for path in files:
        log(str(path))
    log(f"night {found['night']}: {counts(found)}" if found["night"] else NOTHING)


def _check(history: Path, outputs: Sequence[Path]) -> None:
    """Refuse to write two files to one place, or over the history."""
    places = [path.resolve() for path in (history, *outputs)]
    if len({*places}) < len(places):
        raise EdgeError(
            f"{outputs[-1]} is named twice among history, page and summary: expected a file for each",
            "arguments.invalid",
        )


def page(found: dict[str, Any]) -> str:
    """Return the page of a content, with the time and the program that wrote it."""
    now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    title = f"{TITLE}, night of {readable(found['night'])}" if found["night"] else TITLE
    return document({**found, "written": now, "program": __version__}, title, counts(found) or NOTHING)


def readable(night: str) -> str:
    """Return "2026-11-28 02:00 UTC" of a night's name; a name of another form as it is."""
    try:
        return f"{datetime.datetime.strptime(night, '%Y-%m-%dT%H:%M:%SZ'):%Y-%m-%d %H:%M} UTC"
    except ValueError:
        return night
