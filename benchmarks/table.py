"""Result tables: Markdown, with the command, the machine and the versions that made them."""

from __future__ import annotations

import datetime
import os
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

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
