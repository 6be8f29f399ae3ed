"""A release's bill of materials: CycloneDX 1.5, JSON, without a date or serial number, so that it is reproducible."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from edge import __version__
from edge.strict_json import dumps

# SPDX identifiers (https://spdx.org/licenses, 3.24) of what a release can hold, and of what images are published under;
# scanners match nothing else.
_CREATIVE_COMMONS = [
    f"CC-{terms}-{version}"
    for terms in ("BY", "BY-SA", "BY-ND", "BY-NC", "BY-NC-SA", "BY-NC-ND")
    for version in ("1.0", "2.0", "2.5", "3.0", "4.0")
]
_OTHERS = """
0BSD AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0 C-UDA-1.0 CC0-1.0 CC-PDDC
CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later
HPND IJG ISC LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later libpng-2.0 libtiff MIT MIT-CMU MPL-2.0
O-UDA-1.0 ODbL-1.0 ODC-By-1.0 PDDL-1.0 Unlicense X11 Zlib
"""
SPDX = [*_CREATIVE_COMMONS, *_OTHERS.split()]
EXCEPTIONS = ("GCC-exception-3.1",)
PROGRAM, RELEASE = "edge-infer", "release"


class Component(NamedTuple):
    """A part of a release.

    Attributes:
        kind: CycloneDX's "application", "library" or "machine-learning-model".
        origin: its package URL (purl), or "" where it is not of a package.
        licence: an SPDX expression, what people call it where there is none, or "" where nobody said.
        data: the bytes that its digest is of; None where it is linked into another part.
    """

    kind: str
    name: str
    version: str
    origin: str
    licence: str
    data: bytes | None

    @property
    def reference(self) -> str:
        """What the rest of the document calls it by."""
        return self.origin or (self.name if self.kind == "application" else f"{self.kind}:{self.name}")


def document(target: str, components: Sequence[Component]) -> bytes:
    """Return the bill of materials of the release for a target; one of the components is the program."""
    references = [part.reference for part in components]
    libraries = [part.reference for part in components if part.kind == "library"]
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": PROGRAM, "version": __version__, "bom-ref": RELEASE},
            "properties": [{"name": "edge-infer:target", "value": target}],
        },
        "components": [_entry(part) for part in components],
        "dependencies": [
            {"ref": RELEASE, "dependsOn": references},
            *({"ref": one, "dependsOn": libraries} if one == PROGRAM else {"ref": one} for one in references),
        ],
    }
    return (dumps(whole, "the list of parts", indent=1, sort_keys=True) + "\n").encode()


def _entry(part: Component) -> dict[str, Any]:
    entry: dict[str, Any] = {"type": part.kind, "name": part.name, "version": part.version, "bom-ref": part.reference}
    if part.origin:
        entry["purl"] = part.origin
    if part.data is not None:
        entry["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(part.data).hexdigest()}]
    if part.licence:
        entry["licenses"] = licences(part.licence)
    return entry


def licences(terms: str) -> list[dict[str, Any]]:
    """Return CycloneDX's field of an SPDX identifier, an SPDX expression, or of terms that have no identifier."""
    if terms in SPDX:
        return [{"license": {"id": terms}}]
    return [{"expression": terms} if _is_expression(terms) else {"license": {"name": terms}}]


def _is_expression(terms: str) -> bool:
    """Whether it is an SPDX expression (SPDX 2.3, annex D) of identifiers above and references to other licences."""
    known, exceptions = ("|".join(re.escape(each) for each in names) for names in (SPDX, EXCEPTIONS))
    licence = rf"(?<![^\s(])({known}|LicenseRef-[A-Za-z0-9.-]+)( WITH ({exceptions}))?(?![^\s)])"
    left = re.sub(licence, "=", terms)
    shorter = None
    while shorter != left:
        shorter, left = left, re.sub(r"\( *= *\)|= +(AND|OR) +=", "=", left)
    return left == "=" and "=" not in terms


def of_images(licence: object) -> str:
    """Return the licence of a model's images, as its manifest says it: where SPDX has an identifier for it, that one.

    Identifiers count in upper and lower case, and with spaces for their dashes, as people write Creative Commons' ones.
    """
    if not isinstance(licence, str) or not licence.strip():
        return ""
    known = {identifier.lower(): identifier for identifier in SPDX}
    written = re.sub(r"[ _]", "-", licence.strip().lower())
    expression = " ".join(licence.split())
    return known.get(written) or (expression if "expression" in licences(expression)[0] else f"images: {licence}")


def deb(package: str, version: str, architecture: str) -> str:
    """Return the package URL of a Debian package."""
    return f"pkg:deb/debian/{package}@{quote(version, safe=':')}?arch={architecture}"


def pypi(package: str, version: str) -> str:
    """Return the package URL of a Python package."""
    return f"pkg:pypi/{package}@{version}"
