"""A little packer of model files, written from docs/model-file.md and not from the program; of malformed ones, too."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import zipfile
from typing import Any

TRAILER_BYTES = 71
OF_OUTPUT = ("labels", "activation", "decision")  # fields of an entry of `outputs`


def manifest(flatbuffer: bytes, **changes: Any) -> dict[str, Any]:
    """Return a valid manifest for the tiny network; `changes` replace whole fields.

    `input` replaces the one entry of `inputs`; labels, activation and decision are those of the one output.
    """
    raw: dict[str, Any] = {
        "format": "edge-infer",
        "version": 1,
        "name": "tiny",
        "title": "A tiny network for tests",
        "task": "classification",
        "inputs": [
            {
                "height": 24,
                "width": 24,
                "color": "grey",
                "channels": 3,
                "fit": "stretch",
                "mean": [0.5],
                "std": [0.25],
            }
        ],
        "outputs": [
            {
                "labels": ["normal", "opacity"],
                "activation": "softmax",
                "decision": {"label": "opacity", "threshold": 0.4},
            }
        ],
        "targets": [
            {"name": "parameters", "target": 1000, "better": "lower", "source": "tests"},
            {"name": "accuracy", "target": 0.9, "better": "higher", "source": "tests"},
            {"name": "auc", "target": 0.9, "better": "higher", "source": "tests"},
            {"name": "latency_ms", "target": 10000, "better": "lower", "source": "tests"},
            {"name": "memory_mb", "target": 1, "better": "lower", "source": "tests"},
        ],
        "measured": {"parameters": 816, "macs": 52000, "file_bytes": 5000, "accuracy": 0.8},
        "provenance": {"data": "none"},
        "model": {"bytes": len(flatbuffer), "sha256": hashlib.sha256(flatbuffer).hexdigest()},
        "runtime": {"type": "int8", "operators": {"CONV_2D": 2, "MEAN": 1, "FULLY_CONNECTED": 1}},
        "golden": [],
    }
    return changed(raw, **changes)


def changed(raw: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """Return the manifest with whole fields replaced, as `manifest` says."""
    raw = copy.deepcopy(raw)
    for key, value in copy.deepcopy(changes).items():
        if key == "input":
            raw["inputs"] = [value]
        else:
            (raw["outputs"][0] if key in OF_OUTPUT else raw)[key] = value
    return raw


def vector(image: str, digest: str, outputs: dict[str, Any], tolerance: float) -> dict[str, Any]:
    """Return a golden vector's entry for one input and one output; `outputs` is kernel path -> member."""
    inputs = [{"image": image, "sha256": digest}]
    by_path = {path: [member] for path, member in outputs.items()}
    return {"inputs": inputs, "outputs": by_path, "tolerance": tolerance}


def mask_manifest(flatbuffer: bytes, **changes: Any) -> dict[str, Any]:
    """Return a valid manifest for the tiny segmentation; `changes` replace whole fields."""
    raw = manifest(
        flatbuffer,
        name="tiny-mask",
        task="segmentation",
        labels=["polyp"],
        activation="sigmoid",
        decision={"label": "polyp", "threshold": 0.5, "minimum_area": 0.001},
        runtime={"type": "int8", "operators": {"CONV_2D": 1}},
    )
    raw["inputs"][0]["color"] = "rgb"
    return changed(raw, **changes)


def labels_txt(raw: dict[str, Any]) -> bytes:
    return "".join(f"{label}\n" for label in raw["outputs"][0]["labels"]).encode()


def dump(raw: object) -> bytes:
    return json.dumps(raw, sort_keys=True, indent=1, ensure_ascii=False).encode() + b"\n"


def pack(flatbuffer: bytes, raw: dict[str, Any], golden: dict[str, bytes] | None = None) -> bytes:
    """Return the model file's bytes."""
    members = {"manifest.json": dump(raw), "labels.txt": labels_txt(raw)}
    members.update(sorted((golden or {}).items()))
    return pack_members(flatbuffer, members)


def pack_members(flatbuffer: bytes, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """Return a file of these parts with a right digest at its end, whatever the parts are."""
    buffer = io.BytesIO(flatbuffer)
    buffer.seek(0, io.SEEK_END)
    with zipfile.ZipFile(buffer, "a") as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            info.create_system = 3
            info.external_attr = 0o100644 << 16
            info.compress_type = compression
            archive.writestr(info, content)
        archive.comment = b"x" * TRAILER_BYTES
    return seal(buffer.getvalue())


def seal(data: bytes) -> bytes:
    """Return `data` with its last 71 bytes replaced by the digest of what is before them."""
    body = data[:-TRAILER_BYTES]
    return body + b"sha256:" + hashlib.sha256(body).hexdigest().encode()
