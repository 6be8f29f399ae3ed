"""Command lines: argparse's, but what is wrong with one is said as everything else that is invalid."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from edge.errors import EdgeError


class Parser(argparse.ArgumentParser):
    """An ArgumentParser that raises EdgeError instead of printing its usage and leaving."""

    def error(self, message: str) -> NoReturn:
        """Raise EdgeError with argparse's words, and where to read more."""
        raise EdgeError(f"{message}; see {self.prog} --help", code="arguments.invalid")


class MixedParser(Parser):
    """One whose options may stand among the other words, as for getopt_long; behind "--" nothing is an option."""

    def parse_words(self, words: Sequence[str], rest: str) -> argparse.Namespace:
        """Return the arguments; `rest` is the name of the list that takes all that is no option."""
        end = words.index("--") if "--" in words else len(words)
        arguments = self.parse_intermixed_args(words[:end])
        for word in getattr(arguments, rest):
            if word.startswith("-") and word != "-":  # argparse takes -5 and "-a b" for words
                self.error(f"unrecognized arguments: {word}")
        getattr(arguments, rest).extend(words[end + 1 :])
        return arguments


def count(least: int, most: int | None = None) -> Callable[[str], int]:
    """Return what reads a whole number in a range from a command line's word."""

    def read(text: str) -> int:
        digits = text.removeprefix("+")
        number = int(digits) if digits.isascii() and digits.isdecimal() and len(digits) <= 18 else -1
        if number < least or (most is not None and number > most):
            span = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise argparse.ArgumentTypeError(f"expected a whole number {span}, not {text!r}")
        return number

    return read


def add_command(commands: Any, name: str, text: str) -> argparse.ArgumentParser:
    """Return the parser of a new command; `text`, without a full stop, is its line in the list and its own heading."""
    return commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
