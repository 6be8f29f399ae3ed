"""What has to be said about a data set: lines for people, from its summary, on the terminal, in card and report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from edge.sources import left_out_line

KINDS = ("foreground", "ignore", "background")


def remarks(summary: Mapping[str, Any]) -> list[str]:
    """Return one line for each, most doubtful first."""
    return [
        *_independence(summary.get("independence", {})),
        *_masks(summary),
        *(
            f"{found['count']} images: {found['message']} ({code}; {found['example']}, for example)"
            for code, found in summary.get("warnings", {}).items()
        ),
        *([left_out_line(Counter(summary["left_out"]))] if summary.get("left_out") else []),
    ]


def _independence(found: Mapping[str, Any]) -> Iterator[str]:
    if shared := found.get("shared_patients"):
        yield (
            f"{shared['patients']} patients are on both sides, with {shared['images']} of the images that judge; "
            f"allowed, because: {shared['reason']}"
        )
    if within := found.get("group_within"):
        yield (
            f"{within['patients']} patients' numbers occur in more than one folder, with {within['images']} of the "
            f"images that judge; taken for other patients, because: {within['reason']}"
        )
    if duplicates := found.get("duplicates"):
        yield (
            f"{duplicates['images']} of the images that judge equal others that are trained on or judge before; "
            f"allowed, because: {duplicates['reason']}"
        )
    if torn := found.get("contradictions"):
        yield f"{torn['images']} equal images have different labels ({' and '.join(torn['example'])}, for example)"
    if equal := found.get("equal_images"):
        yield "images that equal another of the same part: " + ", ".join(f"{part} {n}" for part, n in equal.items())
    if nobody := found.get("without_patient"):
        yield f"{nobody['images']} images have no patient in their names, and count as one each"


def _masks(summary: Mapping[str, Any]) -> Iterator[str]:
    if named := summary.get("mask_values"):
        told = [f"{kind} {', '.join(map(str, named[kind]))}" for kind in KINDS if named[kind]]
        ignored = f"; {named['ignored']:.2%} of the pixels are not labelled and count in no loss and no metric"
        yield f"masks: {'; '.join(told)}{ignored if named['ignore'] else ''}"
    if full := summary.get("full_masks"):
        yield "masks that are white all over: " + ", ".join(f"{part} {count}" for part, count in full.items())
    if unlabelled := summary.get("unlabelled_images"):
        yield f"{unlabelled} images were left out: nothing in their masks is labelled"
