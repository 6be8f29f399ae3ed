"""Tools of this machine, run so that neither their words nor what they make depend on what the user exports."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_KEPT = ("HOME", "LOGNAME", "PATH", "TMPDIR", "USER")
NETWORK = tuple(
    name for word in ("http", "https", "ftp", "all", "no") for name in (f"{word}_proxy", f"{word}_PROXY".upper())
)


def run(
    command: Sequence[str], folder: Path | None = None, keep: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a tool to its end, without a terminal or standard input; return its exit status and what it says, as text.

    Of this process's environment it sees the home, PATH and what `keep` names: not CFLAGS, LD_PRELOAD, TAR_OPTIONS or
    BASH_ENV, and no language in which it would say something else.
    """
    environment = {name: os.environ[name] for name in (*_KEPT, *keep) if name in os.environ}
    return subprocess.run(
        command,
        cwd=folder,
        env={**environment, "LC_ALL": "C"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        start_new_session=True,
    )
