"""SHA-256 without the price of hashlib, which loads all of OpenSSL: 3 ms and 4 MB of a cold start on most Pythons."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any


def _find() -> Any:
    # `random` in the standard library takes the small modules too. Where hashlib is loaded, the price is paid.
    for name in () if "hashlib" in sys.modules else ("_sha2", "_sha256"):
        try:
            return import_module(name).sha256
        except ImportError:
            pass  # another version of Python, or one built without it
    return import_module("hashlib").sha256


sha256 = _find()
