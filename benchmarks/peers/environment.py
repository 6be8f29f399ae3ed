"""An environment for each runtime, made where it lacks: their requirements don't go together in one."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import environment

WORKER = Path(__file__).with_name("worker.py")


def peer(name: str) -> Any:
    """Return the module of a runtime; what it imports at its top is here, too."""
    return importlib.import_module(f"benchmarks.peers.runtimes.{name}")


def python(name: str, say: Callable[[str], None]) -> Path:
    """Return the Python of a runtime's environment, which is made where there is none with its requirements.

    Raises EdgeError ("environment.failed") where pip can't install them.
    """
    return environment.ready(name, list(peer(name).REQUIREMENTS), lambda text: say(f"{text}\n")) / "bin/python"
