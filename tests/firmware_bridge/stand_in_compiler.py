"""A program that stands in for `edgetpu_compiler`: the same arguments, files and words, and no compiling.

EDGE_STAND_IN_COMPILER says what becomes of it: "part" (some operators mapped), "whole", "none", "fail", "silent" (an
exit status of 0 and no files), "garbage" (other words than the compiler's), "no flatbuffer". What it says is as
versions 14 to 16 say it, with the numbers of logs that people posted.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

PART = """\
CONV_2D                        2          Mapped to Edge TPU
MEAN                           1          Mapped to Edge TPU
FULLY_CONNECTED                1          Operation is otherwise supported, but not mapped due to some unspecified \
limitation
QUANTIZE                       2          More than one subgraph is not supported
"""
WHOLE = """\
CONV_2D                        2          Mapped to Edge TPU
MEAN                           1          Mapped to Edge TPU
FULLY_CONNECTED                1          Mapped to Edge TPU
"""
NONE = """\
CONV_2D                        2          Operation is working on an unsupported data type
"""


def main() -> int:
    mode = os.environ["EDGE_STAND_IN_COMPILER"]
    assert sys.argv[1] == "--out_dir" and len(sys.argv) == 4
    folder, source = Path(sys.argv[2]), Path(sys.argv[3])
    assert source.read_bytes()[4:8] == b"TFL3"
    print("Edge TPU Compiler version 16.0.384591198\nStarted a compilation timeout timer of 180 seconds.")
    if mode == "fail":
        print("ERROR: Attempting to compile a model that is not quantized.", file=sys.stderr)
        print("Compilation failed: Model not quantized", file=sys.stderr)
        return 1
    if mode == "silent":
        return 0
    compiled = Path(__file__).parents[1] / "edge/data/tiny-edgetpu.tflite"
    made = folder / f"{source.stem}_edgetpu.tflite"
    made.write_bytes(b"nothing" if mode == "no flatbuffer" else compiled.read_bytes())
    rows = {"part": PART, "none": NONE}.get(mode, WHOLE)
    header = "Operator                       Count      Status\n\n"
    log = f"Edge TPU Compiler version 16.0.384591198\nInput: {source}\nOutput: {made}\n\n{header}{rows}"
    made.with_suffix(".log").write_text("it rained\n" if mode == "garbage" else log)
    if mode == "garbage":
        print("and it rained")
        return 0
    print(f"""
Model compiled successfully in {os.getpid()} ms.

Input model: {source}
Input size: 4.41MiB
Output model: {made}
Output size: 5.49MiB
On-chip memory used for caching model parameters: 1.92MiB
On-chip memory remaining for caching model parameters: 1.75KiB
Off-chip memory used for streaming uncached model parameters: 0.00B
Number of Edge TPU subgraphs: 1
Total number of operations: 6
Operation log: {made.with_suffix(".log")}
See the operation log file for individual operation details.
Compilation child process completed within timeout period.
Compilation succeeded!""")
    return 0


if __name__ == "__main__":
    sys.exit(main())
