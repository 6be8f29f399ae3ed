"""The route litert: torch.export, and litert-torch in an environment of its own.

litert-torch needs other versions of NumPy and LiteRT than this environment has. The two meet in files: networks go over
as exported programs (`torch.export.save`), flatbuffers come back.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from types import MappingProxyType

import torch
from torch import Tensor, nn

from compress import environment
from compress.convert.repairs import repaired
from compress.convert.routes import process
from compress.convert.routes.route import Float32, Source
from compress.convert.routes.tidy import tidied
from compress.inputs import outputs
from edge.errors import EdgeError, one_line
from edge.scratch import cache

_WORKER = Path(__file__).with_name("litert_worker.py")
_VERSIONS = MappingProxyType({"litert-torch": "0.10.0"})


class Litert:
    """The route; see `compress.convert.routes.route.Route`."""

    name = "litert"
    install = "edge-compress route litert"

    def is_installed(self) -> bool:
        return environment.is_ready(self.name, _requirements(), _folder())

    def set_up(self, log: Callable[[str], None]) -> Path:
        """Return the folder of the route's environment; it is made where it is not there yet, which takes minutes.

        Raises EdgeError ("environment.failed") where pip can't.
        """
        return environment.ready(self.name, _requirements(), _folder(), log)

    def tools(self) -> Mapping[str, str]:
        return {"torch": _torch(), **_VERSIONS}

    def convert(self, sources: Sequence[Source]) -> Iterator[Float32]:
        if not self.is_installed():
            raise EdgeError(
                f"the route {self.name} is not installed: expected litert-torch in {_folder() / self.name}; install it "
                f"with `{self.install}`",
                "conversion.missing",
            )
        worker = process.Worker(
            self.name, [str(_folder() / self.name / "bin/python"), "-P", "-s"], _WORKER, self.tools(), _variables()
        )
        for made in process.converted(worker, sources, _prepare):
            yield made._replace(flatbuffer=tidied(made.flatbuffer, f"the file of the route {self.name}"))


def _folder() -> Path:
    """Return the folder of the environments of routes: for all working directories and environments of this user."""
    return cache() / "environments"


def _torch() -> str:
    """Return the version of PyTorch here without its build: a program is loaded by the one that saved it."""
    return metadata.version("torch").split("+")[0]


def _requirements() -> list[str]:
    """Return what pip is asked for: PyTorch by its exact version, without which it takes the newest, built for GPUs."""
    return [f"torch=={_torch()}", *(f"{name}=={version}" for name, version in _VERSIONS.items())]


def _variables() -> dict[str, str]:
    """Return the process's variables: nothing of this environment's Python, and the same order of sets every time."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return kept | {"PYTHONHASHSEED": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}


class _ChannelsLast(nn.Module):
    """A network with its images, and outputs that are images, in the order NHWC."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        returned = self.network(*(x.permute(0, 3, 1, 2) if x.ndim == 4 else x for x in given))
        return tuple(y.permute(0, 2, 3, 1) if y.ndim == 4 else y for y in outputs(returned))


def _prepare(source: Source, place: Path) -> bytes:
    """Write a network as an exported program, channels last, into the folder `place`; return a digest of it.

    Raises EdgeError ("conversion.operator") where torch.export can't follow it.
    """
    network = _ChannelsLast(repaired(source.network, Litert.name, source.examples)).eval()
    examples = tuple(
        torch.zeros_like(x.permute(0, 2, 3, 1) if x.ndim == 4 else x, device="cpu").contiguous()
        for x in source.examples
    )
    try:
        with torch.no_grad():
            program = torch.export.export(network, examples, strict=False)
    except Exception as error:  # of many kinds, and a user's own code is run
        raise EdgeError(
            f"torch.export can't follow the network ({one_line(' '.join(str(error).split()))[:200]}): expected a "
            "forward that does the same for all images; see what it does with the values of tensors, or name another "
            "route",
            "conversion.operator",
        ) from None
    torch.export.save(program, place / "network.pt2")
    return hashlib.sha256((place / "network.pt2").read_bytes()).digest()
