"""A trained network made small, and a model file made of it.

The Python interface is `compress.api`, whose functions are this package's own: `compress.prune(network, inputs,
macs=0.5)`. They are imported when they are first asked for: PyTorch takes seconds. docs/python.md has examples.
"""

from __future__ import annotations

import sys
from types import ModuleType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from compress.api import (
        Cost,
        DataSet,
        Input,
        Result,
        Row,
        convert,
        cost,
        distill,
        evaluate,
        ghost,
        load_data,
        prune,
        run,
        train,
    )

__all__ = (
    "Cost",
    "DataSet",
    "Input",
    "Result",
    "Row",
    "convert",
    "cost",
    "distill",
    "evaluate",
    "ghost",
    "load_data",
    "prune",
    "run",
    "train",
)


class _Package(ModuleType):
    """This package. Three of its functions share their names with modules in it, which imports would put there."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)

    def __getattr__(self, name: str) -> Any:
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from compress import api

        value = getattr(api, name)
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *__all__})


sys.modules[__name__].__class__ = _Package
