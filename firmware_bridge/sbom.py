"""A release's bill of materials: CycloneDX 1.5, JSON, without a date or serial number, so that it is reproducible."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

from edge import __version__
from edge.strict_json import dumps

# SPDX identifiers (https://spdx.org/licenses, 3.24) of what a release can hold; scanners match nothing else.
SPDX = """
0BSD Apache-2.0 BSD-2-Clause BSD-3-Clause CC0-1.0 CC-BY-4.0 CC-BY-SA-4.0 CC-BY-NC-4.0 CC-BY-NC-SA-4.0 CC-BY-ND-4.0
CC-BY-NC-ND-4.0 CC-BY-3.0 CC-BY-SA-3.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0-or-later HPND IJG ISC LGPL-2.1-or-later
libpng-2.0 libtiff MIT X11 Zlib
""".split()  # noqa: SIM905
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
    words = re.findall(r"[^\s()]+", terms)
    if terms in SPDX:
        return [{"license": {"id": terms}}]
    if (all(_is_known(word) for word in words) and len(words) > 1) or terms.startswith("LicenseRef-"):
        return [{"expression": terms}]
    return [{"license": {"name": terms}}]


def _is_known(word: str) -> bool:
    return word in (*SPDX, *EXCEPTIONS, "AND", "OR", "WITH") or word.startswith("LicenseRef-")


def of_images(licence: object) -> str:
    """Return the licence of a model's images, as its manifest says it; of Creative Commons' ones the identifier."""
    if not isinstance(licence, str):
        return ""
    match = re.fullmatch(r"CC(0|[ -]BY(?:-(?:NC|SA|ND|NC-SA|NC-ND))?)[ -]([0-9]\.[0-9])", licence.strip())
    found = "" if match is None else f"CC{match[1]}-{match[2]}".replace(" ", "-")
    return found if found in SPDX else f"images: {licence}"


def deb(package: str, version: str, architecture: str) -> str:
    """Return the package URL of a Debian package."""
    return f"pkg:deb/debian/{package}@{quote(version, safe=':')}?arch={architecture}"


def pypi(package: str, version: str) -> str:
    """Return the package URL of a Python package."""
    return f"pkg:pypi/{package}@{version}"
