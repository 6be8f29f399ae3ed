"""Write constants.h: what both programs hold to, as edge's modules have it.

PYTHONPATH=. python firmware_bridge/native/tools/make_constants.py firmware_bridge/native/system
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

# C's name: the module of edge, and the name there where it is another one.
CONSTANTS = """
PROGRAM_VERSION edge __version__
NOTICE edge.answer
MANIFEST_FORMAT edge.manifest FORMAT
MANIFEST_VERSION edge.manifest VERSION
MAX_ENTRIES edge.manifest MAX_ENDS
MAX_LETTERS edge.fields
MAX_LABELS edge.fields
MAX_ITEMS edge.fields
MAX_DEPTH edge.strict_json
USUAL_MODEL edge.model DEFAULT
MAX_MEMBERS edge.model
MAX_GOLDEN_BYTES edge.model
MAX_RATIO edge.model
MAX_FILE_BYTES edge.model
SCHEMA_VERSION edge.flatbuffer
MAX_TABLES edge.flatbuffer
MAX_WORK edge.flatbuffer
MAX_GRAPHS edge.flatbuffer
MAX_ENDS edge.flatbuffer
MAX_TENSOR_RANK edge.flatbuffer MAX_RANK
MAX_TENSOR_BYTES edge.flatbuffer
MAX_WINDOW edge.operator_rules
MAX_MULTIPLIER edge.operator_rules
LEAST_STEP edge.operator_rules
MOST_STEP edge.operator_rules
MAX_THREADS edge.runtime
USUAL_THREADS edge.engine
MOST_INVOKES edge.cli _MOST_INVOKES
MAX_IMAGE_BYTES edge.files LIMIT
MAX_PIXELS edge.readers
LONGEST_METADATA edge.readers.exif LONGEST
MOST_BITS edge.window
MOST edge.window
SAMPLED edge.plausibility
NEAR edge.plausibility
STRAY edge.plausibility
COLOURED edge.plausibility
FEW edge.plausibility
DEPTH edge.plausibility
DARK edge.plausibility
SLACK edge.scores
MAX_FLIPPED edge.tasks.segmentation
LABELLED edge.overlay
LARGEST edge.overlay
"""
MEMBERS = {"MAX_TEXT_BYTES": "manifest.json", "MAX_COMPILED_BYTES": "edgetpu.tflite"}  # of edge.model.MAX_BYTES


def line(name: str, value: object) -> str:
    """Return one constant's line."""
    if isinstance(value, str):
        return f'#define {name} "{value}"'
    if isinstance(value, int) and not isinstance(value, bool):
        assert abs(value) < 2**31, name
        return f"enum {{ {name} = {value} }};"
    assert isinstance(value, float), name
    return f"#define {name} {value!r}"


def header() -> str:
    """Return the header's text."""
    lines = []
    for constant in CONSTANTS.split("\n")[1:-1]:
        name, module, *other = constant.split(" ")
        lines.append(line(name, getattr(import_module(module), (other or [name])[0])))
    limits = import_module("edge.model").MAX_BYTES
    lines += [line(name, limits[member]) for name, member in MEMBERS.items()]
    body = "\n".join(lines)
    return f"""/* What both programs hold to. Made by tools/make_constants.py from edge's modules. */
#ifndef EDGE_CONSTANTS_H
#define EDGE_CONSTANTS_H

{body}

#endif
"""


def main() -> None:
    (Path(sys.argv[1]) / "constants.h").write_text(header(), encoding="utf-8")


if __name__ == "__main__":
    main()
