"""The other half of the route litert, in litert-torch's environment: exported programs to TFLite flatbuffers.

`python litert_worker.py WORK DONE` does what WORK/numbers names, a number a line. For number N it reads
WORK/N/network.pt2 and writes WORK/N.tflite; as soon as one is complete, a line "N" goes to the file descriptor DONE.
"""

from __future__ import annotations

import os
import select
import shutil
import sys
import threading
from pathlib import Path


def main(work: Path, done: int) -> None:
    """Convert all programs in the folder `work`."""
    threading.Thread(target=_end_with, args=(done, work), daemon=True).start()
    import litert_torch
    import torch

    for number in (work / "numbers").read_text().split():
        program = torch.export.load(work / number / "network.pt2")
        examples, _ = program.example_inputs
        litert_torch.convert(program.module(check_guards=False), examples).export(str(work / f"{number}.tflite"))
        os.write(done, f"{number}\n".encode())


def _end_with(reader: int, work: Path) -> None:
    """End this process, and remove its folder, as soon as nobody reads what it tells: its parent was killed, say.

    Args:
        reader: the descriptor DONE, a pipe's end to write to.
    """
    waiting = select.poll()
    waiting.register(reader, 0)  # an error alone, which the other end's closing is
    waiting.poll()
    shutil.rmtree(work, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
