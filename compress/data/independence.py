"""Whether what judges a network is independent of what it was trained on: no equal images, no patient on both sides."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from compress.data.division import Entry, patient
from compress.data.reading import some
from edge.errors import EdgeError

ORDER = ("train", "val", "test")
Parts = Mapping[str, Sequence[Entry]]


@dataclass(frozen=True)
class Allowed:
    """What a data set may have all the same, each with the reason, which card and report print; "" forbids it.

    Attributes:
        shared_patients: patients whose images are in more than one of train, val and test.
        duplicates: images in val or test that equal one in train, or in test that equal one in val. Equal images are
            then divided like any others.
        group_within: patients' keys hold within one of the folders train, val and test: the same key in another one is
            another patient.
    """

    shared_patients: str = ""
    duplicates: str = ""
    group_within: str = ""


NOTHING = Allowed()


def check_patients(root: Path, folders: Parts, group: str | None, allowed: Allowed) -> dict[str, object]:
    """Return what there is to say of patients in more than one of the folders.

    Raises EdgeError where that is not allowed, where `group` matches no file's name, and where it is ambiguous.
    """
    if not group:
        return {}
    keys = {part: {patient(entry, group) for entry in entries} - {None} for part, entries in folders.items()}
    if not any(keys.values()):
        example = next(entry.name for entries in folders.values() for entry in entries)
        raise EdgeError(
            f"data.group is {group!r} and matches the name of no file in {root} ({example!r}, for example): expected a "
            "regular expression that finds the patient there; correct it, or leave it out"
        )
    _check_parentheses(folders, group)
    result: dict[str, object] = {}
    nobody = sum(patient(entry, group) is None for entries in folders.values() for entry in entries)
    if nobody:
        result["without_patient"] = {"images": nobody}
    both = {key for a, b in combinations(keys.values(), 2) for key in a & b}
    if not both:
        return result
    images = sum(patient(entry, group) in both for part in folders if part != "train" for entry in folders[part])
    found = {"patients": len(both), "images": images}
    if allowed.group_within:
        return result | {"group_within": found | {"reason": allowed.group_within}}
    if allowed.shared_patients:
        return result | {"shared_patients": found | {"reason": allowed.shared_patients}}
    last = [part for part in ORDER if part in folders][-1]
    raise EdgeError(
        f"{root} has {len(both)} patients (of {len(keys[last])} in {last}) in more than one of the folders "
        f"{', '.join(folders)} ({some(sorted(map(str, both)))}): expected each in one, or figures are too good; move "
        'their images, or add to [data] shared_patients = "allow" and shared_patients_reason = "...", or, where the '
        'same number is another patient in another folder, group_within = "folder" and group_within_reason = "..."',
        code="data.shared-patients",
    )


def _check_parentheses(folders: Parts, group: str) -> None:
    """Raise EdgeError where the parentheses of a regular expression tell patients apart otherwise than all of it."""
    whole: dict[str, tuple[str, ...]] = {}
    inner: dict[tuple[str, ...], str] = {}
    for entry in (entry for entries in folders.values() for entry in entries):
        found = re.search(group, entry.name)
        if not found or not found.groups():
            continue
        key, part = found.group(0), tuple(text or "" for text in found.groups())
        if whole.setdefault(key, part) != part or inner.setdefault(part, key) != key:
            raise EdgeError(
                f"data.group is {group!r}, which is {key!r} in {entry.name!r}, and its parentheses {part[0]!r}: "
                "expected both to tell the same patients apart, as all that it matches is one; write (?:...) where "
                "parentheses only join, and (?<=...) and (?=...) around the patient for what stands beside it"
            )


def copies(identity: Mapping[str, bytes]) -> list[list[str]]:
    """Return the paths of equal images, those that have any."""
    found: dict[bytes, list[str]] = defaultdict(list)
    for path, hashed in identity.items():
        found[hashed].append(path)
    return [paths for paths in found.values() if len(paths) > 1]


def check_copies(
    root: Path, parts: Parts, equal: Sequence[Sequence[str]], truth: Mapping[str, Hashable], allowed: Allowed
) -> dict[str, object]:
    """Return what there is to say of equal images; `truth` is what each shows.

    Raises EdgeError where one that is set aside equals one that is trained on, and that is not allowed.
    """
    part_of = {entry.path: part for part in ORDER if part in parts for entry in parts[part]}
    result: dict[str, object] = {}
    pairs = [pair for paths in equal for pair in _crossing(paths, part_of)]
    if pairs and not allowed.duplicates:
        shown = some(f"{copy} = {original}" for copy, original in pairs)
        raise EdgeError(
            f"{root} has {len(pairs)} images in {' and '.join(sorted({part_of[a] for a, _ in pairs}))} that equal "
            f"images of {' and '.join(sorted({part_of[b] for _, b in pairs}))} ({shown}): expected others, or figures "
            'are too good; remove them on one side, or add to [data] duplicates = "allow" and duplicates_reason = '
            '"..."',
            code="data.duplicates",
        )
    if pairs:
        result["duplicates"] = {"images": len(pairs), "reason": allowed.duplicates}
    within: dict[str, int] = {}
    for part in ORDER:
        for paths in equal:
            here = sum(part_of.get(path) == part for path in paths)
            within[part] = within.get(part, 0) + max(0, here - 1)
    if any(within.values()):
        result["equal_images"] = {part: count for part, count in within.items() if count}
    torn = [paths for paths in equal if len({truth[path] for path in paths}) > 1]
    if torn:
        result["contradictions"] = {"images": sum(map(len, torn)), "example": sorted(torn[0])[:2]}
    return result


def _crossing(paths: Sequence[str], part_of: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield (image, the one it equals) for each that equals one of an earlier part."""
    first: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (ORDER.index(part_of[path]), path)):
        part = part_of[path]
        if earlier := [other for known, other in first.items() if known != part]:
            yield path, earlier[0]
        first.setdefault(part, path)
