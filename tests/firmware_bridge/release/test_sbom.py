"""The bill of materials says licences and packages as scanners read them."""

from __future__ import annotations

import json

import pytest

from firmware_bridge.release import build, python_runtime, sbom, sysroot
from firmware_bridge.release.sbom import Component

PARTS = [
    Component("application", "edge-infer", "0.1.0", "", "MIT", None),
    Component("library", "libpng", "1.6", sbom.deb("libpng16-16", "1:1.6.39-2+deb12u6", "arm64"), "libpng-2.0", None),
    Component("library", "LiteRT", "2.3.0", sbom.pypi("ai-edge-litert", "2.3.0"), "Apache-2.0", b"library"),
    Component("machine-learning-model", "pneumonia", "1", "", sbom.of_images("CC BY 4.0"), b"model"),
    Component("machine-learning-model", "edge-infer", "1", "", "", b"model"),
]


def test_parts_refer_to_one_another() -> None:
    found = json.loads(sbom.document("pi5", PARTS))
    assert (found["bomFormat"], found["specVersion"], found["version"]) == ("CycloneDX", "1.5", 1)
    references = [found["metadata"]["component"]["bom-ref"], *(part["bom-ref"] for part in found["components"])]
    assert len(set(references)) == len(references) == 6
    edges = {edge["ref"]: edge.get("dependsOn", []) for edge in found["dependencies"]}
    assert set(edges) == set(references) and edges[references[0]] == references[1:]
    assert edges["edge-infer"] == [PARTS[1].origin, PARTS[2].origin]
    assert PARTS[1].origin == "pkg:deb/debian/libpng16-16@1:1.6.39-2%2Bdeb12u6?arch=arm64"
    assert "licenses" not in found["components"][-1]
    assert found["components"][3]["licenses"] == [{"license": {"id": "CC-BY-4.0"}}]


@pytest.mark.parametrize(
    ("terms", "field"),
    [
        ("MIT", {"license": {"id": "MIT"}}),
        ("IJG AND BSD-3-Clause AND Zlib", {"expression": "IJG AND BSD-3-Clause AND Zlib"}),
        ("(MIT OR Zlib) AND ISC", {"expression": "(MIT OR Zlib) AND ISC"}),
        ("LicenseRef-public-domain", {"expression": "LicenseRef-public-domain"}),
        ("images: research", {"license": {"name": "images: research"}}),
        *((terms, {"license": {"name": terms}}) for terms in ("MIT MIT", "MIT AND", "(MIT", "MIT WITH Zlib", "=")),
        ("MIT and more", {"license": {"name": "MIT and more"}}),
    ],
)
def test_licences(terms: str, field: dict[str, object]) -> None:
    assert sbom.licences(terms) == [field]


@pytest.mark.parametrize(
    ("said", "licence"),
    [
        *(("CC BY 4.0", "CC-BY-4.0"), ("CC-BY-NC-SA-4.0", "CC-BY-NC-SA-4.0"), ("CC0 1.0", "CC0-1.0")),
        *(("CC-BY-SA 2.0", "CC-BY-SA-2.0"), ("cc by-nc-nd 3.0", "CC-BY-NC-ND-3.0"), ("CC0-1.0", "CC0-1.0")),
        *(("MIT", "MIT"), ("apache-2.0", "Apache-2.0"), (" ODbL-1.0 ", "ODbL-1.0"), ("Zlib OR MIT", "Zlib OR MIT")),
        *(("LicenseRef-hospital", "LicenseRef-hospital"), ("AND", "images: AND"), (" ", "")),
        *(("LicenseRef-our own", "images: LicenseRef-our own"), ("MIT MIT", "images: MIT MIT")),
        *(("CC BY 9.9", "images: CC BY 9.9"), ("research", "images: research"), (None, ""), (7, "")),
    ],
)
def test_what_a_model_says_of_its_images(said: object, licence: str) -> None:
    assert sbom.of_images(said) == licence


def test_every_library_has_an_identifier_and_the_package_that_scanners_know() -> None:
    assert set(build._LINKED) == set(sysroot.LINKED)
    assert [binary for _, binary, _ in build._LINKED.values() if binary.endswith("-dev")] == []
    linked = [terms for _, _, terms in build._LINKED.values()]
    carried = [*python_runtime._LIBRARIES.values(), *(terms for _, terms in python_runtime._PACKAGES.values())]
    for terms in (*linked, *carried):
        (field,) = sbom.licences(terms)
        assert "expression" in field or "id" in field["license"], terms
