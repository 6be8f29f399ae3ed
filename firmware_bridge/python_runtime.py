"""The Python `edge-infer` as a release carries it: for boards that have no LiteRT library."""

from __future__ import annotations

from edge.errors import EdgeError
from firmware_bridge.release import Payload
from firmware_bridge.sbom import Component
from firmware_bridge.target import Target


def files(target: Target) -> tuple[Payload, list[Component]]:
    raise EdgeError(f"{target.name}: to come")
