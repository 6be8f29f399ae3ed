"""What happens to a route's converter whose parent is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from compress.convert.routes.process import CACHE
from tests.documents import ROOT


def ends_with_its_parent(module: str, route: str, worker: str, tmp_path: Path, seconds: float) -> None:
    """Kill a process that converts by a route; check that the converter ends too, and that its folder goes.

    Args:
        module, route: where the route is, and its class. worker: the name of its program. seconds: to wait for each.
    """
    program = (
        f"import torch\nfrom torch import nn\nfrom {module} import {route}\n"
        "from compress.convert.routes.route import Source\n"
        f"next({route}().convert([Source(nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),))]))"
    )
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    environment.pop(CACHE, None)
    parent = subprocess.Popen([sys.executable, "-c", program], env=environment)
    try:
        _wait(lambda: bool(_children(parent.pid, worker)), seconds)
        (converter,) = _children(parent.pid, worker)
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _wait(lambda: not Path("/proc", str(converter)).exists(), seconds)
    _wait(lambda: not [*tmp_path.glob("edge-infer-convert-*/*")], seconds)


def _children(pid: int, worker: str) -> list[int]:
    """The processes whose parent this is, as far as they run the worker."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found if worker.encode() in Path(f"/proc/{one}/cmdline").read_bytes()]


def _wait(happens: Callable[[], bool], seconds: float) -> None:
    ends = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < ends
        time.sleep(0.1)
