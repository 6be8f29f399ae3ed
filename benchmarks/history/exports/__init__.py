"""The history in other programs' formats. A format is a function in a file of its own, named in `FORMATS`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.history.exports import airspeed, bencher, github, junit, table
from benchmarks.history.store import Store


@dataclass(frozen=True)
class Format:
    """One that `edge-bench history export` writes.

    Attributes:
        text: whose it is, for the help text.
        files: gives the bytes of each file for a store, nights and the output's path.
        all_nights: whether it is for all nights; else for one, the last by default.
    """

    text: str
    files: Callable[[Store, Sequence[str], Path], Mapping[Path, bytes]]
    all_nights: bool


FORMATS = {
    "asv": Format("asv's results folder, with the nights as commits of a repository in it", airspeed.files, True),
    "bencher": Format("Bencher's metric format", bencher.files, False),
    "csv": Format("one line a fresh start", table.files, True),
    "github": Format("github-action-benchmark's customSmallerIsBetter", github.files, False),
    "junit": Format("JUnit XML, a test case a verdict", junit.files, False),
}
