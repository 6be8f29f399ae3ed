"""Which images train and which are set aside: by patient, by a hash that is the same on any machine."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from edge.errors import EdgeError


class Entry(NamedTuple):
    """An image of a data set.

    Attributes:
        path: relative to the data set's folder.
        label: index into the data set's labels; 0 where there are no classes.
        name: its path below the folder of its class (or of all images): what `group` is searched in.
    """

    path: str
    label: int
    name: str

    @property
    def folder(self) -> str:
        """The folder of its class, relative to the data set's."""
        return self.path[: -len(self.name) - 1]


def patient(entry: Entry, group: str | None) -> str | None:
    """Return what the regular expression `group` matches in an image's name; None where it matches nothing."""
    found = re.search(group, entry.name) if group else None
    return found.group(0) if found else None


def divide(
    entries: list[Entry], share: float, group: str | None, copies: Iterable[Iterable[str]] = ()
) -> tuple[list[Entry], list[Entry]]:
    """Divide by patient, class by class; which patients go is decided by a hash of their key, on any machine alike.

    Args:
        copies: paths of images that are equal; they are kept together, and so are their patients.

    Raises EdgeError for a class that can't be divided.
    """
    # an image of nobody is its own; another class may have one of the same name
    keys = {entry.path: patient(entry, group) or entry.path for entry in entries}
    hashes = {keys[entry.path]: _hashed(patient(entry, group) or entry.name) for entry in entries}
    first = _joined(keys, copies)
    train: list[Entry] = []
    val: list[Entry] = []
    chosen: set[str] = set()  # patients whose images validate
    kept: set[str] = set()  # patients whose images train
    for label in sorted({entry.label for entry in entries}):
        members: dict[str, list[Entry]] = {}
        for entry in entries:
            if entry.label == label:
                key = keys[entry.path]
                members.setdefault(first.get(key, key), []).append(entry)
        folder = next(entry.folder for entry in entries if entry.label == label)
        if len(members) < 2:
            what = "patient" if group else "image"
            equal = ", equal ones counted once" if first else ""
            raise EdgeError(
                f"folder {folder} has 1 {what}{equal}: expected at least 2, so that one can be set aside; add images, "
                "or divide them into folders yourself (docs/recipes.md)"
            )
        # a patient who has images of several classes goes where the first class put them
        taken = [entry for key in members if key in chosen for entry in members[key]]
        order = sorted(members.keys() - chosen - kept, key=lambda key: (hashes[key], key))
        wanted = max(1, round(share * sum(len(rows) for rows in members.values())))
        while len(taken) < wanted and len(order) > (0 if kept & members.keys() else 1):
            key = order.pop(0)
            taken += members[key]
            chosen.add(key)
        kept |= members.keys() - chosen
        rest = [entry for key in members if key not in chosen for entry in members[key]]
        if not taken or not rest:
            raise EdgeError(
                f"folder {folder} has nothing left to {'train' if taken else 'validate'} with: its patients went where "
                "another class put them; expected some on both sides, divide them into folders yourself "
                "(docs/recipes.md)"
            )
        val += taken
        train += rest
    return sorted(train), sorted(val)


def _hashed(key: str) -> bytes:
    return hashlib.sha256(key.encode()).digest()


def _joined(keys: Mapping[str, str], copies: Iterable[Iterable[str]]) -> dict[str, str]:
    """Return key -> one key for all that `copies` (of paths) tie together; others are left out."""
    parent: dict[str, str] = {}

    def root(key: str) -> str:
        while parent.get(key, key) != key:
            key = parent[key]
        return key

    for paths in copies:
        tied = sorted({root(keys[path]) for path in paths if path in keys})
        for key in tied[1:]:
            parent[key] = tied[0]
        if len(tied) > 1:
            parent[tied[0]] = tied[0]
    return {key: root(key) for key in parent}
