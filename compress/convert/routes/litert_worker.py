"""The other half of the route litert, in litert-torch's environment: exported programs to TFLite flatbuffers.

`python litert_worker.py WORK DONE` reads WORK/0.pt2, WORK/1.pt2, ... (torch.export.save), writes WORK/0.tflite, ...
and, as soon as one is complete, its number as a line to the file descriptor DONE.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from pathlib import Path


def main(work: Path, done: int) -> None:
    """Convert all programs in the folder `work`."""
    threading.Thread(target=_end_with, args=(os.getppid(), work), daemon=True).start()
    import litert_torch
    import torch

    for number in range(len(list(work.glob("*.pt2")))):
        program = torch.export.load(work / f"{number}.pt2")
        arguments, _ = program.example_inputs
        litert_torch.convert(program.module(), tuple(arguments)).export(str(work / f"{number}.tflite"))
        os.write(done, f"{number}\n".encode())


def _end_with(parent: int, work: Path) -> None:
    """End this process, and remove its folder, as soon as the one that wanted it is gone (killed, say)."""
    while os.getppid() == parent:
        time.sleep(0.5)
    shutil.rmtree(work, ignore_errors=True)
    os._exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
