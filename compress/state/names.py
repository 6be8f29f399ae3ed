"""Names of tensors, as wrappers of networks leave them: which of them are a network's own under longer names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")
WRAPPERS = ("_orig_mod", "module", "_fsdp_wrapped_module")  # torch.compile's, DataParallel's, FSDP's: at any place


def fitted(tensors: Mapping[str, T], own: Collection[str]) -> tuple[dict[str, T], str]:
    """Return `tensors` under the names that fit `own` best, and what was left out of them ("" for nothing).

    Tried are the names as they are, without the parts that wrappers add, and without a beginning that they share, such
    as `model.` or `backbone.`. What fits equally well as it is stays as it is.
    """
    known = set(own)
    best, said, most = dict(tensors), "", len(known & tensors.keys())
    for renamed, what in _variants(tensors, known):
        fits = len(known & renamed.keys())
        if fits > most:
            best, said, most = renamed, what, fits
    return best, said


def _variants(tensors: Mapping[str, T], own: set[str]) -> Iterator[tuple[dict[str, T], str]]:
    gone: tuple[str, ...] = ()
    for wrapper in ("", *WRAPPERS):
        if wrapper and not any(wrapper in name.split(".") for name in tensors):
            continue
        gone = (*gone, wrapper) if wrapper else ()
        short = _renamed(tensors, {name: ".".join(p for p in name.split(".") if p not in gone) for name in tensors})
        if short is None:
            return
        dots = [f"{part}." for part in gone]
        yield short, " and ".join(dots)
        for beginning, _ in _beginnings(short, own).most_common(3):
            names = {name: name.removeprefix(beginning) for name in short}
            if (shorter := _renamed(short, names)) is not None:
                yield shorter, " and ".join([*dots, beginning])


def _renamed(tensors: Mapping[str, T], names: Mapping[str, str]) -> dict[str, T] | None:
    """Return the tensors under other names; None where two would have the same one."""
    return {names[n]: tensor for n, tensor in tensors.items()} if len({*names.values()}) == len(names) else None


def _beginnings(names: Iterable[str], own: set[str]) -> Counter[str]:
    """Return what stands before one of `own`, ended by a point, and how often."""
    found: Counter[str] = Counter()
    for name in names:
        parts = name.split(".")
        for n in range(1, len(parts)):
            if ".".join(parts[n:]) in own:
                found[".".join(parts[:n]) + "."] += 1
    return found
