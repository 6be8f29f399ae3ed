"""A release's bill of materials: CycloneDX 1.5, JSON, without a date or serial number, so that it is reproducible."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import NamedTuple

from edge import __version__
from edge.strict_json import dumps


class Component(NamedTuple):
    """A part of a release.

    Attributes:
        kind: CycloneDX's "application", "library" or "machine-learning-model".
        origin: its package URL (purl), or "" where it is not of a package.
        licence: an SPDX expression, or what people call it.
        data: the bytes that its digest is of; None where it is linked into another part.
    """

    kind: str
    name: str
    version: str
    origin: str
    licence: str
    data: bytes | None


def document(target: str, components: Iterable[Component]) -> bytes:
    """Return the bill of materials of the release for a target."""
    entries = []
    for part in components:
        entry: dict[str, object] = {"type": part.kind, "name": part.name, "version": part.version}
        if part.origin:
            entry |= {"bom-ref": part.origin, "purl": part.origin}
        if part.data is not None:
            entry["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(part.data).hexdigest()}]
        entries.append({**entry, "licenses": [{"license": {"name": part.licence}}]})
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "edge-infer", "version": __version__},
            "properties": [{"name": "edge-infer:target", "value": target}],
        },
        "components": entries,
    }
    return (dumps(whole, "the list of parts", indent=1, sort_keys=True) + "\n").encode()
