"""Fields of a JSON object, asked for by type: how the manifest, and what a task adds to it, is read and refused."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from edge.errors import EdgeError

MAX_LETTERS = 200  # of a name, a title, a label: what a person reads
MAX_LABELS = 32768
MAX_ITEMS = 256  # of any other list, and of an object whose names are chosen freely

_HIDDEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)  # docs/model-file.md
_SHA256 = re.compile(r"[0-9a-f]{64}")
_REBUILD = "build the model file again with edge-compress"
_CODE = "model.manifest"


class Fields:
    """A JSON object whose fields are asked for by type.

    Each method raises EdgeError ("model.manifest") where the field is missing or is not what is asked for.

    Attributes:
        raw: the object. where: what messages call the manifest. path: from its top to this object, "outputs[0]".
    """

    def __init__(self, raw: object, where: str, path: str) -> None:
        self.where, self.path = where, path
        if not isinstance(raw, dict):
            field = f" as {path}" if path else ""
            raise EdgeError(f"{where} holds {_show(raw)}{field}: expected an object; {_REBUILD}", _CODE)
        self.raw: dict[str, Any] = raw

    def wrong(self, key: str, found: object, expected: str) -> EdgeError:
        field = f"{self.path}.{key}" if self.path else key
        return EdgeError(f"{self.where} has {field} = {_show(found)}: expected {expected}; {_REBUILD}", _CODE)

    def only(self, inputs: Sequence[object], outputs: Sequence[Fields], task: str) -> Fields:
        """Return this entry of `outputs`; EdgeError where it or the entry of `inputs` is not the only one."""
        for key, entries in (("inputs", inputs), ("outputs", outputs)):
            if len(entries) != 1:
                raise EdgeError(
                    f"{self.where} has {len(entries)} {key}: expected exactly 1 for a {task}; {_REBUILD}", _CODE
                )
        return self

    def get(self, key: str) -> Any:
        if key not in self.raw:
            field = f"{self.path}.{key}" if self.path else key
            raise EdgeError(
                f"{self.where} lacks the field {field}: docs/model-file.md lists what it needs; {_REBUILD}", _CODE
            )
        return self.raw[key]

    def one_of(self, key: str, known: tuple[str, ...]) -> str:
        value = self.get(key)
        if not isinstance(value, str) or value not in known:
            raise self.wrong(key, value, " or ".join(f'"{word}"' for word in known))
        return value

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not is_line(value):
            raise self.wrong(key, value, f"one line without control characters, at most {MAX_LETTERS} characters")
        return value

    def texts(self, key: str, most: int = MAX_ITEMS) -> list[str]:
        return [Fields({key: value}, self.where, self.path).text(key) for value in self._list(key, most)]

    def names(self) -> list[str]:
        """Return the names of an object's members, which are chosen freely."""
        if len(self.raw) > MAX_ITEMS or not all(is_line(name) for name in self.raw):
            raise EdgeError(
                f"{self.where} has {self.path} = {_show(self.raw)}: expected at most {MAX_ITEMS} names of one line "
                f"without control characters, at most {MAX_LETTERS} characters; {_REBUILD}",
                _CODE,
            )
        return list(self.raw)

    def sha256(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.wrong(key, value, "a SHA-256 of 64 lower-case hexadecimal digits")
        return value

    def integer(self, key: str, least: int) -> int:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value < 2**63:
            raise self.wrong(key, value, f"a whole number of at least {least}")
        return value

    def number(self, key: str, least: float = -math.inf, most: float = math.inf) -> float:
        value = self.get(key)
        if not _is_number(value) or not least <= value <= most:
            limits = "" if least == -math.inf else f" from {least}" + ("" if most == math.inf else f" to {most}")
            raise self.wrong(key, value, f"a number{limits}")
        return value

    def number_list(self, key: str) -> tuple[float, ...]:
        values = self._list(key)
        if not values or not all(_is_number(value) for value in values):
            raise self.wrong(key, values, "a list of numbers")
        return tuple(float(value) for value in values)

    def numbers(self, key: str) -> Mapping[str, float]:
        item = self.object(key)
        return {name: item.number(name) for name in item.names()}

    def object(self, key: str) -> Fields:
        return Fields(self.get(key), self.where, f"{self.path}.{key}" if self.path else key)

    def objects(self, key: str, most: int = MAX_ITEMS) -> list[Fields]:
        path = f"{self.path}.{key}" if self.path else key
        return [Fields(value, self.where, f"{path}[{number}]") for number, value in enumerate(self._list(key, most))]

    def _list(self, key: str, most: int = MAX_ITEMS) -> list[Any]:
        value = self.get(key)
        if not isinstance(value, list):
            raise self.wrong(key, value, "a list")
        if len(value) > most:
            raise self.wrong(key, value, f"a list of at most {most}")
        return value


def is_line(words: str) -> bool:
    """Whether it is one line of text that a terminal can show, of no more characters than anybody would read."""
    # What is printable differs from one version of Unicode to the next, so that alone decides nothing.
    return 0 < len(words) <= MAX_LETTERS and (words.isprintable() or not _HIDDEN.search(words))


def _is_number(value: object) -> bool:
    """Whether it is a finite number that fits a float."""
    return not isinstance(value, bool) and isinstance(value, (int, float)) and abs(value) <= 1e300


def _show(value: object) -> str:
    """Return it for a message: at most 60 characters of ASCII on one line."""
    if value is None:
        return "null"
    try:
        text = ascii(value)
    except (ValueError, RecursionError):  # an int of thousands of digits, lists in lists in lists
        text = f"a very large {type(value).__name__}"
    return text if len(text) <= 60 else text[:57] + "..."
