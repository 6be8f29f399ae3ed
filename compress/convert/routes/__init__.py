"""Ways from a network to a float32 TFLite flatbuffer, one file each."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from compress.convert.routes.litert import Litert
from compress.convert.routes.onnx2tf import Onnx2tf
from compress.convert.routes.route import Float32, Route, Source

__all__ = ("ROUTES", "Float32", "Route", "Source", "installed")

# By name, in the order in which "auto" tries them.
ROUTES: Mapping[str, Route] = MappingProxyType({route.name: route for route in (Litert(), Onnx2tf())})


def installed() -> tuple[Route, ...]:
    """Return the routes that can run here, in the order in which "auto" tries them."""
    return tuple(route for route in ROUTES.values() if route.is_installed())
