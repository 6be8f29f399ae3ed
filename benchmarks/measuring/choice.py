"""Which device, program and number of threads a command measures with: what `compare` and `sustained` share."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.devices.device import Device, Session
from benchmarks.inventory import load
from benchmarks.measurement import RUNTIMES, Cell
from edge.arguments import count
from edge.errors import EdgeError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --inventory, --device, --runtime and --threads."""
    parser.add_argument("--inventory", type=Path, metavar="FILE", help="devices (default: this machine alone)")
    parser.add_argument("--device", metavar="NAME", help="one of the inventory (default: its only one)")
    parser.add_argument("--runtime", choices=RUNTIMES, help="default: the first that the device has")
    parser.add_argument("--threads", type=count(1, 64), default=1, metavar="N", help="default: 1")


def device(options: argparse.Namespace) -> Device:
    """Return the device that is meant; EdgeError ("arguments.invalid") where that is not clear."""
    devices = load(options.inventory).devices
    names = ", ".join(found.name for found in devices)
    if options.device is None and len(devices) == 1:
        return devices[0]
    for found in devices:
        if found.name == options.device:
            return found
    if options.device is None:
        raise EdgeError(f"the inventory has {len(devices)} devices: name one of {names} with --device", _INVALID)
    raise EdgeError(f"there is no device {options.device!r} in the inventory: expected one of {names}", _INVALID)


def cell(options: argparse.Namespace, name: str, session: Session, model: str) -> Cell:
    """Return what is measured on the device `name`; EdgeError where it lacks the runtime that was asked for."""
    runtime = options.runtime or next(iter(session.runtimes), None)
    if runtime is None or runtime not in session.runtimes:
        raise EdgeError(
            f"{name} has no {options.runtime or 'program'}: expected one of its own "
            f"({', '.join(session.runtimes) or 'none'}); name another with --runtime",
            _INVALID,
        )
    return Cell(name, model, runtime, options.threads)


_INVALID = "arguments.invalid"
