"""What must be the same of two programs: answers, records, codes and exit statuses; not the words of messages."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.edge.processes import Ended

SCORE = 1e-6  # of a region: its mean is one of exponentials in single precision, which libraries round differently
CLASS_SCORE = 1e-14  # of a label: in double precision
_MEASURED_HERE = ("latency_ms", "memory_mb")

# Lines for people that say what differs from run to run: times and memory, and which targets those meet.
_TIMED = ("  cost:", "  warm invokes:", "first run:", "memory:", "targets:", "  latency_ms", "  memory_mb")
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?:e[-+]?\d+)?")


def figures(text: str) -> list[tuple[str, list[str]]]:
    """Return of each line for people that both must have: what was decided, and its numbers; not its words."""
    lines = [line for line in text.splitlines() if not line.startswith(_TIMED)]
    return [
        (line.split("decision: ")[-1].split(" (")[0] if "decision: " in line else "", _NUMBER.findall(line))
        for line in lines
    ]


def plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return a record without what may differ; scores are compared apart."""
    record = dict(record)
    if "error" in record:
        return {**record, "error": {**record["error"], "message": None}}
    if "results" not in record:
        return {**record, "reason": None}  # of a golden vector
    spread = record["warm_invoke_ms"]
    record["warm_invoke_ms"] = spread and {**dict.fromkeys(spread), "count": spread["count"]}
    record["latency_ms"], record["memory_mb"] = list(record["latency_ms"]), list(record["memory_mb"])
    record["results"] = [{**result, "score": None} for result in record["results"]]
    record["program"] = {**record["program"], "implementation": None}
    record["warnings"] = [{**warning, "message": None} for warning in record["warnings"]]
    record["time"] = re.sub(r"\d", "0", record["time"])
    record["targets"] = [
        {**row, "measured": None, "met": None} if row["name"] in _MEASURED_HERE else row for row in record["targets"]
    ]
    return record


def same_record(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Check that two records say the same, in the same order."""
    assert json.dumps(plain(one)) == json.dumps(plain(other)), (one.get("error"), other.get("error"))
    if "results" not in one:
        return
    tolerance = CLASS_SCORE if one["task"] == "classification" else SCORE
    for mine, theirs in zip(one["results"], other["results"], strict=True):
        assert abs(mine["score"] - theirs["score"]) <= tolerance


def same_records(python: Ended, native: Ended) -> list[dict[str, Any]]:
    """Check that two runs with --json said the same; return the objects."""
    lines = [[json.loads(line) for line in done.out.splitlines()] for done in (python, native)]
    assert len(lines[0]) == len(lines[1]), (python.err, native.err)
    for one, other in zip(*lines, strict=True):
        same_record(one, other)
    assert (python.status, len(python.complaints)) == (native.status, len(native.complaints)), (python.err, native.err)
    return lines[0]


def same_text(python: Ended, native: Ended) -> None:
    """Check that two runs gave people the same numbers line by line and ended the same, with as many complaints."""
    assert figures(native.out) == figures(python.out), (native.out, python.out)
    assert (native.status, len(native.complaints)) == (python.status, len(python.complaints)), (python.err, native.err)
