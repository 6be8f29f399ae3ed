"""What is doubtful about a data set stands in the model card and in the printed report, with its reason and count."""

from __future__ import annotations

from typing import Any

from compress.data.remarks import remarks
from compress.report.card import card

SUMMARY = {
    "labels": ["ill", "well"],
    "validation": "folder val",
    "divided_by": r"p\d+",
    "counts": {"train": [5, 6], "test": [1, 2]},
    "independence": {
        "shared_patients": {"patients": 3, "images": 17, "reason": "the publisher's lists overlap"},
        "duplicates": {"images": 2, "reason": "both are the publisher's"},
        "equal_images": {"train": 4},
        "contradictions": {"images": 2, "example": ["train/ill/a.png", "train/well/a.png"]},
        "without_patient": {"images": 9},
    },
    "mask_values": {"foreground": [1], "ignore": [255], "ignored": 0.0625, "background": ["0", "2"]},
    "full_masks": {"test": 1},
    "unlabelled_images": 5,
    "warnings": {"image.depth": {"count": 11, "example": "train/ill/b.png", "message": "almost black"}},
    "left_out": {".txt": 8, ".dcm": 4},
}


def test_each_remark_has_its_count_and_its_reason() -> None:
    lines = remarks(SUMMARY)
    for words in (
        ("3 patients", "17 of the images", "the publisher's lists overlap"),
        ("2 of the images", "both are the publisher's"),
        ("train 4",),
        ("2 equal images have different labels", "train/ill/a.png and train/well/a.png"),
        ("9 images have no patient",),
        ("foreground 1; ignore 255; background 0, 2", "6.25%"),
        ("white all over", "test 1"),
        ("5 images were left out",),
        ("11 images: almost black", "image.depth", "train/ill/b.png"),
        ("12 files were left out (8 .txt, 4 .dcm)",),
    ):
        assert sum(all(word in line for word in words) for line in lines) == 1, words
    within = {"independence": {"group_within": {"patients": 133, "images": 226, "reason": "their word"}}}
    assert [("133" in line, "226" in line, "their word" in line) for line in remarks(within)] == [(True, True, True)]
    assert remarks({key: value for key, value in SUMMARY.items() if key in ("labels", "counts", "divided_by")}) == []


def test_the_card_has_the_remarks() -> None:
    source = {"source": "", "licence": ""}
    provenance: dict[str, Any] = {"data": source, "network": "n", "notes": "", "steps": [], "seed": 1, "calibration": 8}
    provenance["conversion"] = {"route": "litert", "proof": {"largest": 3.2e-7, "cosine": 1.0}}
    provenance["float32"] = {"file": "own.float32.tflite", "bytes": 9, "sha256": "0123456789abcdef" * 4}
    spec = {"color": "grey", "height": 8, "width": 8, "fit": "stretch"}
    manifest = {
        "name": "own",
        "title": "Own",
        "inputs": [spec],
        "outputs": [{"labels": ["ill", "well"], "decision": None}],
    }
    figures = {"accuracy": {"value": 1.0, "low": 1.0, "high": 1.0}}
    result = {"data": SUMMARY, "test": {"int8": figures}, "differences": [], "worst_tensors": "3 conv (CONV_2D) 9.0 dB"}
    page = card(manifest | {"provenance": provenance, "measured": {}}, result)
    for line in remarks(SUMMARY):
        assert f"- of these data: {line}\n" in page
    assert "litert; its float32 file equals PyTorch to 3e-07 of the largest output, and is kept as `own.float" in page
