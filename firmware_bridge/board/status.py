"""What a board says of its releases: lines for people, a record for programs (docs/deploy.md)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from firmware_bridge.board import board
from firmware_bridge.board.ssh import Connection

_NONE = "no comment"  # ssh-keygen's words for none


@dataclass
class Status:
    """What is in a board's folder.

    Attributes:
        active: the release in use; None where there is none.
        damaged: whether that one has lost its files; its version, target and models are not known then.
        models: that it has; `default` is the one that is meant where none is named, None where it must be named.
        earlier: release -> whether it was rolled back from; by age, the oldest first.
        unfinished: SHA-256 of an archive -> bytes of it that have arrived.
        trusted: fingerprint -> comment, of the keys whose releases it accepts.
        free_kb: room on its file system, in KB.
    """

    active: str | None = None
    damaged: bool = False
    version: str | None = None
    target: str | None = None
    models: list[str] = field(default_factory=list)
    default: str | None = None
    earlier: dict[str, bool] = field(default_factory=dict)
    unfinished: dict[str, int] = field(default_factory=dict)
    trusted: dict[str, str] = field(default_factory=dict)
    free_kb: int = 0

    def lines(self) -> list[str]:
        """Return it for people."""
        lines = [f"active     {self.active or 'none'}"]
        if self.damaged:
            lines.append("damaged    it has lost its files: push it again, and check the board's storage")
        if self.version:
            lines.append(f"version    {self.version}, target {self.target}")
        lines += [f"model      {name}" for name in self.models]
        if self.default and len(self.models) > 1:
            lines.append(f"default    {self.default}")
        lines += [f"earlier    {name}{', rolled back from' if gone else ''}" for name, gone in self.earlier.items()]
        lines += [f"unfinished {count} bytes of {digest}" for digest, count in self.unfinished.items()]
        lines += [f"trusts     {print_} {comment}".rstrip() for print_, comment in self.trusted.items()]
        return [*lines, f"free       {self.free_kb // 1024} MB"]

    def record(self) -> dict[str, Any]:
        """Return it for programs."""
        return {
            "active": self.active,
            "damaged": self.damaged,
            "version": self.version,
            "target": self.target,
            "models": self.models,
            "default": self.default,
            "earlier": [{"release": name, "rolled_back": gone} for name, gone in self.earlier.items()],
            "unfinished": [{"sha256": digest, "bytes": count} for digest, count in self.unfinished.items()],
            "trusted": [
                {"fingerprint": print_, "comment": "" if comment == _NONE else comment}
                for print_, comment in self.trusted.items()
            ],
            "free_mb": self.free_kb // 1024,
        }


def ask(connection: Connection, folder: str) -> Status:
    """Return what a board has in `folder`; EdgeError where that is not edge-deploy's, or not there."""
    return parse(board.status(connection, folder))


def parse(facts: Iterable[tuple[str, str]]) -> Status:
    """Return what the facts of board.sh's `status` mean."""
    found = Status()
    for key, value in facts:
        if key in ("active", "version", "target", "default") and value:
            setattr(found, key, value)
        elif key == "damaged":
            found.damaged = True
        elif key == "model":
            found.models.append(value)
        elif key in ("earlier", "rejected"):
            found.earlier[value] = key == "rejected"
        elif key == "unfinished":
            count, _, digest = value.partition(" ")
            found.unfinished[digest] = int(count)
        elif key == "trusts":
            print_, _, comment = value.partition(" ")
            found.trusted[print_] = comment
        elif key == "free_kb":
            found.free_kb = int(value)
    return found
