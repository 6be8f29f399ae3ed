"""Objects for JSON; docs/answers.md says what is in them. It imports nothing that can be missing."""

from __future__ import annotations

import os
import re
import time

from edge import __version__
from edge.errors import EdgeError

TYPE_CHECKING = False  # a Ctrl-C during an import of typing would show a traceback
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from edge.answer import Answer
    from edge.board import Board
    from edge.engine import Engine
    from edge.model import ModelFile
    from edge.targets import Comparison

PROGRAM = {"name": "edge-infer", "version": __version__, "implementation": "python"}
_RELEASE = "edge-infer release 1"  # the first line of a `release` file, as edge-deploy writes it
_SHARES = {"p50": 0.5, "p90": 0.9, "p99": 0.99}


def answer_record(
    image: str,
    engine: Engine,
    answer: Answer,
    memory_mb: dict[str, float | None],
    targets: Sequence[Comparison],
    board: Board,
) -> dict[str, Any]:
    """Return the object of one image: times in milliseconds, memory in megabytes (10^6 bytes)."""
    manifest, runtime = engine.file.manifest, engine.runtime
    times = {"load": engine.load_ms, "first_invoke": engine.first_invoke_ms, **answer.latency_ms}
    return {
        "image": image,
        "model": {"name": manifest.name, "sha256": engine.file.sha256, "bytes": engine.file.size},
        "program": PROGRAM,
        "release": release(),
        "time": now(),
        "task": manifest.task.name,
        **manifest.task.record(answer),
        "warnings": [warning._asdict() for warning in answer.warnings],
        "latency_ms": {name: _rounded(milliseconds) for name, milliseconds in times.items()},
        "warm_invoke_ms": spread(answer.warm_ms),
        "memory_mb": {name: _rounded(size) for name, size in memory_mb.items()},
        "targets": [{**row, "measured": _rounded(row["measured"], 6)} for row in targets],
        "runtime": {
            "name": runtime.name,
            "version": runtime.version,
            "threads": runtime.threads,
            "delegate": runtime.delegate,
            **(
                {"operators": {"taken": runtime.taken, "of": runtime.operators}}
                if runtime.kernel_path == "edgetpu"
                else {}
            ),
        },
        "board": board.record(),
    }


def error_record(image: str | None, error: EdgeError) -> dict[str, Any]:
    """Return the object of an image that is not answered; without `image` where none was asked for."""
    return {
        **({} if image is None else {"image": image}),
        "error": {"code": error.code, "message": str(error)},
    }


def model_record(file: ModelFile) -> dict[str, Any]:
    """Return the object of one model, as --list gives it."""
    manifest = file.manifest
    return {
        "name": manifest.name,
        "title": manifest.title,
        "task": manifest.task.name,
        "parameters": manifest.measured.get("parameters"),
        "macs": manifest.measured.get("macs"),
        "bytes": file.size,
    }


def spread(warm_ms: Sequence[float]) -> dict[str, float | None] | None:
    """Return how the times of warm invokes are spread, with their count; None where there is none."""
    from edge.meter import percentile

    if not warm_ms:
        return None
    times = list(warm_ms)
    shares = {name: _rounded(percentile(times, share)) for name, share in _SHARES.items()}
    return {"count": len(times), "least": _rounded(min(times)), **shares, "most": _rounded(max(times))}


def now() -> str:
    """Return this moment as the system's clock has it: UTC, ISO 8601 with seconds."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def release(package: str | os.PathLike[str] | None = None) -> str | None:
    """Return the name of the edge-deploy release that this package lies in; None where it lies in none.

    `package` is its folder: lib/python/edge of a release (firmware_bridge/release/python_runtime.py), whose file
    `release` says what it is.
    """
    try:
        with open(os.path.join(package or os.path.dirname(__file__), "../../../release"), encoding="ascii") as file:
            text = file.read(4096)
    except (OSError, ValueError):
        return None
    fields = dict(re.findall(r"(?m)^(version|target): ([!-~]+)$", text))
    if not text.startswith(f"format: {_RELEASE}\n") or len(fields) < 2:
        return None
    return f"edge-infer-{fields['version']}-{fields['target']}"


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
