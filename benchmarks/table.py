"""Result tables: Markdown, with the command, the machine and the versions that made them."""

from __future__ import annotations

import datetime
import os
import platform
import re
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from edge.errors import EdgeError, brief
from edge.files import write_beside

RESULTS = Path(__file__).with_name("results")
TOOLS = ("ai-edge-litert", "tflite-runtime", "numpy", "pillow", "torch", "tensorflow", "onnx2tf")


def write(
    name: str, title: str, command: str, header: Sequence[str], rows: Sequence[Sequence[object]], notes: str
) -> None:
    """Print a table and write it to `results/NAME.md`."""
    table = show(title, header, rows)
    RESULTS.mkdir(exist_ok=True)
    page = f"# {title}\n\n    {command}\n\n{machine()}\n\n{table}\n\n{notes.strip()}\n"
    write_beside(RESULTS / f"{name}.md", page.encode())


def show(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Print a table; return it."""
    lines = [f"| {' | '.join(header)} |", "|" + " --- |" * len(header)]
    lines += [f"| {' | '.join(map(str, row))} |" for row in rows]
    table = "\n".join(lines)
    print(f"\n{title}\n\n{table}\n")
    return table


class Kept(NamedTuple):
    """A table that was written.

    Attributes:
        date: when, "2026-11-22".
        command: that made it.
        rows: of each row its cells by the header's names; where a name is there twice, the first.
    """

    date: str
    command: str
    rows: list[dict[str, str]]


def kept(name: str) -> Kept:
    """Return the table `results/NAME.md`; EdgeError ("results.invalid") where there is none."""
    path = RESULTS / f"{name}.md"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        command = next(line.strip() for line in lines if line.startswith("    "))
        date = next(found[0] for line in lines if (found := re.match(r"\d{4}-\d\d-\d\d", line)))
        header, _, *rows = ([cell.strip() for cell in line[1:-1].split("|")] for line in lines if line.startswith("|"))
    except (OSError, UnicodeDecodeError, StopIteration, ValueError) as error:
        raise EdgeError(
            f"{path} can't be read as a table of results ({brief(str(error)) or 'a line lacks'}): expected one; run "
            "its command again",
            "results.invalid",
        ) from None
    return Kept(date, command, [dict(reversed(list(zip(header, row, strict=False)))) for row in rows])


def met(value: bool) -> str:
    """Return what a table says of a target."""
    return "met" if value else "MISSED"


def machine() -> str:
    """Return one line: date, processor, cores, Python, and the packages that matter here."""
    versions = []
    for tool in TOOLS:
        try:
            versions.append(f"{tool} {metadata.version(tool)}")
        except metadata.PackageNotFoundError:
            continue
    today = datetime.date.today().isoformat()
    cores = len(os.sched_getaffinity(0))
    return f"{today}, {processor()}, {cores} cores, Python {platform.python_version()}, {', '.join(versions)}."


def processor() -> str:
    """Return the processor's name and the instruction sets that decide an int8 kernel's speed."""
    fields: dict[str, str] = {}
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        fields.setdefault(key.strip(), value.strip())
    flags = fields.get("flags", fields.get("Features", "")).split()
    kinds = [flag for flag in ("avx2", "avx512_vnni", "amx_int8", "asimddp", "i8mm") if flag in flags]
    return f"{fields.get('model name', platform.machine())} ({', '.join(kinds)})"
