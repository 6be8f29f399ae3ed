"""What a run was begun with, kept beside its checkpoints: a recipe that changes on its way is told so."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from edge.errors import EdgeError
from edge.files import write_beside
from edge.strict_json import dumps

MOST = 3  # changes that are named


def check(path: Path, now: dict[str, Any]) -> None:
    """Raise EdgeError, naming what changed, where the record at `path` is not `now`; without a record all is well.

    Args:
        now: what decides a network's weights: recipe's name, network, seed, input, data, weights, steps.
    """
    try:
        before = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return
    changes = list(differences(before, json.loads(json.dumps(now))))
    if changes:
        more = f" and {len(changes) - MOST} more" if len(changes) > MOST else ""
        raise EdgeError(
            f"the recipe {now['name']!r} has changed since {path.parent.parent} was begun "
            f"({', '.join(changes[:MOST])}{more}): expected the same; give --changed to repeat what the change "
            "concerns, or another --output"
        )


def write(path: Path, now: dict[str, Any]) -> None:
    """Keep `now`."""
    write_beside(path, (dumps(now, "what the run was begun with", indent=1) + "\n").encode())


def differences(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Yield "steps[2].epochs was 3 and is 4" for each value that differs; what a table has not is at its default."""
    if isinstance(before, dict) and isinstance(now, dict) and before.get("kind") == now.get("kind"):
        for key in before | now:
            yield from differences(before.get(key), now.get(key), f"{place}.{key}" if place else key)
    elif isinstance(before, list) and isinstance(now, list) and place == "steps":
        for number in range(max(len(before), len(now))):
            old, new = (steps[number] if number < len(steps) else None for steps in (before, now))
            yield from differences(old, new, f"steps[{number + 1}]")
    elif isinstance(before, list) and isinstance(now, list) and place.endswith(".ratios"):  # pairs
        yield from differences(dict(before), dict(now), place)
        if dict(before) == dict(now) and before != now:
            yield from differences([name for name, _ in before], [name for name, _ in now], f"{place}, in order,")
    elif before != now:
        yield f"{place} {_said('was', before)} and {_said('is', now)}"


def _said(verb: str, value: Any) -> str:
    if value is None:
        return f"{verb} not set"
    text = repr(value["kind"]) if isinstance(value, dict) and "kind" in value else repr(value)
    return f"{verb} {text if len(text) <= 60 else text[:57] + '...'}"
