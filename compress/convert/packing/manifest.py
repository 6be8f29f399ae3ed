"""A manifest that a person wrote for a network: completed, and everything that is wrong with it found at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress.convert.packing.network import Facts
from compress.data.window import taken
from edge import activation
from edge.errors import EdgeError
from edge.manifest import FORMAT, VERSION, parse

# What no graph tells; the rest is filled in where it is not said.
NEEDED = ("name", "title", "task", "labels", "decision", "input.color", "input.fit", "input.mean", "input.std")
# Fields by their paths: the order is that in which a wrong one is looked for.
FIELDS = (
    *("format", "version", "task", "labels", "name", "title", "activation", "decision"),
    *("input.height", "input.width", "input.channels", "input.color", "input.fit", "input.mean", "input.std"),
    *("input.window", "input", "targets", "measured", "provenance", "runtime.type", "runtime.operators", "runtime"),
)
MADE_HERE = ("model", "golden", "edgetpu")


def without_comments(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object without the fields whose names begin with "_", in its objects, too."""
    return {
        key: without_comments(value) if isinstance(value, Mapping) else value
        for key, value in raw.items()
        if not key.startswith("_")
    }


def with_window(raw: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], list[str]]:
    """Return the manifest with `input.window` in the place of `input.bits`, its shorthand, and what was filled in.

    Raises EdgeError where the bits are none, or both are there.
    """
    spec = raw.get("input")
    if not isinstance(spec, Mapping) or "bits" not in spec:
        return raw, []
    try:
        rest, window = taken(spec, where)
    except EdgeError as error:
        raise EdgeError(str(error), "model.manifest") from None
    assert window is not None
    return {**raw, "input": {**rest, "window": list(window)}}, [f"input.window {list(window)} (for input.bits)"]


def unknown(raw: Mapping[str, Any]) -> list[str]:
    """Return the fields that no reader looks at: names that are misspelt, perhaps."""
    known = {*FIELDS, *MADE_HERE}
    inner = [f"input.{key}" for key in raw["input"]] if isinstance(raw.get("input"), Mapping) else []
    return [name for name in (*raw, *inner) if name not in known]


