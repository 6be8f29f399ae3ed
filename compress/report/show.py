"""`edge-compress show`: what is in a model file, as lines for people. It needs no tools of the host."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from edge.errors import brief, quoted
from edge.model import ModelFile

LABELS = 20  # that are named one by one
LONG = 1000  # characters of one entry of the provenance
ENTRIES = 100  # of a list or an object that are shown


def lines(file: ModelFile, asked: str) -> Iterator[str]:
    """Yield the lines, with the file's words cut for display. `asked` is the name or path by which it was asked for.

    Print them with `edge.command.say`, which escapes what is not printable.
    """
    raw = file.manifest.raw
    yield f"{brief(raw['name'])}: {brief(raw['title'])}"
    yield f"file       {file.path}, {file.size:,} bytes, manifest version {raw['version']}"
    yield f"task       {brief(raw['task'])}"
    for number, output in enumerate(raw["outputs"]):
        yield from _output(output, f"output {number}" if len(raw["outputs"]) > 1 else "output")
    for spec in raw["inputs"]:
        window = ", values from {} to {}".format(*spec["window"]) if spec.get("window") else ""
        channels = f"{spec['channels']} channel{'s' if spec['channels'] > 1 else ''}"
        yield (
            f"input      {spec['height']}x{spec['width']}, {spec['color']} in {channels}, {spec['fit']}{window}; "
            f"{raw['runtime']['type']}"
        )
    counts = [f"{brief(name)} {count}" for name, count in raw["runtime"]["operators"].items()]
    yield f"operators  {_listed(counts, ENTRIES)}"
    yield "measured"
    yield from _first([f"  {brief(name):<16} {value:,}" for name, value in raw["measured"].items()])
    yield "targets"
    yield from _first([_target(target) for target in raw["targets"]])
    yield "provenance"
    for key, value in list(raw["provenance"].items())[:ENTRIES]:
        if isinstance(value, list):
            yield f"  {brief(key)}"
            yield from _first([f"    {_json(item)}" for item in value])
        else:
            yield f"  {brief(key):<16} {brief(value, LONG) if isinstance(value, str) else _json(value)}"
    if len(raw["provenance"]) > ENTRIES:
        yield f"  and {len(raw['provenance']) - ENTRIES} more, which --json shows"
    yield f"golden     {len(raw['golden'])} images; run them with edge-infer --check --model {quoted(asked)}"


def _output(output: dict[str, Any], name: str) -> Iterator[str]:
    """Yield what a manifest says of an output: labels, and all that its task adds, as it stands."""
    labels = output.get("labels", [])
    yield f"{name:<10} {_listed([brief(label) for label in labels], LABELS)}"
    for key, value in list(output.items())[:ENTRIES]:
        if key != "labels" and value is not None:
            yield f"           {brief(key)} {brief(value, LONG) if isinstance(value, str) else _json(value)}"


def _listed(words: list[str], most: int) -> str:
    more = f" and {len(words) - most} more" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def _first(rows: list[str]) -> list[str]:
    """Return no more than `ENTRIES` lines, and how many more there are."""
    more = len(rows) - ENTRIES
    return rows[:ENTRIES] + ([f"    and {more} more, which --json shows"] if more > 0 else [])


def _target(target: dict[str, Any]) -> str:
    sign = "<=" if target["better"] == "lower" else ">="
    return f"  {brief(target['name']):<16} {sign} {target['target']:,}  ({brief(target['source'])})"


def _json(value: Any) -> str:
    return brief(json.dumps(value, ensure_ascii=False), LONG)
