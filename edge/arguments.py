"""Command lines: argparse's, but what is wrong with one is told as everything else that a user can mend."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from edge.errors import EdgeError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises EdgeError instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise EdgeError with argparse's words, and where to read more."""
        raise EdgeError(f"{message}; see {self.prog} --help")


def add_command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command; `text`, without a full stop, is its line in the list and its own heading."""
    return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