def fill_in(raw: Mapping[str, Any], facts: Facts) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest with what the format and the network say where `raw` does not, and the names of that."""
    complete = {key: value for key, value in raw.items() if key not in MADE_HERE}
    known: dict[str, Any] = {"format": FORMAT, "version": VERSION, "targets": [], "measured": {}, "provenance": {}}
    known |= {"activation": facts.activation} if facts.activation else {}
    known |= {"input.height": facts.height, "input.width": facts.width, "input.channels": facts.channels}
    known |= {"runtime.type": facts.type, "runtime.operators": facts.operators}
    filled = [name for name in known if _get(complete, name) is None]
    for name in filled:
        complete = _with(complete, name, known[name])
    return complete | {"golden": []}, [
        f'activation "{facts.activation}" (the network ends in {facts.end})' if name == "activation" else name
        for name in filled
    ]


def faults(raw: Mapping[str, Any], facts: Facts) -> list[str]:
    """Return what is wrong with a manifest that was filled in, by itself and for the network, in phrases."""
    sample = _sample(raw, facts)
    lacks = [name for name in NEEDED if _lacks(raw, name)]
    found = [f"it lacks {', '.join(lacks)}"] if lacks else []
    if raw.get("activation") is None:
        found.append(
            f'it lacks activation: say "{facts.usual}" if its outputs are logits, and "none" if they are scores'
        )
        lacks.append("activation")
    for name in lacks:
        raw = _with(raw, name, _get(sample, name))
    disagreements = _disagreements(raw, facts)
    for name in disagreements:
        raw = _with(raw, name, _get(sample, name))
    found += disagreements.values()
    # Where a reader refuses a field, it gets a right value, and the reader is asked again.
    left = list(FIELDS)
    while said := _refusal(raw):
        found.append(said)
        for name in left:
            corrected = _with(raw, name, _get(sample, name))
            if _refusal(corrected) != said:
                raw = corrected
                left.remove(name)
                break
        else:
            break
    return found


def _refusal(raw: Mapping[str, Any]) -> str:
    """Return what a reader says of the manifest, without its advice; "" where it takes it."""
    try:
        parse({**raw, "model": {"bytes": 1, "sha256": "0" * 64}}, "it")
    except EdgeError as error:
        return str(error).removesuffix("; build the model file again with edge-compress")
    return ""


def _get(raw: Mapping[str, Any], name: str) -> Any:
    """Return the field at a path, "input.mean"; None where it is missing or null."""
    outer, _, inner = name.partition(".")
    item = raw.get(outer)
    if not inner:
        return item
    return item.get(inner) if isinstance(item, Mapping) else None


def _with(raw: Mapping[str, Any], name: str, value: Any) -> dict[str, Any]:
    """Return the manifest with another value at a path, None for none; an outer field that is no object stays."""
    outer, _, inner = name.partition(".")
    item = raw.get(outer)
    if not inner:
        return {**raw, outer: value}
    if item is not None and not isinstance(item, Mapping):
        return dict(raw)
    rest = {key: old for key, old in (item or {}).items() if key != inner}
    return {**raw, outer: rest if value is None else {**rest, inner: value}}


def _lacks(raw: Mapping[str, Any], name: str) -> bool:
    if name == "decision" and "decision" in raw and raw.get("task") != "segmentation":
        return False  # null is a decision: the highest score
    outer = raw.get(name.partition(".")[0])
    return _get(raw, name) is None and ("." not in name or outer is None or isinstance(outer, Mapping))


def _sample(raw: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Return a right manifest for the network, of the task that `raw` names and with its decision's label."""
    task = raw["task"] if raw.get("task") in ("classification", "segmentation") else facts.task
    label = _get(raw, "decision.label")
    label = label if isinstance(label, str) and label.isprintable() and label else "label 0"
    outlines = task == "segmentation"
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": "name",
        "title": "title",
        "task": task,
        "labels": [label] if outlines else [label, *(f" {number}" for number in range(1, max(facts.labels, 2)))],
        "activation": "sigmoid" if outlines else "softmax",
        "decision": {"label": label, "threshold": 0.5, "minimum_area": 0} if outlines else None,
        "input": {
            "height": facts.height,
            "width": facts.width,
            "channels": facts.channels,
            "color": "rgb" if facts.channels == 3 else "grey",
            "fit": "stretch",
            "mean": [0],
            "std": [1],
        },
        "targets": [],
        "measured": {},
        "provenance": {},
        "runtime": {"type": facts.type, "operators": {}},
        "golden": [],
    }


def _disagreements(raw: Mapping[str, Any], facts: Facts) -> dict[str, str]:
    """Return field -> a phrase, for the fields that are not the network's."""
    found = {}
    labels, says = raw.get("labels"), raw.get("activation")
    if raw.get("task") in ("classification", "segmentation") and raw["task"] != facts.task:
        found["task"] = f"its task is {raw['task']}, and the network's output is that of a {facts.task}"
    elif isinstance(labels, list) and len(labels) != facts.labels:
        found["labels"] = f"it has {len(labels)} labels, and the network has {facts.labels} outputs"
    for key in ("height", "width", "channels"):
        value = getattr(facts, key)
        if _get(raw, f"input.{key}") not in (value, None):
            found[f"input.{key}"] = f"its input.{key} is {raw['input'][key]!r}, and the network's is {value}"
    if _get(raw, "input.color") == "rgb" and facts.channels == 1:
        found["input.color"] = 'its input.color is "rgb", and the network reads 1 channel: expected "grey"'
    if _get(raw, "runtime.type") not in (facts.type, None):
        found["runtime.type"] = f"its runtime.type is {raw['runtime']['type']!r}, and the network's is {facts.type!r}"
    if _get(raw, "runtime.operators") not in (facts.operators, None):
        found["runtime.operators"] = (
            "its runtime.operators are not the network's: leave them out to have them filled in"
        )
    if "task" not in found and says in (facts.usual, "none") and facts.activation not in ("", says):
        twice = ", and scores would be made of scores" if facts.outputs == activation.SCORES else ""
        found["activation"] = (
            f'its activation is "{says}", and the network ends in {facts.end}, so its outputs are {facts.outputs}'
            f'{twice}: expected "{facts.activation}"'
        )
    return found
