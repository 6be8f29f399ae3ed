"""The model card: what a model file is for, where it is from and how it scores, as a page that travels beside it.

After Mitchell et al., "Model Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from compress.data.remarks import remarks
from compress.tasks.metrics import cell

UNITS = {
    "parameters": "{:,.0f}",
    "macs": "{:,.0f}",
    "macs_executed": "{:,.0f}",
    "file_bytes": "{:,.0f}",
    "speedup": "{:.1f}",
    "accuracy_drop": "{:.2f}",
    "dice_drop": "{:.2f}",
}


def card(manifest: Mapping[str, Any], result: Mapping[str, Any], more: Sequence[str] = ()) -> str:
    """Return the card as Markdown, from a model's manifest, its run's report and the task's `more` lines on it."""
    provenance, outputs, data = manifest["provenance"], manifest["outputs"], result["data"]
    lines = [f"# {manifest['name']}", "", manifest["title"] + ".", ""]
    lines += [
        "Software for engineers; **not a medical device**. It has been measured on the images named below and on no "
        "others: how it does on another hospital's machines, views, ages or diseases is not known. No diagnosis may "
        "rest on it.",
        "",
        *(f"- answers: {', '.join(output.get('labels', []))}{_rule(output.get('decision'))}" for output in outputs),
        *(f"- reads: {_input(spec)}" for spec in manifest["inputs"]),
        f"- data: {provenance['data']['source'] or 'not named'} "
        f"({provenance['data']['licence'] or 'licence not named'}); "
        f"images: {_counts(data)}; validation: {data['validation']}, "
        f"divided by {_divided(data)}",
        *(f"- of these data: {remark}" for remark in remarks(data)),
        f"- network: `{provenance['network']}`. {provenance['notes']}",
        f"- made by: recipe `{manifest['name']}`, steps {', '.join(step['kind'] for step in provenance['steps'])}; "
        f"seed {provenance['seed']}; "
        f"int8 steps from {min(provenance['calibration'], sum(data['counts']['train']))} training images",
        f"- converted by the route {provenance['conversion']['route']}; its float32 file equals PyTorch to "
        f"{provenance['conversion']['proof']['largest']:.1g} of the largest output, and is kept as "
        f"`{provenance['float32']['file']}` (SHA-256 {provenance['float32']['sha256'][:16]}...)",
        "",
        "## On the test images",
        "",
        "| | " + " | ".join(next(iter(result["test"].values()))) + " |",
        "| --- |" + " --- |" * len(next(iter(result["test"].values()))),
    ]
    names = {
        "baseline": "before compression, float",
        "float": "compressed, float",
        "int8": "compressed, int8 (this file)",
    }
    for kind, metrics in result["test"].items():
        lines.append(f"| {names[kind]} | {' | '.join(map(cell, metrics.values()))} |")
    lines += ["", "In brackets 95 % bootstrap intervals.", ""]
    lines += more
    lines += [f"- {line}" for line in result["differences"]]
    lines += ["", "## Measured when it was made", "", "| | |", "| --- | --- |"]
    lines += [f"| {key} | {UNITS.get(key, '{:.4f}').format(value)} |" for key, value in manifest["measured"].items()]
    lines += [
        "",
        f"Targets, measurements and provenance are in the file's own manifest as well: "
        f"`edge-compress show {manifest['name']}.tflite`; int8 against float, tensor by tensor, with `--tensors`. "
        f"The worst: {result['worst_tensors']}.",
    ]
    return "\n".join(lines) + "\n"


def _rule(decision: Mapping[str, Any] | None) -> str:
    if not decision:
        return ""
    least = decision.get("minimum_area")
    small = f", minimum region area {least:.2%} of the image" if least else ""
    return f"; {decision['label']} where its score is at least {decision['threshold']:.4f}{small}"


def _input(spec: Mapping[str, Any]) -> str:
    window = " of values from {} to {}".format(*spec["window"]) if spec.get("window") else ""
    return f"{spec['color']}{window}, resampled to {spec['height']}x{spec['width']} ({spec['fit']})"


def _counts(data: Mapping[str, Any]) -> str:
    parts = [f"{part} " + " + ".join(map(str, counts)) for part, counts in data["counts"].items()]
    empty = ", ".join(f"{part} {count}" for part, count in data.get("empty_masks", {}).items() if count)
    return ", ".join(parts) + f" ({' + '.join(data['labels'])}" + (f"; nothing to find in {empty})" if empty else ")")


def _divided(data: Mapping[str, Any]) -> str:
    return "image" if data["divided_by"] == "image" else "patient"
