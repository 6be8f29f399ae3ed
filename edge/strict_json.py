"""The JSON of manifests, and of all that the project writes: RFC 8259 in UTF-8 with limits (docs/model-file.md).

The native program's json.c holds the same. The standard library alone takes more: NaN, two members of one name, UTF-16.
"""

from __future__ import annotations

import json
from math import isfinite

from edge.errors import EdgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MAX_DEPTH = 32  # lists and objects in one another
_LEAST, _MOST = -(2**63), 2**63 - 1


def loads(data: bytes) -> Any:
    """Return the value in `data`.

    Raises ValueError, whose message says what is wrong: not UTF-8, a byte order mark, NaN or an infinity, a whole
    number beyond 64 bits, a number beyond a double, two members of one name, half of a surrogate pair, a zero
    character, more than MAX_DEPTH levels, or no JSON.
    """
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start}") from None
    if text.startswith("\ufeff"):
        raise ValueError("a byte order mark at its beginning")
    try:
        value = json.loads(
            text,
            parse_constant=_refuse,
            parse_int=_whole,
            parse_float=_finite,
            object_pairs_hook=_unlike,
        )
    except RecursionError:
        raise ValueError(f"more than {MAX_DEPTH} levels") from None
    # A zero or half of a pair can only come of an escape; what has none is not looked through for them.
    _look_through(value, "\\u" in text)
    return value


def dumps(value: object, what: str, code: str = "invalid", **form: Any) -> str:
    """Return `value` as JSON; `what` names it in messages, `form` goes to `json.dumps`.

    Raises EdgeError with `code` where it holds a number that is not finite, which JSON can't say.
    """
    try:
        return json.dumps(value, allow_nan=False, **form)
    except ValueError:
        place = next(_not_finite(value, ""), "it")
        raise EdgeError(f"{what} can't be written: {place}, and JSON has finite numbers only", code) from None


def _not_finite(value: object, place: str) -> Iterator[str]:
    """Yield "steps[2].metric is nan" for each number that is not finite."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _not_finite(item, f"{place}.{key}" if place else str(key))
    elif isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{place}[{index}]")
    elif isinstance(value, float) and not isfinite(value):
        yield f"{place or 'its value'} is {value}"


def _refuse(word: str) -> None:
    raise ValueError(f"{word}, which JSON does not have")


def _whole(digits: str) -> int:
    number = int(digits) if len(digits) < 21 else _MOST + 1
    if not _LEAST <= number <= _MOST:
        raise ValueError("a whole number beyond 64 bits")
    return number


def _finite(digits: str) -> float:
    number = float(digits)
    if not isfinite(number):
        raise ValueError("a number beyond what a double holds")
    return number


def _unlike(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("two members of one name in one object")
    return members


def _look_through(value: object, words: bool) -> None:
    """Hold the depth, and where `words`, every string."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, (dict, list)):
                if depth == MAX_DEPTH:
                    raise ValueError(f"more than {MAX_DEPTH} levels")
                if isinstance(item, list):
                    below += item
                    continue
                if words:
                    below += item.keys()
                below += item.values()
            elif words and isinstance(item, str) and ("\0" in item or not _is_text(item)):
                raise ValueError("a zero character or half of a surrogate pair in a string")
        level, depth = below, depth + 1


def _is_text(words: str) -> bool:
    try:
        words.encode()
    except UnicodeEncodeError:
        return False
    return True
