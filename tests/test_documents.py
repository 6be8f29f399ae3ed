"""The pages say what the commands print, quote the results to the letter, and link to what exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from compress.cli import main as pack
from edge.cli import main as infer
from tests import documents
from tests.documents import PAGES, PROGRAMS, ROOT, Quoted, code, quoted, run

RESULTS = (ROOT / "docs/results.md").read_text()
TABLES = re.findall(r"^\(\[benchmarks/results/([a-z0-9_.-]+)\]", RESULTS, re.MULTILINE)


def named(block: Quoted) -> str:
    return f"{block.page}:{block.command}"


def is_answer(block: Quoted) -> bool:
    """Whether a block depends on the machine: its times, memory, runtime and board."""
    return block.command.startswith("edge-infer") and not block.command.endswith("--help")


@pytest.mark.parametrize("block", [block for block in quoted() if not is_answer(block)], ids=named)
def test_output_is_quoted_as_it_is(block: Quoted) -> None:
    assert run(block.command) == block.output


@pytest.mark.parametrize("block", [block for block in quoted() if is_answer(block)], ids=named)
def test_answers_are_quoted_as_they_are(block: Quoted) -> None:
    """All but what depends on the machine: its runtime, its board, and the numbers of its times and memory."""

    def lasting(text: str) -> list[str]:
        measured = r"^ *(cost|first run|memory): .*$"
        same = re.sub(measured, lambda line: re.sub(r"\d+(\.\d+)?", "N", line[0]), text, flags=re.MULTILINE)
        return [
            line
            for line in same.splitlines()
            if line and not line.startswith(("runtime", "board")) and "golden vectors passed on" not in line
        ]

    assert lasting(run(block.command)) == lasting(block.output)


def test_every_command_is_in_the_reference() -> None:
    commands = {block.command for block in quoted() if block.page in documents.REFERENCES}
    for program in PROGRAMS:
        assert f"{program} --help" in commands
        listed = re.search(r"^  COMMAND\n((?:    \S.*\n)+)", f"{run(f'{program} --help')}\n", re.MULTILINE)
        for line in listed[1].splitlines() if listed else ():
            assert f"{program} {line.split()[0]} --help" in commands
    assert sum(command.startswith("edge-deploy ") for command in commands) >= 10


def test_there_are_answers_to_compare() -> None:
    commands = [block.command for block in quoted()]
    assert "edge-infer docs/phantom.png" in commands
    assert "edge-infer --model polyp docs/colon.jpg" in commands
    assert "edge-infer --model pneumonia --check" in commands


@pytest.mark.parametrize("table", TABLES)
def test_tables_are_those_of_the_results(table: str) -> None:
    rows = [line for line in (ROOT / "benchmarks/results" / table).read_text().splitlines() if line.startswith("|")]
    assert len(rows) > 3
    assert "\n".join(rows) in RESULTS


def test_these_tables_are_quoted() -> None:
    assert set(TABLES) >= {
        "accuracy.md",
        "speed-1-thread.md",
        "segmentation-accuracy.md",
        "segmentation-speed.md",
        "cifar-papers.md",
        "cold_start.md",
        "native.md",
    }


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"", text):
        target = link[0] or link[1]
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (page.parent / path) if path else page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_pages_use_the_words_of_the_field(page: Path) -> None:
    """Image and not picture, verified and not proven; the others have plainer words."""
    found = re.findall(r"\b(?:pictures?|proven|mend(?:s|ed)?|anew|besides)\b", page.read_text(), re.IGNORECASE)
    assert found == []


def test_help_can_be_written_into_the_pages() -> None:
    """What `python -m tests.documents` writes into a page of today is that page."""
    text = (ROOT / "docs/cli.md").read_text()
    first = text[: text.index("edge-infer --check")]
    assert documents.with_todays_help(first) == first
    stale = first.replace("positional arguments", "old words")
    assert documents.with_todays_help(stale) == first


def test_the_manifest_that_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = code("docs/model-file.md", "json")
    manifest, file = tmp_path / "mine.json", tmp_path / "mine.tflite"
    manifest.write_text(example)
    network = ROOT / "tests/edge/data/tiny.tflite"
    assert pack(["pack", str(network), "--manifest", str(manifest), "--output", str(file)]) == 0
    assert infer(["--model", str(file), "--check"]) == 0
    assert "4 of 4 golden vectors passed" in capsys.readouterr().out
