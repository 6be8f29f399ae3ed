"""The README says what the commands say."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PROGRAMS = {"edge-infer": "edge", "edge-compress": "compress", "edge-deploy": "firmware_bridge"}


def blocks() -> list[tuple[str, str]]:
    """Return (command, output) of every console block in the README."""
    found = re.findall(r"```console\n\$ ([^\n]+)\n(.*?)```", README, re.DOTALL)
    return [(command, output.rstrip("\n")) for command, output in found]


def run(command: str) -> str:
    program, *words = command.split()
    done = subprocess.run(
        [sys.executable, "-m", PROGRAMS[program], *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"COLUMNS": "100", "PATH": "/usr/bin:/bin", "HOME": "/tmp"},
    )
    return done.stdout.rstrip("\n")


@pytest.mark.parametrize(("command", "output"), [block for block in blocks() if "--help" in block[0]])
def test_help_is_quoted_as_it_is(command: str, output: str) -> None:
    assert run(command) == output


@pytest.mark.parametrize(
    ("command", "output"), [b for b in blocks() if b[0].startswith("edge-infer") and "--help" not in b[0]]
)
def test_answers_are_quoted_as_they_are(command: str, output: str) -> None:
    """Everything but what depends on the machine: times, memory, runtime's version, board."""

    def lasting(text: str) -> list[str]:
        changing = ("cost:", "first run", "memory", "runtime", "board", "latency", "golden vectors passed")
        return [
            line
            for line in text.splitlines()
            if line and not line.strip().startswith(changing) and "passed on" not in line
        ]

    assert lasting(run(command)) == lasting(output)


def test_there_is_something_to_compare() -> None:
    commands = [command for command, _ in blocks()]
    assert any("--help" in command for command in commands)
    assert any(command.startswith("edge-infer docs/phantom.png") for command in commands)


@pytest.mark.parametrize("table", sorted(path.name for path in (ROOT / "benchmarks/results").glob("*.md")))
def test_tables_in_the_readme_are_those_of_the_results(table: str) -> None:
    """A results table that the README quotes is quoted to the letter."""
    rows = [line for line in (ROOT / "benchmarks/results" / table).read_text().splitlines() if line.startswith("|")]
    if f"([benchmarks/results/{table}]" in README:
        assert "\n".join(rows) in README


def test_files_that_are_linked_exist() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []
