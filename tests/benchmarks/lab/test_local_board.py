"""Boards that are this machine: each is a machine of its own where boards are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.firmware_bridge.boards import LocalBoard


@pytest.fixture
def boards(tmp_path: Path) -> Iterator[list[LocalBoard]]:
    started: list[LocalBoard] = []
    try:
        for name in ("one", "other"):
            (tmp_path / name).mkdir()
            started.append(LocalBoard(tmp_path / name))
        yield started
    finally:
        for board in started:
            board.stop()


def test_what_one_keeps_in_its_home_holds_up_no_other(boards: list[LocalBoard]) -> None:
    """Of two boards with one home, the other one's login scripts would wait for a lock that a hanging one has."""
    for board in boards:
        assert board.ssh("mkdir ~/lock && cd && pwd").strip() == str(board.folder / "home")


def test_what_is_exported_reaches_its_shells(tmp_path: Path) -> None:
    board = LocalBoard(tmp_path, exported={"TMPDIR": "/a b"})
    try:
        assert board.ssh('printf "%s %s" "$HOME" "$TMPDIR"') == f"{tmp_path}/home /a b"
    finally:
        board.stop()
