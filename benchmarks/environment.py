"""Where the environments of what is measured are: `compress.environment` makes them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from compress import environment

FOLDER = Path("build/bench/env")  # under the current folder, as the history is


def ready(name: str, requirements: Sequence[str], log: Callable[[str], None] = print, folder: Path = FOLDER) -> Path:
    """Return the folder of an environment that has these packages; see `compress.environment.ready`."""
    return environment.ready(name, environment.Packages(tuple(requirements)), folder, log)
