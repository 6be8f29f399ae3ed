"""JUnit XML as CI servers read it: a suite a device, a test case a cell.

After the schema of Apache Ant's reports (https://github.com/windyroad/JUnit-Schema), which Jenkins, GitLab and GitHub
actions read. As for the exit status of `edge-bench matrix`, REGRESSED is a failure from its second night on, and
DEVICE-DOWN is an error. NOISY, MISSED and a step's first night are skipped, with their reason; PASS and IMPROVED pass.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.history.exports.nightly import Nightly, latency, nightly
from benchmarks.history.store import Store
from benchmarks.measurement import Verdict, Word
from edge.errors import one_line
from edge.strict_json import dumps

_KINDS = {
    Word.REGRESSED: "failure",
    Word.DEVICE_DOWN: "error",
    Word.NOISY: "skipped",
    Word.MISSED: "skipped",
}
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def files(store: Store, nights: Sequence[str], output: Path) -> dict[Path, bytes]:
    """Return the file of the last of the nights."""
    root = ElementTree.Element("testsuites")
    judged = [each for each in nightly(store, nights[-1]) if each.verdict]
    for number, (device, each) in enumerate(groupby(judged, key=lambda each: each.cell.device)):
        _suite(root, number, device, nights[-1], list(each))
    ElementTree.indent(root)
    return {output: ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"}


def _suite(root: ElementTree.Element, number: int, device: str, night: str, judged: Sequence[Nightly]) -> None:
    kinds = [_kind(each.verdict) for each in judged if each.verdict]
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=_text(device),
        package="edge-bench",
        id=str(number),
        hostname=_text(device),
        timestamp=night.removesuffix("Z"),
        tests=str(len(judged)),
        failures=str(kinds.count("failure")),
        errors=str(kinds.count("error")),
        skipped=str(kinds.count("skipped")),
        time=f"{sum(map(_seconds, judged)):.6f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    identity = next((each.identity for each in judged if each.identity), None)
    if identity:
        for name in ("kernel", "program", "release"):
            if value := getattr(identity, name):
                ElementTree.SubElement(properties, "property", name=name, value=_text(value))
    for each in judged:
        _case(suite, each)
    ElementTree.SubElement(suite, "system-out")
    ElementTree.SubElement(suite, "system-err")


def _case(suite: ElementTree.Element, each: Nightly) -> None:
    assert each.verdict
    cell, verdict = each.cell, each.verdict
    name = f"{cell.model}, {cell.runtime}, {cell.threads} thread{'s' if cell.threads > 1 else ''}"
    case = ElementTree.SubElement(
        suite, "testcase", classname=_text(cell.device), name=_text(name), time=f"{_seconds(each):.6f}"
    )
    kind = _kind(verdict)
    if kind:
        found = ElementTree.SubElement(case, kind, message=_text(verdict.reason), type=verdict.word.value)
        found.text = "\n".join(_text(f"{key}: {dumps(value, key)}") for key, value in verdict.evidence.items())


def _kind(verdict: Verdict) -> str | None:
    """Return the name of a test case's outcome; None where it passes."""
    return "skipped" if verdict.is_watched else _KINDS.get(verdict.word)


def _seconds(each: Nightly) -> float:
    """Return how long an image took: what CI servers draw as a test's time."""
    return (each.middle(latency("p50")) or 0.0) / 1000


def _text(words: str) -> str:
    """Return a text without what XML can't say."""
    return _NOT_XML.sub("\ufffd", one_line(words)) or "-"
