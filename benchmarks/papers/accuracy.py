"""What the compressed networks are worth on the test images, from the reports of finished runs.

python -m benchmarks.papers.accuracy build/chest_xray
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from benchmarks import table
from benchmarks.table import met
from compress.tasks.metrics import cell

DROP, INT8_DROP, COSINE = 1.0, 0.5, 0.99  # points, points, cosine of logits


def main(folder: Path) -> None:
    """Write `results/accuracy.md` from every `NAME.report.json` in `folder`."""
    rows: list[list[str]] = []
    notes = []
    for path in sorted(folder.glob("*.report.json")):
        result, name = json.loads(path.read_text()), path.name.removesuffix(".report.json")
        test, counts = result["test"], result["data"]["counts"]["test"]
        names = {"baseline": "ResNet-50 float", "float": f"{name} float", "int8": f"{name} int8"}
        for kind in ("baseline", "float", "int8") if not rows else ("float", "int8"):
            rows.append(
                [names[kind], *(cell(figure) for figure in test[kind].values()), f"{result['thresholds'][kind]:.3f}"]
            )
        drops = {kind: 100 * (test["baseline"]["accuracy"]["value"] - test[kind]["accuracy"]["value"]) for kind in test}
        quantized = drops["int8"] - drops["float"]
        flips = "".join(
            f"\n- {flip['image']} ({flip['label']}): {flip['float']} in float, {flip['int8']} in int8"
            for flip in result["flips"]
        )
        notes.append(
            f"**{name}**: accuracy {-drops['float']:+.2f} points in float against ResNet-50, "
            f"{-drops['int8']:+.2f} in int8 "
            f"(target >= -{DROP:g}: "
            f"{met(max(drops['float'], drops['int8']) <= DROP)}); int8 {-quantized:+.2f} points against float "
            f"(target within {INT8_DROP:g}: "
            f"{met(abs(quantized) <= INT8_DROP)}); cosine of the logits {result['cosine']:.5f} (target >= {COSINE:g}: "
            f"{met(result['cosine'] >= COSINE)}); {len(result['flips'])} of {sum(counts)} decisions flipped.{flips}"
        )
    table.write(
        "accuracy",
        "Test images: ResNet-50, and what was made of it",
        f"python -m benchmarks.papers.accuracy {folder}",
        ["network", "accuracy", "AUC", "sensitivity", "specificity", "threshold"],
        rows,
        "In brackets 95 % bootstrap intervals (2000 resamples of the test images). int8 runs through `edge` on LiteRT. "
        "Thresholds were chosen on validation images (highest balanced accuracy): ResNet-50's own, and the int8 "
        "model's, which its float form shares.\n\n" + "\n\n".join(notes),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
