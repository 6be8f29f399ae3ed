"""A manifest that a person wrote for a network: completed, and everything that is wrong with it found at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from compress.convert.packing.network import Facts, without_comments
from compress.data.window import taken
from edge import activation, tasks
from edge.errors import EdgeError
from edge.fields import is_line
from edge.manifest import FORMAT, VERSION, parse

Path = tuple[str | int, ...]  # of a field, from the top

MADE_HERE = ("model", "golden", "edgetpu")
# What is in no graph; the rest is filled in where it is not said. Of the outputs, all but the activation.
_NEEDED: tuple[Path, ...] = (("name",), ("title",), ("task",))
_SEEN = ("color", "fit", "mean", "std")
_INPUT = ("height", "width", "channels", *_SEEN, "window")
_ABSENT = object()


def needed(facts: Facts) -> list[Path]:
    """Return the fields that a person has to give for a network."""
    entries = [
        ("outputs", number, key)
        for number, entry in enumerate(facts.example)
        for key in without_comments(entry)
        if key != "activation"
    ]
    return [*_NEEDED, *entries, *(("inputs", 0, key) for key in _SEEN)]


def fields(facts: Facts) -> list[Path]:
    """Return all fields, in the order in which a wrong one is looked for."""
    entries: list[Path] = [
        ("outputs", number, key) for number, entry in enumerate(facts.example) for key in without_comments(entry)
    ]
    top = ("inputs", "outputs", "targets", "measured", "provenance")
    return [
        *((key,) for key in ("format", "version", "task", "name", "title")),
        *entries,
        *(("inputs", 0, key) for key in _INPUT),
        *((key,) for key in top),
        *(("runtime", "type"), ("runtime", "operators"), ("runtime",)),
    ]


def shown(path: Path) -> str:
    """Return a path as messages have it: "outputs[0].labels"."""
    return "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in path).lstrip(".")


def with_window(raw: Mapping[str, Any], where: str) -> tuple[Mapping[str, Any], list[str]]:
    """Return the manifest with `window` in the place of `bits`, its shorthand, in its input, and what was filled in.

    Raises EdgeError where the bits are none, or both are there.
    """
    spec = _get(raw, ("inputs", 0))
    if not isinstance(spec, Mapping) or "bits" not in spec:
        return raw, []
    try:
        rest, window = taken(spec, where)
    except EdgeError as error:
        raise EdgeError(str(error), "model.manifest") from None
    assert window is not None
    inputs = [{**rest, "window": list(window)}, *raw["inputs"][1:]]
    return {**raw, "inputs": inputs}, [f"inputs[0].window {list(window)} (for its bits)"]


def unknown(raw: Mapping[str, Any], facts: Facts) -> list[str]:
    """Return the fields that no reader looks at: names that are misspelt, perhaps."""
    known = {*fields(facts), *((name,) for name in MADE_HERE), ("runtime",)}
    found: list[Path] = [(key,) for key in raw]
    for end in ("inputs", "outputs"):
        for number, entry in enumerate(raw[end] if isinstance(raw.get(end), list) else []):
            found += [(end, number, key) for key in entry] if isinstance(entry, Mapping) else []
    return [shown(path) for path in found if path not in known]


def fill_in(raw: Mapping[str, Any], facts: Facts) -> tuple[dict[str, Any], list[str]]:
    """Return the manifest with what the format and the network say where `raw` does not, and the names of that."""
    complete = {key: value for key, value in raw.items() if key not in MADE_HERE}
    known: dict[Path, Any] = {("format",): FORMAT, ("version",): VERSION}
    known |= {("targets",): [], ("measured",): {}, ("provenance",): {}}
    ends: dict[Path, str] = {}
    for number in range(len(facts.shapes)):
        if said := facts.activation(number):
            end: Path = ("outputs", number, "activation")
            known[end], ends[end] = said, facts.ends[number][1]
    known |= {("inputs", 0, key): getattr(facts, key) for key in ("height", "width", "channels")}
    known |= {("runtime", "type"): facts.type, ("runtime", "operators"): facts.operators}
    filled = [path for path in known if _get(complete, path) is None]
    for path in filled:
        complete = _with(complete, path, known[path])
    return complete | {"golden": []}, [
        f'{shown(path)} "{known[path]}" (the network ends in {ends[path]})' if path in ends else shown(path)
        for path in filled
    ]


def faults(raw: Mapping[str, Any], facts: Facts) -> list[str]:
    """Return what is wrong with a manifest that was filled in, by itself and for the network, in phrases."""
    sample = _sample(raw, facts)
    lacks = [field for field in needed(facts) if _lacks(raw, field, sample)]
    found = [f"it lacks {', '.join(map(shown, lacks))}"] if lacks else []
    for number in range(len(facts.shapes)):
        path: Path = ("outputs", number, "activation")
        usual = facts.usual(number)
        if usual and _lacks(raw, path, sample):
            found.append(
                f'it lacks {shown(path)}: say "{usual}" if its outputs are logits, and "none" if they are scores'
            )
            lacks.append(path)
    for field in lacks:
        raw = _with(raw, field, _get(sample, field))
    disagreements = _disagreements(raw, facts)
    for field in disagreements:
        raw = _with(raw, field, _get(sample, field))
    found += disagreements.values()
    # Where a reader refuses a field, it gets a right value, and the reader is asked again.
    left = fields(facts)
    while said := _refusal(raw):
        found.append(said)
        for field in left:
            corrected = _with(raw, field, _get(sample, field, _ABSENT))
            if _refusal(corrected) != said:
                raw = corrected
                left.remove(field)
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


def _get(raw: Any, path: Path, default: Any = None) -> Any:
    """Return the field at a path; `default` where it is missing."""
    for key in path:
        inside = isinstance(raw, Mapping) and key in raw
        inside |= isinstance(raw, list) and isinstance(key, int) and key < len(raw)
        if not inside:
            return default
        raw = raw[key]
    return raw


def _with(raw: Mapping[str, Any], path: Path, value: Any) -> dict[str, Any]:
    """Return the manifest with another value at a path, `_ABSENT` for none; an outer field of a wrong type stays."""
    changed: dict[str, Any] = _replaced(dict(raw), path, value)
    return changed


def _replaced(item: Any, path: Path, value: Any) -> Any:
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        item = [] if item is None else item
        if not isinstance(item, list) or key > len(item):
            return item
        return [*item[:key], _replaced(item[key] if key < len(item) else None, rest, value), *item[key + 1 :]]
    item = {} if item is None else item
    if not isinstance(item, Mapping):
        return item
    others = {name: old for name, old in item.items() if name != key}
    if not rest and value is _ABSENT:
        return others
    return {**item, key: _replaced(item.get(key), rest, value)}


def _lacks(raw: Mapping[str, Any], path: Path, sample: Mapping[str, Any]) -> bool:
    """Return whether a field is missing, or null where null is no right value."""
    outer = _get(raw, path[:-1])
    if outer is None:  # what is neither list nor object is left to the reader
        return isinstance(raw.get(str(path[0])), (list, type(None)))
    if not isinstance(outer, Mapping):
        return False
    value = outer.get(path[-1], _ABSENT)
    return value is _ABSENT or (value is None and _get(sample, path) is not None)


def _sample(raw: Mapping[str, Any], facts: Facts) -> dict[str, Any]:
    """Return a right manifest for the network, with the label that `raw` decides by, or has."""
    outputs = [without_comments(entry) for entry in facts.example]
    for number, entry in enumerate(outputs):
        said = [_get(raw, ("outputs", number, *path)) for path in (("decision", "label"), ("labels", 0))]
        label = next((word for word in said if isinstance(word, str) and is_line(word)), None)
        if label is not None and entry.get("labels"):
            entry["labels"] = [label, *(f" {n}" for n in range(1, len(entry["labels"])))]
            if entry.get("decision"):
                entry["decision"] = {**entry["decision"], "label": label}
    return {
        "format": FORMAT,
        "version": VERSION,
        "name": "name",
        "title": "title",
        "task": facts.task,
        "inputs": [
            {
                "height": facts.height,
                "width": facts.width,
                "channels": facts.channels,
                "color": "rgb" if facts.channels == 3 else "grey",
                "fit": "stretch",
                "mean": [0],
                "std": [1],
            }
        ],
        "outputs": outputs,
        "targets": [],
        "measured": {},
        "provenance": {},
        "runtime": {"type": facts.type, "operators": {}},
        "golden": [],
    }


def _disagreements(raw: Mapping[str, Any], facts: Facts) -> dict[Path, str]:
    """Return field -> a phrase, for the fields that are not the network's."""
    found: dict[Path, str] = {}
    task = raw.get("task")
    if isinstance(task, str) and task != facts.task and tasks.find(task) is not None:
        found["task",] = f"its task is {task}, and the network's output is that of a {facts.task}"
    else:
        for number, entry in enumerate(facts.example):
            labels = _get(raw, ("outputs", number, "labels"))
            if isinstance(labels, list) and len(labels) != len(entry.get("labels", labels)):
                found["outputs", number, "labels"] = (
                    f"it has {len(labels)} labels, and the network has {len(entry['labels'])} outputs"
                )
    spec = _get(raw, ("inputs", 0))
    for key in ("height", "width", "channels"):
        value = getattr(facts, key)
        if _get(spec, (key,)) not in (value, None):
            found["inputs", 0, key] = f"its inputs[0].{key} is {spec[key]!r}, and the network's is {value}"
    if _get(spec, ("color",)) == "rgb" and facts.channels == 1:
        found["inputs", 0, "color"] = 'its inputs[0].color is "rgb", and the network reads 1 channel: expected "grey"'
    if _get(raw, ("runtime", "type")) not in (facts.type, None):
        found["runtime", "type"] = (
            f"its runtime.type is {raw['runtime']['type']!r}, and the network's is {facts.type!r}"
        )
    if _get(raw, ("runtime", "operators")) not in (facts.operators, None):
        found["runtime", "operators"] = (
            "its runtime.operators are not the network's: leave them out to have them filled in"
        )
    return found if ("task",) in found else found | _activations(raw, facts)


def _activations(raw: Mapping[str, Any], facts: Facts) -> dict[Path, str]:
    found: dict[Path, str] = {}
    for number, (kind, end) in enumerate(facts.ends):
        path: Path = ("outputs", number, "activation")
        says, fits = _get(raw, path), facts.activation(number)
        if says in (facts.usual(number), "none") and fits not in ("", says):
            twice = ", and scores would be made of scores" if kind == activation.SCORES else ""
            found[path] = (
                f'its {shown(path)} is "{says}", and the network ends in {end}, so its outputs are {kind}{twice}: '
                f'expected "{fits}"'
            )
    return found
