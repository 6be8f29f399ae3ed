"""What a night measures: which model files, on which devices, how often; all that can be refused before the first one.

What a device has (runtimes, cores) is known when it is reached; `cells` then says what is measured there.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import edge.model
from benchmarks.devices.device import Device
from benchmarks.measurement import Cell
from benchmarks.measuring import models
from edge.errors import EdgeError

MOST_THREADS = 4  # of the default: what edge-infer takes itself
RESUMED_HOURS = 12.0  # how old a night may be that is gone on with: later it is another night's heat, load and software

_NIGHT = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Network:
    """A model file that passed every check.

    Attributes:
        name: the manifest's.
        path: of the file.
        sha256: of the file, as `edge-infer` says it.
        task: its name.
    """

    name: str
    path: Path
    sha256: str
    task: str


@dataclass(frozen=True)
class Plan:
    """What is measured in a night.

    Attributes:
        networks: those that are judged, each under a name of its own.
        canary: what is measured before and after the others on each device.
        devices: of the inventory.
        inventory: digest of the inventory file; None without one.
        threads, runtimes: that were asked for; None: what each device says.
        starts: fresh starts of each cell.
        seconds: that one process on a device may take.
    """

    networks: tuple[Network, ...]
    canary: Network
    devices: tuple[Device, ...]
    inventory: str | None
    threads: tuple[int, ...] | None
    runtimes: tuple[str, ...] | None
    starts: int
    seconds: float

    def record(self) -> dict[str, Any]:
        """Return it as an object for JSON: an interrupted night with the same one is gone on with."""
        return {
            "models": {network.name: network.sha256 for network in self.networks},
            "canary": {self.canary.name: self.canary.sha256},
            "inventory": self.inventory,
            "devices": {device.name: device.kind for device in self.devices},
            "threads": None if self.threads is None else list(self.threads),
            "runtimes": None if self.runtimes is None else list(self.runtimes),
            "starts": self.starts,
            "seconds": self.seconds,
        }

    def files(self) -> list[Path]:
        """Return the files that a device needs."""
        return list(dict.fromkeys([*(network.path for network in self.networks), self.canary.path]))

    def cells(self, device: Device, runtimes: Sequence[str], cores: int) -> list[Cell]:
        """Return what is measured on a device that has these runtimes and cores."""
        threads = self.threads or device.threads or sorted({1, min(cores, MOST_THREADS)})
        return [
            Cell(device.name, network.name, runtime, count)
            for network in self.networks
            for runtime in runtimes
            if runtime in self._wanted(device, runtimes)
            for count in threads
        ]

    def left_out(self, device: Device, runtimes: Sequence[str]) -> list[str]:
        """Return the runtimes that were asked for by name and that the device has not."""
        return [runtime for runtime in self._wanted(device, []) if runtime not in runtimes]

    def expected(self, device: Device, known: Sequence[Cell]) -> list[Cell]:
        """Return what would be measured on a device that was not reached: as in the nights before, where there are any.

        Of a device that was never reached nobody knows the runtimes; one cell stands for each model then.

        Args:
            known: cells of the history.
        """
        names = {network.name for network in self.networks}
        found = [
            cell
            for cell in known
            if cell.device == device.name
            and cell.model in names
            and cell.runtime in self._wanted(device, [cell.runtime])
            and cell.threads in (self.threads or device.threads or [cell.threads])
        ]
        runtime, threads = self._wanted(device, ["litert"])[0], (self.threads or device.threads or [1])[0]
        missing = [name for name in sorted(names) if name not in {cell.model for cell in found}]
        return sorted(found + [Cell(device.name, name, runtime, threads) for name in missing])

    def _wanted(self, device: Device, default: Sequence[str]) -> list[str]:
        """Return the runtimes that were asked for: on the command line, else in the inventory, else `default`."""
        return list(self.runtimes or device.runtimes or default)


def networks(words: Sequence[str]) -> tuple[Network, ...]:
    """Return the model files that words of a command line stand for: names, files, folders; [] for those shipped.

    Raises EdgeError for a word that is none, a folder without a model file, a file that fails a check, and for two
    files of one name.
    """
    paths = [path for word in words for path in _paths(word)] if words else edge.model.shipped()
    found: dict[str, Network] = {}
    for path in dict.fromkeys(path.resolve() for path in paths):
        network = read(path)
        if network.name in found:
            raise EdgeError(
                f"{path} and {found[network.name].path} both hold a model {network.name!r}: expected one file for each "
                "name; give one of them, or pack one under another name",
                "matrix.models",
            )
        found[network.name] = network
    if not found:
        raise EdgeError("no model came with this installation: name model files with --models", "matrix.models")
    return tuple(found.values())


def read(path: Path) -> Network:
    """Return the checked model file at `path`; EdgeError where it is none.

    The image that it is measured with is made here too, once for the processes of all devices.
    """
    file = models.read(path)
    return Network(file.name, path, file.sha256, file.task)


def is_recent(name: str, now: datetime.datetime) -> bool:
    """Whether a night that began under this name may be gone on with."""
    begun = datetime.datetime.strptime(name, _NIGHT).replace(tzinfo=datetime.timezone.utc)
    return now - begun < datetime.timedelta(hours=RESUMED_HOURS)


def chosen(devices: Sequence[Device], names: Sequence[str]) -> tuple[Device, ...]:
    """Return the devices of these names, all without names; EdgeError for a name that there is not."""
    known = {device.name: device for device in devices}
    for name in names:
        if name not in known:
            raise EdgeError(
                f"the inventory has no device {name!r}: expected one of {', '.join(known)}", "matrix.device"
            )
    return tuple(device for device in devices if not names or device.name in names)


def _paths(word: str) -> list[Path]:
    path = Path(edge.model.find(word))
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.tflite"))
    if not files:
        raise EdgeError(f"{path} has no model file: expected NAME.tflite files in it", "matrix.models")
    return files
