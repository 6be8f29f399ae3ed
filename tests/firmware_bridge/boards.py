"""A board that is this machine, where there can be one; without an sshd the test is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from benchmarks.lab import debian, local_board


def with_path(folder: Path) -> str:
    """Return what lets sshd run every command with this PATH, whatever the command itself says of it."""
    replace = f"s,PATH=[^ ]*,PATH={folder},"
    return f"ForceCommand exec /bin/sh -c \"$(printf '%s' \"$SSH_ORIGINAL_COMMAND\" | sed '{replace}')\""


class LocalBoard(local_board.LocalBoard):
    """This machine as a board."""

    def __init__(self, folder: Path, settings: str = "", exported: Mapping[str, str] | None = None) -> None:
        try:
            super().__init__(folder, settings, exported)
        except debian.Unavailable as error:
            pytest.skip(str(error))
