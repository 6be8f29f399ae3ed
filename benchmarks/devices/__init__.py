"""What is measured on: one file for each kind of device, and the registry that finds it by its name."""

from __future__ import annotations

import importlib
from typing import Any

# kind in an inventory -> module, class. The class is a frozen dataclass: its fields are the keys of a [[device]] table.
KINDS = {
    "local": ("benchmarks.devices.local", "Local"),
    "ssh": ("benchmarks.devices.ssh", "Ssh"),
    "labgrid": ("benchmarks.devices.labgrid", "Labgrid"),
    "virtual-pi": ("benchmarks.devices.virtual_pi", "Emulated"),
}


def device_class(kind: str) -> Any:
    """Return the class of a kind of KINDS."""
    module, name = KINDS[kind]
    return getattr(importlib.import_module(module), name)
