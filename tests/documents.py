"""The pages of the project, and what in them can be checked: commands with their output, links, code.

`python -m tests.documents` writes into the pages what the quoted commands print with `--help` today.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "firmware_bridge/native/README.md"],
    key=lambda path: str(path.relative_to(ROOT)),
)
PROGRAMS = {
    "edge-infer": "edge",
    "edge-compress": "compress",
    "edge-deploy": "firmware_bridge",
    "edge-bench": "benchmarks",
}
REFERENCES = ("docs/cli.md", "docs/bench.md")  # pages that have every command's help
_QUOTED = re.compile(r"```console\n\$ ([^\n]+)\n(.*?)```", re.DOTALL)


class Quoted(NamedTuple):
    """A command and its output, as a page quotes them."""

    page: str
    command: str
    output: str


def quoted() -> list[Quoted]:
    """Return every console block of every page."""
    return [
        Quoted(str(page.relative_to(ROOT)), command, output.rstrip("\n"))
        for page in PAGES
        for command, output in _QUOTED.findall(page.read_text())
    ]


def code(page: str, language: str) -> list[str]:
    """Return the code blocks of a page in a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text(), re.DOTALL | re.MULTILINE)


def run(command: str) -> str:
    """Return what a command prints on standard output, in 100 columns."""
    program, *words = command.split()
    done = subprocess.run(
        [sys.executable, "-m", PROGRAMS[program], *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"COLUMNS": "100", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )
    return done.stdout.rstrip("\n")


def with_todays_help(text: str) -> str:
    """Return a page whose quoted help is what the commands print now."""

    def block(found: re.Match[str]) -> str:
        command = found[1]
        return f"```console\n$ {command}\n{run(command)}\n```" if command.endswith("--help") else found[0]

    return _QUOTED.sub(block, text)


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(with_todays_help(page.read_text()))
