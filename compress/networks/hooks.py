"""Hooks that are removed again, whatever happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch.utils.hooks import RemovableHandle


@contextmanager
def hooked(hooks: Iterable[RemovableHandle]) -> Iterator[None]:
    """Remove `hooks` at the end."""
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
