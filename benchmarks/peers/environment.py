"""An environment for each runtime, made where it lacks: their requirements don't go together in one."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.errors import EdgeError

WORKER = Path(__file__).with_name("worker.py")
ENVIRONMENTS = Path("build/bench/env")
_MADE = "made.json"
_INSTALL_SECONDS = 1800


def peer(name: str) -> Any:
    """Return the module of a runtime; what it imports at its top is here, too."""
    return importlib.import_module(f"benchmarks.peers.runtimes.{name}")


def python(name: str, say: Callable[[str], None], folder: Path = ENVIRONMENTS) -> Path:
    """Return the Python of a runtime's environment, which is made where there is none with its requirements.

    Raises EdgeError ("peers.environment") where pip can't install them; nothing half-made is left then.
    """
    place, wanted = folder / name, list(peer(name).REQUIREMENTS)
    found, made = (place / "bin/python").absolute(), place / _MADE
    if made.exists() and json.loads(made.read_text()) == wanted:
        return found
    shutil.rmtree(place, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    say(f"{name}: installing {', '.join(wanted)}\n")
    try:
        _run([sys.executable, "-m", "venv", str(place)], say, name)
        _run([str(found), "-I", "-m", "pip", "install", "--quiet", *wanted], say, name)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    made.write_text(json.dumps(wanted))
    say(f"{name}: {size(place) / 1e6:.0f} MB in {place}\n")
    return found


def size(folder: Path) -> int:
    """Return the bytes of all files in a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _run(command: list[str], say: Callable[[str], None], name: str) -> None:
    """Run it to its end, with a line of progress now and then."""
    begun = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        while True:
            try:
                _, complaint = process.communicate(timeout=5)
                break
            except subprocess.TimeoutExpired:
                seconds = time.monotonic() - begun
                if seconds > _INSTALL_SECONDS:
                    raise EdgeError(f"{name}: pip took more than {_INSTALL_SECONDS} s", "peers.environment") from None
                say(f"{name}: installing, {seconds:.0f} s")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        said = [line for line in complaint.splitlines() if line.startswith("ERROR")] or complaint.splitlines()[-1:]
        what = said[-1] if said else f"status {process.returncode}"
        raise EdgeError(f"{name} can't be installed here ({what})", "peers.environment")
