"""The route litert: torch.export, and litert-torch in an environment of its own.

litert-torch needs other versions of NumPy and LiteRT than this environment has. The two meet in files: networks go over
as exported programs (`torch.export.save`), flatbuffers come back.
"""

from __future__ import annotations

import hashlib
import io
import os
import warnings
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
_ENVIRONMENT = "litert-torch"
# What decides the bytes; versions that were measured together.
_CONVERTER = MappingProxyType({"litert-torch": "0.10.0", "litert-converter": "0.5.0", "jax": "0.10.2"})
# What PyTorch requires, and what a conversion imports. All that litert-torch requires, language models' tools for the
# most part, would be twice as many packages.
_BESIDE_TORCH = (
    *("filelock==4.3.1", "fsspec==2026.9.0", "Jinja2==3.1.6", "MarkupSafe==3.0.4", "mpmath==1.3.0", "networkx==3.6.1"),
    *("setuptools==84.2.1", "sympy==1.14.0", "typing_extensions==4.12.2"),
)
_IMPORTED = (
    *("absl-py==2.5.1", "ai-edge-litert==2.3.0", "ai-edge-quantizer==0.10.0", "flatbuffers==25.12.19"),
    *("immutabledict==4.2.1", "jaxlib==0.10.2", "markdown-it-py==4.3.0", "mdurl==0.1.2", "ml_dtypes==0.6.0"),
    *("numpy==2.4.6", "opt_einsum==3.4.0", "packaging==26.4", "Pygments==2.21.0", "rich==15.0.0", "scipy==1.17.1"),
    *("torchao==0.18.0", "tqdm==4.70.1"),
)


class Litert:
    """The route; see `compress.convert.routes.route.Route`."""

    name = "litert"
    install = "edge-compress route litert"

    def is_installed(self) -> bool:
        return environment.is_ready(_ENVIRONMENT, _packages(), _folder())

    def set_up(self, log: Callable[[str], None]) -> Path:
        """Return the folder of the route's environment; it is made where it is not there yet, which takes minutes.

        Raises EdgeError ("environment.failed") where pip can't.
        """
        return environment.ready(_ENVIRONMENT, _packages(), _folder(), log)

    def tools(self) -> Mapping[str, str]:
        return {"torch": _torch(), **_CONVERTER}

    def convert(self, sources: Sequence[Source]) -> Iterator[Float32]:
        if not self.is_installed():
            raise EdgeError(
                f"the route {self.name} is not installed: expected litert-torch in {_folder() / _ENVIRONMENT}; "
                f"install it with `{self.install}`",
                "conversion.missing",
            )
        worker = process.Worker(
            self.name, [str(_folder() / _ENVIRONMENT / "bin/python"), "-P", "-s"], _WORKER, self.tools(), _variables()
        )
        for made in process.converted(worker, sources, _prepare):
            yield made._replace(flatbuffer=tidied(made.flatbuffer, f"the file of the route {self.name}"))


def _folder() -> Path:
    """Return the folder of the environments of routes: for all working directories and environments of this user."""
    return cache() / "environments"


def _torch() -> str:
    """Return the version of PyTorch here without its build: a program is loaded by the one that saved it."""
    return metadata.version("torch").split("+")[0]


def _packages() -> environment.Packages:
    """Return what the environment has: PyTorch by its exact version, the one of the build that is here."""
    converter = (f"{name}=={version}" for name, version in _CONVERTER.items())
    return environment.Packages((f"torch=={_torch()}", *_BESIDE_TORCH), (*converter, *_IMPORTED))


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
    saved = io.BytesIO()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # notes of the exporter to its own authors
            program = torch.export.export(network, examples, strict=False)
            torch.export.save(program, saved)
    except Exception as error:  # of many kinds, and a user's own code is run
        raise EdgeError(
            f"torch.export can't follow the network ({one_line(' '.join(str(error).split()))[:200]}): expected a "
            "forward that does the same for all images; see what it does with the values of tensors, or name another "
            "route",
            "conversion.operator",
        ) from None
    (place / "network.pt2").write_bytes(saved.getbuffer())
    return hashlib.sha256(saved.getbuffer()).digest()
